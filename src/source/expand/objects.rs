//! The same for objects: a key's folders are what stands between its slashes.

use std::path::Path;

use glob::Pattern;

use super::{
    Asked, ExpandError, Expanded, Listed, Passes, SUCCESS, is_hidden, is_left_out, refuse_table,
};
use crate::config::{Input, Location, Scheme};
use crate::error::{self, Error, ExitCode};
use crate::object::{self, Folder};
use crate::stop::Stop;

/// What is asked of stores.
pub(super) trait Stores {
    /// What is in folders, one behind the other.
    fn list(&self, folders: &[Location]) -> error::Result<Vec<Folder>>;

    /// The facts of an object, if there is one.
    fn facts(&self, object: &Location) -> error::Result<Option<object::Facts>>;
}

/// The stores of the network.
pub(super) struct Network<'a>(pub(super) &'a Stop);

impl Stores for Network<'_> {
    fn list(&self, folders: &[Location]) -> error::Result<Vec<Folder>> {
        object::list(folders, self.0)
    }

    fn facts(&self, object: &Location) -> error::Result<Option<object::Facts>> {
        object::facts(object, self.0)
    }
}

/// The objects that a location means: itself, those of a folder and its partitions, or those that a pattern matches.
pub(super) fn expand(
    location: &Location,
    is_complete: bool,
    stores: &impl Stores,
) -> Result<Expanded, ExpandError> {
    let mut expanded = Expanded::default();
    if location.scheme() == Scheme::Https {
        if is_complete {
            return no_files(
                "it is no folder, and --complete asks for one",
                "leave --complete out",
            );
        }
        return match stores.facts(location) {
            Ok(None) => no_files("there is no such object", ""),
            Ok(facts) => Ok(one(location, facts)),
            Err(error) => taken_for_one(location, error),
        };
    }
    let key = location.key().trim_end_matches('/');
    let folder = location.with_key(key);
    let is_pattern = key.contains(['*', '?', '[']);
    if !is_complete && key == location.key() && !key.is_empty() {
        let facts = stores.facts(&folder);
        match facts {
            Ok(Some(facts)) => return Ok(one(location, Some(facts))),
            Ok(None) => {}
            // Whoever may list need not be allowed to look at what is not there.
            Err(_) if is_pattern => {}
            Err(error) => return taken_for_one(&folder, error),
        }
    }
    if is_pattern && !is_complete {
        expanded.matching(&folder, stores)?;
    } else {
        expanded.below(&folder, is_complete, stores)?;
    }
    Ok(expanded)
}

/// Takes a location for an object that may not be looked at: an answer to this question has no text, so whoever reads it will
/// learn why. A signed address is good for reading alone.
fn taken_for_one(location: &Location, error: Error) -> Result<Expanded, ExpandError> {
    match error.exit_code() {
        ExitCode::Credentials | ExitCode::Input => Ok(one(location, None)),
        _ => Err(ExpandError::Failed(error)),
    }
}

/// A location that is an object, or taken for one.
fn one(location: &Location, facts: Option<object::Facts>) -> Expanded {
    let listed = Listed { input: Input::Object(location.clone()), facts };
    Expanded { files: vec![listed], ..Expanded::default() }
}

fn no_files<T>(message: &str, hint: &'static str) -> Result<T, ExpandError> {
    Err(ExpandError::NoFiles(message.to_owned(), hint))
}

fn name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

impl Expanded {
    /// Adds the objects of a folder and of its partitions.
    fn below(
        &mut self,
        folder: &Location,
        is_complete: bool,
        stores: &impl Stores,
    ) -> Result<(), ExpandError> {
        let mut level = vec![folder.clone()];
        let mut is_first = true;
        while !level.is_empty() {
            let listed = stores.list(&level).map_err(ExpandError::Failed)?;
            let mut next = Vec::new();
            for (at, found) in level.iter().zip(listed) {
                if is_first {
                    check_there(&found)?;
                    let is_marked = found.objects.iter().any(|(key, _)| name(key) == SUCCESS);
                    if is_complete && !is_marked {
                        return Err(super::not_complete());
                    }
                }
                check_no_table(at, &found)?;
                for key in found.folders {
                    let inner = folder.with_key(&key);
                    match name(&key) {
                        of if is_hidden(of.as_ref()) || of.starts_with('_') => {}
                        of if of.contains('=') => next.push(inner),
                        _ => return Err(super::nested(&inner.to_path())),
                    }
                }
                for (key, facts) in found.objects {
                    self.object(folder, &key, facts, is_left_out(name(&key).as_ref()));
                }
            }
            (level, is_first) = (next, false);
        }
        Ok(())
    }

    /// Adds the objects that a pattern matches.
    fn matching(&mut self, pattern: &Location, stores: &impl Stores) -> Result<(), ExpandError> {
        let asked = Asked::of(Path::new(""), pattern.key());
        let mut names: Vec<&str> = pattern.key().split('/').collect();
        let last = compiled(names.pop().unwrap_or_default())?;
        let mut level = vec![pattern.with_key("")];
        for name in names {
            level = match name {
                "**" => all_below(level, &asked, stores)?,
                _ if !name.contains(['*', '?', '[']) => {
                    level.iter().map(|folder| child(folder, name)).collect()
                }
                _ => folders_matching(&level, &compiled(name)?, &asked, stores)?,
            };
        }
        for (folder, found) in level.iter().zip(stores.list(&level).map_err(ExpandError::Failed)?) {
            let matches = |key: &str| last.matches(name(key));
            let mut is_any = false;
            for (key, facts) in found.objects.iter().filter(|(key, _)| matches(key)) {
                match asked.passes(Path::new(key)) {
                    Passes::Hidden => {}
                    passes => {
                        let is_mark = matches!(passes, Passes::Mark);
                        is_any |= !is_mark;
                        self.object(folder, key, facts.clone(), is_mark);
                    }
                }
            }
            let is_seen =
                |key: &&String| matches(key) && matches!(asked.passes(Path::new(key)), Passes::Yes);
            self.folders += found.folders.iter().filter(is_seen).count();
            if is_any {
                check_no_table(folder, &found)?;
            }
        }
        Ok(())
    }

    fn object(&mut self, store: &Location, key: &str, facts: object::Facts, is_left_out: bool) {
        let location = store.with_key(key);
        if is_left_out {
            self.leave_out(location.to_path());
        } else {
            self.files.push(Listed { input: Input::Object(location), facts: Some(facts) });
        }
    }
}

/// Refuses a folder in which nothing is: stores know no folders, so that there is none.
fn check_there(found: &Folder) -> Result<(), ExpandError> {
    if found.objects.is_empty() && found.folders.is_empty() {
        return no_files("there is neither such an object nor one below it", "");
    }
    Ok(())
}

fn check_no_table(folder: &Location, found: &Folder) -> Result<(), ExpandError> {
    let has = |log: &str| found.folders.iter().any(|key| name(key) == log);
    refuse_table(&folder.to_path(), has)
}

fn child(folder: &Location, name: &str) -> Location {
    match folder.key() {
        "" => folder.with_key(name),
        key => folder.with_key(&format!("{key}/{name}")),
    }
}

fn compiled(name: &str) -> Result<Pattern, ExpandError> {
    Pattern::new(name).map_err(|error| ExpandError::NoGlob(error.msg))
}

/// The folders in others whose names a pattern matches.
fn folders_matching(
    level: &[Location],
    pattern: &Pattern,
    asked: &Asked,
    stores: &impl Stores,
) -> Result<Vec<Location>, ExpandError> {
    let mut next = Vec::new();
    for (folder, found) in level.iter().zip(stores.list(level).map_err(ExpandError::Failed)?) {
        let matches =
            |key: &&String| pattern.matches(name(key)) && asked.enters(name(key).as_ref());
        next.extend(found.folders.iter().filter(matches).map(|key| folder.with_key(key)));
    }
    Ok(next)
}

/// Folders, and all that are below them.
fn all_below(
    level: Vec<Location>,
    asked: &Asked,
    stores: &impl Stores,
) -> Result<Vec<Location>, ExpandError> {
    let any = compiled("*")?;
    let (mut all, mut level) = (Vec::new(), level);
    while !level.is_empty() {
        let next = folders_matching(&level, &any, asked, stores)?;
        all.append(&mut level);
        level = next;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    use super::*;

    /// Keys of a bucket, with a store's idea of folders.
    struct Keys(BTreeMap<&'static str, u64>);

    impl Stores for Keys {
        fn list(&self, folders: &[Location]) -> error::Result<Vec<Folder>> {
            let list = |folder: &Location| {
                let prefix = match folder.key() {
                    "" => String::new(),
                    key => format!("{key}/"),
                };
                let mut found = Folder::default();
                for key in self.0.keys() {
                    let Some(rest) = key.strip_prefix(&prefix) else { continue };
                    match rest.split_once('/') {
                        None => {
                            let facts = self.facts(&folder.with_key(key))?.expect("is there");
                            found.objects.push(((*key).to_owned(), facts));
                        }
                        Some((name, _)) => found.folders.push(format!("{prefix}{name}")),
                    }
                }
                found.folders.dedup();
                Ok(found)
            };
            folders.iter().map(list).collect()
        }

        fn facts(&self, object: &Location) -> error::Result<Option<object::Facts>> {
            let facts = |bytes: &u64| object::Facts {
                bytes: *bytes,
                modified: SystemTime::UNIX_EPOCH,
                e_tag: None,
            };
            Ok(self.0.get(object.key()).map(facts))
        }
    }

    fn found(
        keys: &[&'static str],
        pattern: &str,
        is_complete: bool,
    ) -> Result<Vec<String>, String> {
        let keys = Keys(keys.iter().map(|key| (*key, 1)).collect());
        let location =
            Location::of(&format!("s3://b/{pattern}")).expect("is read").expect("address");
        let expanded = expand(&location, is_complete, &keys).and_then(Expanded::whole);
        match expanded {
            Ok(of) => Ok(of
                .files
                .iter()
                .map(|of| of.input.name().display().to_string()[7..].to_owned())
                .collect()),
            Err(ExpandError::NoFiles(message, _)) => Err(message),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn objects_are_found_as_files_are() {
        let keys = [
            "o/_SUCCESS",
            "o/b.csv",
            "o/a.csv",
            "o/.p.crc",
            "o/_x/y.csv",
            "o/c=D%20E/d=1/p.csv",
            "n/1/p.csv",
            "n/2/p.csv",
            "n/2/q.gz",
            "n/.h/p.csv",
            "n/3/_SUCCESS",
            "t/_delta_log/0.json",
            "t/p.parquet",
            "x/old/p.csv",
            "x/p.csv",
            "g[1].csv",
            "e/_SUCCESS",
        ];
        let names = |pattern: &str| found(&keys, pattern, false);
        let of =
            |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(names("o"), of(&["o/a.csv", "o/b.csv", "o/c=D%20E/d=1/p.csv"]));
        assert_eq!(names("o/"), names("o"));
        assert_eq!(names("o/a.csv"), of(&["o/a.csv"]));
        assert_eq!(names("o/*.csv"), of(&["o/a.csv", "o/b.csv"]));
        assert_eq!(names("n/*/p.csv"), of(&["n/1/p.csv", "n/2/p.csv"]));
        assert_eq!(names("n/?/*"), of(&["n/1/p.csv", "n/2/p.csv", "n/2/q.gz"]));
        assert_eq!(names("n/.h/*"), of(&["n/.h/p.csv"]));
        assert_eq!(
            names("**/p.csv"),
            of(&["n/1/p.csv", "n/2/p.csv", "o/c=D%20E/d=1/p.csv", "x/old/p.csv", "x/p.csv"])
        );
        assert_eq!(names("g[1].csv"), of(&["g[1].csv"]));
        for (pattern, why) in [
            ("none", "neither such an object"),
            ("o/*.gz", "no file matches"),
            ("n/*", "only folders match"),
            ("x", "with another one in it"),
            ("t", "Delta Lake"),
            ("t/*.parquet", "Delta Lake"),
            ("e", "no data by their names"),
        ] {
            let message = names(pattern).expect_err(pattern);
            assert!(message.contains(why), "{pattern}: {message}");
        }
        assert_eq!(names("t/p.parquet"), of(&["t/p.parquet"]));
        assert!(found(&keys, "o", true).is_ok());
        for pattern in ["n/1", "o/a.csv", "o/*"] {
            let message = found(&keys, pattern, true).expect_err(pattern);
            assert!(message.contains("--complete") || message.contains("neither"), "{message}");
        }
    }
}
