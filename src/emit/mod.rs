//! From entries to published files: parts, manifest, reject list, all or nothing.

mod hex;
mod hidden;
mod list;
mod manifest;
mod part;
mod rejects;
mod seal;
mod staging;
mod whole_file;

pub(crate) use self::hidden::{create_file, link_or_copy, sync_dir};
#[doc(hidden)]
pub use self::list::ListWriter;
pub use self::manifest::{
    AudienceManifest, InputManifest, MANIFEST_FILE, Manifest, PartManifest, Problem, RejectManifest,
};
#[doc(hidden)]
pub use self::part::{PartLimits, Parts, Placed, write_parts};
#[doc(hidden)]
pub use self::rejects::{Reject, RejectWriter};
#[doc(hidden)]
pub use self::staging::Staging;
#[doc(hidden)]
pub use self::whole_file::{Readers, write_whole};
pub use crate::dedup::Counts;
