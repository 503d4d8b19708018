//! From entries to published files: parts, manifest, reject list, all or nothing.

mod hex;
mod list;
mod manifest;
mod part;
mod part_file;
mod reject_queue;
mod rejects;
mod seal;
mod verify;

#[doc(hidden)]
pub use self::list::ListWriter;
pub use self::manifest::{AudienceManifest, DroppedRows, InputManifest, Manifest, PartManifest};
#[doc(hidden)]
pub use self::part::{PartLimits, Parts, Placed, write_parts};
#[doc(hidden)]
pub use self::reject_queue::RejectQueue;
#[doc(hidden)]
pub use self::rejects::{Reject, RejectRows, RejectWriter};
pub use self::verify::Problem;
pub use crate::disk::MANIFEST_FILE;
