//! The terminal sessions in the README are what the binary prints. In them, a line that is `...` stands for any number of
//! lines, `...` at the end of a line for anything; times, rates and memory differ from run to run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// A command and what the README shows of its output.
struct Shown {
    command: String,
    output: Vec<String>,
}

/// The commands of all blocks that are marked as a session.
fn sessions(text: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let blocks = text.split("```console\n").skip(1);
    for line in blocks.flat_map(|block| block.split("```").next().unwrap().lines()) {
        match (line.strip_prefix("$ "), shown.last_mut()) {
            (Some(command), _) => {
                shown.push(Shown { command: command.to_owned(), output: Vec::new() });
            }
            // The rest of a command that goes on.
            (None, Some(last)) if last.output.is_empty() && last.command.ends_with('\\') => {
                last.command.push('\n');
                last.command.push_str(line);
            }
            (None, Some(last)) => last.output.push(line.to_owned()),
            (None, None) => panic!("output before any command: {line}"),
        }
    }
    shown
}

/// A line without what differs from run to run: times, rates, sizes.
fn steady(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    for index in 1..words.len() {
        let same = match words[index].trim_end_matches([',', ';']) {
            "ms" | "s" => "TIME",
            "records/s" | "KiB/s" | "MiB/s" => "RATE",
            "KiB" | "MiB" => "SIZE",
            _ => continue,
        };
        words[index - 1] = "N";
        words[index] = same;
    }
    words.join(" ")
}

fn matches(expected: &[String], found: &[String]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return found.is_empty() };
    if first.trim() == "..." {
        return (0..=found.len()).any(|skip| matches(rest, &found[skip..]));
    }
    let Some((line, others)) = found.split_first() else { return false };
    let is_line = match first.strip_suffix("...") {
        Some(beginning) => line.starts_with(beginning),
        None => steady(line) == steady(first),
    };
    is_line && matches(rest, others)
}

#[test]
fn sessions_are_what_the_binary_prints() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shown = sessions(&fs::read_to_string(top.join("README.md")).unwrap());
    assert!(shown.len() > 5, "the README has sessions");
    let dir = tempfile::tempdir().unwrap();
    symlink(top.join("fixtures"), dir.path().join("fixtures")).unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_throng")).parent().unwrap();
    for Shown { command, output } in shown {
        let ran = Command::new("sh")
            .current_dir(dir.path())
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("HOME", dir.path())
            .env_remove("THRONG_LOG")
            .args(["-c", &format!("{{ {command}\n}} 2>&1")])
            .output()
            .unwrap();
        let text = String::from_utf8(ran.stdout).unwrap();
        let found: Vec<String> = text.lines().map(str::to_owned).collect();
        assert!(
            matches(&output, &found),
            "$ {command}\nthe README shows\n{}\nthe binary prints\n{text}",
            output.join("\n")
        );
    }
}

#[test]
fn what_differs_is_found() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let is = |expected: &str, found: &str| matches(&lines(expected), &lines(found));
    assert!(is("a\n...\nwrote x in 9 ms, 3 records/s", "a\nb\nc\nwrote x in 1 ms, 9 records/s"));
    assert!(is("a b...", "a b c"));
    assert!(!is("a", "a\nb") && !is("a\nb", "a") && !is("3 parts", "4 parts"));
    assert!(!is("...\nz", "a\nb") && !is("a x...", "a b c"));
}
