//! Letting go of runs that are long over, and of lists that nobody has renewed.
//!
//! What an audience holds, and since which run, is in its deliveries, and stays; so do the runs that these name, without
//! what they came to.

use std::fs;
use std::time::{Duration, SystemTime};

use rusqlite::params;

use super::Store;
use crate::disk::sqlite::now;
use crate::error::{Error, Result};

impl Store {
    /// Lets go of runs that began longer ago than this and come before one that is needed, and of lists of that age. What
    /// may have taken effect, and the last upload to each audience, are needed as well.
    pub(crate) fn expire(&self, age: Duration, needed: i64) -> Result<()> {
        let before = now().saturating_sub(age.as_millis().try_into().unwrap_or(i64::MAX));
        self.change(|db| {
            let old = "(SELECT id FROM run WHERE started_at < ?1 AND id < ?2)";
            let of_old = params![before, needed];
            db.execute(
                &format!(
                    "DELETE FROM request WHERE run_id IN {old} AND may_hold = 0 AND outcome IS NOT NULL"
                ),
                of_old,
            )?;
            db.execute(
                &format!(
                    "DELETE FROM upload WHERE run_id IN {old} AND ended_at IS NOT NULL AND run_id <
                     (SELECT max(run_id) FROM upload AS later WHERE later.generation_id = upload.generation_id)"
                ),
                of_old,
            )?;
            // The rules of the last one that prepared are held against those of the next one.
            db.execute(
                &format!(
                    "UPDATE run SET record = NULL, options = CASE WHEN id < (SELECT max(id) FROM run WHERE options IS NOT NULL)
                     THEN NULL ELSE options END WHERE id IN {old}"
                ),
                of_old,
            )?;
            db.execute(
                &format!(
                    "DELETE FROM run WHERE id IN {old} AND options IS NULL
                     AND NOT EXISTS (SELECT 1 FROM delivery WHERE run.id IN (run_id, confirmed_by))
                     AND NOT EXISTS (SELECT 1 FROM upload WHERE run_id = run.id)
                     AND NOT EXISTS (SELECT 1 FROM request WHERE run_id = run.id)
                     AND NOT EXISTS (SELECT 1 FROM part WHERE kept_in = run.id)"
                ),
                of_old,
            )
            .map(drop)
        })?;
        self.expire_lists(age)
    }

    fn expire_lists(&self, age: Duration) -> Result<()> {
        let Some(before) = SystemTime::now().checked_sub(age) else { return Ok(()) };
        for path in self.lists()? {
            let modified = fs::metadata(&path).and_then(|metadata| metadata.modified());
            if modified.map_err(|e| Error::reading("look at", &path, e))? < before {
                fs::remove_file(&path).map_err(|e| Error::writing("remove", &path, e))?;
            }
        }
        Ok(())
    }
}
