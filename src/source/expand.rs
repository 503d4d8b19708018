//! From a quoted glob to the files that it matches.

use std::io;
use std::path::{Path, PathBuf};

/// Cause that a glob gives no files.
#[derive(Debug)]
pub enum ExpandError {
    /// It is not one, and why.
    NoGlob(&'static str),
    /// A folder could not be read.
    Unreadable(PathBuf, io::Error),
    /// No file matches.
    NoMatch,
}

/// The files that `pattern` matches, sorted. It is relative to `base`, in which no character is special. A path without
/// special characters, or that exists, is taken as it is. As in a shell, `*` and `?` pass over hidden files: what a file
/// manager or Hadoop (`.part-00000.crc`) keeps beside the data is no data.
pub fn expand(base: &Path, pattern: &str) -> Result<Vec<PathBuf>, ExpandError> {
    let path = base.join(pattern);
    if !pattern.contains(['*', '?', '[']) || path.exists() {
        return Ok(vec![path]);
    }
    let base = PathBuf::from(glob::Pattern::escape(&base.to_string_lossy()));
    let pattern = base.join(pattern);
    // `glob` has an option for it, which panics at names that are not UTF-8.
    let asks_for_hidden = is_hidden(&pattern);
    let found = glob::glob(&pattern.to_string_lossy());
    let mut paths = Vec::new();
    for entry in found.map_err(|error| ExpandError::NoGlob(error.msg))? {
        let entry = entry.map_err(|error| {
            let path = error.path().to_owned();
            ExpandError::Unreadable(path, error.into())
        })?;
        if entry.is_file() && (asks_for_hidden || !is_hidden(&entry)) {
            paths.push(entry);
        }
    }
    if paths.is_empty() {
        return Err(ExpandError::NoMatch);
    }
    paths.sort();
    Ok(paths)
}

/// Says whether the last name of a path begins with a dot.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn only_the_pattern_is_a_glob() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let base = dir.path().join("a[1]*");
        std::fs::create_dir_all(base.join("folder.csv")).expect("folders");
        for name in ["b.csv", "a.csv", "a.txt", "[x].csv", ".part-0.crc"] {
            std::fs::write(base.join(name), "").expect("writes");
        }
        let odd = base.join(OsStr::from_bytes(b".\xff"));
        std::fs::write(odd, "").expect("writes");
        let names = |pattern: &str| {
            let paths = expand(&base, pattern).expect("files");
            let name = |path: &PathBuf| path.strip_prefix(&base).expect("within").to_owned();
            paths.iter().map(name).map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names("?.csv"), ["a.csv", "b.csv"]);
        assert_eq!(names("[x].csv"), ["[x].csv"]);
        assert_eq!(names("*"), ["[x].csv", "a.csv", "a.txt", "b.csv"]);
        assert_eq!(names(".*.crc"), [".part-0.crc"]);
        assert_eq!(names("none.csv"), ["none.csv"]);
        assert!(matches!(expand(&base, "*.gz"), Err(ExpandError::NoMatch)));
        assert!(matches!(expand(&base, "a**b"), Err(ExpandError::NoGlob(_))));
        let absolute = base.join("?.txt").display().to_string();
        assert!(matches!(expand(Path::new("/nowhere"), &absolute), Err(ExpandError::NoMatch)));
    }
}
