//! `throng sandbox`: the Audiences API on this machine.

use std::io::{Read, Write};
use std::path::Path;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use throng::sandbox::{Exchange, Fault, SandboxConfig, TOKEN, Terms};
use throng::{Error, ExitCode, Result};

use super::{Event, rehearsal, say, tell};
use crate::cli::SandboxArgs;

pub(crate) fn run(args: SandboxArgs) -> Result<ExitCode> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM]).map_err(|_| Error::Internal("signals cannot be caught"))?;
    let sandbox = rehearsal::start(decide(args)?, |exchange| {
        tell(Event::Request, line(exchange), exchange);
    })?;
    let exports = format!(
        "export THRONG_ENDPOINT={}\nexport THRONG_TOKEN={}\n",
        sandbox.endpoint(),
        sandbox.token()
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
    Ok(SandboxConfig {
        port: args.port,
        revision: args.api_revision,
        token: TOKEN.to_owned(),
        ad_account: args.ad_account,
        terms: if args.terms_not_accepted { Terms::NotAccepted } else { Terms::Accepted },
        body_bytes_max: args.max_bytes,
        fb_id_after: args.fb_id_after,
        data_dir: args.data,
        faults,
        ..SandboxConfig::default()
    })
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
    let added = match exchange.members_added {
        0 => String::new(),
        added => format!(", {added} members added"),
    };
    format!("{method} {path}: {status}, {} bytes{added}", exchange.body_bytes)
}
