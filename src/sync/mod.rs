//! The nightly job: prepare, compare with what the audience holds, upload what is new, report.

mod record;

pub use self::record::{
    AudienceRecord, GuardRecord, InputRecord, PhaseRecord, RejectRecord, SyncRecord,
};
