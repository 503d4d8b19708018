//! Objects in buckets, containers and on web servers, read by ranges and never copied to disk.
//!
//! ```text
//! store    address -> client of its store, with what the environment says      (the object_store crate)
//! http     requests of that crate, made by the client that uploads use, too
//! fetch    threads that wait for answers
//! ranges   an object from any place on, several ranges ahead of who reads it
//! list     prefix or pattern -> objects
//! object   a version of an object, and ranges of it
//! fault    what a store said -> error of the run
//! ```
//!
//! An object is pinned when it is first looked at: every later answer must be of the same version, else the run ends. Lost
//! connections are taken up again at the byte; the crate does that where there is an `ETag`, and here it is done range by range.

#[cfg(feature = "object-storage")]
mod azure;
#[cfg(feature = "object-storage")]
mod fault;
#[cfg(feature = "object-storage")]
mod fetch;
#[cfg(feature = "object-storage")]
mod http;
#[cfg(feature = "object-storage")]
mod list;
#[cfg(not(feature = "object-storage"))]
mod none;
#[cfg(feature = "object-storage")]
#[expect(clippy::module_inception, reason = "what the room is about")]
mod object;
#[cfg(feature = "object-storage")]
mod profile;
#[cfg(feature = "object-storage")]
mod ranges;
#[cfg(feature = "object-storage")]
mod store;

use std::time::SystemTime;

#[cfg(feature = "object-storage")]
pub(crate) use self::{
    fault::of_reader,
    list::{facts, list},
    object::{Object, Opening},
    ranges::{Ranges, Section},
};

#[cfg(not(feature = "object-storage"))]
pub(crate) use self::none::{Object, Opening, Ranges, Section, facts, list, of_reader};

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its size in bytes.
    pub bytes: u64,
    /// Time when it was written.
    pub modified: SystemTime,
    /// The name of its version, if its store gives one.
    pub e_tag: Option<String>,
}

/// What is in a folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// The keys of its objects, sorted.
    pub(crate) objects: Vec<(String, Facts)>,
    /// The keys of its folders without a slash at the end, sorted.
    pub(crate) folders: Vec<String>,
}
