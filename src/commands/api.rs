//! Client and store, for all commands that reach the API.

use std::path::PathBuf;

use secrecy::zeroize::Zeroizing;
use throng::store::Store;
use throng::upload::{APP_SECRET_VARIABLE, AppSecret, Client, ClientConfig, TOKEN_VARIABLE, Token};
use throng::{Error, Result};

use crate::cli::{ApiArgs, StateArgs};

/// A client for the API that was asked for.
pub(super) fn client(args: &ApiArgs) -> Result<Client> {
    let token = match &args.token_file {
        Some(path) => Token::from_file(path)?,
        None => token_of_environment()?,
    };
    client_with(token, app_secret(args)?, args)
}

/// A client that nothing is sent with: a token is not asked for.
pub(super) fn planner(args: &ApiArgs) -> Result<Client> {
    client_with(Token::new("none")?, None, args)
}

fn client_with(token: Token, app_secret: Option<AppSecret>, args: &ApiArgs) -> Result<Client> {
    Client::new(ClientConfig {
        platform: args.to,
        app_secret,
        ca_file: args.ca_file.clone(),
        request_time_max: args.request_time.0,
        ..ClientConfig::new(args.endpoint(), token)
    })
}

/// The secret of the token's app, if there is one and the platform has such.
fn app_secret(args: &ApiArgs) -> Result<Option<AppSecret>> {
    if !args.to.capabilities().takes_app_secret {
        return Ok(None);
    }
    match (&args.app_secret_file, std::env::var(APP_SECRET_VARIABLE)) {
        (Some(path), _) => AppSecret::from_file(path).map(Some),
        (None, Ok(text)) => AppSecret::new(&Zeroizing::new(text)).map(Some),
        (None, Err(_)) => Ok(None),
    }
}

fn token_of_environment() -> Result<Token> {
    match std::env::var(TOKEN_VARIABLE) {
        Ok(text) => Token::new(&Zeroizing::new(text)),
        Err(_) => Err(Error::usage(
            "there is no token for the API",
            format!(
                "set {TOKEN_VARIABLE}, or name a file with --token-file; throng upload --sandbox rehearses without one"
            ),
        )),
    }
}

/// The store of the state directory that was asked for, or of the user's own.
pub(super) fn store(args: &StateArgs) -> Result<Store> {
    Store::open(&state_dir(args)?)
}

/// `--state`, else `throng` in the user's state directory (XDG Base Directory Specification).
pub(super) fn state_dir(args: &StateArgs) -> Result<PathBuf> {
    if let Some(dir) = &args.state {
        return Ok(dir.clone());
    }
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let base = variable("XDG_STATE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    let base = base.ok_or_else(|| {
        Error::usage("there is no home directory for the state", "give it a place with --state DIR")
    })?;
    Ok(base.join("throng"))
}
