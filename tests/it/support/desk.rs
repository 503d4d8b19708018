//! Where inputs are read from a bucket: a bucket, and a folder with the same files.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::bucket::Bucket;

/// A bucket, and a folder with the same files.
pub(crate) struct Desk {
    pub(crate) bucket: Bucket,
    pub(crate) dir: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { bucket: Bucket::start(), dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        let path = self.path(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self.bucket.put(key, bytes);
    }

    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.dir.path().join(key)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.env_clear().envs(self.bucket.environment()).args(args);
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn prepare(&self, out: &str, args: &[&str]) -> Output {
        let fixed = ["prepare", "-o", out, "--overwrite"];
        self.command(&[&fixed[..], args].concat()).output().unwrap()
    }

    /// The parts of a result, one behind the other.
    pub(crate) fn entries(&self, out: &str) -> Vec<u8> {
        let mut parts: Vec<PathBuf> =
            fs::read_dir(self.path(out)).unwrap().map(|entry| entry.unwrap().path()).collect();
        parts.retain(|path| path.extension().is_some_and(|of| of == "txt"));
        parts.sort();
        parts.iter().flat_map(|path| fs::read(path).unwrap()).collect()
    }

    /// What the manifest says of the one input that is no list.
    pub(crate) fn member(&self, out: &str) -> serde_json::Value {
        let text = fs::read(self.path(out).join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let mut inputs = manifest["inputs"].as_array().unwrap().iter();
        inputs.find(|input| input["role"] == "member").unwrap().clone()
    }
}

#[track_caller]
pub(crate) fn ends(output: &Output, code: i32, message: &str) -> String {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(message), "{message}: {said}");
    assert!(!said.contains("canary"), "{said}");
    said
}

/// A table of made-up people; another seed makes others.
pub(crate) fn rows(count: usize, seed: usize) -> Vec<u8> {
    let mut text = b"id,email,country\n".to_vec();
    for row in 0..count {
        let person = (row * 7919 + seed) % 1_000_003;
        writeln!(text, "{row},person{person}@mail{}.example,DE", person % 97).unwrap();
    }
    text
}
