//! From lists of who leaves to parts that a platform takes, and from parts that were added to what is left of them.
//!
//! Lists have one digest a line, of clear ids their SHA-256, in digest order. Parts are in the same order by the digests of
//! their entries; a part that was merged is several such, one behind the other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::lines::{Chain, Lines, Union, hex_digest, key};
use crate::disk::{create_file, private};
use crate::error::{Error, Result};
use crate::limits::{REMOVAL_ENTRIES, REMOVAL_ENTRIES_CLEAR};
use crate::store::HeldPart;
use crate::store::deliveries::NewPart;
use crate::user_type::UserType;

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// A part that was written.
#[derive(Debug)]
pub(super) struct Removal {
    pub(super) path: PathBuf,
    pub(super) file: String,
    pub(super) sha256: String,
    pub(super) entries: u64,
    pub(super) bytes: u64,
    /// Entries that stand on the first of the lists that it was made of.
    pub(super) of_first: u64,
}

impl Removal {
    /// The part as the store records it.
    pub(super) fn for_store(&self) -> NewPart<'_> {
        let Self { file, sha256, entries, bytes, .. } = self;
        NewPart { sha256, entries: *entries, bytes: *bytes, file }
    }
}

/// Parts that are made of lists.
pub(super) struct Cutting<'a> {
    /// Where they are written.
    pub(super) dir: &'a Path,
    /// How their names begin.
    pub(super) name: String,
    pub(super) lists: &'a [PathBuf],
}

impl Cutting<'_> {
    /// Makes parts of all entries on the lists that are in some parts; of digests, of all that are on the lists.
    pub(super) fn cut(&self, held: &[HeldPart], user_type: UserType) -> Result<Vec<Removal>> {
        private::create_dirs(self.dir).map_err(|e| Error::writing("create", self.dir, e))?;
        let mut lists = Union::open(self.lists)?;
        let mut removals = Vec::new();
        loop {
            let (count, removal) = if user_type.is_hashed() {
                self.of_digests(&mut lists, removals.len())?
            } else {
                self.of_ids(&mut lists, held, removals.len())?
            };
            removals.extend(removal.filter(|removal| removal.entries > 0));
            if count == 0 {
                return Ok(removals);
            }
        }
    }

    fn writer(&self, index: usize) -> Result<PartWriter> {
        PartWriter::new(&self.dir.join(format!("{}-{:05}.txt", self.name, index + 1)))
    }

    /// A part of the next digests on the lists.
    fn of_digests(&self, lists: &mut Union, index: usize) -> Result<(u64, Option<Removal>)> {
        let mut writer = None;
        let mut count = 0;
        while count < REMOVAL_ENTRIES
            && let Some((digest, is_in_first)) = lists.next()?
        {
            if writer.is_none() {
                writer = Some(self.writer(index)?);
            }
            if let Some(writer) = &mut writer {
                writer.line(&digest)?;
                writer.of_first += u64::from(is_in_first);
            }
            count += 1;
        }
        Ok((count, writer.map(PartWriter::end).transpose()?))
    }

    /// A part of the ids whose digests are the next on the lists.
    fn of_ids(
        &self,
        lists: &mut Union,
        held: &[HeldPart],
        index: usize,
    ) -> Result<(u64, Option<Removal>)> {
        let mut ids: BTreeMap<Vec<u8>, (bool, Option<Vec<u8>>)> = BTreeMap::new();
        while (ids.len() as u64) < REMOVAL_ENTRIES_CLEAR
            && let Some((digest, is_in_first)) = lists.next()?
        {
            ids.insert(digest, (is_in_first, None));
        }
        if ids.is_empty() {
            return Ok((0, None));
        }
        for part in held {
            let mut lines = Lines::open(&part.path)?;
            while lines.advance()? {
                if let Some((_, id)) = ids.get_mut(&hex_digest(&lines.line)) {
                    *id = Some(lines.line.clone());
                }
            }
        }
        let mut writer = self.writer(index)?;
        for (is_in_first, id) in ids.values() {
            if let Some(id) = id {
                writer.line(id)?;
                writer.of_first += u64::from(*is_in_first);
            }
        }
        Ok((ids.len() as u64, Some(writer.end()?)))
    }
}

/// Writes what is left of a part without the entries of some others, which are in digest order one behind the other; `None` if
/// it has none of them. A part that is not what its name says is refused: it must not look whole from here on.
pub(super) fn without(
    part: &HeldPart,
    removals: &[HeldPart],
    user_type: UserType,
    path: &Path,
) -> Result<Option<Removal>> {
    if let Some(dir) = path.parent() {
        private::create_dirs(dir).map_err(|e| Error::writing("create", dir, e))?;
    }
    let key = |line: &[u8]| key(line, user_type);
    let mut removed = Chain::new(removals);
    let mut next = removed.next()?.map(|line| key(&line));
    let mut lines = Lines::open(&part.path)?;
    let (mut hasher, mut before) = (Sha256::new(), Vec::new());
    let mut writer = PartWriter::new(path)?;
    while lines.advance()? {
        hasher.update(&lines.line);
        hasher.update(b"\n");
        let of = key(&lines.line);
        if of < before {
            // The next one of those that were merged.
            removed = Chain::new(removals);
            next = removed.next()?.map(|line| key(&line));
        }
        while next.as_ref().is_some_and(|next| *next < of) {
            next = removed.next()?.map(|line| key(&line));
        }
        if next.as_ref() != Some(&of) {
            writer.line(&lines.line)?;
        }
        before = of;
    }
    if const_hex::encode(hasher.finalize()) != part.sha256 {
        let message = "it is not what its name says (SHA-256 differs)";
        return Err(Error::input(&part.path, message, ""));
    }
    if writer.entries == part.entries {
        return writer.give_up().map(|()| None);
    }
    writer.end().map(Some)
}

/// Writes a part, durably.
struct PartWriter {
    path: PathBuf,
    out: BufWriter<File>,
    hasher: Sha256,
    entries: u64,
    bytes: u64,
    of_first: u64,
}

impl PartWriter {
    fn new(path: &Path) -> Result<Self> {
        let out = BufWriter::with_capacity(BUFFER_BYTES, create_file(path)?);
        let hasher = Sha256::new();
        Ok(Self { path: path.to_owned(), out, hasher, entries: 0, bytes: 0, of_first: 0 })
    }

    fn line(&mut self, line: &[u8]) -> Result<()> {
        let written = self.out.write_all(line).and_then(|()| self.out.write_all(b"\n"));
        written.map_err(|e| Error::writing("write", &self.path, e))?;
        self.hasher.update(line);
        self.hasher.update(b"\n");
        self.entries += 1;
        self.bytes += line.len() as u64 + 1;
        Ok(())
    }

    /// Nobody needs it.
    fn give_up(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|e| Error::writing("remove", &self.path, e))
    }

    fn end(self) -> Result<Removal> {
        let Self { path, out, hasher, entries, bytes, of_first } = self;
        let file = out.into_inner().map_err(|e| Error::writing("write", &path, e.into_error()))?;
        file.sync_all().map_err(|e| Error::writing("sync", &path, e))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let (file, sha256) = (name.unwrap_or_default(), const_hex::encode(hasher.finalize()));
        Ok(Removal { path, file, sha256, entries, bytes, of_first })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::store::Standing;

    fn held(path: &Path, text: &str) -> HeldPart {
        fs::write(path, text).expect("writes");
        HeldPart {
            sha256: const_hex::encode(Sha256::digest(text)),
            entries: text.lines().count() as u64,
            bytes: text.len() as u64,
            path: path.to_owned(),
            standing: Standing::Confirmed,
        }
    }

    fn in_digest_order(ids: &BTreeSet<u16>) -> String {
        let mut ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        ids.sort_by_key(|id| hex_digest(id.as_bytes()));
        ids.iter().flat_map(|id| [id.as_str(), "\n"]).collect()
    }

    fn list(ids: &BTreeSet<u16>) -> String {
        let digests: BTreeSet<Vec<u8>> =
            ids.iter().map(|id| hex_digest(id.to_string().as_bytes())).collect();
        let text = digests.into_iter().map(|digest| String::from_utf8(digest).expect("hex") + "\n");
        text.collect()
    }

    fn numbers(text: &str) -> BTreeSet<u16> {
        text.lines().map(|line| line.parse().expect("a number")).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against sets, for ids in clear and for digests.
        #[test]
        fn who_leaves_is_cut_out_of_whatever_holds_them(
            parts in prop::collection::vec(prop::collection::btree_set(0_u16..300, 0..80), 1..4),
            gone in prop::collection::btree_set(0_u16..300, 0..80),
            must_go in prop::collection::btree_set(0_u16..300, 0..80),
            is_hashed: bool,
        ) {
            let dir = tempfile::tempdir().expect("temporary folder");
            let path = |name: &str| dir.path().join(name);
            let write = |ids: &BTreeSet<u16>| if is_hashed { list(ids) } else { in_digest_order(ids) };
            let user_type = if is_hashed { UserType::EmailHash } else { UserType::Fbid };
            fs::write(path("gone"), list(&gone)).expect("writes");
            fs::write(path("must-go"), list(&must_go)).expect("writes");
            // The first part is merged of two.
            let merged = write(&parts[0]) + &write(parts.last().expect("one"));
            let mut all = vec![held(&path("merged"), &merged)];
            for (index, ids) in parts.iter().enumerate() {
                all.push(held(&path(&index.to_string()), &write(ids)));
            }
            let lists = [path("gone"), path("must-go")];
            let cutting = Cutting { dir: dir.path(), name: "removal".to_owned(), lists: &lists };
            let removals = cutting.cut(&all, user_type).expect("cuts");
            let leaving: BTreeSet<u16> = gone.union(&must_go).copied().collect();
            let of_first: u64 = removals.iter().map(|of| of.of_first).sum();
            let removals: Vec<HeldPart> = removals
                .iter()
                .map(|of| held(&of.path, &fs::read_to_string(&of.path).expect("reads")))
                .collect();
            let texts = removals.iter().map(|of| fs::read_to_string(&of.path).expect("reads"));
            let removed: String = texts.collect();
            let there: BTreeSet<u16> = parts.iter().flatten().copied().collect();
            if is_hashed {
                prop_assert_eq!(&removed, &list(&leaving));
                prop_assert_eq!(of_first, gone.len() as u64);
            } else {
                prop_assert_eq!(of_first, gone.intersection(&there).count() as u64);
                let expected: BTreeSet<u16> = leaving.intersection(&there).copied().collect();
                prop_assert_eq!(numbers(&removed), expected);
            }
            for (index, part) in all.iter().enumerate() {
                let before = fs::read_to_string(&part.path).expect("reads");
                let is_left = |line: &&str| {
                    let removed: BTreeSet<&str> = removed.lines().collect();
                    !removed.contains(line)
                };
                let expected: Vec<&str> = before.lines().filter(is_left).collect();
                let left = without(part, &removals, user_type, &path(&format!("kept-{index}")));
                let left = left.expect("reads");
                match left {
                    None => prop_assert_eq!(expected.len() as u64, part.entries),
                    Some(left) => {
                        let text = fs::read_to_string(&left.path).expect("reads");
                        prop_assert_eq!(text.lines().collect::<Vec<_>>(), expected);
                        prop_assert_eq!(left.sha256, const_hex::encode(Sha256::digest(&text)));
                        prop_assert_eq!(left.bytes, text.len() as u64);
                    }
                }
            }
        }
    }

    #[test]
    fn a_damaged_part_is_not_rewritten() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let part = held(&dir.path().join("part"), "1\n2\n");
        fs::write(&part.path, "1\n3\n").expect("writes");
        let path = dir.path().join("kept");
        assert!(without(&part, &[], UserType::Fbid, &path).is_err());
    }
}
