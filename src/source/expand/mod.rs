//! From a quoted glob or a folder to its files, or to the objects of a store. What others keep beside the data is left out: hidden files, checksums, and
//! the marks of engines that write many files (`_SUCCESS`).

mod objects;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::config::{Input, Location};
use crate::error::Error;
use crate::object::Facts;
use crate::quote::Quoted;
use crate::stop::Stop;

/// The mark of a folder that is complete.
const SUCCESS: &str = "_SUCCESS";

/// A file or an object of a pattern.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its place.
    pub input: Input,
    /// What its store said of it. Of files it is asked of the system.
    pub facts: Option<Facts>,
}

/// Files of a pattern.
#[derive(Debug, Default)]
pub struct Expanded {
    /// The files or objects, sorted.
    pub files: Vec<Listed>,
    /// Number of files that are no data by their names.
    left_out: usize,
    /// One of them.
    example: Option<PathBuf>,
    /// Number of folders that a glob matched.
    folders: usize,
}

/// Cause that a pattern gives no files.
#[derive(Debug)]
pub enum ExpandError {
    /// It is no glob, and why.
    NoGlob(&'static str),
    /// A folder could not be read.
    Unreadable(PathBuf, io::Error),
    /// It gives no files: message and hint.
    NoFiles(String, &'static str),
    /// A store could not be asked, or the pattern is no place that can be read.
    Failed(Error),
}

/// The files that `pattern` matches. It is relative to `base`, in which no character is special. A file without special
/// characters in its name, or that exists, is taken as it is; a folder is its files, and those of its partitions
/// (`country=DE`). As in a shell, `*` and `?` pass over hidden files, and over folders that are hidden.
///
/// `is_complete` asks for a folder that the engine that wrote it has marked as complete. Waiting for a store ends when `stop`
/// says so.
pub fn expand(
    base: &Path,
    pattern: &str,
    is_complete: bool,
    stop: &Stop,
) -> Result<Expanded, ExpandError> {
    if let Some(location) = Location::of(pattern).map_err(ExpandError::Failed)? {
        return objects::expand(&location, is_complete, &objects::Network(stop))?.whole();
    }
    let path = base.join(pattern);
    let mut expanded = Expanded::default();
    if is_complete {
        check_complete(&path)?;
    }
    if path.is_dir() {
        expanded.folder(&path)?;
    } else if !pattern.contains(['*', '?', '[']) || path.exists() {
        expanded.file(path);
        return Ok(expanded);
    } else {
        expanded.glob(base, pattern)?;
    }
    if expanded.is_empty() && path.is_dir() {
        return Err(ExpandError::NoFiles("it is a directory without files".to_owned(), ""));
    }
    expanded.whole()
}

impl Expanded {
    /// True if a pattern found nothing at all.
    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.left_out == 0 && self.folders == 0
    }

    /// All that there is, sorted; an error if that is nothing.
    fn whole(mut self) -> Result<Self, ExpandError> {
        let no_files = |message: &str, hint| Err(ExpandError::NoFiles(message.to_owned(), hint));
        match &self {
            Self { files, .. } if !files.is_empty() => {}
            Self { left_out: 1.., .. } => {
                return no_files("only files match that are no data by their names", "");
            }
            Self { folders: 1.., .. } => {
                return no_files("only folders match", "name the files within them: 'DIR/*/*'");
            }
            _ => return no_files("no file matches", ""),
        }
        self.files.sort_by_cached_key(|file| file.input.name());
        Ok(self)
    }

    fn file(&mut self, path: PathBuf) {
        self.files.push(Listed { input: Input::Path(path), facts: None });
    }

    /// A note for people on what was left out.
    pub fn note(&self, pattern: &Path) -> Option<String> {
        let mut left_out = Vec::new();
        if let Some(example) = &self.example {
            let name = Quoted(example.file_name().unwrap_or_default().as_ref());
            left_out.push(match self.left_out {
                1 => format!("{name}, which is no data by its name"),
                count => format!("{count} files that are no data by their names, as {name}"),
            });
        }
        match self.folders {
            0 => {}
            1 => left_out.push("a folder".to_owned()),
            count => left_out.push(format!("{count} folders")),
        }
        let mut text = format!("{}: left out ", Quoted(pattern));
        let _infallible = write!(text, "{}", left_out.join(", and "));
        (!left_out.is_empty()).then_some(text)
    }

    fn leave_out(&mut self, path: PathBuf) {
        self.left_out += 1;
        self.example.get_or_insert(path);
    }

    /// Adds the files of a folder and of its partitions.
    fn folder(&mut self, folder: &Path) -> Result<(), ExpandError> {
        let unreadable = |error| ExpandError::Unreadable(folder.to_owned(), error);
        let mut paths = Vec::new();
        for entry in folder.read_dir().map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        paths.sort();
        check_no_table(folder)?;
        for path in paths {
            let name = path.file_name().unwrap_or_default();
            match (is_left_out(name), path.is_dir()) {
                (true, true) => {}
                (true, false) => self.leave_out(path),
                (false, true) if name.as_encoded_bytes().contains(&b'=') => self.folder(&path)?,
                (false, true) => {
                    return Err(nested(&path));
                }
                (false, false) => self.file(path),
            }
        }
        Ok(())
    }

    /// Adds the files that a glob matches.
    fn glob(&mut self, base: &Path, pattern: &str) -> Result<(), ExpandError> {
        let asked = Asked::of(base, pattern);
        let base = PathBuf::from(glob::Pattern::escape(&base.to_string_lossy()));
        let found = glob::glob(&base.join(pattern).to_string_lossy());
        let mut folder: Option<PathBuf> = None;
        for entry in found.map_err(|error| ExpandError::NoGlob(error.msg))? {
            let path = entry.map_err(|error| {
                let path = error.path().to_owned();
                ExpandError::Unreadable(path, error.into())
            })?;
            match (asked.passes(&path), path.is_dir()) {
                (Passes::Hidden, _) | (Passes::Mark, true) => {}
                (Passes::Mark, false) => self.leave_out(path),
                (Passes::Yes, true) => self.folders += 1,
                (Passes::Yes, false) => {
                    if folder.as_deref() != path.parent() {
                        folder = path.parent().map(Path::to_owned);
                        folder.as_deref().map_or(Ok(()), check_no_table)?;
                    }
                    self.file(path);
                }
            }
        }
        Ok(())
    }
}

/// Refuses what is not known to be complete: Hadoop and Spark write `_SUCCESS` when all else is written.
fn check_complete(path: &Path) -> Result<(), ExpandError> {
    match path.join(SUCCESS).is_file() {
        true => Ok(()),
        false if path.is_dir() => Err(not_complete()),
        false => Err(ExpandError::NoFiles(
            format!("it is no directory with `{SUCCESS}`, and --complete asks for one"),
            "name the directory itself, or leave --complete out",
        )),
    }
}

/// The refusal of a folder without the mark.
fn not_complete() -> ExpandError {
    ExpandError::NoFiles(
        format!("it has no `{SUCCESS}`, and --complete asks for one"),
        "run again when the engine that writes it has finished",
    )
}

/// The refusal of a folder in another one that is no partition.
fn nested(folder: &Path) -> ExpandError {
    ExpandError::NoFiles(
        format!("it is a directory with another one in it, {}", Quoted(folder)),
        "say which files are meant, for example with a quoted glob: 'DIR/*.csv'",
    )
}

/// Refuses the files of a table whose log says which of them are of the past.
fn check_no_table(folder: &Path) -> Result<(), ExpandError> {
    refuse_table(folder, |log| folder.join(log).is_dir())
}

/// The same, for a folder that has other folders in it.
fn refuse_table(folder: &Path, has: impl Fn(&str) -> bool) -> Result<(), ExpandError> {
    let tables = [("_delta_log", "Delta Lake"), (".hoodie", "Hudi")];
    match tables.iter().find(|(log, _)| has(log)) {
        None => Ok(()),
        Some((_, table)) => Err(ExpandError::NoFiles(
            format!(
                "{} is a table of {table}, in whose files are rows that were deleted",
                Quoted(folder)
            ),
            "export what the table holds now",
        )),
    }
}

/// Names that a pattern asks for though they are hidden or marks.
#[expect(clippy::struct_excessive_bools, reason = "each is a name of its own")]
struct Asked {
    /// Names of the path that stand in the pattern as they are, before the first special character.
    given: usize,
    hidden_folders: bool,
    temporary: bool,
    hidden_files: bool,
    marks: bool,
    checksums: bool,
}

enum Passes {
    Yes,
    Hidden,
    Mark,
}

impl Asked {
    fn of(base: &Path, pattern: &str) -> Self {
        let special = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
        let given = pattern[..special].rfind('/').map_or("", |at| &pattern[..=at]);
        let (folders, last) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        let is_hidden = |name: &str| is_hidden(name.as_ref());
        Self {
            given: names(&base.join(given)).count(),
            hidden_folders: folders.split('/').any(is_hidden),
            temporary: folders.split('/').any(|name| name == "_temporary"),
            hidden_files: is_hidden(last),
            marks: last.starts_with('_'),
            checksums: has_extension(last.as_ref(), "crc"),
        }
    }

    /// Whether files in a folder of this name are meant.
    fn enters(&self, name: &OsStr) -> bool {
        (name != "_temporary" || self.temporary) && (!is_hidden(name) || self.hidden_folders)
    }

    fn passes(&self, path: &Path) -> Passes {
        let matched: Vec<&OsStr> = names(path).skip(self.given).collect();
        let Some((last, folders)) = matched.split_last() else { return Passes::Yes };
        if !folders.iter().all(|name| self.enters(name)) {
            return Passes::Hidden;
        }
        let is_checksum = has_extension(last, "crc");
        let is_asked = match last.as_encoded_bytes().first() {
            Some(b'.') => self.hidden_files,
            Some(b'_') => self.marks,
            _ => is_checksum && self.checksums,
        };
        if (is_hidden(last) || is_mark(last)) && !is_asked { Passes::Mark } else { Passes::Yes }
    }
}

/// The names of a path.
fn names(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    })
}

fn has_extension(name: &OsStr, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|of| of == extension)
}

/// Says whether a name begins with a dot.
fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") && name != "." && name != ".."
}

/// Says whether a name in a folder is of what is no data.
fn is_left_out(name: &OsStr) -> bool {
    let begins = |with: &[u8]| name.as_encoded_bytes().starts_with(with);
    begins(b".") || begins(b"_") || is_mark(name)
}

/// Says whether a name is one that engines give to what is no data: Hadoop and Spark, Databricks, Parquet of old.
fn is_mark(name: &OsStr) -> bool {
    let begins = |with: &str| name.as_encoded_bytes().starts_with(with.as_bytes());
    [SUCCESS, "_metadata", "_common_metadata", "_temporary"].iter().any(|mark| name == *mark)
        || begins("_committed_")
        || begins("_started_")
        || has_extension(name, "crc")
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn expand(base: &Path, pattern: &str, is_complete: bool) -> Result<Expanded, ExpandError> {
        super::expand(base, pattern, is_complete, &Stop::default())
    }

    fn folder(base: &Path, names: &[&str]) {
        for name in names {
            let path = base.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            std::fs::write(path, "").expect("writes");
        }
    }

    fn names_of(base: &Path, pattern: &str) -> Vec<String> {
        let expanded = expand(base, pattern, false).expect("files");
        let name =
            |of: &Listed| of.input.name().strip_prefix(base).expect("within").display().to_string();
        expanded.files.iter().map(name).collect()
    }

    #[track_caller]
    fn refused(base: &Path, pattern: &str, why: &str) {
        match expand(base, pattern, false) {
            Err(ExpandError::NoFiles(message, _)) => assert!(message.contains(why), "{message}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_pattern_is_a_glob() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let base = dir.path().join("a[1]*");
        std::fs::create_dir_all(base.join("folder.csv")).expect("folders");
        folder(&base, &["b.csv", "a.csv", "a.txt", "[x].csv", ".part-0.crc"]);
        let odd = base.join(OsStr::from_bytes(b".\xff"));
        std::fs::write(odd, "").expect("writes");
        let names = |pattern: &str| names_of(&base, pattern);
        assert_eq!(names("?.csv"), ["a.csv", "b.csv"]);
        assert_eq!(names("[x].csv"), ["[x].csv"]);
        assert_eq!(names("*"), ["[x].csv", "a.csv", "a.txt", "b.csv"]);
        assert_eq!(names(".*.crc"), [".part-0.crc"]);
        assert_eq!(names("none.csv"), ["none.csv"]);
        refused(&base, "*.gz", "no file matches");
        refused(&base, "fold*", "only folders match");
        assert!(matches!(expand(&base, "a**b", false), Err(ExpandError::NoGlob(_))));
        let absolute = base.join("?.zip").display().to_string();
        refused(Path::new("/nowhere"), &absolute, "no file matches");
        let note = |pattern: &str| expand(&base, pattern, false).expect("files").note("*".as_ref());
        assert_eq!(
            note("*").as_deref(),
            Some("`*`: left out `.part-0.crc`, which is no data by its name, and a folder")
        );
        assert_eq!((note("?.csv"), note("none.csv")), (None, None));
    }

    #[test]
    fn what_engines_keep_beside_the_data_is_left_out() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let base = dir.path().join(".data");
        folder(
            &base,
            &[
                "o/_SUCCESS",
                "o/_committed_12",
                "o/_metadata",
                "o/._SUCCESS.crc",
                "o/p.csv.crc",
                "o/p0.csv",
                "o/_temporary/0/p1.csv",
                "o/.tmp/p2.csv",
                "m/_SUCCESS",
                "_mine.csv",
            ],
        );
        assert_eq!(names_of(&base, "o/*"), ["o/p0.csv"]);
        assert_eq!(names_of(&base, "**/p*"), ["o/p0.csv"]);
        assert_eq!(names_of(&base, "o/.tmp/*"), ["o/.tmp/p2.csv"]);
        assert_eq!(names_of(&base, "*/_temporary/0/p1.csv"), ["o/_temporary/0/p1.csv"]);
        assert_eq!(names_of(&base, "o/_S*"), ["o/_SUCCESS"]);
        assert_eq!(names_of(&base, "_*.csv"), ["_mine.csv"]);
        assert_eq!(names_of(&base, "*.csv"), ["_mine.csv"]);
        refused(&base, "*/*/*/p1.csv", "no file matches");
        refused(&base, "m/*", "no data by their names");
    }

    #[test]
    fn a_folder_can_be_asked_to_be_complete() {
        let dir = tempfile::tempdir().expect("temporary folder");
        folder(dir.path(), &["o/_SUCCESS", "o/c=1/p.csv", "u/p.csv"]);
        assert_eq!(expand(dir.path(), "o", true).expect("complete").files.len(), 1);
        for pattern in ["u", "o/c=1", "o/c=1/p.csv", "o/*/*.csv", "none"] {
            let refused = expand(dir.path(), pattern, true).expect_err("refuses");
            let ExpandError::NoFiles(message, _) = refused else { panic!("{refused:?}") };
            assert!(message.contains("--complete"), "{pattern}: {message}");
        }
    }

    #[test]
    fn a_folder_is_its_files_and_those_of_its_partitions() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let base = dir.path();
        let marks = ["o/_SUCCESS", "o/.p0.csv.crc", "o/_x/y.csv", "o/.z/y.csv"];
        folder(base, &[&marks[..], &["o/b.csv", "o/a.csv", "o/c=D%20E/d=1/p.csv"]].concat());
        assert_eq!(names_of(base, "o"), ["o/a.csv", "o/b.csv", "o/c=D%20E/d=1/p.csv"]);
        assert_eq!(names_of(base, "o/"), ["o/a.csv", "o/b.csv", "o/c=D%20E/d=1/p.csv"]);
        folder(base, &["o/old/p.csv", "t/_delta_log/0.json", "t/p.parquet", "e/_SUCCESS"]);
        refused(base, "o", "with another one in it");
        refused(base, "t", "Delta Lake");
        refused(base, "t/*.parquet", "Delta Lake");
        refused(base, "e", "no data by their names");
        assert_eq!(names_of(base, "t/p.parquet"), ["t/p.parquet"]);
    }
}
