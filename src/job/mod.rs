//! The job file: what a nightly run is to do, checked before anything is touched.
//!
//! ```text
//! fill       ${VARIABLES} and {dates} within strings
//! document   TOML, filled in -> the tables of `file`; every error says where, and which key is meant
//! read       tables -> Job, with everything decided that can be decided without looking at files
//! sources    keys for files and commands -> patterns
//! find       globs -> files, and whether they are too old
//! check      what a run would do, and what is missing
//! words      what stages call by flags -> keys of the file
//! schema     the tables of `file` -> JSON schema, and from it the keys that are `known`
//! ```
//!
//! Keys are called like the flags of `prepare`, `sync` and `upload`: tables that are flags as well are structs of
//! [`config`](crate::config). Paths are relative to the folder of the job file. A token is
//! never written into the file, and no message shows the value of a variable: it could be a secret.

mod check;
mod document;
mod file;
mod fill;
mod find;
mod known;
mod one_or_more;
mod read;
mod schema;
mod sources;
mod words;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use crate::config::{
    AudienceSpec, ColumnSelector, Command, Condition, Count, GuardOptions, MAX_GROWTH,
    MAX_OPT_OUT_SHRINK, MAX_SHRINK, PrepareConfig, Share,
};
use crate::error::{Error, Result};
use crate::hash::ListDigest;
use crate::limits::MIN_ENTRIES;
use crate::platform::{CustomerFileSource, Id, Platform};
use crate::quote::{Cause, Quoted};
use crate::store::Purpose;
use crate::upload::{
    APP_SECRET_VARIABLE, AppSecret, ClientConfig, Content, Endpoint, RetryPolicy, TOKEN_VARIABLE,
    TargetSpec, Token, UploadConfig,
};
use crate::user_type::UserType;

pub use self::check::{Check, Missing};
pub(crate) use self::find::Age;
pub use self::find::{Found, FoundFile, FoundPattern};
pub use self::schema::schema;
pub(crate) use self::words::{by_keys, error_by_keys};

/// The example that `throng sync --init` prints.
pub const EXAMPLE: &str = include_str!("example.toml");

/// Longest job file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A job, decided.
#[derive(Clone, Debug)]
pub struct Job {
    /// The job file, as it was given.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// The date that paths were filled in with.
    pub date: Date,
    /// Sources of members.
    pub inputs: Vec<FilePattern>,
    /// People who must not be in the audiences.
    pub suppress: Vec<SuppressList>,
    /// The audiences and where they go; in the order of `prepare.audiences`.
    pub audiences: Vec<JobAudience>,
    /// Everything about the preparation but its files: [`Job::prepare_config`] has these.
    pub prepare: PrepareConfig,
    /// The API.
    pub target: JobTarget,
    /// Directory of what is kept from run to run.
    pub state_dir: PathBuf,
    /// How long runs and lists of people are remembered; for ever if left out.
    pub retention: Option<Duration>,
    /// Files for people and programs that watch.
    pub report: ReportPaths,
}

/// A path of the job file that may be a glob, or a command.
#[derive(Clone, Debug)]
pub struct FilePattern {
    /// The pattern as it is written in the file, for messages: variables are not filled in. Of a command its name.
    pub written: String,
    /// What it is of, filled in.
    means: Means,
    /// The folder that it is relative to.
    base: PathBuf,
    /// Its line and column.
    place: (usize, usize),
    /// Greatest age of the newest file.
    pub max_age: Option<Duration>,
}

/// What stands for inputs in a job file, with variables and dates filled in.
#[derive(Clone, Debug)]
enum Means {
    /// A path or a glob; `is_complete` if it is a directory that must be marked as complete.
    Files {
        pattern: String,
        is_complete: bool,
    },
    Command(Command),
}

impl FilePattern {
    /// True if it is a command.
    fn is_command(&self) -> bool {
        matches!(self.means, Means::Command(_))
    }
}

/// Suppression lists of one kind.
#[derive(Clone, Debug)]
pub struct SuppressList {
    /// Their files.
    pub files: Vec<FilePattern>,
    /// The type of what they hold, if it is given.
    pub user_type: Option<UserType>,
    /// The digest, if they hold others than SHA-256.
    pub digest: Option<ListDigest>,
    /// Their column, if it is called otherwise than in the inputs.
    pub column: Option<ColumnSelector>,
    /// Conditions that their rows must fulfil.
    pub conditions: Vec<Condition>,
    /// Guards that stop a run if they are shorter than they may be.
    pub guards: ListGuards,
}

impl SuppressList {
    /// The name of the list in records and messages: its patterns as the job file has them.
    pub fn name(&self) -> String {
        self.files.iter().map(|files| &*files.written).collect::<Vec<_>>().join(", ")
    }
}

/// An audience of a job.
#[derive(Clone, Debug)]
pub struct JobAudience {
    /// Its label, type and column.
    pub spec: AudienceSpec,
    /// The audience that exists already, if there is one.
    pub id: Option<Id>,
    /// The audience that is created if there is none, or takes its place.
    pub creation: Option<CreationSpec>,
    /// Occasions on which a new one takes its place.
    pub replace: Replace,
    /// Guards, which stop a run.
    pub guards: Guards,
}

/// An audience that is to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreationSpec {
    /// Its name.
    pub name: String,
    /// Its purpose, for people.
    pub description: Option<String>,
    /// Address at which people can opt out.
    pub opt_out_link: Option<String>,
    /// True if a marker goes into the description.
    pub has_marker: bool,
}

/// Occasions on which a new audience takes the place of one that people have left, since this API cannot remove anybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Replace {
    /// Only if a person asks for it.
    #[default]
    Never,
    /// Replace it if somebody who opted out is in it.
    WhenOptedOut,
    /// Replace it if somebody is in it who is no member any more.
    Always,
}

/// People who are taken out of audiences, where a platform can take anybody out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Remove {
    /// Who opted out, and who is no member any more.
    #[default]
    Gone,
    /// Who opted out.
    OptedOut,
    /// Nobody.
    Never,
}

/// Guards that stop a run before anything is posted, besides rejects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guards {
    /// Members may be fewer than in the last run by this share.
    pub max_shrink: Share,
    /// Members may be more than in the last run by this share.
    pub max_growth: Share,
    /// Fewest members.
    pub min_entries: u64,
}

impl Default for Guards {
    fn default() -> Self {
        Self { max_shrink: MAX_SHRINK, max_growth: MAX_GROWTH, min_entries: MIN_ENTRIES }
    }
}

impl Guards {
    /// These, but for what the options say.
    fn overridden(self, options: &GuardOptions) -> Self {
        Self {
            max_shrink: options.max_shrink.unwrap_or(self.max_shrink),
            max_growth: options.max_growth.unwrap_or(self.max_growth),
            min_entries: options.min_entries.map_or(self.min_entries, Count::get),
        }
    }
}

/// Guards of opt-out lists: one that is half written, or written otherwise than the inputs, lets people through who
/// opted out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ListGuards {
    /// Records may be fewer than in the last run by this share.
    pub max_shrink: Share,
    /// Fewest records.
    pub min_entries: u64,
    /// Fewest entries that are members. If nobody said so, one, as soon as there is a reason to expect it.
    pub min_members: Option<u64>,
}

impl Default for ListGuards {
    fn default() -> Self {
        Self { max_shrink: MAX_OPT_OUT_SHRINK, min_entries: 0, min_members: None }
    }
}

impl ListGuards {
    /// These, but for what the options say.
    fn overridden(self, options: &GuardOptions) -> Self {
        Self {
            max_shrink: options.max_opt_out_shrink.unwrap_or(self.max_shrink),
            min_entries: options.min_opt_outs.map_or(self.min_entries, Count::get),
            min_members: options.min_opt_out_members.map(Count::get).or(self.min_members),
        }
    }
}

/// The API of a job.
#[derive(Clone, Debug)]
pub struct JobTarget {
    /// The platform.
    pub platform: Platform,
    /// Its place.
    pub endpoint: Endpoint,
    /// Rehearse: post to an API on this machine, which keeps its audiences in this folder, instead of `endpoint`.
    pub sandbox: Option<PathBuf>,
    /// The ad account of all audiences.
    pub ad_account: Id,
    /// File of the token, if it is not in the environment.
    pub token_file: Option<PathBuf>,
    /// File of the secret of the token's app, if it is not in the environment.
    pub app_secret_file: Option<PathBuf>,
    /// How customers' data was collected, where the platform wants that to be said.
    pub customer_file_source: CustomerFileSource,
    /// Who is taken out of the audiences.
    pub remove: Remove,
    /// Certificates to trust instead of the usual ones.
    pub ca_file: Option<PathBuf>,
    /// Most parts in flight at once.
    pub parallel: usize,
    /// Patience with failures.
    pub retry: RetryPolicy,
    /// Longest time of a request.
    pub request_time_max: Duration,
    /// Longest time of the upload of an audience.
    pub time_max: Duration,
}

/// Files that a run leaves for people and programs that watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportPaths {
    /// The report, one page of HTML.
    pub html: Option<PathBuf>,
    /// The metrics, in Prometheus' text format.
    pub metrics: Option<PathBuf>,
}

/// The date at a point in time, where people live by that time zone.
pub fn date_at(at: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(at).date()
}

/// The date of today in the time zone of the process.
pub fn today() -> Result<Date> {
    let said = std::env::var_os("TZ");
    let zone =
        TimeZone::try_system().ok().or_else(|| is_utc(said.as_deref()).then_some(TimeZone::UTC));
    let zone = zone.ok_or_else(|| {
        Error::usage(
            "the variable TZ names no time zone that this system knows",
            "correct it, or say what day it is: --date YYYY-MM-DD",
        )
    })?;
    Ok(date_at(Timestamp::now(), &zone))
}

/// Tells if `TZ` means UTC, for containers that have no files of time zones: also where nothing is said.
fn is_utc(said: Option<&OsStr>) -> bool {
    said.is_none_or(|name| name == "UTC" || name == "Etc/UTC")
}

impl Job {
    /// Reads a job file and decides. Nothing but the file itself is touched; `env` looks variables up, `date` is what
    /// `{date}` means.
    pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>, date: Date) -> Result<Self> {
        let failed = |error: std::io::Error| {
            let message =
                format!("failed to read the job file {}: {}", Quoted(path), Cause(&error));
            Error::usage(message, "throng sync --init prints an example to begin with")
        };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        let no_job = |why: &str| {
            let message = format!("{} is no job file: {why}", Quoted(path));
            Error::usage(message, "throng sync --init prints an example to begin with")
        };
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(no_job("it is too large"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| no_job("it is not UTF-8"))?;
        Self::parse(text, path, env, date)
    }

    /// Decides what the text of the job file `path` says.
    pub fn parse(
        text: &str,
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
        date: Date,
    ) -> Result<Self> {
        read::job(&document::Document::parse(text, path, env, date)?, env)
    }

    /// Puts a person's word in the place of the file's. An age stands for those that the file has only.
    pub fn override_guards(&mut self, overrides: &GuardOptions) {
        let GuardOptions { max_rejects, max_age, .. } = *overrides;
        self.prepare.max_rejects = max_rejects.unwrap_or(self.prepare.max_rejects);
        for JobAudience { guards, .. } in &mut self.audiences {
            *guards = guards.overridden(overrides);
        }
        for SuppressList { guards, .. } in &mut self.suppress {
            *guards = guards.overridden(overrides);
        }
        let lists = self.suppress.iter_mut().flat_map(|list| &mut list.files);
        for pattern in self.inputs.iter_mut().chain(lists) {
            pattern.max_age = pattern.max_age.map(|age| max_age.map_or(age, |max_age| max_age.0));
        }
    }

    /// The token: from the job's file, else from the environment.
    pub fn token(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Token> {
        match (&self.target.token_file, env(TOKEN_VARIABLE)) {
            (Some(path), _) => Token::from_file(path),
            (None, Some(text)) => Token::new(&Zeroizing::new(text)),
            (None, None) => Err(Error::usage(
                "there is no token for the API",
                format!("set {TOKEN_VARIABLE}, or name a file with token-file in [target]"),
            )),
        }
    }

    /// The secret of the token's app, if there is one and the platform has such: from the job's file, else from the
    /// environment.
    pub fn app_secret(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<AppSecret>> {
        if !self.target.platform.capabilities().takes_app_secret {
            return Ok(None);
        }
        match (&self.target.app_secret_file, env(APP_SECRET_VARIABLE)) {
            (Some(path), _) => AppSecret::from_file(path).map(Some),
            (None, Some(text)) => AppSecret::new(&Zeroizing::new(text)).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The configuration of a client that reaches the API.
    pub fn client_config(&self, token: Token) -> ClientConfig {
        ClientConfig {
            platform: self.target.platform,
            ca_file: self.target.ca_file.clone(),
            request_time_max: self.target.request_time_max,
            ..ClientConfig::new(self.target.endpoint.clone(), token)
        }
    }

    /// The upload of an audience from a directory that was prepared, to the target that the engine has decided on.
    /// `command` goes on with it.
    pub fn upload_config(
        &self,
        audience: &JobAudience,
        target: TargetSpec,
        dir: PathBuf,
        command: String,
    ) -> UploadConfig {
        UploadConfig {
            dir,
            audience: Some(audience.spec.label.clone()),
            target,
            purpose: Purpose::Add,
            customer_file_source: self.target.customer_file_source,
            ad_account: self.target.ad_account.clone(),
            parallel: self.target.parallel,
            retry: self.target.retry,
            time_max: self.target.time_max,
            command,
        }
    }
}

/// The names of opt-out lists, each of which only one has: two tables can have the same files.
pub(crate) fn list_names(lists: &[SuppressList]) -> Vec<String> {
    let name = |(index, list): (usize, &SuppressList)| {
        let name = list.name();
        match lists[..index].iter().filter(|other| other.name() == name).count() {
            0 => name,
            before => format!("{name} ({})", before + 1),
        }
    };
    lists.iter().enumerate().map(name).collect()
}

impl JobAudience {
    /// Its name, or its label.
    pub fn name(&self) -> &str {
        self.creation.as_ref().map_or(self.spec.label.as_str(), |creation| &creation.name)
    }

    /// The target as long as no other audience took its place.
    pub fn target(&self) -> Result<TargetSpec> {
        match (&self.id, &self.creation) {
            (Some(id), _) => Ok(TargetSpec::Audience(id.clone())),
            (None, Some(creation)) => Ok(creation.target()),
            (None, None) => Err(Error::Internal("an audience of a job has neither id nor name")),
        }
    }
}

impl CreationSpec {
    /// Makes a target of it that grows run by run.
    pub fn target(&self) -> TargetSpec {
        TargetSpec::Create {
            name: self.name.clone(),
            description: self.description.clone(),
            opt_out_link: self.opt_out_link.clone(),
            has_marker: self.has_marker,
            verdict: None,
            content: Content::Growing,
        }
    }
}
