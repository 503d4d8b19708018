//! Forgetting people: they are held back from now on, and what the state directory has of them goes.
//!
//! ```text
//! list     whoever is to be forgotten is on it, before anything else happens      -> STATE/forgotten/TYPE.txt
//! search   in which parts they are, and whether an audience may still hold them   -> whom nothing needs any more
//! rewrite  parts and lists without these                                          -> nobody knows that they were there
//! ```
//!
//! As long as somebody is, or may be, in an audience, the state has to know it: else nobody could take them out, or say
//! that they must go. So their digests stay until a run has taken them out or the audience is deleted, unless it is
//! told to forget at once; each run of a job looks again.

mod rewrite;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::{Input, SuppressInput};
use crate::error::{Error, Result};
use crate::hash::Digest;
use crate::normalize::{Case, Normalizer, RuleOptions};
use crate::store::Store;
use crate::user_type::UserType;
use crate::who::{self, Answers, Asked, FoundStanding, Search, Values, digest_of_line};

/// What becomes of the digests of those who may still be in an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// They stay until nobody needs them.
    OnceGone,
    /// They go, though nobody then knows that they must be taken out.
    AtOnce,
}

/// What was forgotten.
#[derive(Clone, Debug, Serialize)]
pub struct Forgotten {
    /// The list of those who are held back.
    pub list: PathBuf,
    /// Entries that were not on it before.
    pub listed: u64,
    /// In which audiences each line was, or may have been, before.
    #[serde(flatten)]
    pub answers: Answers,
    /// Lines of files in the state directory that are gone.
    pub purged: u64,
    /// Files of uploads by hand that have some of them; they are left as they are.
    pub elsewhere: Vec<PathBuf>,
    /// Whose digests are still there, since an audience may hold them: numbers of lines.
    pub waiting: Vec<u64>,
}

/// Holds back the people of `input`, a value a line, and takes them out of a state directory.
///
/// # Errors
///
/// If there is no store, if a run is going on, if the input or the state cannot be read, or the state not be written.
/// Whoever was read is on the list then, and running it again goes on.
pub fn forget(
    state_dir: &Path,
    user_type: UserType,
    rules: RuleOptions,
    input: impl Read,
    how: Forget,
) -> Result<Forgotten> {
    forget_after(state_dir, (user_type, rules), input, how, None)
}

/// The same, but before the state forgets anybody they are taken out of audiences. `take_out` says whether all are: if not, who
/// may still be in one is not forgotten at once.
///
/// # Errors
///
/// As for [`forget`].
pub fn forget_after(
    state_dir: &Path,
    (user_type, rules): (UserType, RuleOptions),
    input: impl Read,
    mut how: Forget,
    take_out: Option<&mut dyn FnMut() -> bool>,
) -> Result<Forgotten> {
    let store = who::store_of(state_dir)?;
    let mut locks = store.lock_all(user_type)?;
    store.check_complete()?;
    let values = Values::read(input, &who::normalizers(user_type, rules))?;
    let listed = put_on_list(&store, user_type, &values)?;
    let answers = who::answers(&store, user_type, &values)?;
    let mut left = None;
    if let Some(take_out) = take_out {
        // Whoever takes them out has the locks meanwhile.
        drop(locks);
        if !take_out() {
            how = Forget::OnceGone;
        }
        locks = store.lock_all(user_type)?;
        left = Some(who::answers(&store, user_type, &values)?);
    }
    let still_there = |standing| is_needed(standing) && how == Forget::OnceGone;
    let waiting = left
        .as_ref()
        .unwrap_or(&answers)
        .lines
        .iter()
        .filter(|line| line.found.iter().any(|found| still_there(found.standing)));
    let waiting = waiting.map(|line| line.line).collect();
    let elsewhere = elsewhere(&store, user_type, &values)?;
    let purged = purge_all(&store, how)?;
    // What an earlier run left that was killed, with everybody in it.
    store.remove_unneeded()?;
    store.compact()?;
    drop(locks);
    let list = store.forgotten_list(user_type);
    Ok(Forgotten { list, listed, answers, purged, elsewhere, waiting })
}

/// Files of uploads by hand that have some of the values.
fn elsewhere(store: &Store, user_type: UserType, values: &Values) -> Result<Vec<PathBuf>> {
    let search = Search::of(store, user_type, &values.digests())?;
    let paths = search.parts.into_values().map(|(path, _)| path);
    Ok(paths.filter(|path| !path.starts_with(store.parts_dir())).collect())
}

/// Takes whoever was to be forgotten and is in no audience any more out of the state directory; how many lines. Whoever
/// calls this has the job's lock.
pub(crate) fn purge(store: &Store) -> Result<u64> {
    let mut locks = Vec::new();
    for user_type in UserType::ALL.into_iter().filter(|of| store.forgotten_list(*of).exists()) {
        for lock in store.lock_audiences(user_type)? {
            match lock {
                Some(lock) => locks.push(lock),
                // The next run looks again.
                None => return Ok(0),
            }
        }
    }
    if locks.is_empty() {
        return Ok(0);
    }
    let purged = purge_all(store, Forget::OnceGone)?;
    if purged > 0 {
        store.compact()?;
    }
    Ok(purged)
}

/// The suppression lists of those who were forgotten, for audiences of these types.
pub(crate) fn lists(
    store: &Store,
    types: impl Iterator<Item = UserType>,
) -> impl Iterator<Item = SuppressInput> {
    let types: BTreeSet<UserType> = types.collect();
    types.into_iter().filter_map(|user_type| {
        let path = store.forgotten_list(user_type);
        path.exists().then(|| SuppressInput {
            input: Input::Path(path),
            user_type: Some(user_type),
            digest: None,
            column: None,
            list: Some(crate::audience::FORGOTTEN_LIST.to_owned()),
            conditions: Vec::new(),
        })
    })
}

/// Puts the values on the list of their type; how many were not there.
fn put_on_list(store: &Store, user_type: UserType, values: &Values) -> Result<u64> {
    let mut lines = listed(store, user_type)?;
    let before = lines.len();
    for (_, asked) in &values.lines {
        if let Asked::Entry { line, .. } = asked {
            lines.insert(line.clone());
        }
    }
    let new = (lines.len() - before) as u64;
    if new > 0 {
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        store.keep_forgotten(user_type, &text)?;
    }
    Ok(new)
}

fn listed(store: &Store, user_type: UserType) -> Result<BTreeSet<String>> {
    let path = store.forgotten_list(user_type);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(Error::reading("read", &path, error)),
    }
}

/// Whether the state has to know of somebody who stands so.
fn is_needed(standing: FoundStanding) -> bool {
    matches!(standing, FoundStanding::In | FoundStanding::Possible)
}

fn purge_all(store: &Store, how: Forget) -> Result<u64> {
    let (mut purged, mut gone) = (0, Vec::new());
    for user_type in UserType::ALL {
        let digests = digests_of(&listed(store, user_type)?, user_type);
        let mut search = Search::of(store, user_type, &digests)?;
        let parts_dir = store.parts_dir();
        let is_kept = |path: &Path| path.starts_with(&parts_dir);
        if let Some(at) = search.failures.iter().position(|(path, _)| is_kept(path)) {
            let (path, error) = search.failures.swap_remove(at);
            return Err(unreadable(&path, error));
        }
        let is_going = |index: &usize| {
            how == Forget::AtOnce
                || !search.found[*index].values().any(|found| is_needed(found.standing))
        };
        let going: Vec<Digest> =
            (0..digests.len()).filter(is_going).map(|index| digests[index]).collect();
        for (sha256, (path, hits)) in &search.parts {
            if is_kept(path) && hits.iter().any(is_going) {
                purged += rewrite::part(store, path, sha256, user_type.is_hashed(), &going)?;
            }
        }
        gone.extend(going);
    }
    gone.sort_unstable();
    for path in store.lists()? {
        purged += rewrite::list(&path, &gone)?;
    }
    store.forget_sums()?;
    Ok(purged)
}

/// A part may have somebody who is to be forgotten, and nobody can tell.
fn unreadable(path: &Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::InvalidData {
        let hint = "restore the whole state directory from a backup";
        return Error::input(path, error.to_string(), hint);
    }
    Error::reading("read", path, error)
}

/// What the parts of a type may have of those on its list, in order. Ids of one's own are there in either letter case.
fn digests_of(lines: &BTreeSet<String>, user_type: UserType) -> Vec<Digest> {
    let mut digests = Vec::new();
    for line in lines {
        digests.extend(digest_of_line(line.as_bytes(), user_type.is_hashed()));
        if user_type == UserType::CustomAudienceThirdPartyId {
            let lower = Normalizer::new(
                user_type,
                RuleOptions { case: Case::Lower, ..RuleOptions::default() },
            );
            let lower = lower.entry(line).ok().flatten();
            digests.extend(lower.and_then(|line| digest_of_line(line.as_bytes(), false).ok()));
        }
    }
    digests.sort_unstable();
    digests.dedup();
    digests
}
