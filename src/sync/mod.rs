//! The nightly job: prepare, compare with what the audience holds, upload what is new, remember, report.
//!
//! What an audience holds is what the API has confirmed, not what was prepared last: the store says it
//! ([`crate::store`]). A run goes like this:
//!
//! ```text
//! look up   every audience: creates whose outcome is unknown are looked for in the API's list; nobody is sent
//! delete    audiences whose place another one has taken
//! remove    what earlier runs have begun to take out, where the platform can
//! prepare   one pass over the inputs, against what every audience holds        -> STATE/prepared
//! guard     fewer, more or older than it may be?                               -> nothing is posted
//! remove    who left and who opted out, where the platform can; who opted out also if a guard stops the rest
//! keep      the parts get their place, and the store gets to know them         -> STATE/parts/RUN
//! upload    audience by audience; the first run creates it
//! replace   a new audience that is complete takes the place of the old one, which is then deleted
//! tidy      small parts of many nights become one; files that no row names go
//! ```
//!
//! Each step can be cut off anywhere; the next run goes on from what the store says. People of an unfinished upload are
//! simply new again, so that whoever has opted out meanwhile is not uploaded late. The trouble of one audience does not
//! keep another one's people from being uploaded.

mod audiences;
mod checks;
mod config;
mod cut;
mod guards;
mod lines;
mod lists_alone;
mod merge;
mod must_go;
mod night;
mod opted_out;
mod outcome;
mod record;
mod remove;
mod replace;
mod summary;
mod take_out;
mod upload;

pub use self::config::SyncConfig;
pub use self::night::{SyncProgress, run};
pub use self::record::{
    AudienceRecord, GuardRecord, InputRecord, KILLED, ListAudienceRecord, MustGoRecord,
    OptOutListRecord, PhaseRecord, SyncRecord, records_of,
};
pub use self::take_out::{TakenOut, take_out};
