//! Completions and man pages: all commands have them, since they come from the same definitions.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output};

fn throng(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_throng")).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The commands that the help of a command names, and those below them, as `throng-audience-list`.
fn commands(above: &[&str], found: &mut BTreeSet<String>) {
    found.insert([&["throng"], above].concat().join("-"));
    let help = throng(&[above, &["--help"]].concat());
    let help = String::from_utf8(help.stdout).unwrap();
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return };
    let list = list.split("\n\n").next().unwrap();
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    for name in names.filter(|name| !name.is_empty() && *name != "help") {
        commands(&[above, &[name]].concat(), found);
    }
}

#[test]
fn every_command_has_a_page() {
    let mut expected = BTreeSet::new();
    commands(&[], &mut expected);
    assert!(expected.contains("throng-audience-delete") || expected.len() > 8, "{expected:?}");
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("share/man1");
    // An earlier version's page is replaced.
    fs::create_dir_all(&pages).unwrap();
    fs::write(pages.join("throng-sync.1"), "earlier").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_throng"))
        .env("SOURCE_DATE_EPOCH", "1795500000")
        .args(["man", pages.to_str().unwrap()])
        .status();
    assert!(status.unwrap().success());
    let entries = fs::read_dir(&pages).unwrap();
    let found: BTreeSet<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, expected.iter().map(|name| format!("{name}.1")).collect());
    for name in found {
        let page = fs::read_to_string(pages.join(&name)).unwrap();
        let name = name.trim_end_matches(".1");
        let title = format!("\n.TH {} 1 2026-11-24 ", name.to_uppercase());
        assert!(page.contains(&title), "{page}");
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "\"EXIT STATUS\""] {
            assert_eq!(
                page.matches(&format!("\n.SH {section}\n")).count(),
                1,
                "{section} in {name}"
            );
        }
        // Every option that the help has, and no line that troff would take for a command of its own.
        let command: Vec<&str> = name.split('-').skip(1).collect();
        let help = throng(&[&command[..], &["--help"]].concat()).stdout;
        for word in String::from_utf8(help).unwrap().split_whitespace() {
            let Some(option) = word.strip_prefix("--").filter(|_| !word.contains('=')) else {
                continue;
            };
            let option = option.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            assert!(page.contains(&option.replace('-', "\\-")), "--{option} in {name}");
        }
        let known =
            [".TH", ".SH", ".PP", ".TP", ".IP", ".RS", ".RE", ".EX", ".EE", ".br", ".ie", ".el"];
        let command = |line: &&str| line.starts_with(['.', '\'']);
        assert!(page.lines().filter(command).all(|line| known.contains(&&line[..3])), "{page}");
        // What the help has in backticks is in bold, and what begins on a line ends there.
        assert!(!page.contains('`'), "{page}");
        let fonts = |line: &str, fonts: &[&str]| -> usize {
            fonts.iter().map(|font| line.matches(font).count()).sum()
        };
        for line in page.lines() {
            assert_eq!(fonts(line, &["\\fB", "\\fI"]), fonts(line, &["\\fR"]), "{line}");
        }
    }
    let upload = fs::read_to_string(pages.join("throng-upload.1")).unwrap();
    for part in [
        ".SH SYNOPSIS\n\\fBthrong upload\\fR [OPTIONS] <DIR>\n",
        ".TP\n\\fB\\-\\-parallel\\fR \\fI<N>\\fR [default: 3]\nParts in flight at once\n",
        "comes from the variable \\fBTHRONG_TOKEN\\fR or from \\-\\-token\\-file.",
        ".SH EXAMPLES\n.EX\nthrong upload audience \\-\\-create Newsletter",
        "the \\fBTHRONG_LOG\\fR environment variable",
        "\n8         what a request came to is unknown",
    ] {
        assert!(upload.contains(part), "{part}\nin {upload}");
    }
}

/// The codes of the README's table and those of the help, which the manual has as well.
#[test]
fn help_and_readme_have_the_same_exit_codes() {
    let help = String::from_utf8(throng(&["--help"]).stdout).unwrap();
    let (_, listed) = help.split_once("\nExit codes:\n").unwrap();
    let listed = listed.lines().map(|line| line.trim().split("  ").next().unwrap());
    let readme = include_str!("../../README.md");
    let (_, table) = readme.split_once("\n## Exit codes\n").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let in_table = rows.map(|row| row.split('|').nth(1).unwrap().trim());
    assert_eq!(listed.collect::<Vec<_>>(), in_table.collect::<Vec<_>>()[..10]);
}

#[test]
fn every_shell_is_told_all_commands() {
    let mut expected = BTreeSet::new();
    commands(&[], &mut expected);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = String::from_utf8(throng(&["completions", shell]).stdout).unwrap();
        for command in expected.iter().filter_map(|name| name.rsplit('-').next()) {
            assert!(script.contains(command), "{command} in {shell}");
        }
        assert!(script.contains("max-shrink"), "{shell}");
        let knows_values = ["bash", "fish", "zsh"].contains(&shell);
        assert!(!knows_values || script.contains("mobile_advertiser_id"), "{shell}");
    }
    let unknown = Command::new(env!("CARGO_BIN_EXE_throng")).args(["completions", "tcsh"]).output();
    assert_eq!(unknown.unwrap().status.code(), Some(2));
}
