//! Checks of a job: the steps of a run, and what is missing for it; nothing is written, created or sent to find out.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use super::find::{Age, FoundPattern};
use super::{FilePattern, Job, JobAudience};
use crate::config::{Label, audience_name};
use crate::error::{Error, Result};
use crate::figures;
use crate::platform::Id;
use crate::quote::Quoted;
use crate::stop::Stop;
use crate::upload::{Client, Token};
use crate::user_type::UserType;

/// From here on a size is said in larger units.
const MIB: u64 = 1 << 20;

/// The steps of a run.
#[derive(Debug, Serialize)]
pub struct Check {
    /// Name of the job.
    job: String,
    /// The date that stands for `{date}`.
    date: String,
    /// True if nothing is missing.
    is_ready: bool,
    /// Inputs.
    inputs: Vec<CheckedFiles>,
    /// Who is held back.
    suppress: Vec<CheckedFiles>,
    /// Audiences that are made.
    audiences: Vec<CheckedAudience>,
    /// Address of the API.
    endpoint: String,
    /// The ad account.
    ad_account: String,
    /// Things that are missing, or wrong.
    missing: Vec<Missing>,
}

/// Something that a run would end at.
#[derive(Debug, Serialize)]
pub struct Missing {
    /// The thing, in one line.
    pub message: String,
    /// The hint, if there is one.
    pub hint: Option<String>,
    /// Exit code of a run.
    pub exit_code: u8,
    #[serde(skip)]
    error: Error,
}

/// The files of a pattern.
#[derive(Debug, Serialize)]
struct CheckedFiles {
    /// The pattern as the job file has it.
    pattern: String,
    /// True for a command, which is not run.
    is_command: bool,
    files: usize,
    bytes: Option<u64>,
    /// Age of the newest, in seconds.
    age_seconds: Option<u64>,
}

#[derive(Debug, Serialize)]
struct CheckedAudience {
    label: Label,
    name: String,
    user_type: UserType,
    columns: Vec<String>,
    /// The number of the audience that exists.
    id: Option<String>,
    replace: super::Replace,
}

impl Check {
    /// Things that are missing, or wrong.
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Errors that a run would end with, the gravest last.
    pub fn into_errors(self) -> Vec<Error> {
        let mut errors: Vec<Error> =
            self.missing.into_iter().map(|missing| missing.error).collect();
        errors.sort_by_key(|error| error.exit_code() as u8);
        errors
    }
}

impl Job {
    /// Looks for everything that a run needs.
    pub fn check(&self, env: &dyn Fn(&str) -> Option<String>, now: SystemTime) -> Check {
        let mut errors = Vec::new();
        let mut look = |pattern: &FilePattern| {
            let found = self.look_for(pattern, &Stop::default());
            let aged = found.as_ref().map_or(Ok(()), |found| found.check_age(now));
            let checked = CheckedFiles::new(pattern, found.as_ref().ok(), now);
            errors.extend(found.err());
            errors.extend(aged.err());
            checked
        };
        let inputs = self.inputs.iter().map(&mut look).collect();
        let lists = self.suppress.iter().flat_map(|list| &list.files);
        let suppress = lists.map(&mut look).collect();
        if errors.is_empty() {
            errors.extend(self.find(&Stop::default()).err());
        }
        errors.extend(self.check_reports().err());
        errors.extend(self.check_state().err());
        match self.token(env) {
            // A sandbox has a token of its own.
            _ if self.target.sandbox.is_some() => {}
            Ok(token) => {
                errors.extend(self.app_secret(env).err());
                errors.extend(self.check_client(token).err());
            }
            Err(error) => errors.push(error),
        }
        Check {
            job: self.name.clone(),
            date: self.date.to_string(),
            is_ready: errors.is_empty(),
            inputs,
            suppress,
            audiences: self.audiences.iter().map(CheckedAudience::new).collect(),
            endpoint: match &self.target.sandbox {
                Some(_) => "a sandbox on this machine".to_owned(),
                None => self.target.endpoint.to_string(),
            },
            ad_account: self.target.ad_account.to_string(),
            missing: errors.into_iter().map(Missing::new).collect(),
        }
    }

    /// It need not be there; a run makes it.
    fn check_state(&self) -> Result<()> {
        let dir = &self.state_dir;
        if dir.exists() && !dir.is_dir() {
            let message = format!("`state` is no directory, but a file: {}", Quoted(&self.path));
            return Err(Error::usage(message, "name another place"));
        }
        Ok(())
    }

    /// Certificates are read when the client is made; it sends nothing.
    fn check_client(&self, token: Token) -> Result<()> {
        Client::new(self.client_config(token)).map(drop)
    }
}

impl Missing {
    fn new(error: Error) -> Self {
        Self {
            message: error.to_string(),
            hint: error.hint().map(str::to_owned),
            exit_code: error.exit_code() as u8,
            error,
        }
    }
}

impl CheckedFiles {
    fn new(pattern: &FilePattern, found: Option<&FoundPattern>, now: SystemTime) -> Self {
        let newest = found.and_then(FoundPattern::newest);
        let files = found.map_or(0, |found| found.files.len());
        Self {
            pattern: pattern.written.clone(),
            is_command: pattern.is_command(),
            files: if pattern.is_command() { 0 } else { files },
            bytes: found.and_then(FoundPattern::bytes),
            age_seconds: newest
                .map(|newest| now.duration_since(newest).unwrap_or_default().as_secs()),
        }
    }
}

impl CheckedAudience {
    fn new(audience: &JobAudience) -> Self {
        Self {
            label: audience.spec.label.clone(),
            name: audience.name().to_owned(),
            user_type: audience.spec.user_type,
            columns: audience.spec.columns.iter().map(ToString::to_string).collect(),
            id: audience.id.as_ref().map(Id::to_string),
            replace: audience.replace,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} on {}", self.job, self.date)?;
        for (role, all) in [("input", &self.inputs), ("suppress", &self.suppress)] {
            for files in all {
                writeln!(f, "  {role:<10}{files}")?;
            }
        }
        for audience in &self.audiences {
            writeln!(f, "  {:<10}{audience}", "audience")?;
        }
        write!(f, "  {:<10}{}, ad account {}", "target", self.endpoint, self.ad_account)
    }
}

impl fmt::Display for CheckedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_command {
            return write!(f, "{}, which a check does not run", Quoted(self.pattern.as_ref()));
        }
        let s = if self.files == 1 { "" } else { "s" };
        write!(f, "{}: {} file{s}", Quoted(self.pattern.as_ref()), self.files)?;
        if let (Some(bytes), true) = (self.bytes, self.files > 0) {
            match bytes {
                0..MIB => write!(f, ", {bytes} bytes")?,
                _ => write!(f, ", {}", figures::bytes(bytes))?,
            }
        }
        if let Some(seconds) = self.age_seconds {
            write!(f, ", {} old", Age(std::time::Duration::from_secs(seconds)))?;
        }
        Ok(())
    }
}

impl fmt::Display for CheckedAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = match &self.columns[..] {
            [] => "column found by its values".to_owned(),
            [column] => format!("column {column}"),
            several => format!("columns {}", several.join(", ")),
        };
        write!(f, "{}, {columns}", audience_name(&self.label, self.user_type))?;
        match &self.id {
            Some(id) => write!(f, ", added to {id}"),
            None => write!(f, ", created as {:?}", self.name),
        }
    }
}
