//! The sandbox of a command: the one place that starts it, reaches it and tells what it holds in the end.

use std::path::Path;

use throng::platform::Platform;
use throng::quote::{Cause, OneLine};
use throng::sandbox::{self, Exchange, Sandbox, SandboxConfig};
use throng::upload::{Client, ClientConfig, Token};
use throng::{Error, Result};

use super::{Event, say};

/// Starts a sandbox; `observer` is shown each request when it has ended.
pub(super) fn start(
    config: SandboxConfig,
    observer: impl Fn(&Exchange) + Send + Sync + 'static,
) -> Result<Sandbox> {
    Sandbox::start_with_observer(config, observer).map_err(failed)
}

/// Starts a sandbox within this process, and a client of it. `config` says how requests are made; their address and
/// name in the store are the sandbox's.
pub(super) fn reach(
    data_dir: Option<&Path>,
    config: impl FnOnce(Token) -> ClientConfig,
) -> Result<(Client, Sandbox)> {
    let data = data_dir.map(Path::to_owned);
    let token = Token::new(SandboxConfig::default().token.as_str())?;
    let config = config(token);
    let platform = match config.platform {
        Platform::Pitchtarget => sandbox::Platform::PitchTarget,
        Platform::Meta => sandbox::Platform::Meta,
    };
    let sandbox = SandboxConfig { platform, data_dir: data, ..SandboxConfig::default() };
    let sandbox = start(sandbox, |_| {})?;
    let endpoint = sandbox.endpoint().parse();
    let known_as = data_dir.map(|dir| {
        // The same from wherever the command is started.
        let place = dir.canonicalize().map_err(|error| Error::reading("look at", dir, error))?;
        Ok(format!("sandbox {}", place.display()))
    });
    let client = Client::new(ClientConfig {
        endpoint: endpoint.map_err(|_| Error::Internal("the sandbox has a bad address"))?,
        known_as: known_as.transpose()?,
        use_proxy: false,
        app_secret: None,
        ..config
    })?;
    Ok((client, sandbox))
}

/// Tells what a sandbox holds that is about to end.
pub(super) fn tell_audiences(sandbox: &Sandbox) -> Result<()> {
    for audience in sandbox.audiences().map_err(failed)? {
        let (id, name) = (audience.id, OneLine(&audience.name));
        let count = audience.member_count;
        let user_type = audience.user_type.map(|user_type| format!(" ({user_type})"));
        let user_type = user_type.unwrap_or_default();
        say(
            Event::Message,
            format_args!("the sandbox's audience {id} `{name}`: {count} members{user_type}"),
        );
    }
    Ok(())
}

fn failed(error: sandbox::Error) -> Error {
    let output = |path, message, hint: Option<&str>| Error::Output {
        path,
        message,
        hint: hint.map(str::to_owned),
    };
    match error {
        sandbox::Error::Port { ref source, .. } => {
            let hint = "take another --port; 0 finds one that is free";
            Error::usage(format!("{error}: {}", Cause(source)), hint)
        }
        sandbox::Error::DataDir { path, source } => output(path, Cause(&source).to_string(), None),
        sandbox::Error::Busy { path } => output(
            path,
            "another sandbox uses it".to_owned(),
            Some("stop that one, or take another directory"),
        ),
        sandbox::Error::Database { path, source } => output(path, source.to_string(), None),
        sandbox::Error::System { .. } => throng::machine::no_threads(),
    }
}
