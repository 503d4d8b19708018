//! Records that fulfil all conditions; the others go no further, and are counted by the first condition that drops them.

use super::columns::Group;
use super::plan::RowCondition;
use crate::error::Result;
use crate::limits::PARQUET_ROWS;
use crate::reason::Reason;
use crate::record::Records;
use crate::role::Role;
use crate::source::parquet::{Rows, Want};
use crate::stop::Stop;

/// Drops records of a chunk that do not fulfil the conditions; how many each condition dropped. A record whose cell cannot be
/// relied on is neither taken nor dropped, but rejected for that reason. A cell that is not there is blank; of an opt-out list,
/// nobody is dropped for that.
pub(super) fn drop_records(
    records: &mut Records,
    chunk: &[u8],
    conditions: &[RowCondition],
    role: Role,
) -> Vec<u64> {
    let mut dropped = vec![0; conditions.len()];
    if conditions.is_empty() {
        return dropped;
    }
    records.retain(chunk, |record| {
        for (of, dropped) in conditions.iter().zip(&mut dropped) {
            let Some(field) = of.field else { continue };
            let holds = match record.field(field) {
                Ok(cell) => of.condition.holds(cell),
                Err(Reason::MissingColumn) if of.condition.holds(b"") => true,
                Err(Reason::MissingColumn) if role != Role::Suppressed => false,
                Err(reason) => return Err(reason),
            };
            if !holds {
                *dropped += 1;
                return Ok(false);
            }
        }
        Ok(true)
    });
    dropped
}

/// The rows of a row group that fulfil all conditions.
pub(super) struct Selection {
    /// A bit for each row.
    bits: Vec<u64>,
    /// Rows that each condition dropped.
    pub(super) dropped: Vec<u64>,
}

impl Selection {
    /// Looks at the columns of the conditions one after the other, of which `limit` bytes may be in memory at once; `None`
    /// if there are no conditions.
    pub(super) fn of(
        group: &Group<'_>,
        conditions: &[RowCondition],
        rows: &mut Rows,
        limit: u64,
        stop: &Stop,
    ) -> Result<Option<Self>> {
        if conditions.is_empty() {
            return Ok(None);
        }
        let bits = vec![u64::MAX; (group.rows as usize).div_ceil(64)];
        let mut selection = Self { bits, dropped: vec![0; conditions.len()] };
        for (of, dropped) in conditions.iter().zip(0..) {
            let Some(field) = of.field else { continue };
            let mut column =
                group.table.compared_column(group.number, group.wanted[field], limit)?;
            let mut read = 0;
            while read < group.rows {
                stop.check()?;
                rows.clear();
                let most = PARQUET_ROWS.min((group.rows - read) as usize);
                let count = column.read(most, Want::Texts, rows)?;
                for (cell, row) in (0..count).zip(read..) {
                    if !of.condition.holds(&rows.texts.bytes[rows.texts.span(cell)]) {
                        selection.drop_row(row, dropped);
                    }
                }
                read += u32::try_from(count).unwrap_or(u32::MAX);
            }
            column.finish()?;
        }
        Ok(Some(selection))
    }

    fn drop_row(&mut self, row: u32, condition: usize) {
        if self.has(row) {
            self.bits[row as usize / 64] &= !(1 << (row % 64));
            self.dropped[condition] += 1;
        }
    }

    /// Whether a row fulfils them.
    pub(super) fn has(&self, row: u32) -> bool {
        self.bits[row as usize / 64] >> (row % 64) & 1 == 1
    }
}
