//! Commands, flags and their help texts.

#[cfg(feature = "sandbox")]
mod sandbox;
mod sync;
mod upload;
mod who;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::{Args, Parser, Subcommand, ValueEnum};
use throng::config::{
    AudienceSpec, ColumnSelector, Condition, Format, Io, Limits, MaxRejects, Separator, SuppressBy,
    Threads, ValueSeparator,
};
use throng::dialect::Quotes;
use throng::hash::Kernel;
use throng::normalize::{RuleOptions, UserType};
use throng::platform::Platform;

#[cfg(feature = "sandbox")]
pub(crate) use self::sandbox::SandboxArgs;

pub(crate) use self::sync::SyncArgs;
pub(crate) use self::upload::{
    ApiArgs, AudienceArgs, AudienceCommand, HistoryArgs, StateArgs, UploadArgs,
};
pub(crate) use self::who::{ForgetArgs, WhoArgs};

/// Headings in the help of `throng prepare`, so that what most people need stands alone on top.
const RULES: &str = "Rules";
const READING: &str = "How inputs are read";

const BEGIN_WITH: &str = "\
Begin with:
  throng prepare export.csv -t email_hash -o audience    from a CSV with e-mail addresses
  throng upload audience --create Newsletter --sandbox   rehearse: nothing leaves this machine
  throng upload audience --create Newsletter --ad-account 1234567";

/// Table of how every command ends; the README has the same table with what a scheduler should do.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0         done, also if there was nothing to do
  1         a defect of throng: please report it
  2         the command line, the configuration or an audience's number is wrong
  3         an input was refused: wrong file, a guard, damaged, still being written
  4         output or disk: no space, no permission, exists already
  5         the token is refused, a permission is missing, terms are not accepted
  6         temporary, and nothing was uploaded: run the same command again later
  7         partly uploaded: the same command goes on where it stopped
  8         what a request came to is unknown: the message says how to decide
  130, 143  ended by SIGINT, SIGTERM";

/// What was typed, the program first. One process has one command line.
static TYPED: OnceLock<Vec<OsString>> = OnceLock::new();

/// Takes the command line of this process.
pub(crate) fn type_in(words: Vec<OsString>) -> &'static [OsString] {
    TYPED.get_or_init(|| words)
}

/// The command line of this process; empty if a program calls the library.
pub(crate) fn typed() -> &'static [OsString] {
    TYPED.get().map_or(&[], Vec::as_slice)
}

/// Turns customer exports into deduplicated, hashed audience upload files, and uploads them.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = BEGIN_WITH,
    after_long_help = format!("{BEGIN_WITH}\n\n{EXIT_CODES}")
)]
pub(crate) struct Cli {
    /// Form of standard error: lines for people, or one JSON object a line
    #[arg(
        long,
        global = true,
        display_order = 900,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        env = "THRONG_LOG"
    )]
    pub(crate) log: LogFormat,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Format of standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line, with time, level, event, message and fields
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Prepare(Box<PrepareArgs>),
    Verify(VerifyArgs),
    Upload(Box<UploadArgs>),
    Sync(Box<SyncArgs>),
    History(HistoryArgs),
    Audience(AudienceArgs),
    Who(WhoArgs),
    Forget(ForgetArgs),
    #[cfg(feature = "sandbox")]
    Sandbox(Box<SandboxArgs>),
    Hash(HashArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Print the completions of a shell.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  throng completions bash > ~/.local/share/bash-completion/completions/throng
  throng completions zsh > ~/.zfunc/_throng       where ~/.zfunc is in fpath
  throng completions fish > ~/.config/fish/completions/throng.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Write the manual into a directory: a page for each command.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  throng man ~/.local/share/man/man1       then: man throng-sync")]
pub(crate) struct ManArgs {
    /// The directory; made if it is not there
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// Turn exports into upload files: normalised, hashed where the type asks for it, each person once, nobody who opted
/// out.
///
/// Inputs are plain lists or CSV, TSV and semicolon files, also compressed (gzip, zstd, bzip2, xz), or Parquet. The output
/// directory is complete or absent: whatever happens, no half-written file is ever visible in it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  throng prepare export.csv -t email_hash -c email -o audience
  throng prepare 'exports/2026-11-*.csv.gz' -t phone_hash --country-column country
  throng prepare crm.csv --map email=email_hash --map phone=phone_hash --suppress opt_outs.csv
  throng prepare crm.csv -t email_hash -c email -c email2 --where accepts_marketing=yes,true,1
  throng prepare --from \"psql -c '\\copy (SELECT email FROM crm) TO STDOUT CSV HEADER'\" -t email_hash")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct PrepareArgs {
    /// Files, quoted globs, or - for standard input
    #[arg(required_unless_present = "from", value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Command whose output is an input; if it fails, so does the run (repeatable)
    ///
    /// `sh -c` runs it, its standard input is empty, and what it says on standard error is seen.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) from: Vec<String>,
    /// Type of the entries of the audience
    #[arg(
        short = 't',
        long,
        value_name = "TYPE",
        value_enum,
        required_unless_present = "map",
        conflicts_with = "map"
    )]
    pub(crate) user_type: Option<UserType>,
    /// The column to take: its header, or its number counted from 1; found by its values if left out; given several times,
    /// all of them are taken, each value for itself
    #[arg(short, long, value_name = "COLUMN", conflicts_with = "map")]
    pub(crate) column: Vec<ColumnSelector>,
    /// Make several audiences from one pass: COLUMN=TYPE, once for each column; those of one type go into one audience
    /// unless their labels differ
    #[arg(long, value_name = "COLUMN=TYPE[:LABEL]", value_parser = parse_map)]
    pub(crate) map: Vec<AudienceSpec>,
    /// The output directory
    #[arg(short, long, value_name = "DIR", default_value = "audience")]
    pub(crate) output: PathBuf,
    /// Replace an earlier result in the output directory
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// The platform that the files are for: for meta, third-party ids keep their letter case and Android ids are refused
    #[arg(long = "for", value_name = "PLATFORM", value_enum, default_value_t)]
    pub(crate) platform: Platform,
    /// Take only the rows that fulfil the condition, and if there are several all of them: COLUMN=VALUE,... or
    /// COLUMN!=VALUE,...; letter case does not matter, and no value stands for blank cells
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) conditions: Vec<Condition>,
    /// People who opted out, raw or hashed: FILE, or TYPE=FILE to say what it holds; md5=FILE and sha1=FILE for such digests of
    /// normalised addresses, TYPE:md5=FILE for those of another type
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) suppress: Vec<String>,
    /// The column of suppression lists, if it is called otherwise there
    #[arg(long, value_name = "COLUMN", requires = "suppress")]
    pub(crate) suppress_column: Option<ColumnSelector>,
    /// What of a person who opted out is held back
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub(crate) suppress_by: SuppressBy,
    /// The rows of suppression lists that count: a condition as for --where; whoever is in another row has not opted out
    #[arg(long, value_name = "CONDITION", requires = "suppress")]
    pub(crate) suppress_where: Vec<Condition>,
    /// Leave out who is in an earlier result of throng
    #[arg(long, value_name = "DIR")]
    pub(crate) against: Vec<PathBuf>,
    /// Rejected values that are too many: a count (500), a share (0.1) or a percentage (10%)
    #[arg(long, value_name = "LIMIT", default_value_t = MaxRejects::DEFAULT)]
    pub(crate) max_rejects: MaxRejects,
    /// List rejected values with source, line, column and reason in this CSV file
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
    /// Put the raw values into the reject list, too
    #[arg(long, requires = "rejects")]
    pub(crate) rejects_with_values: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
    #[command(flatten, next_help_heading = RULES)]
    pub(crate) rules: RuleOptions,
    /// The column that holds each row's country (code or name), for phone numbers
    #[arg(long, value_name = "COLUMN", help_heading = RULES)]
    pub(crate) country_column: Option<ColumnSelector>,
    /// The format of inputs
    #[arg(long, value_enum, default_value_t, help_heading = READING)]
    pub(crate) format: Format,
    /// What stands between CSV fields, such as ; or \t or \x01 or ||; found if left out
    #[arg(long, value_name = "TEXT", help_heading = READING)]
    pub(crate) delimiter: Option<Separator>,
    /// Meaning of quotes and backslashes in CSV; found if left out
    #[arg(long, value_enum, value_name = "HOW", help_heading = READING)]
    pub(crate) quotes: Option<Quotes>,
    /// Take CSV rows that are wider or narrower than the header as they are: right only if fields are missing or too many at
    /// their ends, else values are a column apart
    #[arg(long, help_heading = READING)]
    pub(crate) ragged: bool,
    /// Lines to skip at the top of each input; titles above a header are found without it
    #[arg(long, value_name = "N", default_value_t, hide_default_value = true, help_heading = READING)]
    pub(crate) skip_rows: usize,
    /// The first record is no header
    #[arg(long, help_heading = READING)]
    pub(crate) no_header: bool,
    /// Inputs are directories that the engine that wrote them has marked as complete (`_SUCCESS`)
    #[arg(long, help_heading = READING)]
    pub(crate) complete: bool,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// Take several values out of a cell, which this stands between: ';' or ',', \n for a line end; can be given several times
    #[arg(long, value_name = "SEPARATOR", help_heading = READING)]
    pub(crate) split: Vec<ValueSeparator>,
    /// Way to read files
    #[arg(long, value_enum, default_value_t, help_heading = READING)]
    pub(crate) io: Io,
    /// Force a kernel, to test it
    #[arg(long, hide = true, value_name = "NAME")]
    pub(crate) kernel: Option<Kernel>,
}

/// Apply the rules line by line: standard input to standard output.
///
/// Exactly one line comes out for each line that goes in; it is empty for a value that is blank or rejected. So other
/// engines can use the rules, for example Spark: `SELECT TRANSFORM(email) USING 'throng hash -t email_hash'`.
#[derive(Debug, Args)]
pub(crate) struct HashArgs {
    /// Type of the values
    #[arg(short = 't', long, value_name = "TYPE", value_enum)]
    pub(crate) user_type: UserType,
    #[command(flatten)]
    pub(crate) rules: RuleOptions,
    /// Worker threads [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<Threads>,
}

/// Check that a prepared directory still matches its manifest.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The directory
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Print what was found as one line of JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but what does not match and, with --json, the result
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Output of a run.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ShowArgs {
    /// Print the summary as one line of JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors and, with --json, the summary
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Display of progress
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) progress: ProgressArg,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressArg {
    /// A bar on a terminal, a line every half minute elsewhere
    #[default]
    Auto,
    /// A bar on a terminal, a line every second elsewhere, also with --quiet
    Always,
    /// Never
    Never,
}

fn parse_map(text: &str) -> Result<AudienceSpec, String> {
    let (column, what) =
        text.rsplit_once('=').ok_or("expected COLUMN=TYPE, for example email=email_hash")?;
    let (user_type, label) = match what.split_once(':') {
        Some((user_type, label)) => (user_type, Some(label.parse()?)),
        None => (what, None),
    };
    if column.parse::<UserType>().is_ok() && user_type.parse::<UserType>().is_err() {
        return Err(format!("the column comes first: --map {what}={column}"));
    }
    let spec = AudienceSpec::new(user_type.parse()?, Some(column.parse()?));
    Ok(label.map_or(spec.clone(), |label| AudienceSpec { label, ..spec }))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
