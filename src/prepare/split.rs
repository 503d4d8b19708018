//! Cells with several values: each becomes a record of its own, with the place of the record that it comes from.

use super::count::{FeedTally, Places};
use crate::config::ValueSeparators;
use crate::record::Records;

/// The values of some records' cells.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) records: Records,
    /// The record that each comes from.
    owners: Vec<u32>,
}

/// Places of the records that values come from.
pub(super) struct OwnerPlaces<'a, P> {
    places: &'a mut P,
    owners: &'a [u32],
}

impl<P: Places> Places for OwnerPlaces<'_, P> {
    fn line(&mut self, record: usize) -> u64 {
        self.places.line(self.owners[record] as usize)
    }

    fn number(&self, record: usize) -> usize {
        self.places.number(self.owners[record] as usize)
    }

    fn owner(&self, record: usize) -> usize {
        self.places.owner(self.owners[record] as usize)
    }

    fn lines(&self, record: usize) -> u64 {
        self.places.lines(self.owners[record] as usize)
    }

    fn is_ruler(&self, record: usize) -> bool {
        self.places.is_ruler(self.owners[record] as usize)
    }

    fn times(&self, record: usize) -> u64 {
        self.places.times(self.owners[record] as usize)
    }
}

impl Parts {
    /// Cuts a field of records; `beside` is another one that stays with each value. Values become the first field.
    pub(super) fn cut(
        &mut self,
        records: &Records,
        bytes: &[u8],
        (field, beside): (usize, Option<usize>),
        separators: &ValueSeparators,
        counts: &mut FeedTally<'_, impl Places>,
    ) {
        let Self { records: parts, owners } = self;
        owners.clear();
        parts.begin_parts(records, 1 + usize::from(beside.is_some()));
        for (record, cell) in records.fields(bytes, field).enumerate() {
            let before = owners.len();
            let owner = u32::try_from(record).unwrap_or(u32::MAX);
            // One that has no bytes has none as a part either.
            separators.split(cell.unwrap_or_default(), |range| {
                parts.push_part(records, record, (field, range), beside);
                owners.push(owner);
            });
            counts.count_split((owners.len() - before) as u64, record);
        }
        parts.finish_parts();
    }

    /// The counts of the values, and what becomes of `counts` with them.
    pub(super) fn counting<'a, P: Places>(
        owners: &'a [u32],
        counts: &'a mut FeedTally<'_, P>,
    ) -> FeedTally<'a, OwnerPlaces<'a, P>> {
        FeedTally {
            tally: std::mem::take(&mut counts.tally),
            places: OwnerPlaces { places: &mut counts.places, owners },
            feed: counts.feed,
            list: counts.list.as_mut().map(|(with_values, list)| (*with_values, &mut **list)),
        }
    }

    /// The record that each value comes from.
    pub(super) fn owners(&self) -> &[u32] {
        &self.owners
    }
}
