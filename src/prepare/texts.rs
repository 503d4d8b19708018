//! Reading text: sources side by side, each with a decoder, line numbers and counts of its own.

use std::sync::Arc;

use super::count::{ChunkError, ChunkTally, SourceSum, give_rejects};
use super::ingest::Ingest;
use super::plan::SourcePlan;
use super::tally::SourceTally;
use super::worker::{Reader, Route};
use crate::buffers::Buffers;
use crate::emit::{RejectQueue, RejectRows};
use crate::error::{Error, ExitCode, Result};
use crate::lanes::{Bounds, Steps, lanes};
use crate::limits::INPUTS_OPEN_MAX;
use crate::source::{Chunk, Chunks, Means, Torn};

/// A source that is read beside others.
struct Text {
    plan: SourcePlan,
    /// For each feed the space in which its identifiers are linked to their rows, if they are.
    spaces: Vec<Option<u16>>,
}

/// An open source.
struct Open {
    reader: Arc<Reader>,
    /// Nothing is read of one that holds nobody.
    chunks: Option<Chunks>,
    torn: Option<Torn>,
}

/// What was counted of a source.
struct Sum<'a> {
    number: usize,
    route: Route<'a>,
    total: SourceSum<'a>,
    rows: Option<RejectRows>,
}

impl Ingest<'_> {
    /// Reads texts whose entries have one layer: what was counted of them up to the first one with an error, and that error.
    /// `first` is the number of the first one among all sources.
    pub(super) fn texts(
        &self,
        first: usize,
        plans: Vec<SourcePlan>,
        rejects: Option<&RejectQueue>,
    ) -> (Vec<SourceTally>, Result<()>) {
        let text = |plan: SourcePlan| Text { spaces: self.spaces(&plan), plan };
        let texts: Vec<Text> = plans.into_iter().map(text).collect();
        let open = self.open_max(&texts);
        let bounds = Bounds { lanes: texts.len(), open, in_flight: self.memory.in_flight };
        // Where there are fewer sources than threads, they are split where they can be.
        let at_once = texts.len().min(open).max(1);
        let means = Means {
            threads: self.memory.threads.div_ceil(at_once),
            bytes: self.memory.inputs_limit / at_once as u64,
        };
        let buffers = Arc::default();
        let steps = Steps {
            open: |number: usize| {
                self.progress.check()?;
                let text = &texts[number];
                let route = self.route(&text.plan, &text.spaces);
                let (path, header_lines) = (&text.plan.source.path, text.plan.header_lines);
                let total = SourceSum::new(path, header_lines, &route);
                let rows = self.reject_list.map(RejectRows::new);
                Ok((self.open(&text.plan, &buffers, means)?, Sum { number, route, total, rows }))
            },
            next: |open: &mut Open| {
                self.progress.check()?;
                Ok(open.next(self))
            },
            work: |number: usize, (reader, chunk): (Arc<Reader>, Chunk)| {
                let text = &texts[number];
                let route = self.route(&text.plan, &text.spaces);
                self.worker()?.work(&chunk, &reader, &route, self)
            },
            sink: |sum: &mut Sum<'_>, tally: std::result::Result<ChunkTally, ChunkError>| {
                let Sum { number, route, total, rows } = sum;
                total.add(tally, route, self.audiences, self.progress, rows.as_mut())?;
                give_rejects(first + *number, rows.as_mut(), rejects)
            },
            end: |open: Open, sum: Sum<'_>, read: Result<()>| {
                self.progress.check()?;
                let Sum { number, route, total, mut rows } = sum;
                open.end(&texts[number].plan, total.lines, read)?;
                total.check_known(route.role)?;
                let source = first + number;
                let read = total.finish(source, &route, self.audiences, rows.as_mut())?;
                give_rejects(source, rows.as_mut(), rejects)?;
                rejects.map_or(Ok(()), |queue| queue.end(source))?;
                Ok(read)
            },
        };
        lanes(self.pool, bounds, steps)
    }

    /// The number of sources that are open at once: as many as there are threads to feed, and memory for what reads them.
    fn open_max(&self, texts: &[Text]) -> usize {
        let bytes = texts.iter().map(|text| text.plan.source.reading_bytes()).max();
        let room = self.memory.inputs_limit / bytes.unwrap_or(0).max(1);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        room.min(self.memory.threads).clamp(1, INPUTS_OPEN_MAX)
    }

    fn open(
        &self,
        plan: &SourcePlan,
        buffers: &Arc<Buffers<Vec<u8>>>,
        means: Means,
    ) -> Result<Open> {
        let reader = Arc::new(Reader::of(plan, self.kernel));
        if plan.empty.is_some() {
            plan.source.check_unchanged()?;
            return Ok(Open { reader, chunks: None, torn: None });
        }
        let framing = plan.dialect.framing;
        let bytes_read = self.progress.bytes_read.clone();
        let (skip, window) = (plan.skip, self.chunk_bytes);
        let by = (buffers, means);
        let chunks = plan.source.chunks(framing, skip, window, self.io, bytes_read, by)?;
        Ok(Open { reader, chunks: Some(chunks), torn: None })
    }
}

impl Open {
    /// The next chunk, with what reads it. What ends them too early is kept until it is known in which line.
    fn next(&mut self, ingest: &Ingest<'_>) -> Option<(Arc<Reader>, Chunk)> {
        match self.chunks.as_mut()?.next_chunk(ingest.pool) {
            Ok(chunk) => chunk.map(|chunk| (Arc::clone(&self.reader), chunk)),
            Err(torn) => {
                self.torn = Some(torn);
                None
            }
        }
    }

    /// What is to be said of a source when all of its chunks were worked on, behind so many lines.
    fn end(self, plan: &SourcePlan, lines: u64, read: Result<()>) -> Result<()> {
        let torn = self.torn.map(|torn| match torn.lines_behind {
            Some(behind) => torn.error.at_line(lines + behind + 1),
            None => torn.error,
        });
        let read = read.and_then(|()| torn.map_or(Ok(()), Err));
        let check = || match &self.chunks {
            Some(chunks) => chunks.check_unchanged(),
            None => plan.source.check_unchanged(),
        };
        // A file that changes while it is read looks damaged in all kinds of ways; the change is why.
        match read.as_ref().map_err(Error::exit_code) {
            Ok(()) | Err(ExitCode::Input) => check().and(read),
            Err(_) => read,
        }
    }
}
