//! `throng upload`: from a prepared directory to an audience.

use throng::store::{Purpose, Store};
use throng::upload::{
    Client, ClientConfig, Content, Notice, RetryPolicy, TargetSpec, Upload, UploadConfig,
    UploadProgress, Verdict,
};
use throng::{Error, ExitCode, Result};

use super::{Event, api, notify, print_json, progress, rehearsal, say, signals, tell};
use crate::cli::{self, UploadArgs};

pub(crate) fn run(args: UploadArgs) -> Result<ExitCode> {
    if args.sandbox {
        return rehearse(args);
    }
    let client = if args.dry_run { api::planner(&args.api)? } else { api::client(&args.api)? };
    let store = api::store(&args.state)?;
    upload(args, client, &store)
}

/// Uploads to a sandbox within this process.
fn rehearse(mut args: UploadArgs) -> Result<ExitCode> {
    let (show, request_time_max) = (args.show, args.api.request_time.0);
    args.ad_account.get_or_insert_with(|| 1.into());
    let (endpoint, platform) = (args.api.endpoint(), args.api.to);
    let (client, sandbox) = rehearsal::reach(None, |token| ClientConfig {
        platform,
        request_time_max,
        ..ClientConfig::new(endpoint, token)
    })?;
    let state = tempfile::tempdir()
        .map_err(|e| Error::writing("create a folder in", &std::env::temp_dir(), e))?;
    let code = upload(args, client, &Store::open(state.path())?)?;
    if !show.quiet {
        rehearsal::tell_audiences(&sandbox)?;
    }
    Ok(code)
}

fn upload(args: UploadArgs, client: Client, store: &Store) -> Result<ExitCode> {
    let (show, is_dry_run) = (args.show, args.dry_run);
    let progress = UploadProgress::default();
    signals::stop_on_signals(&progress.stop)?;
    let upload = Upload::plan(decide(args)?, client, store, &progress.stop)?;
    if is_dry_run {
        if show.json {
            print_json(&upload.dry_run())?;
        } else {
            say(Event::Message, &upload);
        }
        return Ok(ExitCode::Done);
    }
    let view = |elapsed| progress::of_upload(&progress, elapsed);
    let watch = |notice: &Notice<'_>| {
        if !show.quiet {
            notify(notice);
        }
    };
    let summary = progress::shown(show, view, || upload.run(store, &progress, &watch))?;
    if !show.quiet {
        tell(Event::Summary, &summary, &summary);
    }
    if show.json {
        print_json(&summary)?;
    }
    Ok(ExitCode::Done)
}

fn decide(args: UploadArgs) -> Result<UploadConfig> {
    let command = command(&args);
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
            content: Content::Fixed,
        },
        (None, Some(audience)) => TargetSpec::Audience(audience),
        (None, None) => return Err(Error::Internal("an upload without a target")),
    };
    Ok(UploadConfig {
        dir: args.dir,
        audience: args.user_type,
        target,
        purpose: if args.remove { Purpose::Remove } else { Purpose::Add },
        customer_file_source: args.customer_file_source,
        ad_account: args.ad_account.ok_or(Error::Internal("an upload without an ad account"))?,
        parallel: args.send.parallel.to_usize(),
        retry: RetryPolicy::from(&args.send),
        time_max: args.send.time_limit.0,
        command,
    })
}

/// The command that goes on with this one, for any shell: what the environment said is said by flags, except the token.
fn command(args: &UploadArgs) -> String {
    let typed = cli::typed();
    let mut words: Vec<String> =
        typed.first().map(|program| program.to_string_lossy().into_owned()).into_iter().collect();
    let (mut is_decision, mut has_endpoint, mut has_state) = (false, false, false);
    for word in typed.iter().skip(1).map(|word| word.to_string_lossy()) {
        // What a person has decided once need not be decided again.
        let is_its_value = std::mem::replace(&mut is_decision, word == "--adopt");
        let is_flag = |flag: &str| word == flag || word.starts_with(&format!("{flag}="));
        if is_its_value || ["--adopt", "--create-again", "--dry-run"].into_iter().any(is_flag) {
            continue;
        }
        has_endpoint |= is_flag("--endpoint");
        has_state |= is_flag("--state");
        words.push(word.into_owned());
    }
    let at = words.iter().position(|word| word == "upload").map_or(words.len(), |at| at + 1);
    let mut flags = Vec::new();
    if let (false, Some(endpoint)) = (has_endpoint, &args.api.endpoint) {
        flags.extend(["--endpoint".to_owned(), endpoint.to_string()]);
    }
    if let (false, Some(state)) = (has_state, &args.state.state) {
        flags.extend(["--state".to_owned(), state.to_string_lossy().into_owned()]);
    }
    words.splice(at..at, flags);
    super::shell_command(&words)
}
