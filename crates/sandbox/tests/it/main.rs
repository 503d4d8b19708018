//! Integration tests: the sandbox over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, its helpers too")]

mod calls;
mod faults;
mod http;
mod meta;
