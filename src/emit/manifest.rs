//! `manifest.json`: what an output directory holds and what it was made from. No raw value, no time of day: the same
//! inputs and options give the same bytes.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::audience::AudienceFigures;
use crate::config::{AudienceSpec, Label, audience_name};
use crate::disk::{MANIFEST_FILE, create_file, plain_file};
use crate::error::{Error, Result};
use crate::limits::MANIFEST_BYTES_MAX;
use crate::user_type::UserType;

/// The version of the manifest's form. It changes when a reader of an older one would be misled.
const MANIFEST_VERSION: u32 = 1;

/// An output directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form.
    pub manifest_version: u32,
    /// Program and version that wrote it.
    pub created_by: String,
    /// The options that decide what is in the parts, by the names of their flags.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Inputs that were read, in order.
    pub inputs: Vec<InputManifest>,
    /// Audiences that were made.
    pub audiences: Vec<AudienceManifest>,
}

/// An input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InputManifest {
    /// `member`, `suppressed`, `known` or `unconfirmed`.
    pub role: String,
    /// Its path as it was given, or `stdin`; of what is known or unconfirmed, the directory of its parts.
    pub path: String,
    /// Size in bytes as stored, if it is a regular file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Time of last modification in nanoseconds since 1970, if it is a regular file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified_ns: Option<i128>,
    /// The name of its version (`ETag`), if it is an object whose store gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
    /// Its compression.
    pub compression: String,
    /// Notation of its records.
    pub format: String,
    /// The columns that were used: number and header, for which user type.
    pub columns: Vec<String>,
    /// Records read, without a header.
    pub records: u64,
    /// Those of them that conditions dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<DroppedRows>,
}

/// Rows that a condition dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedRows {
    /// The condition, without values that may be somebody's.
    pub condition: String,
    /// How many rows did not fulfil it, though they fulfilled those before it.
    pub rows: u64,
}

impl InputManifest {
    /// True if it is all parts of a directory that an earlier run wrote.
    pub(crate) fn is_directory(&self) -> bool {
        matches!(&self.role[..], "known" | "unconfirmed")
    }
}

/// An audience.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AudienceManifest {
    /// Its name, which is part of its files' names.
    pub label: Label,
    /// Type of its entries.
    pub user_type: UserType,
    /// Its figures.
    #[serde(flatten)]
    pub figures: AudienceFigures,
    /// The upload files, in order.
    pub parts: Vec<PartManifest>,
    /// The list of who is known but no member any more, if there are any: one digest a line, of clear ids the SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_list: Option<PartManifest>,
    /// The list of who is suppressed, and known or unconfirmed, written in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_go_list: Option<PartManifest>,
}

impl AudienceManifest {
    /// All its files: upload files and lists.
    pub(super) fn files(&self) -> impl Iterator<Item = &PartManifest> {
        self.parts.iter().chain(&self.gone_list).chain(&self.must_go_list)
    }
}

/// An upload file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartManifest {
    /// Its name within the directory.
    pub file: String,
    /// Entries.
    pub lines: u64,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

impl Manifest {
    /// A manifest of this version.
    pub fn new(options: serde_json::Map<String, serde_json::Value>) -> Self {
        Self {
            manifest_version: MANIFEST_VERSION,
            created_by: concat!("throng ", env!("CARGO_PKG_VERSION")).to_owned(),
            options,
            inputs: Vec::new(),
            audiences: Vec::new(),
        }
    }

    /// Writes the manifest into a directory and syncs it.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(MANIFEST_FILE);
        let text = self.to_json()?;
        let mut file = create_file(&path)?;
        file.write_all(&text)
            .and_then(|()| file.sync_all())
            .map_err(|error| Error::writing("write", &path, error))
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|_| Error::Internal("the manifest cannot be written as JSON"))?;
        text.push(b'\n');
        Ok(text)
    }

    /// Reads the manifest of a directory.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(MANIFEST_FILE);
        let hint = "is it a directory that throng prepare wrote?";
        let file = plain_file::open(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound if dir.exists() => {
                Error::input(dir, format!("it has no {MANIFEST_FILE}"), hint)
            }
            std::io::ErrorKind::NotFound => {
                Error::input(dir, "there is no such directory", "throng prepare writes one")
            }
            std::io::ErrorKind::NotADirectory => Error::input(
                dir,
                "it is a file, not a prepared directory",
                "make upload files of it first: throng prepare FILE -t TYPE -o DIR",
            ),
            _ => Error::reading("open", &path, error),
        })?;
        let mut text = Vec::new();
        file.take(MANIFEST_BYTES_MAX)
            .read_to_end(&mut text)
            .map_err(|error| Error::reading("read", &path, error))?;
        Self::parse(&text, &path)
    }

    /// Reads the text of the manifest `path`.
    pub(crate) fn parse(text: &[u8], path: &Path) -> Result<Self> {
        let hint = "is it a directory that throng prepare wrote?";
        // The text of a JSON error can quote the input, hence only its place.
        let manifest: Self = serde_json::from_slice(text).map_err(|error| {
            Error::input(path, "it is not a manifest of throng", hint).at_line(error.line() as u64)
        })?;
        if manifest.manifest_version != MANIFEST_VERSION {
            let version = manifest.manifest_version;
            return Err(Error::input(
                path,
                format!("it has manifest version {version}, this throng reads {MANIFEST_VERSION}"),
                "use the version of throng that wrote it, or prepare again",
            ));
        }
        for part in manifest.audiences.iter().flat_map(AudienceManifest::files) {
            if !PartManifest::is_plain_name(&part.file) {
                return Err(Error::input(path, "it names a part as throng never does", hint));
            }
        }
        Ok(manifest)
    }

    /// The paths of an audience's parts; `None` if the directory has no audience of that label and type.
    pub fn parts(&self, dir: &Path, spec: &AudienceSpec) -> Option<Vec<PathBuf>> {
        let audience = self.audiences.iter().find(|audience| {
            audience.label == spec.label && audience.user_type == spec.user_type
        })?;
        Some(audience.parts.iter().map(|part| dir.join(&part.file)).collect())
    }

    /// Names of its audiences, for messages.
    pub fn names(&self) -> String {
        let names = self.audiences.iter().map(|of| audience_name(&of.label, of.user_type));
        names.collect::<Vec<_>>().join(", ")
    }
}

impl PartManifest {
    /// True for a name that a part may have. A name reaches the API, in a header of its own within the body.
    pub(crate) fn is_plain_name(name: &str) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        name.bytes().all(is_plain) && !name.starts_with('.') && !name.is_empty()
    }
}
