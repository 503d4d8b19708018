//! The configuration of a sandbox, and every bound that it keeps.

use std::path::PathBuf;
use std::time::Duration;

use super::Fault;
use super::pitchtarget::Revision;

/// The token that a sandbox accepts unless it is told otherwise. It opens nothing else.
pub const TOKEN: &str = "sandbox-token";

/// The app secret of `throng sandbox --require-proof`. It opens nothing else.
pub const APP_SECRET: &str = "sandbox-app-secret";

/// The first audience's number; those of later ones count up from it.
pub(super) const ID_FIRST: u64 = 59;

/// The first audience's number at Meta. Those that Meta gives are of this length: more than a floating point number holds.
const META_ID_FIRST: u64 = 120_210_000_000_000_059;

/// Facebook's number of the first audience.
pub(super) const FB_ID_FIRST: u64 = 6_017_382_038_943;

/// Longest line of an upload file.
pub(super) const LINE_BYTES_MAX: u64 = 4096;

/// Longest value of a field that is no file.
pub(super) const FIELD_BYTES_MAX: usize = 16 * 1024;

/// Bytes of an upload that are kept in memory while it is received; the rest goes to an unnamed file.
pub(super) const UPLOAD_MEMORY_BYTES: usize = 1 << 20;

/// Memory for pages of the database.
pub(super) const DATABASE_CACHE_KIB: i64 = 16 * 1024;

/// Requests that the log keeps; the oldest go first.
pub(super) const LOG_REQUESTS_MAX: usize = 65_536;

/// Longest time that a connection which is to be closed may go on sending, so that its client gets to read the answer.
pub(super) const LINGER: Duration = Duration::from_secs(30);

/// Wait after a connection that could not be accepted.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Longest time that the end of the sandbox waits for a change that is under way.
pub(super) const SHUTDOWN: Duration = Duration::from_secs(10);

/// Longest body of a request at Meta: a batch of the largest entries, written as a form.
pub(super) const META_BODY_BYTES_MAX: u64 = 16 << 20;

/// Entries of a batch at Meta.
pub(super) const META_BATCH_ENTRIES_MAX: usize = 10_000;

/// Longest life of a session at Meta.
pub(super) const SESSION_LIFE: Duration = Duration::from_mins(90);

/// The time that a limit on calls at Meta is about.
pub(super) const USAGE_WINDOW: Duration = Duration::from_hours(1);

/// The platform whose API a sandbox speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Platform {
    /// The Audiences API that throng started from
    #[default]
    #[cfg_attr(feature = "clap", value(name = "pitchtarget"))]
    PitchTarget,
    /// Meta's Marketing API
    Meta,
}

impl Platform {
    /// The first audience's number.
    pub(super) const fn id_first(self) -> u64 {
        match self {
            Self::PitchTarget => ID_FIRST,
            Self::Meta => META_ID_FIRST,
        }
    }

    /// The name of the database in a data directory: each platform has its own.
    pub(super) const fn database(self) -> &'static str {
        match self {
            Self::PitchTarget => "sandbox.sqlite",
            Self::Meta => "meta.sqlite",
        }
    }
}

/// The answer of the ad account's owner to Facebook's Custom Audiences terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Terms {
    /// Audiences can be made.
    #[default]
    Accepted,
    /// Create fails.
    NotAccepted,
}

/// The configuration of a sandbox.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// The port on 127.0.0.1; 0 takes one that is free.
    pub port: u16,
    /// The platform that it is.
    pub platform: Platform,
    /// The revision of the first platform's reference that it follows.
    pub revision: Revision,
    /// The token that it accepts.
    pub token: String,
    /// The one ad account that the token may use; every one if left out.
    pub ad_account: Option<u64>,
    /// The terms, without which no audience can be made.
    pub terms: Terms,
    /// Longest body that it accepts.
    pub body_bytes_max: Option<u64>,
    /// Number of answers about an audience that leave its number at Facebook open. In revision A's list it is missing
    /// so long.
    pub fb_id_after: u32,
    /// Meta: the secret of the app; with it every call needs its proof (`appsecret_proof`).
    pub app_secret: Option<String>,
    /// Meta: calls about an ad account within an hour, beyond which they are refused; no limit if left out.
    pub calls_per_hour: Option<u32>,
    /// Meta: the time that a replacement takes after its last batch. Nothing else can be done to the audience meanwhile.
    pub replace_time: Duration,
    /// Meta: audiences that are flagged, also before they are there. See [`Sandbox::set_flagged`](super::Sandbox::set_flagged).
    pub flagged: Vec<u64>,
    /// Directory that keeps audiences between runs; left out, they are gone with the sandbox.
    pub data_dir: Option<PathBuf>,
    /// Remembers every entry of every request that took effect, for [`Sandbox::deliveries`](super::Sandbox::deliveries).
    pub keeps_deliveries: bool,
    /// Everything that goes wrong.
    pub faults: Vec<Fault>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            port: 0,
            platform: Platform::default(),
            revision: Revision::default(),
            token: TOKEN.to_owned(),
            ad_account: None,
            terms: Terms::default(),
            body_bytes_max: None,
            fb_id_after: 0,
            app_secret: None,
            calls_per_hour: None,
            replace_time: Duration::from_secs(1),
            flagged: Vec::new(),
            data_dir: None,
            keeps_deliveries: false,
            faults: Vec::new(),
        }
    }
}
