//! Commands and flags that reach the API.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::Args;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use throng::config::{Label, SendOptions, Time};
use throng::limits::REQUEST_TIME;
use throng::notation;
use throng::platform::{CustomerFileSource, Id, Platform};
use throng::upload::Endpoint;

use super::ShowArgs;

/// Post the files of a prepared directory to an audience. Run it again after any failure: it goes on where it stopped.
///
/// The token comes from the variable `THRONG_TOKEN` or from --token-file. A part that the API has confirmed is not sent again, on
/// another day neither; an audience is created once, whatever happens.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  throng upload audience --create Newsletter --ad-account 1234567
  throng upload audience --audience 59 --ad-account 1234567 --dry-run
  throng upload audience --to meta --create Newsletter --ad-account 1234567
  throng upload left --to meta --audience 6017382038943 --ad-account 1234567 --remove
  throng upload audience --create Rehearsal --sandbox")]
pub(crate) struct UploadArgs {
    /// The directory that throng prepare wrote
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Create an audience with this name, or go on with creating it
    #[arg(long, value_name = "NAME", required_unless_present = "audience", value_parser = notation::line)]
    pub(crate) create: Option<String>,
    /// Add to this audience: its number in the API
    #[arg(long, value_name = "ID", conflicts_with = "create")]
    pub(crate) audience: Option<Id>,
    /// Take the entries out of the audience instead, where the platform can
    #[arg(long, requires = "audience")]
    pub(crate) remove: bool,
    /// The ad account that the audience belongs to: its number, without `act_`
    #[arg(long, value_name = "N", required_unless_present = "sandbox")]
    pub(crate) ad_account: Option<Id>,
    /// Entries to upload, if the directory holds several audiences: their type, or their label
    #[arg(short = 't', long, value_name = "TYPE|LABEL")]
    pub(crate) user_type: Option<Label>,
    /// Purpose of the audience
    #[arg(long, value_name = "TEXT", requires = "create", value_parser = notation::line)]
    pub(crate) description: Option<String>,
    /// Address at which people can opt out of the audience
    #[arg(long, value_name = "URL", requires = "create", value_parser = notation::line)]
    pub(crate) opt_out_link: Option<String>,
    /// How customers' data was collected, for meta
    #[arg(long, value_name = "SOURCE", requires = "create", value_enum, default_value_t)]
    pub(crate) customer_file_source: CustomerFileSource,
    /// Put no marker into the description; an audience whose creation got no answer is then not found again
    #[arg(long, requires = "create")]
    pub(crate) no_marker: bool,
    /// After exit code 8: the audience was created, and this is its number
    #[arg(long, value_name = "ID", requires = "create")]
    pub(crate) adopt: Option<Id>,
    /// After exit code 8, or if it was deleted: the audience does not exist, create it
    #[arg(long, requires = "create", conflicts_with = "adopt")]
    pub(crate) create_again: bool,
    #[command(flatten)]
    pub(crate) send: SendOptions,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Rehearse: post to an API on this machine that is gone after the run, with a state that is gone as well
    #[arg(long, conflicts_with_all = ["token_file", "app_secret_file", "ca_file"])]
    pub(crate) sandbox: bool,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// List, show or delete audiences.
#[derive(Debug, Args)]
pub(crate) struct AudienceArgs {
    #[command(subcommand)]
    pub(crate) command: AudienceCommand,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum AudienceCommand {
    /// List the audiences of an ad account
    List {
        /// The ad account
        #[arg(long, value_name = "N")]
        ad_account: Id,
        #[command(flatten)]
        api: ApiArgs,
        /// Print one JSON array on standard output
        #[arg(long)]
        json: bool,
    },
    /// Show an audience
    Show {
        /// Its number; Facebook's where the API goes by that
        id: Id,
        #[command(flatten)]
        api: ApiArgs,
        /// Print one JSON object on standard output
        #[arg(long)]
        json: bool,
    },
    /// Delete an audience. Nothing brings it back.
    Delete {
        /// Its number in the API
        id: Id,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        api: ApiArgs,
        #[command(flatten)]
        state: StateArgs,
    },
}

/// Show what was uploaded where, and what is unfinished.
///
/// Of a nightly job if --state names its state directory, else of throng upload.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Print one line of JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the nightly runs as a page of HTML on standard output
    #[arg(long, conflicts_with = "json")]
    pub(crate) html: bool,
}

/// Access to the API.
#[derive(Clone, Debug, Args)]
pub(crate) struct ApiArgs {
    /// The platform
    #[arg(long, value_name = "PLATFORM", value_enum, default_value_t)]
    pub(crate) to: Platform,
    /// The address of the API [default: that of the platform]
    ///
    /// It is reached through the proxy that the first of the variables `ALL_PROXY`, `HTTPS_PROXY` and `HTTP_PROXY` (in capitals
    /// or small letters) names; `NO_PROXY` lists hosts, and those below them, that are reached directly. An address on this
    /// machine that begins with http:// never goes through a proxy.
    #[arg(long, value_name = "URL", env = "THRONG_ENDPOINT", value_parser = EndpointParser)]
    pub(crate) endpoint: Option<Endpoint>,
    /// A file with the token, which only its owner can read [default: the variable `THRONG_TOKEN`]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// A file with the secret of the token's app, for apps of meta's that ask for a proof of it [default: the variable
    /// `THRONG_APP_SECRET`]
    #[arg(long, value_name = "FILE")]
    pub(crate) app_secret_file: Option<PathBuf>,
    /// Certificates to trust instead of the usual ones, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Longest time of a request
    #[arg(long, value_name = "TIME", default_value_t = Time(REQUEST_TIME))]
    pub(crate) request_time: Time,
}

impl ApiArgs {
    /// The address that was given, or that of the platform.
    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint.clone().unwrap_or_else(|| Endpoint::of(self.to))
    }
}

/// Reads an address. One that is refused is not repeated: a password may be in it.
#[derive(Clone, Copy, Debug)]
struct EndpointParser;

impl TypedValueParser for EndpointParser {
    type Value = Endpoint;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Endpoint, clap::Error> {
        value.to_str().unwrap_or_default().parse().map_err(|why: String| {
            let message = format!("the address of the API: {why}\n");
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

/// Options of the state directory.
#[derive(Clone, Debug, Args)]
pub(crate) struct StateArgs {
    /// Directory in which uploads are remembered [default: ~/.local/state/throng]
    #[arg(long, value_name = "DIR", env = "THRONG_STATE")]
    pub(crate) state: Option<PathBuf>,
}
