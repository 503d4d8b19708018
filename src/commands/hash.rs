//! `throng hash`: the rules as a filter.

use std::io;

use throng::filter::Filter;
use throng::machine;
use throng::normalize::Normalizer;
use throng::{ExitCode, Result};

use crate::cli::HashArgs;

pub(crate) fn run(args: &HashArgs) -> Result<ExitCode> {
    let pool = machine::pool(machine::threads(args.threads)?)?;
    let normalizer = Normalizer::new(args.user_type, args.rules.options());
    Filter::new(args.user_type, normalizer).run(io::stdin(), io::stdout(), &pool)?;
    Ok(ExitCode::Done)
}
