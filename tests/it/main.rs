//! Integration tests: the rules against tables, the pipeline against an oracle, the real binary.

mod cli;
mod crash;
mod pipeline;
mod rules;
mod support;
mod tidy;
