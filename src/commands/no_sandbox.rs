//! Stands for the sandbox in a throng that was built without it.

use std::path::Path;

use throng::upload::{Client, ClientConfig, Token};
use throng::{Error, Result};

/// A sandbox that cannot be.
#[derive(Debug)]
pub(super) enum NoSandbox {}

/// Refuses to reach a sandbox.
pub(super) fn reach(
    _: Option<&Path>,
    _: impl FnOnce(Token) -> ClientConfig,
) -> Result<(Client, NoSandbox)> {
    Err(Error::usage(
        "this throng was built without its sandbox",
        "build it with the default features",
    ))
}

/// Never called: there is no sandbox to tell of.
pub(super) fn tell_audiences(sandbox: &NoSandbox) -> Result<()> {
    match *sandbox {}
}
