//! Writing a file anew without some of its lines.

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::disk::{Readers, hidden, plain_file, write_whole};
use crate::error::{Error, Result};
use crate::hash::Digest;
use crate::limits::PART_BLOCK_BYTES;
use crate::store::{Rewritten, Store};
use crate::who::digest_of_line;

/// Takes the lines of some digests, which are in order, out of a part, first on the disk and then in the store; how many
/// lines. Whatever ends it, either part is whole, and the store names the one that is there.
pub(super) fn part(
    store: &Store,
    path: &Path,
    sha256: &str,
    is_hashed: bool,
    digests: &[Digest],
) -> Result<u64> {
    let reading = |error| Error::reading("read", path, error);
    let file = plain_file::open(path).map_err(|e| Error::reading("open", path, e))?;
    let mut lines = BufReader::new(file);
    let mut out = hidden::file(path)?;
    let writing = |error| Error::writing("write", path, error);
    let (mut before, mut after) = (Sha256::new(), Sha256::new());
    let (mut line, mut number, mut bytes, mut removed) = (Vec::new(), 0, 0, Vec::new());
    {
        let mut out = BufWriter::new(out.as_file_mut());
        loop {
            line.clear();
            let read = (&mut lines).take(PART_BLOCK_BYTES as u64).read_until(b'\n', &mut line);
            if read.map_err(reading)? == 0 {
                break;
            }
            before.update(&line);
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let digest = digest_of_line(text, is_hashed).map_err(reading)?;
            if digests.binary_search(&digest).is_ok() {
                removed.push(number);
            } else {
                after.update(&line);
                bytes += line.len() as u64;
                out.write_all(&line).map_err(writing)?;
            }
            number += 1;
        }
        out.flush().map_err(writing)?;
    }
    if const_hex::encode(before.finalize()) != sha256 {
        // What is damaged must not look whole from here on.
        return Err(Error::input(path, "it is not what its name says (SHA-256 differs)", ""));
    }
    let taken = removed.len() as u64;
    if taken == 0 {
        return Ok(0);
    }
    let new =
        Rewritten { sha256: const_hex::encode(after.finalize()), entries: number - taken, bytes };
    let new = (new.entries > 0).then_some(new);
    if let Some(new) = &new {
        hidden::publish(out, &path.with_file_name(format!("{}.txt", new.sha256)))?;
    }
    store.substitute(sha256, new.as_ref(), &removed)?;
    fs::remove_file(path).map_err(|e| Error::writing("remove", path, e))?;
    Ok(taken)
}

/// Takes the lines of some digests out of a list of digests, or of entries as parts have them; how many.
pub(super) fn list(path: &PathBuf, digests: &[Digest]) -> Result<u64> {
    let text = fs::read_to_string(path).map_err(|e| Error::reading("read", path, e))?;
    let is_kept = |line: &&str| {
        let is_one = |is_hashed| {
            let digest = digest_of_line(line.as_bytes(), is_hashed);
            digest.is_ok_and(|digest| digests.binary_search(&digest).is_ok())
        };
        !is_one(true) && !is_one(false)
    };
    let kept: String = text.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect();
    let taken = text.lines().count() - kept.lines().count();
    if taken > 0 {
        write_whole(path, kept.as_bytes(), Readers::Owner)?;
    }
    Ok(taken as u64)
}
