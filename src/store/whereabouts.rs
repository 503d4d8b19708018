//! Where entries went: the parts of a type of identifiers, and what became of each.

use std::path::PathBuf;

use rusqlite::{Row, params};

use super::runs::RunId;
use super::words::{DeliveryState, Existence, GenerationRole, Purpose};
use super::{Store, rows};
use crate::error::Result;
use crate::user_type::UserType;

/// What the file of a merged part is called.
const MERGED: &str = "merged.txt";

/// A part and one of the audiences that it is for.
#[derive(Clone, Debug)]
pub(crate) struct DeliveredPart {
    pub(crate) sha256: String,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) file: PartFile,
    /// True if it was merged from smaller ones, so that the run and the times are those of the last of these.
    pub(crate) is_merged: bool,
    /// The number of the generation in the store.
    pub(crate) target: i64,
    pub(crate) endpoint: String,
    pub(crate) ad_account: String,
    pub(crate) name: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) role: GenerationRole,
    /// True if its entries are taken out of the audience.
    pub(crate) is_removal: bool,
    pub(crate) state: DeliveryState,
    /// The run that was confirmed, or else the last one that was to send it.
    pub(crate) run: i64,
    pub(crate) sent_at: Option<i64>,
    pub(crate) confirmed_at: Option<i64>,
}

/// Where the file of a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PartFile {
    /// In the state directory.
    Kept(PathBuf),
    /// In a directory that was uploaded, if it is still there.
    Uploaded { dir: PathBuf, file: String },
}

impl Store {
    /// The parts of a type in the order of their digests, those of audiences that are deleted left out.
    pub(crate) fn delivered(&self, user_type: UserType) -> Result<Vec<DeliveredPart>> {
        let sql = "SELECT delivery.*, entries, bytes, kept_in, endpoint, ad_account, role, platform_id,
                 coalesce(generation.name, audience.name) AS shown_name,
                 coalesce(confirmed_by, delivery.run_id) AS in_run,
                 (SELECT min(began_at) FROM request WHERE request.run_id = coalesce(confirmed_by, delivery.run_id)
                     AND request.generation_id = delivery.generation_id AND request.sha256 = delivery.sha256) AS sent_at,
                 (SELECT directory FROM upload WHERE upload.run_id = delivery.run_id
                     AND upload.generation_id = delivery.generation_id AND upload.purpose = delivery.purpose) AS directory
             FROM delivery JOIN part USING (sha256) JOIN generation ON generation.id = generation_id
             JOIN audience ON audience.id = audience_id
             WHERE user_type = ?1 AND generation.state != ?2
             ORDER BY sha256, generation_id";
        self.read(|db| {
            rows(db, sql, params![user_type.name(), Existence::Deleted], |row| {
                self.delivered_part(row)
            })
        })
    }

    fn delivered_part(&self, row: &Row<'_>) -> rusqlite::Result<DeliveredPart> {
        let sha256: String = row.get("sha256")?;
        let (kept_in, file): (Option<RunId>, String) = (row.get("kept_in")?, row.get("file")?);
        let purpose: Purpose = row.get("purpose")?;
        let directory: Option<String> = row.get("directory")?;
        Ok(DeliveredPart {
            entries: row.get("entries")?,
            bytes: row.get("bytes")?,
            is_merged: file == MERGED,
            file: match kept_in {
                Some(run) => PartFile::Kept(self.part_path(run, &sha256)),
                None => PartFile::Uploaded { dir: directory.unwrap_or_default().into(), file },
            },
            target: row.get("generation_id")?,
            endpoint: row.get("endpoint")?,
            ad_account: row.get("ad_account")?,
            name: row.get("shown_name")?,
            audience: row.get("platform_id")?,
            role: row.get("role")?,
            is_removal: purpose == Purpose::Remove,
            state: row.get("state")?,
            run: row.get("in_run")?,
            sent_at: row.get("sent_at")?,
            confirmed_at: row.get("confirmed_at")?,
            sha256,
        })
    }
}
