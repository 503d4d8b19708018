//! `throng who` and `throng forget`.

use std::path::PathBuf;

use clap::Args;
use throng::normalize::{RuleOptions, UserType};

use super::{RULES, StateArgs};

/// Say in which audiences people are: values on standard input, one a line.
///
/// Each value is normalised and hashed by the rules, or is a digest already, and is looked up in the parts that the state
/// directory remembers; no platform is asked. Answers go by the number of the line and hold neither values nor digests.
/// Parts of a directory that was uploaded by hand are looked into as long as the directory has them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  throng who -t email_hash < request.txt
  throng who -t phone_hash --country NZ --state /var/lib/throng --json < request.txt")]
pub(crate) struct WhoArgs {
    /// Type of the values
    #[arg(short = 't', long, value_name = "TYPE", value_enum)]
    pub(crate) user_type: UserType,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Print one line of JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten, next_help_heading = RULES)]
    pub(crate) rules: RuleOptions,
}

/// Forget people: values on standard input, one a line.
///
/// They are put onto a suppression list that the state directory keeps: no run of a job uploads them again, whatever its
/// inputs hold. Then they are taken out of everything else that the state directory has, but for those who are, or may
/// be, in an audience: it has to know these until they are taken out, which `throng sync` does where the platform can, and
/// forgets them then. With --job they are taken out right away, and values are read by the rules of the job where no flag says
/// otherwise. Inputs, backups, reports, and directories that were uploaded by hand are left as they are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  throng forget -t email_hash --job nightly.toml < request.txt
  throng forget -t email_hash --state /var/lib/throng < request.txt
  throng forget -t email_hash --state /var/lib/throng --at-once < request.txt")]
pub(crate) struct ForgetArgs {
    /// Type of the values
    #[arg(short = 't', long, value_name = "TYPE", value_enum)]
    pub(crate) user_type: UserType,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Take them, and whoever else opted out, out of the audiences of this job where its platform can, with its token and
    /// its state directory
    #[arg(long, value_name = "JOB", conflicts_with = "state")]
    pub(crate) job: Option<PathBuf>,
    /// Forget those who are in an audience, too: nobody can then say that they must go from there
    #[arg(long)]
    pub(crate) at_once: bool,
    /// Print one line of JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten, next_help_heading = RULES)]
    pub(crate) rules: RuleOptions,
}
