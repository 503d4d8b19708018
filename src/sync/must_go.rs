//! Who must still go after an audience took another one's place.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::disk::{Readers, plain_file, write_whole};
use crate::error::{Error, Result};
use crate::store::HeldPart;
use crate::user_type::UserType;

/// Cuts a list of digests down to those that are in some parts; how many are left. Both are in digest order, so that no
/// more than what is left is held in memory; a merged part is several such one behind the other, for each of which the
/// list is read again. An empty list is removed by whoever keeps it.
pub(super) fn keep_held(list: &Path, parts: &[HeldPart], user_type: UserType) -> Result<u64> {
    let mut left = BTreeSet::new();
    for part in parts {
        let mut listed = Lines::open(list)?;
        let mut wanted = listed.next()?;
        let mut lines = Lines::open(&part.path)?;
        let mut before = String::new();
        while let Some(line) = lines.next()? {
            let digest =
                if user_type.is_hashed() { line } else { const_hex::encode(Sha256::digest(line)) };
            if digest < before {
                listed = Lines::open(list)?;
                wanted = listed.next()?;
            }
            while wanted.as_ref().is_some_and(|wanted| *wanted < digest) {
                wanted = listed.next()?;
            }
            match &wanted {
                Some(wanted) if *wanted == digest => {
                    left.insert(digest.clone());
                }
                Some(_) | None => {}
            }
            before = digest;
        }
    }
    let text: String = left.iter().flat_map(|digest| [digest.as_str(), "\n"]).collect();
    write_whole(list, text.as_bytes(), Readers::Owner)?;
    Ok(left.len() as u64)
}

struct Lines<'a> {
    path: &'a Path,
    file: BufReader<File>,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let file = plain_file::open(path).map_err(|e| Error::reading("open", path, e))?;
        Ok(Self { path, file: BufReader::new(file) })
    }

    fn next(&mut self) -> Result<Option<String>> {
        let mut line = String::new();
        let read = self.file.read_line(&mut line);
        let len = read.map_err(|e| Error::reading("read", self.path, e))?;
        line.truncate(line.trim_end_matches('\n').len());
        Ok((len > 0).then_some(line))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::Standing;

    #[test]
    fn a_merged_part_is_several_in_digest_order() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (list, path) = (dir.path().join("list"), dir.path().join("part"));
        for (part, expected) in [
            ("a\nc\n", "a\n"),
            ("x\nz\na\nb\n", "a\nb\nz\n"),
            ("zz\na\nzzz\nb\n", "a\nb\n"),
            ("c\n", ""),
        ] {
            fs::write(&list, "a\nb\nz\n").expect("writes");
            fs::write(&path, part).expect("writes");
            let held = HeldPart {
                sha256: String::new(),
                entries: 0,
                bytes: 0,
                path: path.clone(),
                standing: Standing::Confirmed,
            };
            let left = keep_held(&list, &[held], UserType::EmailHash).expect("reads");
            assert_eq!(fs::read_to_string(&list).expect("reads"), expected, "{part}");
            assert_eq!(left, expected.lines().count() as u64);
        }
    }
}
