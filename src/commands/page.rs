//! A page of the manual, from the definition of a command: what `--help` says, in the order and with the sections that
//! readers of manuals look for.
//!
//! Written here because `clap_mangen` has no exit codes, environment and files, wraps examples, lists every option in
//! the synopsis, and writes what `mandoc -T lint` complains about.

use std::fmt::Write as _;

use clap::{Arg, Command};

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

/// A page being written.
struct Page(String);

impl Page {
    fn section(&mut self, title: &str) {
        let _ = writeln!(self.0, ".SH {}", quoted(&title.to_uppercase()));
    }

    /// Running text; an empty line divides paragraphs.
    fn text(&mut self, text: &str) {
        for (index, paragraph) in text.split("\n\n").enumerate() {
            if index > 0 {
                self.0.push_str(".PP\n");
            }
            let _ = writeln!(self.0, "{}", running(paragraph));
        }
    }

    /// Lines that stay as they are.
    fn lines(&mut self, lines: &[&str]) {
        let indent = |line: &str| line.len() - line.trim_start().len();
        let least = lines.iter().map(|line| indent(line)).min().unwrap_or_default();
        self.0.push_str(".EX\n");
        for line in lines {
            let _ = writeln!(self.0, "{}", guarded(&escaped(&line[least..])));
        }
        self.0.push_str(".EE\n");
    }

    fn entry(&mut self, term: &str, text: &str) {
        let _ = writeln!(self.0, ".TP\n{term}\n{}", running(text));
    }

    /// Those of the entries that the page has named so far.
    fn section_of_named(&mut self, title: &str, entries: &[(&str, &str)]) {
        let named = |name: &str| self.0.contains(&escaped(name));
        let entries: Vec<_> = entries.iter().filter(|entry| named(entry.0)).collect();
        if entries.is_empty() {
            return;
        }
        self.section(title);
        for (name, text) in entries {
            self.entry(&format!("\\fB{}\\fR", escaped(name)), text);
        }
    }
}

/// The page of a command, its name as it is in the file name, and the day that it is of.
pub(super) fn render(command: &Command, siblings: &[String], day: &str) -> String {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let version = command.get_version().unwrap_or(env!("CARGO_PKG_VERSION"));
    let mut page = Page(format!(
        ".TH {} 1 {day} \"throng {version}\" \"throng\"\n",
        escaped(&name.to_uppercase())
    ));
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.section("Name");
    let _ = writeln!(page.0, "{} \\- {}", escaped(name), running(about.trim_end_matches('.')));
    page.section("Synopsis");
    let _ = writeln!(page.0, "{}", synopsis(command));
    page.section("Description");
    let long = command.get_long_about().map(ToString::to_string);
    page.text(&long.unwrap_or(about));
    options(&mut page, command);
    commands(&mut page, command);
    after_help(&mut page, command);
    page.section_of_named("Environment", &ENVIRONMENT);
    page.section_of_named("Files", &FILES);
    page.section("Exit status");
    for (code, meaning) in EXIT_CODES.lines().filter_map(|line| line.trim().split_once("  ")) {
        page.entry(&format!("\\fB{code}\\fR"), meaning.trim());
    }
    page.section("See also");
    let others = siblings.iter().filter(|sibling| *sibling != name);
    let others: Vec<String> =
        others.map(|sibling| format!("\\fB{}\\fR(1)", escaped(sibling))).collect();
    let _ = writeln!(page.0, "{}", others.join(",\n"));
    let readme = "Packages have the README, with the rules for each type of identifier, in /usr/share/doc/throng.";
    let _ = writeln!(page.0, ".PP\n{}", running(readme));
    page.0
}

/// The command, `OPTIONS`, and what must be given.
fn synopsis(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let rest = usage.strip_prefix(name).unwrap_or(usage);
    format!("\\fB{}\\fR{}", escaped(name), escaped(rest))
}

/// Options by their headings, as in the help; what is given without a name comes first.
fn options(page: &mut Page, command: &Command) {
    let shown: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    let (named, positional): (Vec<&Arg>, Vec<&Arg>) =
        shown.into_iter().partition(|arg| !arg.is_positional());
    let mut headings: Vec<Option<&str>> = vec![None];
    for arg in &named {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    if !positional.is_empty() {
        page.section("Arguments");
        for arg in positional {
            option(page, arg);
        }
    }
    for heading in headings {
        page.section(heading.unwrap_or("Options"));
        for arg in named.iter().filter(|arg| arg.get_help_heading() == heading) {
            option(page, arg);
        }
    }
}

fn option(page: &mut Page, arg: &Arg) {
    let names =
        [arg.get_short().map(|c| format!("-{c}")), arg.get_long().map(|l| format!("--{l}"))];
    let names = names.into_iter().flatten().map(|name| format!("\\fB{}\\fR", escaped(&name)));
    let mut term = names.collect::<Vec<_>>().join(", ");
    if arg.get_action().takes_values() {
        for value in arg.get_value_names().unwrap_or_default() {
            let gap = if term.is_empty() { "" } else { " " };
            let _ = write!(term, "{gap}\\fI{}\\fR", escaped(value));
        }
        if arg.get_num_args().is_some_and(|count| count.max_values() > 1) {
            term.push_str("...");
        }
    }
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(page.0, ".TP\n{term}");
    let _ =
        writeln!(page.0, "{}", help.split("\n\n").map(running).collect::<Vec<_>>().join("\n.IP\n"));
    let choices = arg.get_possible_values();
    if arg.get_action().takes_values() && !arg.is_hide_possible_values_set() && !choices.is_empty()
    {
        page.0.push_str(".RS\n");
        for choice in choices {
            let help = choice.get_help().map(ToString::to_string).unwrap_or_default();
            page.entry(&format!("\\fB{}\\fR", escaped(choice.get_name())), &help);
        }
        page.0.push_str(".RE\n");
    }
    let mut remarks = Vec::new();
    if arg.get_action().takes_values() && !arg.is_hide_default_value_set() {
        let defaults = arg.get_default_values().iter();
        remarks.extend(defaults.map(|value| format!("[default: {}]", value.to_string_lossy())));
    }
    remarks.extend(arg.get_env().map(|name| format!("[env: {}]", name.to_string_lossy())));
    if !remarks.is_empty() {
        let _ = writeln!(page.0, ".IP\n{}", escaped(&remarks.join(" ")));
    }
}

fn commands(page: &mut Page, command: &Command) {
    let mut below = command.get_subcommands().filter(|below| !below.is_hide_set()).peekable();
    if below.peek().is_none() {
        return;
    }
    page.section("Commands");
    for below in below {
        let name = below.get_display_name().unwrap_or_else(|| below.get_name());
        let about = below.get_about().map(ToString::to_string).unwrap_or_default();
        page.entry(&format!("\\fB{}\\fR(1)", escaped(name)), &about);
    }
}

/// What stands below the help: a line that ends with a colon begins a section of lines that stay as they are.
fn after_help(page: &mut Page, command: &Command) {
    let text = command.get_after_long_help().or_else(|| command.get_after_help());
    let text = text.map(ToString::to_string).unwrap_or_default();
    for block in text.split("\n\n") {
        let lines: Vec<&str> = block.lines().collect();
        let Some((first, rest)) = lines.split_first() else { continue };
        match first.strip_suffix(':').filter(|_| !rest.is_empty()) {
            Some("Exit codes") => {}
            Some(title) if title.len() < 20 => {
                page.section(title);
                page.lines(rest);
            }
            _ => {
                let _ = writeln!(page.0, ".PP\n{}", running(first));
                if !rest.is_empty() {
                    page.lines(rest);
                }
            }
        }
    }
}

/// Running text: what stands in backticks becomes bold.
fn running(text: &str) -> String {
    let mut pieces = text.split('`');
    let mut line = escaped(pieces.next().unwrap_or_default());
    for (index, piece) in pieces.enumerate() {
        line.push_str(if index % 2 == 0 { "\\fB" } else { "\\fR" });
        line.push_str(&escaped(piece));
    }
    line.lines().map(guarded).collect::<Vec<_>>().join("\n")
}

/// Text in which troff finds nothing to do, and which can be pasted into a shell as it is shown.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A line that is none of troff's commands.
fn guarded(line: &str) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() }
}

fn quoted(title: &str) -> String {
    if title.contains(' ') { format!("\"{title}\"") } else { title.to_owned() }
}
