//! The nightly job: prepare, compare with what the audience holds, upload what is new, remember, report.
//!
//! What an audience holds is what the API has confirmed, not what was prepared last ([`state`]). A run goes like this:
//!
//! ```text
//! settle    what earlier runs left: creates whose outcome is unknown, parts that were not confirmed
//! prepare   one pass over the inputs, against what every audience holds        -> STATE/runs/N
//! guard     fewer, more or older than it may be?                               -> nothing is posted
//! upload    audience by audience; the first run creates it
//! settle    what was confirmed stays in STATE/runs/N, and is known to the next run
//! replace   a new audience that is complete takes the place of the old one, which is then deleted
//! ```
//!
//! Each step can be cut off anywhere; the next run goes on from what is remembered. People of an unfinished upload are
//! simply new again, so that whoever has opted out meanwhile is not uploaded late.

mod config;
mod guards;
mod holdings;
mod merge;
mod night;
mod record;
mod replace;
mod settle;
mod state;
mod summary;
mod targets;

pub use self::config::SyncConfig;
pub use self::night::{SyncProgress, run};
pub use self::record::{
    AudienceRecord, GuardRecord, InputRecord, KILLED, PhaseRecord, RejectRecord, SyncRecord,
};
pub use self::state::records_of;
