//! From entries to published files: parts, manifest, reject list, all or nothing.

mod manifest;
mod part;
mod rejects;
mod staging;

pub use self::manifest::{
    AudienceManifest, InputManifest, MANIFEST_FILE, Manifest, PartManifest, Problem, RejectManifest,
};
pub use self::part::{PartLimits, PartSplitter, write_parts};
pub use self::rejects::{Reject, RejectWriter};
pub use self::staging::Staging;
