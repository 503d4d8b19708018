//! Writing: partition by partition, set algebra, then upload files in digest order.

use std::path::Path;
use std::sync::atomic::Ordering;

use rayon::ThreadPool;

use super::budget::MemoryPlan;
use crate::config::{AudienceSpec, PrepareConfig};
use crate::dedup::{Companions, Layout, Merged, OneAudience, Partitions, Range, Resolved, resolve};
use crate::emit::{ListWriter, PartLimits, PartManifest, Parts, Placed, write_parts};
use crate::entries::Counts;
use crate::error::Result;
use crate::hash::Digest;
use crate::ordered::{Steps, ordered};
use crate::progress::Progress;

/// More bits by which a range is split that turned out too large.
const SPLIT_BITS: u32 = 4;

/// Things that writing an audience needs.
pub(super) struct Delivery<'a> {
    pub(super) config: &'a PrepareConfig,
    pub(super) memory: &'a MemoryPlan,
    pub(super) pool: &'a ThreadPool,
    pub(super) progress: &'a Progress,
    pub(super) dir: &'a Path,
}

/// Files that were written of an audience.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) counts: Counts,
    /// For each list, how many of its entries are members.
    pub(crate) hits: Vec<u64>,
    /// Members that are several ids of one input, of which lower-casing made one.
    pub(crate) merged: Merged,
    /// The upload files.
    pub(crate) parts: Vec<PartManifest>,
    /// The lists of who is gone and who must go, unless they are empty.
    pub(crate) gone: Option<PartManifest>,
    pub(crate) must_go: Option<PartManifest>,
}

impl Delivery<'_> {
    /// Resolves all partitions of an audience and writes its parts and lists.
    pub(super) fn write(
        &self,
        audience: &AudienceSpec,
        partitions: Partitions,
        companions: Option<Companions<'_>>,
    ) -> Result<Delivered> {
        let output = &self.config.output;
        let limits = PartLimits { lines: output.part_lines.max(1), bytes: output.part_bytes };
        let layout = if audience.user_type.is_hashed() { Layout::Digest } else { Layout::Clear };
        let most = partitions.entries_max(layout);
        let largest = partitions.ranges().map(|range| partitions.bytes(range)).max().unwrap_or(0);
        let part_bytes = limits.lines.saturating_mul(size_of::<Digest>() as u64);
        let in_flight = self.memory.ranges_in_flight(largest, part_bytes);
        let unconfirmed_can_be_gone = self.config.unconfirmed_can_be_gone;
        let kernel = self.config.resources.kernel;
        let list = |what| ListWriter::new(self.dir, format!("{}-{what}.txt", audience.label));
        let (mut gone, mut must_go) = (list("gone"), list("must-go"));
        let written =
            write_parts(self.dir, audience, limits, most, kernel, self.memory.threads, |parts| {
                let of = OneAudience {
                    partitions: &partitions,
                    companions,
                    layout,
                    unconfirmed_can_be_gone,
                };
                let mut sum = Sum {
                    counts: Counts::default(),
                    hits: Vec::new(),
                    merged: Merged::default(),
                    parts,
                    gone: &mut gone,
                    must_go: &mut must_go,
                    delivery: self,
                };
                let mut ranges = partitions
                    .ranges()
                    .flat_map(|range| cut(range, &partitions, self.memory.range_limit));
                let steps = Steps {
                    next: || self.progress.check().map(|()| ranges.next()),
                    work: |range| (range, resolve(&of, range, self.memory.range_limit)),
                    sink: |(range, resolved): (Range, Result<_>)| sum.add(range, resolved?, &of),
                    lane: |placed: &Option<Placed>| placed.as_ref().and_then(Placed::part),
                    finish: |placed: Option<Placed>| match placed {
                        Some(placed) => placed.write().map(|entries| partitions.recycle(entries)),
                        None => Ok(()),
                    },
                };
                ordered(self.pool, in_flight, steps)?;
                drop(ranges);
                partitions.free(self.pool);
                Ok((sum.counts, sum.hits, sum.merged))
            });
        let ((counts, hits, merged), parts) = written?;
        let (gone, must_go) = (gone.finish()?, must_go.finish()?);
        Ok(Delivered { counts, hits, merged, parts, gone, must_go })
    }
}

/// Cuts a partition whose entries are more than the limit by the next bits, so that each piece fits.
fn cut(range: Range, partitions: &Partitions, limit: u64) -> impl Iterator<Item = Range> + use<> {
    let pieces = partitions.bytes(range).div_ceil(limit.max(1)).max(1);
    range.split(pieces.next_power_of_two().ilog2())
}

/// Takes resolved ranges in order.
struct Sum<'a> {
    counts: Counts,
    hits: Vec<u64>,
    merged: Merged,
    parts: &'a mut Parts,
    gone: &'a mut ListWriter,
    must_go: &'a mut ListWriter,
    delivery: &'a Delivery<'a>,
}

impl Sum<'_> {
    /// Counts a range and gives its entries their places; nothing is left to be written of one that had to be split.
    fn add(
        &mut self,
        range: Range,
        resolved: Option<Resolved>,
        of: &OneAudience<'_>,
    ) -> Result<Option<Placed>> {
        if let Some(resolved) = resolved {
            self.counts.add(&resolved.counts);
            self.hits.resize(self.hits.len().max(resolved.hits.len()), 0);
            self.hits.iter_mut().zip(&resolved.hits).for_each(|(sum, hits)| *sum += hits);
            self.merged.add(resolved.merged);
            self.gone.push(&resolved.gone)?;
            self.must_go.push(&resolved.must_go)?;
            self.delivery.progress.resolved.fetch_add(resolved.counts.members, Ordering::Relaxed);
            return self.parts.place(resolved.entries).map(Some);
        }
        // Digests that came as such need not be evenly spread: one by one, as deep as it takes.
        for piece in range.split(SPLIT_BITS) {
            self.delivery.progress.check()?;
            let limit = self.delivery.memory.range_limit;
            let resolved = resolve(of, piece, limit)?;
            if let Some(placed) = self.add(piece, resolved, of)? {
                of.partitions.recycle(placed.write()?);
            }
        }
        Ok(None)
    }
}
