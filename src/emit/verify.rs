//! Comparing a directory with its manifest.

use std::collections::HashSet;
use std::fs::DirEntry;
use std::io::Read;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{AudienceManifest, Manifest, PartManifest};
use crate::disk::{MANIFEST_FILE, plain_file};
use crate::error::{Error, Result};
use crate::stop::Stop;

/// A way in which a directory differs from its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file within the directory.
    pub file: String,
    /// The difference.
    pub message: String,
}

impl Manifest {
    /// Compares a directory with its manifest, on the pool that the caller is in. Fails only if it cannot be read, or if
    /// it is asked to stop.
    pub fn problems(&self, dir: &Path, stop: &Stop) -> Result<Vec<Problem>> {
        let parts: Vec<&PartManifest> =
            self.audiences.iter().flat_map(AudienceManifest::files).collect();
        let found: Result<Vec<Option<Problem>>> =
            parts.par_iter().map(|part| part.problem(dir, stop)).collect();
        let mut problems: Vec<Problem> = found?.into_iter().flatten().collect();
        problems.extend(self.unknown_files(dir)?);
        Ok(problems)
    }

    pub(super) fn unknown_files(&self, dir: &Path) -> Result<Vec<Problem>> {
        let known: HashSet<&str> = self
            .audiences
            .iter()
            .flat_map(AudienceManifest::files)
            .map(|file| file.file.as_str())
            .collect();
        let entries = std::fs::read_dir(dir).and_then(Iterator::collect);
        let entries: Vec<DirEntry> = entries.map_err(|e| Error::reading("read", dir, e))?;
        let mut unknown: Vec<String> = entries
            .iter()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name != MANIFEST_FILE && !known.contains(name.as_str()))
            .collect();
        unknown.sort();
        let problem = |file| Problem { file, message: "is not in the manifest".to_owned() };
        Ok(unknown.into_iter().map(problem).collect())
    }
}

impl PartManifest {
    /// Returns the way in which the file differs, if it does.
    pub(crate) fn problem(&self, dir: &Path, stop: &Stop) -> Result<Option<Problem>> {
        let path = dir.join(&self.file);
        let problem = |message| Ok(Some(Problem { file: self.file.clone(), message }));
        let mut file = match plain_file::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return problem("is missing".to_owned());
            }
            Err(error) => return Err(Error::reading("open", &path, error)),
        };
        let mut hasher = Sha256::new();
        let (mut bytes, mut lines) = (0, 0);
        // Most parts of a nightly run are small.
        let longest = usize::try_from(self.bytes).unwrap_or(usize::MAX).saturating_add(1);
        let mut buffer = vec![0; longest.min(256 * 1024)];
        loop {
            stop.check()?;
            let len = file.read(&mut buffer).map_err(|e| Error::reading("read", &path, e))?;
            if len == 0 {
                break;
            }
            hasher.update(&buffer[..len]);
            bytes += len as u64;
            lines += memchr::memchr_iter(b'\n', &buffer[..len]).count() as u64;
        }
        if bytes != self.bytes {
            problem(format!("has {bytes} bytes, the manifest says {}", self.bytes))
        } else if lines != self.lines {
            problem(format!("has {lines} lines, the manifest says {}", self.lines))
        } else if const_hex::encode(hasher.finalize()) != self.sha256 {
            problem("has other content than the manifest says (SHA-256 differs)".to_owned())
        } else {
            Ok(None)
        }
    }
}
