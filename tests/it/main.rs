//! Integration tests: the rules against tables, the pipeline against an oracle, the real binary.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, its helpers too")]

mod changes;
mod cli;
mod columns;
mod crash;
mod pipeline;
mod properties;
mod rules;
mod support;
mod tidy;
