//! Who must still go after an audience took another one's place.

use std::collections::BTreeSet;
use std::path::Path;

use super::lines::{Lines, key};
use crate::disk::{Readers, write_whole};
use crate::error::Result;
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
        let mut before = Vec::new();
        while lines.advance()? {
            let digest = key(&lines.line, user_type);
            if digest < before {
                listed = Lines::open(list)?;
                wanted = listed.next()?;
            }
            while wanted.as_ref().is_some_and(|wanted| *wanted < digest) {
                wanted = listed.next()?;
            }
            if wanted.as_ref() == Some(&digest) {
                left.insert(digest.clone());
            }
            before = digest;
        }
    }
    let text: Vec<u8> =
        left.iter().flat_map(|digest| [&digest[..], b"\n"]).flatten().copied().collect();
    write_whole(list, &text, Readers::Owner)?;
    Ok(left.len() as u64)
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
