//! A page of the manual: what `clap_mangen` makes of a command; what stands below its help, as it stands there; exit codes.

use std::{io, iter};

use clap::Command;
use clap::builder::Resettable;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::EXIT_CODES;

/// The page of a command, of the day that it is of.
pub(super) fn render(command: &Command, day: &str) -> io::Result<String> {
    let mut command = command.clone();
    let after_help = command.get_after_long_help().or_else(|| command.get_after_help());
    let after_help = after_help.map(ToString::to_string).unwrap_or_default();
    // As short as in the help: not every option by its name.
    let usage = command.render_usage().to_string();
    // `clap_mangen` would fill the lines of what stands below the help, so that a command ran into the next one.
    let command = command
        .override_usage(usage.trim_start_matches("Usage: ").to_owned())
        .after_help(Resettable::Reset)
        .after_long_help(Resettable::Reset);
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_uppercase();
    let source = concat!("throng ", env!("CARGO_PKG_VERSION"));
    let mut page = Vec::new();
    Man::new(command).title(name).date(day).source(source).manual("throng").render(&mut page)?;
    let mut roff = Roff::new();
    let below = after_help.strip_suffix(EXIT_CODES).unwrap_or(&after_help);
    below
        .split("\n\n")
        .filter(|block| !block.is_empty())
        .for_each(|block| section(&mut roff, block));
    section(&mut roff, &EXIT_CODES.replace("Exit codes:", "Exit status:"));
    roff.to_writer(&mut page)?;
    let page = String::from_utf8(page).map_err(io::Error::other)?;
    Ok(page.split_inclusive('\n').map(terms_in_bold).collect())
}

/// Sets what stands in backticks on a line, as in the help, without them and in bold. They mean nothing to roff, so that
/// those of the text are all that there are.
fn terms_in_bold(line: &str) -> String {
    let fonts = [r"\fB", r"\fR"].iter().cycle();
    let parts = line.split('`').zip(iter::once(&"").chain(fonts));
    parts.flat_map(|(part, font)| [*font, part]).collect()
}

/// Adds a block of what stands below the help: lines that stay as they are, below a title if the first one ends with a
/// colon.
fn section(roff: &mut Roff, block: &str) {
    let (first, rest) = block.split_once('\n').unwrap_or((block, ""));
    match first.strip_suffix(':').filter(|title| title.len() < 20) {
        Some(title) => roff.control("SH", [title.to_uppercase().as_str()]),
        None => roff.control("PP", []).text([roman(first)]),
    };
    roff.control("EX", []);
    for line in rest.lines() {
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    roff.control("EE", []);
}
