//! What a store said that ends a run.

use std::fmt;
use std::io;

use object_store::Error as StoreError;

use super::store;
use crate::config::{Location, Scheme};
use crate::error::{Error, ExitCode};
use crate::quote::Quoted;

/// Longest word of what a store said that is repeated: keys, tokens and signatures are longer.
const WORD_CHARS_MAX: usize = 30;

/// What is said of keys that the crate cannot ask for as they are.
pub(super) const ODD_KEY: &str = "a key there begins or ends with a slash, or has an empty name, `.`, `..` or a control character between slashes";

/// What to do about it.
pub(super) const ODD_KEY_HINT: &str =
    "give the object another key, or name others by a pattern that leaves it out";

/// What is said where nobody says who asks.
pub(super) const NO_KEYS: &str = "no keys are set, and no service here gives any";

/// What is said of a redirection that would show on the way what is read.
pub(super) const NO_TLS: &str = "redirected to an address without TLS";

/// Most words that are repeated.
const WORDS_MAX: usize = 20;

/// What came of a request.
pub(super) type Got<T> = Result<T, Fault>;

/// Why an object cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    kind: Kind,
    said: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NotThere,
    Changed,
    Credentials,
    NoParts,
    Refused,
    /// It is somewhere else, or goes round.
    Redirected,
    /// The list of what is there does not come to an end.
    Endless,
    /// A key cannot be asked for as it is.
    OddKey,
    /// What a store sends is no version that could be told from another one.
    NoVersion,
    /// An answer ends too early, or makes no sense.
    Garbled,
    Unreachable,
}

impl Fault {
    /// What an error of the `object_store` crate means.
    pub(super) fn of(error: &StoreError) -> Self {
        let said = said(error);
        let kind = match error {
            StoreError::NotFound { .. } => Kind::NotThere,
            StoreError::Precondition { .. } | StoreError::NotModified { .. } => Kind::Changed,
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
                Kind::Credentials
            }
            StoreError::InvalidPath { .. } => Kind::OddKey,
            StoreError::NotSupported { .. } => Kind::NoParts,
            _ if said.contains("non-partial response") => Kind::NoParts,
            _ if said.contains("ExpiredToken") || said.contains("TokenRefreshRequired") => {
                Kind::Credentials
            }
            _ if said == NO_KEYS => Kind::Credentials,
            // What is posted is who asks, in exchange for a key.
            _ if says_status(&said, '4') && (is_about_keys(&said) || was_posted(error)) => {
                Kind::Credentials
            }
            _ if says_status(&said, '4') => Kind::Refused,
            _ if says_status(&said, '3') || said == NO_TLS || said.starts_with(BARE_REDIRECT) => {
                Kind::Redirected
            }
            // The crate has tried again as often as it may.
            _ if was_tried(error) => Kind::Unreachable,
            _ => Kind::Garbled,
        };
        Self { kind, said }
    }

    /// The object is not what it was when it was first looked at.
    pub(super) fn changed() -> Self {
        Self { kind: Kind::Changed, said: String::new() }
    }

    /// A key that could be taken for another one.
    pub(super) fn odd_key() -> Self {
        Self { kind: Kind::OddKey, said: String::new() }
    }

    /// Nothing tells one version from another one.
    pub(super) fn no_version() -> Self {
        Self { kind: Kind::NoVersion, said: String::new() }
    }

    /// The store sends another number of bytes than it says.
    pub(super) fn wrong_length(sent: usize, of: u64) -> Self {
        let said = format!("it sent {sent} of {of} bytes");
        Self { kind: Kind::Garbled, said }
    }

    /// There is always more in a listing.
    pub(super) fn endless(why: &str) -> Self {
        Self { kind: Kind::Endless, said: why.to_owned() }
    }

    /// True if there is no such object.
    pub(super) fn is_not_there(&self) -> bool {
        self.kind == Kind::NotThere
    }

    /// The system has nothing to wait with.
    pub(super) fn no_runtime() -> Self {
        Self { kind: Kind::Unreachable, said: "no runtime for requests".to_owned() }
    }

    /// True if the answer was none, so that another one may be better.
    pub(super) fn is_garbled(&self) -> bool {
        self.kind == Kind::Garbled
    }

    /// True if the store has understood the request and refuses it.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.kind, Kind::Refused | Kind::Credentials)
    }

    /// The error of a run that wanted the object.
    pub(crate) fn error(&self, location: &Location) -> Error {
        let path = location.to_path();
        let said = if self.said.is_empty() { String::new() } else { format!(" ({})", self.said) };
        let hint = store::hint(location.scheme());
        match self.kind {
            Kind::NotThere => Error::input(&path, format!("there is no such object{said}"), hint),
            Kind::Changed => Error::input(
                &path,
                "it was replaced while it was read",
                "run again when its writer has finished",
            ),
            Kind::NoParts => Error::input(
                &path,
                "its server does not send parts of it",
                "read it through a pipe: set -o pipefail; curl -fsS URL | throng prepare - ...",
            ),
            Kind::OddKey => Error::input(&path, ODD_KEY, ODD_KEY_HINT),
            Kind::NoVersion => Error::input(
                &path,
                "its server says neither version nor time of it: nobody could tell whether it changes",
                "read it through a pipe: set -o pipefail; curl -fsS URL | throng prepare - ...",
            ),
            Kind::Redirected => {
                let hint = match location.scheme() {
                    Scheme::Https => {
                        "give the address where it is: `curl -sIL` says where it leads"
                    }
                    Scheme::S3 => "AWS_REGION and AWS_ENDPOINT_URL say where it is",
                    Scheme::Gs | Scheme::Az => hint,
                };
                let message = format!("{} leads to another address{said}", Quoted(&path));
                Error::usage(message, hint)
            }
            Kind::Endless => Error::input(
                &path,
                format!("the list of what is there does not come to an end{said}"),
                "name its objects one by one, or a narrower folder",
            ),
            Kind::Refused => Error::input(&path, format!("its store refuses it{said}"), hint),
            Kind::Credentials => {
                let hint = if location.scheme() == Scheme::Https {
                    "has its signature expired?"
                } else {
                    hint
                };
                let message = format!("not allowed to read {}{said}", Quoted(&path));
                Error::api(ExitCode::Credentials, message, hint)
            }
            Kind::Garbled | Kind::Unreachable => Error::api(
                ExitCode::Temporary,
                format!("failed to read {} from its store{said}", Quoted(&path)),
                "run it again later: nothing was written",
            ),
        }
    }
}

/// A fault on its way through readers, which know no other errors than those of files.
#[derive(Debug)]
pub(super) struct Failed(pub(super) Fault, pub(super) Location);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.error(&self.1).fmt(f)
    }
}

impl std::error::Error for Failed {}

/// The error of the run that a reader's error is, if it comes from a store.
pub(crate) fn of_reader(error: &io::Error) -> Option<Error> {
    let Failed(fault, location) = error.get_ref()?.downcast_ref()?;
    Some(fault.error(location))
}

/// What the crate says of a redirection that names no address.
const BARE_REDIRECT: &str = "Received redirect without LOCATION";

/// True if an error is that of a request that the crate tried again: of no type that can be named, so that its words tell.
fn was_tried(error: &StoreError) -> bool {
    has_words(error, "Error performing ")
}

/// True if it is that of a request with a body.
fn was_posted(error: &StoreError) -> bool {
    has_words(error, "Error performing POST ")
}

/// True if an error, or one that it comes from, begins with these words.
fn has_words(error: &StoreError, words: &str) -> bool {
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |error| error.source())
        .any(|error| error.to_string().starts_with(words))
}

fn is_about_keys(said: &str) -> bool {
    said.starts_with("status 401 ") || said.starts_with("status 403 ")
}

/// What a store said, in one line: its status and code, or what is wrong with the connection. Nothing that could be a secret: no
/// address, which can hold a signature, no text of an answer, and no long word.
fn said(error: &StoreError) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let text = last.to_string();
    if let Some((_, answer)) = text.split_once("non-2xx status code: ") {
        let (status, body) = answer.split_once(": ").unwrap_or((answer, ""));
        let is_code = |code: &&str| {
            code.len() <= WORD_CHARS_MAX && code.bytes().all(|byte| byte.is_ascii_alphabetic())
        };
        let code = element(body, "Code").filter(is_code).map(|code| format!(", {code}"));
        return format!("status {}{}", short(status), code.unwrap_or_default());
    }
    short(&text)
}

/// The words of a text up to one that could be a secret or an address.
pub(super) fn short(text: &str) -> String {
    let is_plain = |word: &&str| word.len() <= WORD_CHARS_MAX && !word.contains("://");
    let words: Vec<&str> = text.split_whitespace().take_while(is_plain).take(WORDS_MAX).collect();
    let text: String = words.join(" ").chars().filter(|c| !c.is_control()).collect();
    text.trim_end_matches([':', ',', '.']).to_owned()
}

/// The text of an element of an answer in XML.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let begin = xml.find(&format!("<{name}>"))? + name.len() + 2;
    let rest = &xml[begin..];
    Some(rest[..rest.find("</")?].trim()).filter(|text| !text.is_empty())
}

/// True if what was said begins with a status of this class.
fn says_status(said: &str, class: char) -> bool {
    said.strip_prefix("status ").is_some_and(|status| status.starts_with(class))
}
