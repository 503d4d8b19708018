//! `throng upload`: from a prepared directory to an audience.

use std::ffi::OsString;

use throng::upload::{
    Client, Content, Ledger, Notice, RetryPolicy, TargetSpec, Upload, UploadConfig, UploadProgress,
    Verdict,
};
use throng::{Error, ExitCode, Result};

use super::{api, print_json, progress, say, signals, tell};
use crate::cli::UploadArgs;

pub(crate) fn run(args: UploadArgs) -> Result<ExitCode> {
    if args.sandbox {
        return rehearse(args);
    }
    let client = api::client(&args.api)?;
    let ledger = api::ledger(&args.state)?;
    upload(args, client, ledger)
}

/// Uploads to a sandbox within this process.
#[cfg(feature = "sandbox")]
fn rehearse(mut args: UploadArgs) -> Result<ExitCode> {
    use throng::sandbox::{Sandbox, SandboxConfig};
    use throng::upload::{ClientConfig, Token};

    let quiet = args.quiet;
    args.ad_account.get_or_insert_with(|| 1.into());
    let sandbox = Sandbox::start(SandboxConfig::default())?;
    let endpoint = sandbox.endpoint().parse();
    let client = Client::new(ClientConfig {
        endpoint: endpoint.map_err(|_| Error::Internal("the sandbox has a bad address"))?,
        token: Token::new(sandbox.token())?,
        ca_file: None,
        use_proxy: false,
        request_time_max: args.api.request_time,
    })?;
    let state = tempfile::tempdir()
        .map_err(|e| Error::writing("create a folder in", &std::env::temp_dir(), e))?;
    let code = upload(args, client, Ledger::open(state.path())?)?;
    for audience in sandbox.audiences()? {
        if !quiet {
            let (name, members) = (&audience.name, audience.member_count);
            say(format_args!(
                "the sandbox's audience {name:?} had {members} members; it is gone now"
            ));
        }
    }
    Ok(code)
}

#[cfg(not(feature = "sandbox"))]
fn rehearse(_: UploadArgs) -> Result<ExitCode> {
    Err(Error::usage(
        "this throng was built without its sandbox",
        "build it with the default features",
    ))
}

fn upload(args: UploadArgs, client: Client, mut ledger: Ledger) -> Result<ExitCode> {
    let (json, quiet, when, is_dry_run) = (args.json, args.quiet, args.progress, args.dry_run);
    let progress = UploadProgress::default();
    signals::stop_on_signals(&progress.stop)?;
    let upload = Upload::plan(decide(args)?, client, &mut ledger)?;
    if is_dry_run {
        if json {
            print_json(&upload.dry_run())?;
        } else {
            say(&upload);
        }
        return Ok(ExitCode::Done);
    }
    let view = |elapsed| progress::of_upload(&progress, elapsed);
    let notify = |notice: &Notice<'_>| {
        if !quiet {
            say(notice);
        }
    };
    let summary =
        progress::shown(when, quiet, view, || upload.run(&mut ledger, &progress, &notify))?;
    if json {
        print_json(&summary)?;
    }
    if !quiet {
        tell("summary", &summary, &summary);
    }
    Ok(ExitCode::Done)
}

fn decide(args: UploadArgs) -> Result<UploadConfig> {
    let target = match (args.create, args.audience) {
        (Some(name), _) => TargetSpec::Create {
            name,
            description: args.description,
            opt_out_link: args.opt_out_link,
            has_marker: !args.no_marker,
            verdict: match (args.adopt, args.create_again) {
                (Some(id), _) => Some(Verdict::Is(id)),
                (None, true) => Some(Verdict::IsNot),
                (None, false) => None,
            },
            generation: 0,
            content: Content::Fixed,
        },
        (None, Some(audience)) => TargetSpec::Audience(audience),
        (None, None) => return Err(Error::Internal("an upload without a target")),
    };
    Ok(UploadConfig {
        dir: args.dir,
        audience: args.user_type,
        target,
        ad_account: args.ad_account.ok_or(Error::Internal("an upload without an ad account"))?,
        parallel: usize::from(args.parallel),
        retry: RetryPolicy {
            attempts_max: args.attempts,
            wait_first: args.retry_wait,
            ..RetryPolicy::default()
        },
        time_max: args.time_limit,
        command: command(),
    })
}

/// The command that goes on with this one, for a shell. A flag never holds a secret, so that it can be kept.
fn command() -> String {
    // What a person has decided once need not be decided again.
    let decided = ["--create-again", "--dry-run"];
    let arguments: Vec<OsString> = std::env::args_os()
        .skip(1)
        .filter(|argument| !decided.iter().any(|flag| argument == flag))
        .collect();
    let words: Vec<String> = std::iter::once("throng".into())
        .chain(arguments.iter().map(|argument| quoted(&argument.to_string_lossy())))
        .collect();
    let command = words.join(" ");
    match std::env::current_dir() {
        Ok(dir) => format!("cd {} && {command}", quoted(&dir.to_string_lossy())),
        Err(_) => command,
    }
}

fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Into::into)
}
