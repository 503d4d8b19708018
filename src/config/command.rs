//! Commands whose output is an input.

use std::fmt;
use std::path::{Path, PathBuf};

/// A command whose output is an input: `sh -c` runs it once its input is looked at, and again each time that this is read.
/// Its standard input is empty, and what it says on standard error is seen.
///
/// If it ends with anything but success, the run fails; if the run ends first, so does the command, with all that it started
/// in its process group. Messages and the manifest call it by its number and the name of its program alone, since a command can hold
/// passwords.
#[derive(Clone)]
pub struct Command {
    text: String,
    name: PathBuf,
    dir: PathBuf,
}

impl Command {
    /// A command that writes members; `number` is its place among others, from 1.
    pub fn of_members(text: impl Into<String>, number: usize) -> Self {
        Self::new(text.into(), "command", number)
    }

    /// A command that writes who opted out; `number` is its place among others, from 1.
    pub fn of_opt_outs(text: impl Into<String>, number: usize) -> Self {
        Self::new(text.into(), "opt-out command", number)
    }

    fn new(text: String, role: &str, number: usize) -> Self {
        let name = name(&text, role, number).into();
        Self { text, name, dir: PathBuf::new() }
    }

    /// The same command, run in a folder.
    #[must_use]
    pub fn within(self, dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), ..self }
    }

    /// What messages, manifest and reject list call it.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// What the shell is given. It may hold a secret.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// True if there is nothing to run.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// The folder that it is run in; empty for that of the run.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Two commands are the same if they do the same, whatever they are called.
impl PartialEq for Command {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.dir) == (&other.text, &other.dir)
    }
}

impl Eq for Command {}

/// What a command is called: its program, if that is a plain word.
fn name(command: &str, role: &str, number: usize) -> String {
    let words = shlex::split(command).unwrap_or_default();
    // Variables may stand before it: `PGPASSWORD=... psql`.
    let program = words.iter().find(|word| !word.contains('='));
    let program = program.and_then(|path| path.rsplit('/').next());
    let is_plain = |word: &&str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        (1..=30).contains(&word.len()) && word.chars().all(is_part)
    };
    match program.filter(is_plain) {
        Some(program) => format!("{role} {number} ({program})"),
        None => format!("{role} {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_called_by_its_program_alone() {
        for (text, expected) in [
            ("psql -c 'SELECT 1'", "command 1 (psql)"),
            ("PGPASSWORD=canary /usr/bin/psql", "command 1 (psql)"),
            ("'canary canary'", "command 1"),
            ("$(canary)", "command 1"),
            ("'unbalanced", "command 1"),
            ("", "command 1"),
        ] {
            let command = Command::of_members(text, 1);
            assert_eq!(command.name(), Path::new(expected), "{text}");
            assert!(!format!("{command:?}").contains("canary"), "{command:?}");
        }
        assert_eq!(Command::of_opt_outs("cat", 2).name(), Path::new("opt-out command 2 (cat)"));
    }

    #[test]
    fn commands_are_the_same_if_they_do_the_same() {
        let one = Command::of_members("cat a", 1);
        assert_eq!(one, Command::of_opt_outs("cat a", 2));
        assert_ne!(one, Command::of_members("cat b", 1));
        assert_ne!(one, one.clone().within("there"));
    }
}
