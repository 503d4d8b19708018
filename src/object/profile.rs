//! Profiles of Amazon's own command line: `~/.aws/credentials` and `~/.aws/config`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use ini::Ini;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::quote::Quoted;

/// What a profile says of a store and of who asks.
#[derive(Debug, Default)]
pub(super) struct Profile {
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) keys: Option<Keys>,
}

/// An access key.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Keys {
    #[serde(rename = "AccessKeyId")]
    pub(super) id: String,
    #[serde(rename = "SecretAccessKey")]
    pub(super) secret: String,
    #[serde(rename = "SessionToken")]
    pub(super) token: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// The profile that the environment names. As Amazon's tools have it, keys that stand in variables go before its own, and the
/// roles of a container before those of a profile that nobody named.
pub(super) fn of_environment() -> Result<Profile> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = set("AWS_PROFILE").or_else(|| set("AWS_DEFAULT_PROFILE"));
    let home = |file: &str| set("HOME").map(|home| PathBuf::from(home).join(".aws").join(file));
    let file = |name: &str, file: &str| set(name).map(PathBuf::from).or_else(|| home(file));
    let files =
        [file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), file("AWS_CONFIG_FILE", "config")];
    let others = [
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    let has_role = others.iter().any(|name| set(name).is_some());
    let wants_keys = set("AWS_ACCESS_KEY_ID").is_none() && (named.is_some() || !has_role);
    read(files, named.as_deref(), wants_keys)
}

/// Reads a profile. Its keys are looked for only where they are wanted: a command may have to be run for them.
fn read(files: [Option<PathBuf>; 2], named: Option<&str>, wants_keys: bool) -> Result<Profile> {
    let name = named.unwrap_or("default");
    let (mut profile, mut is_there) = (Profile::default(), false);
    for path in files.into_iter().flatten() {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let ini = Ini::load_from_str_noescape(&text).map_err(|error| {
            let place = (error.line, error.col);
            Error::input(&path, "it cannot be read as a file of profiles", "")
                .at_line(place.0 as u64 + 1)
        })?;
        let section =
            ini.section(Some(format!("profile {name}"))).or_else(|| ini.section(Some(name)));
        let Some(section) = section else { continue };
        is_there = true;
        let value = |key: &str| section.get(key).map(str::to_owned);
        profile.region = profile.region.or_else(|| value("region"));
        profile.endpoint = profile.endpoint.or_else(|| value("endpoint_url"));
        if profile.keys.is_some() || !wants_keys {
            continue;
        }
        if let (Some(id), Some(secret)) =
            (value("aws_access_key_id"), value("aws_secret_access_key"))
        {
            profile.keys = Some(Keys { id, secret, token: value("aws_session_token") });
        } else if let Some(command) = value("credential_process") {
            profile.keys = Some(keys_of(&command)?);
        } else if ["role_arn", "sso_session", "sso_start_url"]
            .iter()
            .any(|key| section.contains_key(key))
        {
            return Err(Error::usage(
                format!(
                    "the profile `{name}` in {} takes a role or a single sign-on",
                    Quoted(&path)
                ),
                format!(
                    "eval \"$(aws configure export-credentials --profile {name} --format env)\" and run it again"
                ),
            ));
        }
    }
    if named.is_some() && !is_there {
        return Err(Error::usage(
            format!("AWS_PROFILE names the profile `{name}`, which is in no file of profiles"),
            "aws configure list-profiles says which there are",
        ));
    }
    Ok(profile)
}

/// The keys that a command gives (`credential_process`, as Amazon's tools have it).
fn keys_of(command: &str) -> Result<Keys> {
    let failed = |why: &str| {
        let hint = "run it by hand to see why";
        Error::usage(format!("the credential_process of the AWS profile {why}"), hint)
    };
    let words = shlex::split(command).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| failed("is no command"))?;
    let mut run = Command::new(&words[0]);
    run.args(&words[1..]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = run.output().map_err(|_| failed("cannot be run"))?;
    if !output.status.success() {
        return Err(failed("failed"));
    }
    serde_json::from_slice(&output.stdout).map_err(|_| failed("gave no keys"))
}
