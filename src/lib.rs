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
//! upload      parts -> requests, retries, store                      -> audience
//! sync        a job, night by night: prepare, guard, remove, upload, replace -> store, record
//! report      records                                                -> pages, metrics
//! ```
//!
//! # The command as a library
//!
//! Whatever the command `throng` does, a program can do; it is made of these:
//!
//! | to | begin with | and then |
//! |---|---|---|
//! | make upload files of files, readers or values | [`PrepareConfig::new`], [`Input`] | [`Prepare::plan`], [`Prepare::run`] → [`Summary`] |
//! | see what one value becomes | [`Normalizer::new`] | [`Normalizer::entry`] |
//! | look at a prepared directory, verify it | [`Manifest::read`] | [`Manifest::problems`] |
//! | upload a directory | [`UploadConfig::new`](upload::UploadConfig::new), [`Client`](upload::Client), [`Store`](store::Store) | [`Upload::plan`](upload::Upload::plan), [`Upload::run`](upload::Upload::run) |
//! | run a nightly job | [`Job::load`](job::Job::load), [`SyncConfig::new`](sync::SyncConfig::new) | [`sync::run`] → [`SyncRecord`](sync::SyncRecord) |
//! | say in which audiences people are | [`who::ask`] | [`Answers`](who::Answers) |
//! | have an API to test against | [`SandboxConfig`](sandbox::SandboxConfig) | [`Sandbox::start`](sandbox::Sandbox::start) |
//!
//! Values that come from anywhere, to upload files and back:
//!
//! ```
//! use throng::{Input, Manifest, Prepare, PrepareConfig, Progress, UserType};
//!
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path().join("audience");
//! let rows = ["Ann@Example.com", "bob@example.com", "ann@example.com "];
//! let opted_out = ["BOB@example.com"];
//!
//! let mut config = PrepareConfig::new(UserType::EmailHash, &dir);
//! config.inputs = vec![Input::values("customers", rows.into_iter().map(Ok))];
//! config.suppress = vec![Input::values("opt-outs", opted_out.into_iter().map(Ok)).into()];
//!
//! let progress = Progress::default(); // counters, and a way to stop from another thread
//! let summary = Prepare::plan(config, &progress)?.run(&progress)?;
//! let figures = &summary.audiences[0].figures;
//! assert_eq!((figures.duplicates, figures.sets.suppressed), (1, 1));
//!
//! let manifest = Manifest::read(&dir)?;
//! assert_eq!(manifest.audiences[0].figures.sets.written, 1);
//! assert!(manifest.problems(&dir, &progress.stop)?.is_empty()); // as `throng verify` does
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Uploading, here to the sandbox. Whatever ends this program, run again it goes on where the API had confirmed: the
//! store remembers.
//!
#![cfg_attr(feature = "sandbox", doc = "```")]
#![cfg_attr(not(feature = "sandbox"), doc = "```ignore")]
//! use throng::sandbox::{Sandbox, SandboxConfig};
//! use throng::store::Store;
//! use throng::upload::{
//!     Client, ClientConfig, Notice, TargetSpec, Token, Upload, UploadConfig, UploadProgress,
//! };
//! # use throng::{Input, Prepare, PrepareConfig, Progress, UserType};
//! # let folder = tempfile::tempdir()?;
//! # let (dir, state) = (folder.path().join("audience"), folder.path().join("state"));
//! # let mut config = PrepareConfig::new(UserType::EmailHash, &dir);
//! # config.inputs = vec![Input::reader("list", "ann@example.com\nbob@example.com\n".as_bytes())];
//! # Prepare::plan(config, &Progress::default())?.run(&Progress::default())?;
//!
//! let sandbox = Sandbox::start(SandboxConfig::default())?;
//! let token = Token::new(sandbox.token())?;
//! let client = Client::new(ClientConfig::new(sandbox.endpoint().parse()?, token))?;
//! let store = Store::open(&state)?;
//!
//! let config = UploadConfig::new(&dir, 1234567, TargetSpec::create("Newsletter"));
//! let progress = UploadProgress::default();
//! let upload = Upload::plan(config, client, &store, &progress.stop)?;
//! let watch = |_notice: &Notice<'_>| (); // retries, and what else somebody may want to know at once
//! let summary = upload.run(&store, &progress, &watch)?;
//! assert_eq!(summary.entries_sent, 2);
//! assert_eq!(sandbox.audiences()?[0].member_count, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors
//!
//! [`Error`] says what ended a run: one line that names the operation, the subject, the position and the cause, with no
//! byte of a record in it, and [`Error::hint`] is the one thing to do about it. [`Error::exit_code`] sorts errors by what
//! a caller should do (give up, run again later, ask a person); the numbers never change their meaning. A value that is
//! rejected is no error but data: it is counted under its [`Reason`], and only too many of them are
//! [`Error::WrongFile`].
//!
//! # Features
//!
//! `object-storage` (default): inputs in buckets and on web servers (`s3://`, `gs://`, `az://`, `https://`).
//!
//! `sandbox` (default): [`sandbox`], with an asynchronous runtime for it alone. Without it the crate has a third fewer
//! dependencies: `default-features = false`.
//!
//! # Versions
//!
//! Semantic versioning, for what these pages show: before 1.0 a new minor version may change it, a new patch version
//! does not. Modules and fields that the pages do not show are for the command, the tests and the benches of this crate;
//! nothing is promised of them. What an identifier becomes (the digests!), exit codes, reason codes, manifest and store
//! are promised across all versions, in the sense that `CHANGELOG.md` names every change on top. The oldest Rust that
//! compiles it is in `rust-version`; it is raised in minor versions only. Linux is what it is written for.
//!
//! # How it works
//!
//! `docs/design.md` follows one value through it, draws the files and the store, argues each crash, and gives the reasons of
//! what is guessed.
//!
//! The stages source, record, normalize, dedup and emit do not know each other; they share the digests of [`mod@hash`]
//! and the words on the ground: roles, types of identifiers, reasons, dialects. [`prepare`] joins them, with threads from
//! `ordered` and `lanes`. [`upload`] sends what [`emit`] describes, [`platform`] is what it says to each platform, and [`sync`] joins preparing and
//! uploading, as the file of a [`job`] tells it to.
//! The modules below stand in the order in which they use each other: first the ground, which knows nothing of all this
//! (limits, roles, errors, figures), then the rooms, each below those that use it.
//!
//! Invariants:
//! - The emitted bytes depend on the set of people and the options alone: not on input order, threads, chunk size,
//!   memory limit or input route.
//! - A chunk boundary is a record boundary.
//! - Every queue, buffer and table has a bound, and `limits` names it.
//! - Files are written through `disk`, which argues when they are private, whole and durable; what is spilled has no name.
//!   Inputs are read in [`source`]; beside it only manifests, job files, tokens and certificates are read. The network is
//!   used in [`upload`] and for objects alone. `tests/it/tidy` holds this, and who may use whom.
//! - No raw value and no token reaches a log, an error text, a summary, a manifest, the store or a report.
//! - An output directory is complete or absent.
//! - What the store calls confirmed, the API has confirmed; a request that must not be repeated is preceded by a
//!   durable intent.

// The command uses the library as any program does.
extern crate self as throng;

#[doc(hidden)]
pub mod limits;
#[doc(hidden)]
pub mod role;
mod user_type;
mod reason;
mod trim;
mod encoding;
#[doc(hidden)]
pub mod dialect;
#[doc(hidden)]
pub mod notation;
mod written;
mod max_rejects;
mod mutex;
mod buffers;
#[doc(hidden)]
pub mod quote;
#[doc(hidden)]
pub mod utc;
mod figures;
pub mod error;
pub mod stop;
pub mod progress;
#[doc(hidden)]
pub mod machine;
#[doc(hidden)]
pub mod ordered;
#[doc(hidden)]
pub mod lanes;
#[doc(hidden)]
pub mod disk;
#[doc(hidden)]
pub mod hash;
pub mod normalize;
pub mod entries;
pub mod audience;
pub mod config;
mod net;
mod object;
#[doc(hidden)]
pub mod source;
#[doc(hidden)]
pub mod record;
#[doc(hidden)]
pub mod dedup;
pub mod emit;
pub mod prepare;
#[doc(hidden)]
pub mod filter;
pub mod platform;
pub mod store;
pub mod who;
pub mod forget;
pub mod upload;
pub mod job;
pub mod sync;
#[doc(hidden)]
pub mod report;
mod cli;
mod commands;
#[doc(hidden)]
pub mod command;
#[doc(hidden)]
pub mod call;
#[cfg(test)]
mod guarded;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;

#[cfg(feature = "sandbox")]
#[doc(inline)]
pub use throng_sandbox as sandbox;

#[doc(inline)]
pub use crate::platform::pitchtarget as api;

pub use crate::config::{AudienceSpec, Input, PrepareConfig};
pub use crate::emit::Manifest;
pub use crate::error::{Error, ExitCode, Result};
pub use crate::normalize::{Normalizer, Reason, RuleOptions, UserType};
pub use crate::prepare::Prepare;
pub use crate::prepare::summary::Summary;
pub use crate::progress::Progress;
