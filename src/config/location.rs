//! Where an object is: `s3://BUCKET/KEY`, `gs://BUCKET/KEY`, `az://CONTAINER/KEY`,
//! `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/KEY` or `https://HOST/PATH`.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The kind of a store, by the scheme of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Amazon S3, and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage.
    Az,
    /// A web server.
    Https,
}

/// The schemes that are read, with the spellings of Hadoop and Azure.
const SCHEMES: [(&str, Scheme); 9] = [
    ("s3", Scheme::S3),
    ("s3a", Scheme::S3),
    ("gs", Scheme::Gs),
    ("az", Scheme::Az),
    ("azure", Scheme::Az),
    ("abfs", Scheme::Az),
    ("abfss", Scheme::Az),
    ("https", Scheme::Https),
    ("http", Scheme::Https),
];

/// Hosts that are this machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Place of an object, or of all objects that a pattern matches.
///
/// The query of a web address may hold a signature that lets anybody read the object: it is never shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Location {
    scheme: Scheme,
    /// The address up to the key, without its query: what messages call the store.
    store: String,
    key: String,
    query: Option<String>,
}

impl Location {
    /// The location that a text names; `None` if it is the path of a file. A text with a scheme that is not read is refused.
    pub fn of(text: &str) -> Result<Option<Self>> {
        let Some((scheme, rest)) = text.split_once("://") else { return Ok(None) };
        if scheme.is_empty()
            || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        {
            return Ok(None);
        }
        // Behind it there may be a signature, or the name and password of a user.
        let refuse = |why: &str| Err(Error::usage(format!("{scheme}://... {why}"), KNOWN));
        let known = SCHEMES.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
        let Some((name, scheme)) = known else {
            return refuse("is of no kind of storage that is read");
        };
        let (path, query) = match rest.split_once('?').filter(|_| *scheme == Scheme::Https) {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (rest, None),
        };
        let (store, key) = path.split_once('/').unwrap_or((path, ""));
        if store.is_empty() {
            return refuse("names no bucket, container or host");
        }
        if *scheme == Scheme::Https {
            if store.contains('@') {
                return refuse("holds a user's name: it would be shown");
            }
            if rest.contains('#') {
                return refuse(
                    "has a fragment (#), which no server is asked for: a # of a name is written %23",
                );
            }
            let host = store.rsplit_once(':').map_or(store, |(host, _)| host);
            if *name == "http" && !LOOPBACK.contains(&host) {
                return refuse("would show personal data on the way: use https://");
            }
        }
        let store = format!("{name}://{store}");
        Ok(Some(Self { scheme: *scheme, store, key: key.to_owned(), query }))
    }

    /// The kind of its store.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The address of its store, without a key.
    pub fn store(&self) -> &str {
        &self.store
    }

    /// Its key within the store.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The query of a web address. It may be a secret.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Another key of the same store.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// What messages and the manifest call it.
    pub fn to_path(&self) -> PathBuf {
        self.to_string().into()
    }

    /// What messages call a text that is a location, or a path or pattern.
    pub fn shown(text: &str) -> PathBuf {
        Self::of(text).ok().flatten().map_or_else(|| text.into(), |location| location.to_path())
    }

    /// True if a path is what [`Location::to_path`] gives.
    pub fn is_shown_as(path: &Path) -> bool {
        path.to_str().is_some_and(|text| matches!(Self::of(text), Ok(Some(_))))
    }
}

const KNOWN: &str = "what can be read are files, s3://, gs://, az://, abfss:// and https://";

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.store, self.key)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_paths() {
        for (text, scheme, store, key) in [
            ("s3://bucket/a/b c.csv", Scheme::S3, "s3://bucket", "a/b c.csv"),
            ("s3a://bucket", Scheme::S3, "s3a://bucket", ""),
            ("S3://bucket/?/*", Scheme::S3, "s3://bucket", "?/*"),
            ("gs://bucket/a//b#1", Scheme::Gs, "gs://bucket", "a//b#1"),
            ("az://container/k=%20/", Scheme::Az, "az://container", "k=%20/"),
            (
                "abfss://c@a.dfs.core.windows.net/x",
                Scheme::Az,
                "abfss://c@a.dfs.core.windows.net",
                "x",
            ),
            ("https://host:1/x/y.csv", Scheme::Https, "https://host:1", "x/y.csv"),
            ("http://[::1]:80/x", Scheme::Https, "http://[::1]:80", "x"),
        ] {
            let location = Location::of(text).expect("is read").expect("is an address");
            assert_eq!(location.scheme(), scheme, "{text}");
            assert_eq!((location.store(), location.key()), (store, key), "{text}");
            assert!(Location::is_shown_as(&location.to_path()), "{text}");
        }
        for path in ["a.csv", "/s3:/b", "s3:b", "a/b://c", "://", "C:\\x"] {
            assert_eq!(Location::of(path).expect("is a path"), None, "{path}");
            assert!(!Location::is_shown_as(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_signature_is_never_shown() {
        let text = "https://host/x.csv?X-Amz-Signature=canary";
        let location = Location::of(text).expect("is read").expect("is an address");
        assert_eq!(location.query(), Some("X-Amz-Signature=canary"));
        let shown = format!("{location} {location:?} {:?}", location.to_path());
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn what_is_not_read_is_refused_without_repeating_it() {
        for (text, why) in [
            ("hdfs://canary/x", "no kind of storage"),
            ("s3:///canary", "no bucket"),
            ("https://canary:canary@host/x", "user's name"),
            ("http://canary.example/x", "use https"),
            ("https://host/x.csv#canary", "has a fragment"),
            ("https://host/x.csv?a=b#canary", "has a fragment"),
        ] {
            let error = Location::of(text).expect_err("is refused").to_string();
            assert!(error.contains(why) && !error.contains("canary"), "{error}");
        }
    }
}
