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
    throng(&["man", pages.to_str().unwrap()]);
    let entries = fs::read_dir(&pages).unwrap();
    let found: BTreeSet<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, expected.iter().map(|name| format!("{name}.1")).collect());
    for name in found {
        let page = fs::read_to_string(pages.join(&name)).unwrap();
        assert!(page.contains(".TH throng"), "{name}");
    }
    let sync = fs::read_to_string(pages.join("throng-sync.1")).unwrap();
    assert!(sync.contains("max\\-shrink") && sync.contains("JOB.toml"), "{sync}");
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
    }
    let unknown = Command::new(env!("CARGO_BIN_EXE_throng")).args(["completions", "tcsh"]).output();
    assert_eq!(unknown.unwrap().status.code(), Some(2));
}
