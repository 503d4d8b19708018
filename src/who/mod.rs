//! In which audiences people are, by what the store knows: for whoever answers for privacy.
//!
//! ```text
//! values  lines of a stream, by the rules of the type     -> digests
//! part    digests of a part's lines, in order             -> which of them it has
//! ```
//!
//! Nothing is asked of a platform. Values and digests are told to nobody: answers go by the number of the line.

mod part;
mod values;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use self::part::Part;
pub(crate) use self::part::digest_of as digest_of_line;
pub(crate) use self::values::{Asked, Values};
use crate::emit::Manifest;
use crate::error::{Error, Result};
use crate::hash::Digest;
use crate::limits::{LOOKUP_DIGESTS, LOOKUP_THREADS};
use crate::machine;
use crate::normalize::{Case, Normalizer, RuleOptions};
use crate::quote::Quoted;
use crate::store::{DeliveredPart, DeliveryState, PartFile, STORE_FILE, Store};
use crate::user_type::UserType;

/// In which audiences the people of some lines are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answers {
    /// The type of the identifiers.
    pub user_type: UserType,
    /// The audiences that lines name by their place in this list.
    pub audiences: Vec<AskedAudience>,
    /// One for each line that is not blank.
    pub lines: Vec<Answer>,
    /// Blank lines.
    pub blank: u64,
    /// Parts that could not be looked into: somebody of whom nothing was found can be in one of these.
    pub unread: Vec<UnreadPart>,
}

/// An audience that the store knows and that is not deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AskedAudience {
    /// The address of its API.
    pub endpoint: String,
    /// The ad account.
    pub ad_account: String,
    /// Its name, if throng was to create it.
    pub name: Option<String>,
    /// The platform's number, if it is known.
    pub audience: Option<String>,
    /// `live`, `next` or `old`.
    pub role: &'static str,
}

/// The answer to a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The number of the line, counted from 1.
    pub line: u64,
    /// Why it is no identifier of the type, if it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<&'static str>,
    /// What its identifier is to each audience that it has to do with.
    pub found: Vec<Found>,
}

/// What an identifier is to an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The audience's place among all of them.
    pub audience: usize,
    /// How certain it is.
    pub standing: FoundStanding,
    /// The run that has brought it there, or that was to.
    pub run: i64,
    /// When it was sent, in milliseconds since 1970, if it was and is remembered.
    pub sent_at: Option<i64>,
    /// When the platform confirmed it.
    pub confirmed_at: Option<i64>,
    /// False if parts of several runs were merged, so that run and time are those of the last of these at the latest.
    pub is_exact: bool,
}

/// What is certain of an identifier in an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundStanding {
    /// It was to be sent and was not.
    Intended,
    /// A request with it may have taken effect.
    Possible,
    /// The platform has confirmed that it is in.
    In,
    /// The platform has confirmed that it was taken out.
    Removed,
}

/// A part that could not be looked into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadPart {
    /// The audience's place among all of them.
    pub audience: usize,
    /// Where it is or was.
    pub path: PathBuf,
    /// Its entries.
    pub entries: u64,
    /// Why.
    pub why: String,
}

/// Answers for each line of `input` in which audiences of a state directory its identifier is.
///
/// # Errors
///
/// If there is no store, or if it or the input cannot be read.
pub fn ask(
    state_dir: &Path,
    user_type: UserType,
    rules: RuleOptions,
    input: impl Read,
) -> Result<Answers> {
    let store = store_of(state_dir)?;
    let values = Values::read(input, &normalizers(user_type, rules))?;
    answers(&store, user_type, &values)
}

/// The store of a state directory. Looking makes none: where there is none, nobody knows who is in which audience.
pub(crate) fn store_of(state_dir: &Path) -> Result<Store> {
    if state_dir.join(STORE_FILE).exists() {
        return Store::open(state_dir);
    }
    Err(Error::usage(
        format!("nothing is remembered in {}", Quoted(state_dir)),
        "name the state directory of the job or the uploads with --state DIR",
    ))
}

/// The same of values that were read.
pub(crate) fn answers(store: &Store, user_type: UserType, values: &Values) -> Result<Answers> {
    let digests = values.digests();
    let search = Search::of(store, user_type, &digests)?;
    Ok(answers_of(user_type, values, &digests, search))
}

fn answers_of(user_type: UserType, values: &Values, digests: &[Digest], search: Search) -> Answers {
    let answer = |(line, asked): &(u64, Asked)| match asked {
        Asked::Rejected(reason) => {
            Answer { line: *line, rejected: Some(reason.code()), found: Vec::new() }
        }
        Asked::Entry { digests: spellings, .. } => {
            let mut found = BTreeMap::new();
            let indexes = spellings.iter().filter_map(|digest| digests.binary_search(digest).ok());
            for (audience, each) in indexes.flat_map(|index| &search.found[index]) {
                add(&mut found, *audience, *each);
            }
            Answer { line: *line, rejected: None, found: found.into_values().collect() }
        }
    };
    Answers {
        user_type,
        lines: values.lines.iter().map(answer).collect(),
        blank: values.blank,
        audiences: search.audiences.list,
        unread: search.unread,
    }
}

/// The rules by which values are read. Unless the letter case of ids of one's own is told, both spellings are looked for,
/// since platforms differ in it.
pub(crate) fn normalizers(user_type: UserType, rules: RuleOptions) -> Vec<Normalizer> {
    let cases = match (user_type, rules.case) {
        (UserType::CustomAudienceThirdPartyId, case) if case == Case::default() => {
            vec![Case::Keep, Case::Lower]
        }
        (_, case) => vec![case],
    };
    let with = |case| Normalizer::new(user_type, RuleOptions { case, ..rules });
    cases.into_iter().map(with).collect()
}

fn add(all: &mut BTreeMap<usize, Found>, audience: usize, found: Found) {
    all.entry(audience).and_modify(|known| *known = later(*known, found)).or_insert(found);
}

/// What has been found so far of some digests.
pub(crate) struct Search {
    user_type: UserType,
    audiences: Audiences,
    /// For each digest what it is to an audience, by the audience's place.
    pub(crate) found: Vec<BTreeMap<usize, Found>>,
    /// Parts that have any of them, by their own digests, with the places of those that they have.
    pub(crate) parts: BTreeMap<String, (PathBuf, BTreeSet<usize>)>,
    /// Those of directories that were uploaded, as far as they can be read.
    manifests: HashMap<PathBuf, Option<Manifest>>,
    unread: Vec<UnreadPart>,
    /// What kept parts from being looked into that are there.
    pub(crate) failures: Vec<(PathBuf, io::Error)>,
}

#[derive(Default)]
struct Audiences {
    list: Vec<AskedAudience>,
    by_target: HashMap<i64, usize>,
}

impl Audiences {
    fn place_of(&mut self, part: &DeliveredPart) -> usize {
        *self.by_target.entry(part.target).or_insert_with(|| {
            self.list.push(AskedAudience {
                endpoint: part.endpoint.clone(),
                ad_account: part.ad_account.clone(),
                name: part.name.clone(),
                audience: part.audience.clone(),
                role: part.role.word(),
            });
            self.list.len() - 1
        })
    }
}

impl Search {
    fn new(user_type: UserType, digests: usize) -> Self {
        Self {
            user_type,
            audiences: Audiences::default(),
            found: vec![BTreeMap::new(); digests],
            parts: BTreeMap::new(),
            manifests: HashMap::new(),
            unread: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Looks for digests, which are in order, in all parts of a type.
    pub(crate) fn of(store: &Store, user_type: UserType, digests: &[Digest]) -> Result<Self> {
        let mut search = Self::new(user_type, digests.len());
        if !digests.is_empty() {
            search.look_into(&store.delivered(user_type)?, digests)?;
        }
        Ok(search)
    }

    /// Looks for digests in all parts. Each is followed by the other deliveries of the same file.
    fn look_into(&mut self, delivered: &[DeliveredPart], digests: &[Digest]) -> Result<()> {
        let mut parts = Vec::new();
        for deliveries in delivered.chunk_by(|a, b| a.sha256 == b.sha256) {
            match deliveries.iter().find_map(|part| self.path_of(part)) {
                Some(path) => parts.push(Candidate { deliveries, path }),
                None => self.note_lost(deliveries),
            }
        }
        let step = digests.len().div_ceil(LOOKUP_THREADS).max(LOOKUP_DIGESTS);
        let lookups: Vec<(usize, usize)> = (0..parts.len())
            .flat_map(|part| {
                // One that has to be read as a whole is read once.
                let step = if parts[part].is_merged() { digests.len().max(1) } else { step };
                (0..digests.len()).step_by(step).map(move |from| (part, from))
            })
            .collect();
        let look_up = |&(part, from): &(usize, usize)| {
            let candidate: &Candidate<'_> = &parts[part];
            let to = if candidate.is_merged() { digests.len() } else { from + step };
            candidate.find(self.user_type, &digests[from..to.min(digests.len())])
        };
        let pool = machine::pool(LOOKUP_THREADS)?;
        let results: Vec<_> = pool.install(|| lookups.par_iter().map(look_up).collect());
        for ((part, from), result) in lookups.into_iter().zip(results) {
            let Candidate { deliveries, path } = &parts[part];
            match result {
                Ok(hits) => {
                    let hits = hits.into_iter().map(|hit| from + hit);
                    self.note_hits(deliveries, path, hits);
                }
                Err(error) => {
                    self.note_unread(deliveries, path, &error.to_string());
                    self.failures.push((path.clone(), error));
                }
            }
        }
        Ok(())
    }

    fn note_hits(
        &mut self,
        deliveries: &[DeliveredPart],
        path: &Path,
        hits: impl Iterator<Item = usize>,
    ) {
        let found = |part| found(part, self.audiences.place_of(part));
        let found: Vec<Found> = deliveries.iter().filter_map(found).collect();
        for index in hits {
            if let Some(part) = deliveries.first() {
                let part = self.parts.entry(part.sha256.clone());
                part.or_insert_with(|| (path.to_owned(), BTreeSet::new())).1.insert(index);
            }
            for found in &found {
                add(&mut self.found[index], found.audience, *found);
            }
        }
    }

    fn note_lost(&mut self, deliveries: &[DeliveredPart]) {
        for part in deliveries {
            if let PartFile::Uploaded { dir, file } = &part.file {
                let why = "the directory that was uploaded does not have it any more";
                self.note_unread(std::slice::from_ref(part), &dir.join(file), why);
            }
        }
    }

    fn note_unread(&mut self, deliveries: &[DeliveredPart], path: &Path, why: &str) {
        for part in deliveries {
            let audience = self.audiences.place_of(part);
            let (path, why) = (path.to_owned(), why.to_owned());
            let unread = UnreadPart { audience, path, entries: part.entries, why };
            if !self.unread.contains(&unread) {
                self.unread.push(unread);
            }
        }
    }

    /// Where a part can be read: in the state directory, or where it was uploaded from, if it is the same there.
    fn path_of(&mut self, part: &DeliveredPart) -> Option<PathBuf> {
        match &part.file {
            PartFile::Kept(path) => Some(path.clone()),
            PartFile::Uploaded { dir, .. } => {
                let read = || Manifest::read(dir).ok();
                let manifest = self.manifests.entry(dir.clone()).or_insert_with(read).as_ref()?;
                let mut parts = manifest.audiences.iter().flat_map(|audience| &audience.parts);
                parts.find(|own| own.sha256 == part.sha256).map(|own| dir.join(&own.file))
            }
        }
    }
}

/// A part that can be looked into, and everything that it is for.
struct Candidate<'a> {
    deliveries: &'a [DeliveredPart],
    path: PathBuf,
}

impl Candidate<'_> {
    fn is_merged(&self) -> bool {
        self.deliveries.iter().any(|part| part.is_merged)
    }

    /// Which of the digests the part has.
    fn find(&self, user_type: UserType, digests: &[Digest]) -> io::Result<Vec<usize>> {
        let open = || {
            let part = Part::open(&self.path, user_type.is_hashed())?;
            let is_whole = self.deliveries.iter().all(|of| of.bytes == part.len());
            if is_whole { Ok(part) } else { Err(part::damaged()) }
        };
        let mut hits = Vec::new();
        if !self.is_merged() {
            match open()?.find(digests, |index| hits.push(index)) {
                // Its lines may be in no order, and all there.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => hits.clear(),
                found => return found.map(|()| hits),
            }
        }
        open()?.scan(digests, |index| hits.push(index))?;
        Ok(hits)
    }
}

/// What a part says of those in it; nothing if it is to take them out and was not sent.
fn found(part: &DeliveredPart, audience: usize) -> Option<Found> {
    let standing = match (part.state, part.is_removal) {
        (DeliveryState::Confirmed, false) => FoundStanding::In,
        (DeliveryState::Confirmed, true) => FoundStanding::Removed,
        (DeliveryState::Intended, false) => FoundStanding::Intended,
        (DeliveryState::Intended, true) => return None,
        // A removal that may have been carried out leaves it open, too.
        (DeliveryState::Sent | DeliveryState::Unknown, _) => FoundStanding::Possible,
    };
    Some(Found {
        audience,
        standing,
        run: part.run,
        sent_at: part.sent_at,
        confirmed_at: part.confirmed_at,
        is_exact: !part.is_merged,
    })
}

/// Of two things that are known of one identifier in one audience, what stands: a removal undoes what earlier runs did;
/// else the more certain one, and of two alike the earlier one, since when it has been so.
fn later(a: Found, b: Found) -> Found {
    let is_removal = |found: Found| found.standing == FoundStanding::Removed;
    match (is_removal(a), is_removal(b)) {
        (true, true) => {
            if a.run >= b.run {
                a
            } else {
                b
            }
        }
        (true, false) if b.standing >= FoundStanding::Possible && b.run > a.run => b,
        (true, false) => a,
        (false, true) => later(b, a),
        (false, false) => {
            let order = |found: Found| (std::cmp::Reverse(found.standing), found.run);
            if order(a) <= order(b) { a } else { b }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_of_an_identifier() {
        use FoundStanding::{In, Intended, Possible, Removed};
        let found = |standing, run| Found {
            audience: 0,
            standing,
            run,
            sent_at: None,
            confirmed_at: None,
            is_exact: true,
        };
        for (a, b, expected) in [
            ((In, 3), (In, 2), (In, 2)),
            ((In, 3), (Possible, 2), (In, 3)),
            ((Intended, 1), (Possible, 2), (Possible, 2)),
            ((Removed, 3), (In, 2), (Removed, 3)),
            ((Removed, 3), (In, 3), (Removed, 3)),
            ((Removed, 3), (In, 4), (In, 4)),
            ((Removed, 3), (Intended, 4), (Removed, 3)),
            ((Removed, 3), (Removed, 5), (Removed, 5)),
        ] {
            let (a, b) = (found(a.0, a.1), found(b.0, b.1));
            for stands in [later(a, b), later(b, a)] {
                assert_eq!((stands.standing, stands.run), expected, "{a:?} {b:?}");
            }
        }
    }
}
