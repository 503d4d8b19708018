//! Work on records: canonical forms -> digests -> partitions.

use std::ops::Range;

use super::count::{ChunkError, ChunkReject, ChunkTally, FeedTally, LinesOf, Places};
use super::domains::{Held, hold, pass_on};
use super::footer::Tail;
use super::ingest::Ingest;
use super::meant::{Meant, MeantBy};
use super::odd::Oddities;
use super::persons::{Linker, Links};
use super::plan::{Audience, Feed, RowCondition, SourcePlan};
use super::selection::drop_records;
use super::split::Parts;
use super::tally::Tally;
use crate::config::{RejectList, ValueSeparators};
use crate::dedup::{self, Budget, Layer, Layout, Scatter, SpelledIn, Store};
use crate::dialect::Framing;
use crate::dialect::{Dialect, count_lines};
use crate::error::Result;
use crate::hash::{Digest, Kernel};
use crate::limits::BATCH_RECORDS;
use crate::normalize::{Canonical, Normalizer, Value, Verdict};
use crate::reason::Reason;
use crate::record::{self, CsvReader, LineCounter, Records};
use crate::role::Role;
use crate::source::Chunk;
use crate::source::parquet::Rows;

/// Memory that a worker keeps from chunk to chunk.
#[derive(Default)]
pub(super) struct Worker {
    pub(super) records: Records,
    pub(super) rows: Rows,
    pub(super) tools: Tools,
}

/// Tools that records pass through on a worker.
#[derive(Default)]
pub(super) struct Tools {
    canonical: Canonical,
    digests: Vec<Digest>,
    clear_entries: Vec<u8>,
    scatters: Vec<Scatter>,
    pub(super) linker: Linker,
    meant: Meant,
    /// For each audience, members whose domain opted out.
    held: Vec<Held>,
    /// The values of cells that hold several.
    parts: Parts,
}

/// The reader of a source's chunks.
#[expect(clippy::large_enum_variant, reason = "a source has one")]
pub(super) enum Reader {
    Csv(CsvReader),
    /// Of lines, with the header above them, if there is one.
    Lines(Vec<u8>),
}

impl Reader {
    pub(super) fn of(plan: &SourcePlan, kernel: Kernel) -> Self {
        let header = plan.header.clone();
        match plan.dialect.framing {
            Framing::Csv(csv) => {
                let reader = CsvReader::new(csv, plan.wanted.clone()).on(kernel);
                Self::Csv(reader.with_header(header).with_places(plan.places.clone()))
            }
            Framing::Lines | Framing::Columns => Self::Lines(header),
        }
    }
}

/// Way of a source's chunks: from fields to audiences.
pub(super) struct Route<'a> {
    pub(super) role: Role,
    pub(super) dialect: Dialect,
    pub(super) feeds: &'a [Feed],
    pub(super) country_field: Option<usize>,
    /// The country of all rows, if it is known.
    pub(super) country: Option<&'a [u8]>,
    /// For each feed the space in which its identifiers are linked to their rows, if they are.
    pub(super) spaces: &'a [Option<u16>],
    /// Conditions that records must fulfil.
    pub(super) conditions: &'a [RowCondition],
    /// What stands between several values of a cell.
    pub(super) split: &'a ValueSeparators,
    /// The reject list's options, if there is one.
    pub(super) rejects: Option<&'a RejectList>,
}

impl Worker {
    pub(super) fn new(stores: &[Store], links: Option<&Links>) -> Self {
        let scatters = stores.iter().map(Scatter::new).collect();
        let linker = Linker::new(links);
        let held = stores.iter().map(|_| Held::default()).collect();
        Self { tools: Tools { scatters, linker, held, ..Tools::default() }, ..Self::default() }
    }

    /// Makes ready for sources whose entries are of a layer.
    pub(super) fn turn_to(
        &mut self,
        layer: Layer,
        stores: &[Store],
        budget: &Budget,
    ) -> Result<()> {
        for (scatter, store) in self.tools.scatters.iter_mut().zip(stores) {
            scatter.set_layer(layer, store, budget)?;
        }
        Ok(())
    }

    pub(super) fn work(
        &mut self,
        chunk: &Chunk,
        reader: &Reader,
        route: &Route<'_>,
        ingest: &Ingest<'_>,
    ) -> std::result::Result<ChunkTally, ChunkError> {
        self.read(chunk, reader, ingest.kernel)?;
        self.process(chunk, route, ingest)
    }

    /// The entries, for each store, and the links.
    pub(super) fn into_scatters(
        mut self,
        stores: &[Store],
        budget: &Budget,
    ) -> Result<(Vec<Scatter>, Option<Scatter>)> {
        let Tools { scatters, held, .. } = &mut self.tools;
        for ((held, scatter), store) in held.iter_mut().zip(scatters).zip(stores) {
            pass_on(held, scatter, store, budget)?;
        }
        Ok((self.tools.scatters, self.tools.linker.into_scatter()))
    }

    fn read(
        &mut self,
        chunk: &Chunk,
        reader: &Reader,
        kernel: Kernel,
    ) -> std::result::Result<(), ChunkError> {
        match reader {
            Reader::Csv(csv) => csv.read(chunk, chunk.reading, &mut self.records).map_err(|long| {
                let lines = count_lines(&chunk[..long.start]);
                ChunkError::RecordTooLong { lines }
            }),
            Reader::Lines(header) => {
                record::read_lines(kernel, chunk, &mut self.records);
                record::refuse_headers(chunk, header, &mut self.records);
                Ok(())
            }
        }
    }

    fn process(
        &mut self,
        chunk: &Chunk,
        route: &Route<'_>,
        ingest: &Ingest<'_>,
    ) -> std::result::Result<ChunkTally, ChunkError> {
        let Self { records, tools, .. } = self;
        let tail = Tail::of(records, chunk, route, ingest.audiences);
        let oddities = Oddities::of(records, chunk, route, ingest.audiences);
        let more = u64::from(chunk.is_oversize) + oddities.lines_more;
        let (all, lines) = (records.len() as u64 + more, lines_of(chunk, records, route));
        let dropped = drop_records(records, chunk, route.conditions, route.role);
        let kept = records.len() as u64 + more;
        let mut sum = ChunkTally {
            records: all,
            lines: lines + u64::from(chunk.is_oversize),
            dropped,
            tallies: Vec::with_capacity(route.feeds.len()),
            rejects: Vec::new(),
            oddities,
            tail,
        };
        for (index, feed) in route.feeds.iter().enumerate() {
            let mut counts = FeedTally {
                tally: Tally::of_records(kept),
                places: LinesOf { lines: LineCounter::new(chunk), records, chunk },
                feed: index,
                list: route.rejects.map(|list| (list.with_values, &mut sum.rejects)),
            };
            if chunk.is_oversize {
                counts.reject(0, Reason::TooLong, b"");
            }
            tools.pass(records, chunk, feed, route, ingest, &mut counts)?;
            let tally = counts.tally;
            sum.tallies.push(tally);
        }
        tools.finish_links(records.len(), route, ingest)?;
        sum.rejects.sort_by_key(ChunkReject::order);
        Ok(sum)
    }
}

impl Tools {
    /// Passes one field of some records on: canonical forms, digests, partitions.
    pub(super) fn pass(
        &mut self,
        records: &Records,
        bytes: &[u8],
        feed: &Feed,
        route: &Route<'_>,
        ingest: &Ingest<'_>,
        counts: &mut FeedTally<'_, impl Places>,
    ) -> Result<()> {
        if route.split.is_empty() {
            return self.pass_values(records, bytes, feed, route, ingest, counts);
        }
        let mut parts = std::mem::take(&mut self.parts);
        parts.cut(records, bytes, (feed.field, route.country_field), route.split, counts);
        let of_parts = Feed { field: 0, ..feed.clone() };
        let route = Route { country_field: route.country_field.map(|_| 1), ..*route };
        let mut of_values = Parts::counting(parts.owners(), counts);
        let passed =
            self.pass_values(&parts.records, bytes, &of_parts, &route, ingest, &mut of_values);
        counts.tally = of_values.tally;
        self.parts = parts;
        passed
    }

    /// Passes fields on that are one value each.
    fn pass_values(
        &mut self,
        records: &Records,
        bytes: &[u8],
        feed: &Feed,
        route: &Route<'_>,
        ingest: &Ingest<'_>,
        counts: &mut FeedTally<'_, impl Places>,
    ) -> Result<()> {
        let space = route.spaces[counts.feed];
        let domains = &ingest.domains[feed.audience];
        let looks_up = route.role == Role::Member && !domains.is_empty();
        let audience = &ingest.audiences[feed.audience];
        let store = &ingest.stores[feed.audience];
        for start in (0..records.len()).step_by(BATCH_RECORDS) {
            let Self { canonical, digests, scatters, linker, meant, held, .. } = self;
            let held = &mut held[feed.audience];
            let batch = start..(start + BATCH_RECORDS).min(records.len());
            let rule = feed.rule.as_deref();
            let normalizer = rule.unwrap_or_else(|| audience.normalizer(route.role));
            let values = (records, bytes, batch);
            canonical.keeps_originals = feed.spelled_in.is_some();
            if space.is_some() {
                linker.begin_batch();
                let on_verdict = |index, value: &[u8], verdict| {
                    let record = counts.places.owner(index);
                    linker.note(record, verdict);
                    if route.role == Role::Member {
                        meant.note(index, record, verdict);
                    }
                    counts.count(index, value, verdict);
                };
                normalize(normalizer, values, feed.field, route, canonical, on_verdict);
            } else {
                let on_verdict = |index, value: &[u8], verdict| counts.count(index, value, verdict);
                normalize(normalizer, values, feed.field, route, canonical, on_verdict);
            }
            canonical.messages.hash(ingest.kernel, digests);
            if let Some(space) = space {
                linker.add(digests, &canonical.digests, space);
            }
            counts.tally.domain_names.append(&mut canonical.domains);
            if looks_up {
                hold(canonical, digests, domains, held, |digest| {
                    if let Some(space) = space {
                        linker.opt_out(digest, space);
                    }
                });
                if held.is_full() {
                    pass_on(held, &mut scatters[feed.audience], store, &ingest.budget)?;
                }
            }
            let has_meant = space.is_some_and(|space| {
                let by = MeantBy {
                    normalizer: audience.normalizer(Role::Suppressed),
                    records,
                    bytes,
                    field: feed.field,
                    country_field: route.country_field,
                    country: route.country,
                    domains,
                    space,
                };
                meant.link(&by, linker)
            });
            self.scatter(feed, route.role, ingest, has_meant)?;
        }
        Ok(())
    }

    /// Scatters what was made of a batch.
    #[inline]
    fn scatter(
        &mut self,
        feed: &Feed,
        role: Role,
        ingest: &Ingest<'_>,
        has_meant: bool,
    ) -> Result<()> {
        let Self { canonical, digests, clear_entries, scatters, meant, .. } = self;
        let audience = &ingest.audiences[feed.audience];
        let store = &ingest.stores[feed.audience];
        let made = ingest.audiences.len() - ingest.aliases.len();
        if let Some(alias) = feed.audience.checked_sub(made).map(|at| ingest.aliases[at]) {
            alias.push_listed(&canonical.digests, clear_entries);
            scatters[feed.audience].push_clear(clear_entries, store, &ingest.budget)?;
            return Ok(());
        }
        for (at, alias) in (made..).zip(&ingest.aliases) {
            if role == Role::Member && alias.is_of(audience.spec.user_type) {
                alias.push_members(&canonical.messages, digests, clear_entries);
                let store = &ingest.stores[at];
                scatters[at].push_clear(clear_entries, store, &ingest.budget)?;
                if has_meant {
                    meant.push_aliases(*alias, clear_entries);
                    scatters[at].push_clear(clear_entries, store, &ingest.budget)?;
                }
            }
        }
        let scatter = &mut scatters[feed.audience];
        if layout(audience) == Layout::Digest {
            scatter.push_digests(digests, store, &ingest.budget)?;
            scatter.push_digests(&canonical.digests, store, &ingest.budget)?;
            return Ok(());
        }
        clear_entries.clear();
        match feed.spelled_in {
            None => {
                for (value, digest) in canonical.messages.iter().zip(&*digests) {
                    dedup::push_clear_entry(value, digest, clear_entries);
                }
            }
            Some(source) => push_spelled(canonical, digests, source, clear_entries),
        }
        scatter.push_clear(clear_entries, store, &ingest.budget)
    }

    /// Takes the scatters from a place on away.
    pub(super) fn split_off(&mut self, at: usize) -> Vec<Scatter> {
        self.scatters.split_off(at)
    }

    /// Suppresses entries of an audience that were found out to be on a list.
    pub(super) fn suppress(
        &mut self,
        audience: usize,
        layer: Layer,
        digests: &[Digest],
        ingest: &Ingest<'_>,
    ) -> Result<()> {
        let store = &ingest.stores[audience];
        let scatter = &mut self.scatters[audience];
        scatter.set_layer(layer, store, &ingest.budget)?;
        scatter.push_digests(digests, store, &ingest.budget)?;
        let Some(links) = &ingest.links else { return Ok(()) };
        self.linker.add_opted_out(digests, links.space_of(audience), links, &ingest.budget)
    }

    /// Gives links of rows away whose numbers are known, beginning so far behind the first of a group, or of a list.
    pub(super) fn finish_row_links(
        &mut self,
        row: Option<u32>,
        route: &Route<'_>,
        ingest: &Ingest<'_>,
    ) -> Result<()> {
        match (&ingest.links, row) {
            (Some(links), Some(row)) => self.linker.finish_rows(row, links, &ingest.budget),
            (Some(_), None) => self.finish_links(0, route, ingest),
            (None, _) => Ok(()),
        }
    }

    /// Gives the links of a chunk away.
    fn finish_links(
        &mut self,
        records: usize,
        route: &Route<'_>,
        ingest: &Ingest<'_>,
    ) -> Result<()> {
        match (&ingest.links, route.role) {
            (Some(links), Role::Member) => self.linker.finish_chunk(records, links, &ingest.budget),
            (Some(links), Role::Suppressed) => self.linker.finish_list(links, &ingest.budget),
            _ => Ok(()),
        }
    }
}

/// Appends ids as entries that carry how they were spelled.
fn push_spelled(
    canonical: &Canonical,
    digests: &[Digest],
    source: SpelledIn,
    clear_entries: &mut Vec<u8>,
) {
    let mut originals = canonical.originals.iter().peekable();
    for (index, (value, digest)) in canonical.messages.iter().zip(digests).enumerate() {
        let original =
            originals.next_if(|(of, _)| *of == index).map_or(0, |(_, original)| *original);
        source.push_entry(value, original, digest, clear_entries);
    }
}

/// Line ends of a chunk.
fn lines_of(chunk: &[u8], records: &Records, route: &Route<'_>) -> u64 {
    match route.dialect.framing {
        // They were counted when the lines were read; the last line may have none.
        Framing::Lines => {
            let is_open = |last: &u8| !matches!(last, b'\n' | b'\r');
            records.len() as u64 - u64::from(chunk.last().is_some_and(is_open))
        }
        Framing::Csv(_) | Framing::Columns => records.count_lines(chunk),
    }
}

/// Layout of an audience's entries.
pub(super) fn layout(audience: &Audience) -> Layout {
    if audience.spec.user_type.is_hashed() { Layout::Digest } else { Layout::Clear }
}

/// Normalises one field of some records.
fn normalize(
    normalizer: &Normalizer,
    (records, chunk, batch): (&Records, &[u8], Range<usize>),
    field: usize,
    route: &Route<'_>,
    canonical: &mut Canonical,
    mut on_verdict: impl FnMut(usize, &[u8], Verdict),
) {
    canonical.clear();
    let wrapping = route.dialect.wrapping();
    let first = batch.start;
    let fields = records.fields_of(chunk, field, batch.clone());
    let on_verdict = |index, value: &[u8], verdict| on_verdict(first + index, value, verdict);
    match route.country_field {
        None => {
            let country = route.country;
            let values = fields.map(|bytes| Value { bytes, country });
            normalizer.batch(wrapping, values, canonical, on_verdict);
        }
        Some(country) => {
            let countries = records.fields_of(chunk, country, batch);
            let values = fields.zip(countries).map(|(bytes, country)| match country {
                Ok(country) => Value { bytes, country: Some(country) },
                Err(Reason::MissingColumn) => Value { bytes, country: Some(b"") },
                // Where the country cannot be relied on, the number cannot either.
                Err(reason) => Value { bytes: bytes.and(Err(reason)), country: Some(b"") },
            });
            normalizer.batch(wrapping, values, canonical, on_verdict);
        }
    }
}
