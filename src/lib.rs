//! Turns customer exports into deduplicated, hashed audience upload files, and uploads them.
//!
//! Every value of every input becomes an *entry*: the bytes that an upload file would hold (a digest, or a clear id) with
//! a *role* that its input gave it: member (wants in), suppressed (must not be in), known (is in already), unconfirmed
//! (may be in). All entries flow through the same stages and land in partitions by the leading bits of their digest;
//! partition by partition, equal entries meet, and set algebra decides: **upload = member − suppressed − known**.
//!
//! ```text
//! source      mapped file, or stream of a pipe or compressed file    -> chunks that end on a record boundary
//! record      lines, or the wanted fields of CSV                     -> borrowed slices
//! normalize   user type -> rule                                      -> canonical bytes | rejected(reason)
//! hash        SHA-256 of short messages                              -> digests
//! dedup       scatter by leading bits; sort; set algebra; spill      -> entries, once, in digest order
//! emit        parts, manifest, reject list; all or nothing           -> upload files
//! upload      parts -> requests, retries, ledger                     -> audience
//! sync        a job, night by night: prepare, guard, upload, replace -> state, record
//! report      records                                                -> pages, metrics
//! ```
//!
//! Stages do not know each other: [`pipeline`] joins those that prepare, [`sync`] joins preparing and uploading,
//! [`ordered`] is where the threads of a preparation are. [`api`] is what [`upload`] and [`sandbox`] both say, and
//! [`job`] is the file that tells [`sync`] what to do. The modules below stand in the order in which data flows.
//!
//! Invariants:
//! - The emitted bytes depend on the set of people and the options alone: not on input order, threads, chunk size,
//!   memory limit or input route.
//! - A chunk boundary is a record boundary.
//! - Every queue, buffer and table has a bound that [`config`] names.
//! - Files are touched in [`source`], `dedup::spill`, [`emit`], `job`, `upload` and `sandbox` only, the network in the
//!   last two.
//! - No raw value and no token reaches a log, an error text, a summary, a manifest, the ledger or a report.
//! - An output directory is complete or absent.
//! - What the ledger calls acknowledged, the API has confirmed; a request that must not be repeated is preceded by a
//!   durable intent.

pub mod config;
pub mod error;
pub mod utc;
pub mod notation;
pub mod machine;
mod plain_file;
pub mod source;
pub mod record;
pub mod plan;
pub mod normalize;
pub mod hash;
pub mod dedup;
pub mod emit;
pub mod tally;
pub mod summary;
pub mod progress;
pub mod stop;
pub mod ordered;
pub mod pipeline;
pub mod filter;
pub mod api;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod sqlite;
pub mod upload;
pub mod job;
pub mod sync;
pub mod report;

pub use crate::error::{Error, ExitCode, Result};
