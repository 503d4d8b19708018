//! `throng hash`: the rules as a filter.

use std::io::{self, Read};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use throng::config::Count;
use throng::filter::Filter;
use throng::machine;
use throng::normalize::Normalizer;
use throng::{ExitCode, Result};

use crate::cli::HashArgs;

pub(crate) fn run(args: &HashArgs) -> Result<ExitCode> {
    let pool = machine::pool(args.threads.map_or_else(machine::cores, Count::to_usize))?;
    filter(args).run(WhileAnswersAreRead, io::stdout(), &pool)?;
    Ok(ExitCode::Done)
}

/// The rules that were asked for.
pub(crate) fn filter(args: &HashArgs) -> Filter {
    Filter::new(args.user_type, Normalizer::new(args.user_type, args.rules))
}

/// Standard input, which ends when nobody reads standard output any more: whoever feeds the filter may say nothing for
/// hours, and only a write would show it.
struct WhileAnswersAreRead;

impl Read for WhileAnswersAreRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (stdin, stdout) = (io::stdin(), io::stdout());
        let (input, output) = (stdin.as_fd(), stdout.as_fd());
        let mut watched =
            [PollFd::new(&input, PollFlags::IN), PollFd::new(&output, PollFlags::empty())];
        // What cannot be polled is only read.
        if poll(&mut watched, None).is_ok() && watched[1].revents().contains(PollFlags::ERR) {
            return Ok(0);
        }
        Ok(rustix::io::read(input, buffer)?)
    }
}
