//! `throng sandbox`.

use std::path::PathBuf;

use clap::Args;
use throng::notation;
use throng::sandbox::{Fault, Platform, Revision};

/// Serve the API of a platform on this machine, to rehearse uploads on: nothing leaves it.
///
/// It checks requests as strictly as a platform would, keeps the members of audiences in a database, and answers as the
/// API's reference says. Its first lines, on standard output, are the ones that point throng at it; then it prints a
/// line for each request, until SIGINT or SIGTERM ends it.
#[derive(Debug, Args)]
#[command(after_help = FAULTS)]
pub(crate) struct SandboxArgs {
    /// The port on 127.0.0.1 [default: one that is free]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub(crate) port: u16,
    /// Which platform to be
    #[arg(long, value_enum, value_name = "PLATFORM", default_value_t)]
    pub(crate) platform: Platform,
    /// Which revision of the API's reference to follow
    #[arg(long, value_enum, value_name = "REVISION", default_value_t)]
    pub(crate) api_revision: Revision,
    /// Keep audiences in this directory between runs [default: they are gone at the end]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The one ad account that there is permission for [default: any]
    #[arg(long, value_name = "N")]
    pub(crate) ad_account: Option<u64>,
    /// The owner of the ad account has not accepted the Custom Audiences terms: create fails
    #[arg(long)]
    pub(crate) terms_not_accepted: bool,
    /// Longest request body, such as 50M [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = notation::size)]
    pub(crate) max_bytes: Option<u64>,
    /// How many answers about a new audience leave its number at Facebook open
    #[arg(long, value_name = "ANSWERS", default_value_t = 0)]
    pub(crate) fb_id_after: u32,
    /// Meta: calls about an ad account within an hour, beyond which they are refused [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) calls_per_hour: Option<u32>,
    /// Meta: how long an audience cannot be changed after all of its members were replaced
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub(crate) replace_time: u64,
    /// Meta: every call needs the proof of an app secret, which is printed like the token
    #[arg(long)]
    pub(crate) require_proof: bool,
    /// Meta: the number of an audience that is flagged, so that it cannot be changed; can be given several times
    #[arg(long, value_name = "ID")]
    pub(crate) flagged: Vec<u64>,
    /// What goes wrong, see below; can be given several times
    #[arg(long, value_name = "FAULT")]
    pub(crate) fault: Vec<Fault>,
    /// A script of what goes wrong, see below
    #[arg(long, value_name = "FILE")]
    pub(crate) faults: Option<PathBuf>,
}

const FAULTS: &str = "\
Faults:
  A fault is words separated by commas. Which requests it strikes, and when:
    create, add, list, details, delete   the calls [default: any]; at Meta also remove, replace
    nth=N, first=N, from=N               which of its requests [default: every one]
    share=0.2, seed=N                    about so many; the same seed strikes the same ones
    when=head|before|after               body not read, body read, effect there [default: before]
  What it does, one of:
    status=N                             answer so; with retry_after=S or retry_date=S, body=TEXT
    cut                                  close the connection without an answer
    cut, at_byte=N                       the same when N bytes of the body are there
    hang                                 never answer
    html, wrong_json, truncated, no_id   succeed with a body that is not the right one
    slow=N                               read N bytes of the body in a second
    no_continue                          never say 100 Continue
    code=N                               Meta: answer with this error; with subcode=N, transient, status=N,
                                         regain_access=MINUTES (in the header about the limits on calls)
    invalid=N                            Meta: so many entries of a batch are not taken
  With any of these, or alone: delay=S waits so many seconds. For example:
    throng sandbox --fault create,nth=1,when=after,cut --fault add,share=0.2,status=503

  A script is TOML with the same words; one that stands alone is `true` there:
    [[fault]]
    create = true
    nth = 1
    when = \"after\"
    cut = true";
