//! `throng sync`.

use std::path::PathBuf;

use clap::Args;
use jiff::civil::Date;
use throng::config::{GuardOptions, Label};
use throng::platform::Id;

use super::ShowArgs;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
/// The nightly job: prepare, compare with what the audiences hold, upload who is new, report.
///
/// Everything about it stands in a file. Run it every night, and again after any failure: it goes on where it stopped.
/// The last line on standard output is the summary in JSON; on a terminal, only with --json. The token comes from the
/// variable `THRONG_TOKEN`, or from the file that the job names.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  throng sync --init > nightly.toml       a job file to begin with
  throng sync --check nightly.toml        is it right, and what would be read?
  throng sync --dry-run nightly.toml      what would be uploaded?
  throng sync nightly.toml                do it")]
#[group(id = "mode", multiple = false, args = ["check", "init", "schema", "dry_run"])]
pub(crate) struct SyncArgs {
    /// The job file
    #[arg(value_name = "JOB.toml", required_unless_present_any = ["init", "schema"], conflicts_with_all = ["init", "schema"])]
    pub(crate) job: Option<PathBuf>,
    /// Say whether the job file is right and what a run would read, and touch nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// Print a job file to begin with, with every key explained
    #[arg(long)]
    pub(crate) init: bool,
    /// Print the JSON schema of the job file, for editors
    #[arg(long)]
    pub(crate) schema: bool,
    /// Prepare and compare, and post nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Upload everybody again, whatever the audiences are thought to hold
    #[arg(long)]
    pub(crate) full: bool,
    /// Build every audience anew, then delete the one that it replaces: who has left or opted out is then gone
    #[arg(long)]
    pub(crate) replace: bool,
    /// After exit code 8: the audience with this label was created, and this is its number
    #[arg(long, value_name = "LABEL=ID", value_parser = parse_adopt)]
    pub(crate) adopt: Vec<(Label, Id)>,
    /// After exit code 8, or if it was deleted: the audience with this label does not exist, create it
    #[arg(long, value_name = "LABEL")]
    pub(crate) create_again: Vec<Label>,
    /// Date that {date} stands for in the job file [default: today, in this machine's time zone]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_date)]
    pub(crate) date: Option<Date>,
    #[command(flatten)]
    pub(crate) guards: GuardOptions,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

fn parse_adopt(text: &str) -> Result<(Label, Id), String> {
    let (label, id) = text.split_once('=').ok_or("expected LABEL=ID, for example newsletter=59")?;
    Ok((label.parse()?, id.parse()?))
}

fn parse_date(text: &str) -> Result<Date, String> {
    let is_plain = text.len() == "YYYY-MM-DD".len();
    let date = if is_plain { text.parse().ok() } else { None };
    date.ok_or_else(|| "expected a date such as 2026-11-24".to_owned())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn dates_are_written_in_one_way() {
        assert_eq!(parse_date("2028-02-29"), Ok(date(2028, 2, 29)));
        for text in ["", "2027-02-29", "2026-11-4", "24.11.2026", "20261124", "2026-11-24T01:00"] {
            assert!(parse_date(text).is_err(), "{text}");
        }
    }
}
