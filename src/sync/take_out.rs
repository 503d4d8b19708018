//! Taking out who opted out, and who is to be forgotten, without waiting for the night.

use serde::Serialize;

use super::lists_alone::Lists;
use super::night::{Night, SyncProgress, explained, open};
use super::outcome::outcome;
use super::remove::Whom;
use super::{SyncConfig, SyncRecord};
use crate::error::Result;
use crate::upload::Notice;

/// Who was taken out of an audience of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TakenOut {
    /// Its name in the job.
    pub audience: String,
    /// Entries that were taken out.
    pub entries: u64,
    /// Entries that opted out, and are or may be in it still: a guard stops it, or the platform did not do it.
    pub left: u64,
}

/// Takes everybody out of the audiences of a job who stands on its opt-out lists or is to be forgotten, as its next run would.
/// Nobody is added, and inputs are not read. Nothing is done where the platform takes nobody out, or the job says so.
///
/// # Errors
///
/// If another run is going on, if no list can be read, or if somebody could not be taken out. What was done is done, and
/// the next run of the job goes on.
pub fn take_out(
    config: &SyncConfig,
    progress: &SyncProgress,
    notify: &dyn Fn(&Notice<'_>),
) -> Result<Vec<TakenOut>> {
    let (store, _lock) = open(config)?;
    let run = store.begin_run(&config.command, None)?;
    let mut record = SyncRecord::default();
    let mut night = Night::new(config, (&store, run), progress, notify, &mut record);
    let taken_out = if night.removes() { night.take_out_by_lists() } else { Ok(()) };
    let told = night.tell_removed()?;
    let left = store.remove_prepared();
    taken_out.and(left).map_err(|error| explained(error, &store))?;
    store.removed_told(&told)?;
    let of_audience = |of: super::AudienceRecord| TakenOut {
        audience: of.name,
        entries: of.removed_opted_out,
        left: of.figures.sets.must_go,
    };
    Ok(record.audiences.into_iter().map(of_audience).collect())
}

impl Night<'_> {
    fn take_out_by_lists(&mut self) -> Result<()> {
        let mut audiences = self.look_up()?;
        self.settle_removals(&mut audiences)?;
        // The next run tells of lists that cannot be read.
        if let Lists::Read(_) = self.find_who_opted_out(&audiences)? {
            self.remove(&mut audiences, Whom::OptedOut)?;
        }
        self.count_not_out(&audiences);
        let of_audiences = audiences.into_iter().filter_map(|audience| audience.trouble);
        let troubles = of_audiences.chain(self.troubles.drain(..)).collect();
        outcome(troubles, self.removed > 0)
    }
}
