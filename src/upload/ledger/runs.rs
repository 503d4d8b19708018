//! Runs, their parts, and the requests that they made.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::{TransactionBehavior, params};

use super::targets::set_ready;
use super::{Ledger, Target};
use crate::api::CustomAudience;
use crate::disk::sqlite::now;
use crate::error::{Error, ExitCode, Result};
use crate::upload::failure::{Call, Failure};
use crate::upload::part::Part;

/// The outcome of a request to which the API said yes.
const ACKNOWLEDGED: &str = "acknowledged";

const END_ATTEMPT: &str =
    "UPDATE attempt SET ended_at = ?2, outcome = ?3, status = ?4 WHERE id = ?1";

/// A run that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId(i64);

/// A request that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptId(i64);

impl Ledger {
    /// Records that a run has begun, and its parts.
    pub(crate) fn begin_run(
        &mut self,
        target: &Target,
        dir: &Path,
        command: &str,
        parts: &[Part],
    ) -> Result<RunId> {
        let failed = self.failing("write");
        let result: rusqlite::Result<_> = (|| {
            let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            change.execute(
                "INSERT INTO run (target_id, directory, command, version, parts, entries, bytes, started_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    target.id,
                    dir.to_string_lossy(),
                    command,
                    env!("CARGO_PKG_VERSION"),
                    parts.len(),
                    parts.iter().map(|part| part.lines).sum::<u64>(),
                    parts.iter().map(|part| part.bytes).sum::<u64>(),
                    now()
                ],
            )?;
            let run = change.last_insert_rowid();
            let mut insert = change.prepare(
                "INSERT INTO part (target_id, sha256, file, entries, bytes, planned_by)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET planned_by = excluded.planned_by, file = excluded.file",
            )?;
            for part in parts {
                let Part { sha256, file, lines, bytes, .. } = part;
                insert.execute(params![target.id, sha256, file, lines, bytes, run])?;
            }
            drop(insert);
            change.commit()?;
            Ok(RunId(run))
        })();
        result.map_err(failed)
    }

    /// The digests of the parts that a target has for certain.
    pub(crate) fn acknowledged(&self, target: &Target) -> Result<HashSet<String>> {
        let result: rusqlite::Result<_> = (|| {
            let mut query = self.db.prepare(
                "SELECT sha256 FROM part WHERE target_id = ?1 AND acknowledged_at IS NOT NULL",
            )?;
            query.query_map([target.id], |row| row.get(0))?.collect()
        })();
        result.map_err(self.failing("read"))
    }

    /// Forgets which parts a target has, so that all are sent again.
    pub(crate) fn forget_parts(&self, target: &Target) -> Result<()> {
        self.change(
            "UPDATE part SET acknowledged_by = NULL, acknowledged_at = NULL WHERE target_id = ?1",
            params![target.id],
        )
    }

    /// The digests of parts that were sent to a target and may have taken effect, though no answer has confirmed it.
    pub(crate) fn unanswered(&self, target: &Target) -> Result<HashSet<String>> {
        let result: rusqlite::Result<_> = (|| {
            let mut query = self.db.prepare(
                "SELECT DISTINCT attempt.sha256 FROM attempt JOIN run ON run.id = attempt.run_id
                 JOIN part ON part.target_id = run.target_id AND part.sha256 = attempt.sha256
                 WHERE run.target_id = ?1 AND part.acknowledged_at IS NULL
                 AND (attempt.outcome IS NULL OR attempt.outcome IN
                      ('broken', 'timed_out', 'busy', 'rate_limited', 'nonsense', 'stopped'))",
            )?;
            query.query_map([target.id], |row| row.get(0))?.collect()
        })();
        result.map_err(self.failing("read"))
    }

    /// The digests of the parts that the last run of a target was to send; none if there was no run.
    pub(crate) fn planned(&self, target: &Target) -> Result<HashSet<String>> {
        let result: rusqlite::Result<_> = (|| {
            let mut query = self.db.prepare(
                "SELECT sha256 FROM part WHERE target_id = ?1
                 AND planned_by = (SELECT max(id) FROM run WHERE target_id = ?1)",
            )?;
            query.query_map([target.id], |row| row.get(0))?.collect()
        })();
        result.map_err(self.failing("read"))
    }

    /// Records that the API has confirmed a part, and with it which audience the target is.
    pub(crate) fn acknowledge(
        &mut self,
        target: &Target,
        run: RunId,
        attempt: Option<AttemptId>,
        part: &Part,
        audience: &CustomAudience,
    ) -> Result<()> {
        let failed = self.failing("write");
        let result: rusqlite::Result<_> = (|| {
            let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            set_ready(&change, target, &audience.id, audience.fb_id.as_ref())?;
            change.execute(
                "UPDATE part SET acknowledged_by = ?3, acknowledged_at = ?4
                 WHERE target_id = ?1 AND sha256 = ?2 AND acknowledged_at IS NULL",
                params![target.id, part.sha256, run.0, now()],
            )?;
            if let Some(attempt) = attempt {
                change
                    .execute(END_ATTEMPT, params![attempt.0, now(), ACKNOWLEDGED, None::<u16>])?;
            }
            change.commit()
        })();
        result.map_err(failed)
    }

    /// Records that a request is about to be made.
    pub(crate) fn begin_attempt(
        &self,
        run: RunId,
        call: Call,
        part: Option<&Part>,
    ) -> Result<AttemptId> {
        self.change(
            "INSERT INTO attempt (run_id, call, sha256, began_at) VALUES (?1, ?2, ?3, ?4)",
            params![run.0, word(call), part.map(|part| &part.sha256), now()],
        )?;
        Ok(AttemptId(self.db.last_insert_rowid()))
    }

    /// Records what a request came to.
    pub(crate) fn end_attempt(&self, attempt: AttemptId, failure: Option<&Failure>) -> Result<()> {
        let outcome = failure.map_or_else(|| ACKNOWLEDGED.to_owned(), |failure| word(failure.kind));
        let status = failure.and_then(|failure| failure.status);
        self.change(END_ATTEMPT, params![attempt.0, now(), outcome, status])
    }

    /// Records how a run ended.
    pub(crate) fn end_run(&self, run: RunId, ended: std::result::Result<(), &Error>) -> Result<()> {
        let code = ended.map_or_else(Error::exit_code, |()| ExitCode::Done);
        let message = ended.err().map(ToString::to_string);
        self.change(
            "UPDATE run SET ended_at = ?2, exit_code = ?3, message = ?4 WHERE id = ?1",
            params![run.0, now(), code as u8, message],
        )
    }
}

/// A variant's name as the ledger writes it: `TooLarge` is `too_large`.
fn word(variant: impl std::fmt::Debug) -> String {
    let mut word = String::new();
    for c in format!("{variant:?}").chars() {
        if c.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::failure::FailureKind;

    #[test]
    fn words_are_those_of_the_schema() {
        assert_eq!(word(Call::Create), "create");
        assert_eq!(word(FailureKind::RateLimited), "rate_limited");
    }
}
