//! `throng sandbox`: the API of a platform on this machine.

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use throng::sandbox::{
    APP_SECRET, Exchange, Fault, Platform, Revision, SandboxConfig, TOKEN, Terms,
};
use throng::{Error, ExitCode, Result};

use super::{Event, rehearsal, say, tell};
use crate::cli::SandboxArgs;

pub(crate) fn run(args: SandboxArgs) -> Result<ExitCode> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM]).map_err(|_| Error::Internal("signals cannot be caught"))?;
    let requires_proof = args.require_proof;
    let sandbox = rehearsal::start(decide(args)?, |exchange| {
        tell(Event::Request, line(exchange), exchange);
    })?;
    let secret = format!("export THRONG_APP_SECRET={APP_SECRET}\n");
    let exports = format!(
        "export THRONG_ENDPOINT={}\nexport THRONG_TOKEN={}\n{}",
        sandbox.endpoint(),
        sandbox.token(),
        if requires_proof { secret.as_str() } else { "" },
    );
    // Whoever started it may know where it is.
    let _unread = std::io::stdout().write_all(exports.as_bytes());
    say(Event::Message, "the sandbox is ready; Ctrl-C ends it");
    let signal = signals.forever().next();
    rehearsal::tell_audiences(&sandbox)?;
    Ok(Error::Stopped { signal: signal.unwrap_or(SIGINT) }.exit_code())
}

fn decide(args: SandboxArgs) -> Result<SandboxConfig> {
    let mut faults = args.fault;
    if let Some(path) = &args.faults {
        faults.extend(read_script(path)?);
    }
    check_platform(
        args.platform,
        &[
            ("--calls-per-hour", args.calls_per_hour.is_some()),
            ("--require-proof", args.require_proof),
            ("--flagged", !args.flagged.is_empty()),
            ("a fault of Meta's", faults.iter().any(Fault::is_metas)),
        ],
        &[
            ("--api-revision", args.api_revision != Revision::default()),
            ("--fb-id-after", args.fb_id_after > 0),
        ],
    )?;
    Ok(SandboxConfig {
        port: args.port,
        platform: args.platform,
        revision: args.api_revision,
        token: TOKEN.to_owned(),
        ad_account: args.ad_account,
        terms: if args.terms_not_accepted { Terms::NotAccepted } else { Terms::Accepted },
        body_bytes_max: args.max_bytes,
        fb_id_after: args.fb_id_after,
        app_secret: args.require_proof.then(|| APP_SECRET.to_owned()),
        calls_per_hour: args.calls_per_hour,
        replace_time: Duration::from_secs(args.replace_time),
        flagged: args.flagged,
        data_dir: args.data,
        faults,
        ..SandboxConfig::default()
    })
}

/// Refuses what goes with another platform than this one.
fn check_platform(
    platform: Platform,
    metas: &[(&str, bool)],
    first_ones: &[(&str, bool)],
) -> Result<()> {
    let (others, hint) = match platform {
        Platform::PitchTarget => (metas, "--platform meta"),
        Platform::Meta => (first_ones, "leave --platform out, or take it away"),
    };
    match others.iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => Err(Error::usage(format!("{flag} goes with another platform"), hint)),
        None => Ok(()),
    }
}

/// Longest script that is read, in bytes.
const SCRIPT_BYTES_MAX: u64 = 1024 * 1024;

fn read_script(path: &Path) -> Result<Vec<Fault>> {
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(SCRIPT_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|error| Error::reading("read", path, error))?;
    let hint = "`throng sandbox --help` shows how a script is written";
    Fault::script(&text).map_err(|message| Error::input(path, message, hint))
}

/// One line for a request: no token, no value.
fn line(exchange: &Exchange) -> String {
    let status = exchange.status.map_or("cut".to_owned(), |status| status.to_string());
    let (method, path) = (&exchange.method, exchange.path.escape_default());
    let changed = |count: u64, how: &str| match count {
        0 => String::new(),
        count => format!(", {count} members {how}"),
    };
    let added = changed(exchange.members_added, "added");
    let removed = changed(exchange.members_removed, "removed");
    format!("{method} {path}: {status}, {} bytes{added}{removed}", exchange.body_bytes)
}
