//! Integration tests: the rules against tables, the pipeline against an oracle, the real binary.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, its helpers too")]

mod changes;
mod answers;
mod cells;
mod cli;
mod commands;
mod conditions;
mod contract;
mod columns;
mod crash;
#[cfg(feature = "sandbox")]
mod decisions;
mod empty;
mod encodings;
mod damage;
mod dialects;
#[cfg(feature = "sandbox")]
mod faults;
mod engine;
mod examples;
mod footers;
#[cfg(feature = "sandbox")]
mod forget;
#[cfg(feature = "sandbox")]
mod guards;
mod id_numbers;
mod id_spellings;
mod ids;
mod inputs;
mod job;
#[cfg(feature = "sandbox")]
mod kills;
mod labels;
mod library;
mod list_columns;
mod lists;
#[cfg(feature = "sandbox")]
mod month;
#[cfg(feature = "sandbox")]
mod nights;
mod log;
mod manual;
#[cfg(feature = "sandbox")]
mod network;
mod memory;
mod meant;
mod merged;
#[cfg(feature = "sandbox")]
mod meta;
#[cfg(feature = "sandbox")]
mod mirror;
#[cfg(feature = "sandbox")]
mod mirror_forgets;
#[cfg(feature = "sandbox")]
mod mirror_troubles;
mod metrics;
#[cfg(feature = "sandbox")]
mod operators;
#[cfg(feature = "object-storage")]
mod objects;
mod odd_lists;
mod odd_stores;
mod parquet;
mod partitions;
mod parts;
mod persons;
mod phones;
mod pipeline;
mod places;
mod properties;
mod readme;
mod refusals;
mod report;
mod rules;
#[cfg(feature = "sandbox")]
mod sandbox_command;
#[cfg(feature = "sandbox")]
mod secrets;
mod selections;
mod silence;
mod support;
#[cfg(feature = "sandbox")]
mod store;
#[cfg(feature = "sandbox")]
mod sync;
mod texts;
mod tidy;
#[cfg(feature = "sandbox")]
mod upload;
#[cfg(feature = "sandbox")]
mod versions;
#[cfg(feature = "sandbox")]
mod who;
