//! A page of the manual: what `clap_mangen` makes of a command, and the sections that it has nothing for.

use std::{io, iter};

use clap::Command;
use clap::builder::Resettable;
use clap_mangen::Man;
use roff::{Roff, bold, roman};

use crate::cli::EXIT_CODES;

/// Variables, each for the pages that name it.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("THRONG_TOKEN", "The token of the API, where no file is named that holds it."),
    ("THRONG_ENDPOINT", "The address of the API, if --endpoint is not given."),
    ("THRONG_STATE", "The directory of the ledger, if --state is not given."),
    ("NO_PROXY", "With ALL_PROXY, HTTPS_PROXY and HTTP_PROXY: see --endpoint."),
    ("THRONG_LOG", "The form of standard error, if --log is not given."),
];

/// Files, each for the pages that name it.
const FILES: [(&str, &str); 3] = [
    ("manifest.json", "In each prepared directory: what it holds, and what it was made from."),
    ("~/.local/state/throng", "The ledger of throng upload: a database of SQLite."),
    ("JOB.toml", "The job of throng sync; throng sync --init prints one with every key explained."),
];

/// The page of a command, of the day that it is of.
pub(super) fn render(command: &Command, siblings: &[String], day: &str) -> io::Result<String> {
    let mut command = command.clone();
    let help = command.render_long_help().to_string();
    let after_help = command.get_after_long_help().or_else(|| command.get_after_help());
    let after_help = after_help.map(ToString::to_string).unwrap_or_default();
    // As short as in the help: not every option by its name.
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let command = command
        .override_usage(usage)
        .after_help(Resettable::Reset)
        .after_long_help(Resettable::Reset);
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut page = Vec::new();
    let source = concat!("throng ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command).title(name.to_uppercase()).date(day).source(source);
    man.manual("throng").render(&mut page)?;
    let mut roff = Roff::new();
    after(&mut roff, &after_help);
    entries_named(&mut roff, "ENVIRONMENT", &ENVIRONMENT, &help);
    entries_named(&mut roff, "FILES", &FILES, &help);
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXIT_CODES.lines().filter_map(|line| line.trim().split_once("  ")) {
        entry(&mut roff, code, meaning.trim());
    }
    roff.control("SH", ["SEE ALSO"]);
    let others: Vec<&String> = siblings.iter().filter(|sibling| **sibling != name).collect();
    for (index, sibling) in others.iter().enumerate() {
        let end = if index + 1 < others.len() { "(1)," } else { "(1)" };
        roff.text([bold(*sibling), roman(end)]);
    }
    roff.control("PP", []);
    roff.text([roman("Packages have the README, with the rules for each type of identifier, in share/doc/throng.")]);
    roff.to_writer(&mut page)?;
    let page = String::from_utf8(page).map_err(io::Error::other)?;
    Ok(page.split_inclusive('\n').map(terms_in_bold).collect())
}

/// What stands in backticks on a line, as in the help, without them and in bold. They mean nothing to roff, so that those
/// of the text are all that there are.
fn terms_in_bold(line: &str) -> String {
    let fonts = [r"\fB", r"\fR"].iter().cycle();
    let parts = line.split('`').zip(iter::once(&"").chain(fonts));
    parts.flat_map(|(part, font)| [*font, part]).collect()
}

/// What stands below the help: a line that ends with a colon begins a section of lines that stay as they are.
fn after(roff: &mut Roff, text: &str) {
    for block in text.split("\n\n") {
        let lines: Vec<&str> = block.lines().collect();
        match lines.split_first() {
            None | Some((&"Exit codes:", _)) => {}
            Some((first, rest)) => {
                match first.strip_suffix(':').filter(|title| title.len() < 20) {
                    Some(title) => roff.control("SH", [title.to_uppercase().as_str()]),
                    None => roff.control("PP", []).text([roman(*first)]),
                };
                verbatim(roff, rest);
            }
        }
    }
}

fn verbatim(roff: &mut Roff, lines: &[&str]) {
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let Some(least) = lines.iter().map(indent).min() else { return };
    roff.control("EX", []);
    for line in lines {
        roff.text([roman(&line[least..])]);
    }
    roff.control("EE", []);
}

/// A section of those entries that the help of a command names, if it names one.
fn entries_named(roff: &mut Roff, title: &str, entries: &[(&str, &str)], help: &str) {
    let mut named = entries.iter().filter(|(name, _)| help.contains(name)).peekable();
    if named.peek().is_some() {
        roff.control("SH", [title]);
    }
    for (name, text) in named {
        entry(roff, name, text);
    }
}

fn entry(roff: &mut Roff, term: &str, text: &str) {
    roff.control("TP", []).text([bold(term)]).text([roman(text)]);
}
