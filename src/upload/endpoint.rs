//! Where the API is and how to get in: the address, and the token that must reach nobody else.

use std::fmt;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use ureq::http::HeaderValue;

use super::words::{HIDDEN, is_plain};
use crate::error::{Error, Result};
use crate::limits::TOKEN_BYTES_MAX;
use crate::platform::Platform;
use crate::quote::{Cause, Quoted};
use crate::written::written;

/// The address of the API: scheme, host, port and a path before the calls' own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Where a platform is.
    pub fn of(platform: Platform) -> Self {
        Self(platform.capabilities().endpoint.to_owned())
    }

    /// Its text, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is reached through TLS.
    pub(super) fn has_tls(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// The address of a call.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Endpoint {
    type Err = String;

    /// Reads `https://HOST[:PORT][/PATH]`. Without TLS the token and the entries could be read on the way, so that
    /// `http://` is for this machine only.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let uri: ureq::http::Uri =
            text.parse().map_err(|_| "expected an address such as https://api.example.com")?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or("expected an address such as https://api.example.com")?;
        let host = host.to_ascii_lowercase();
        let is_loopback = matches!(&host[..], "localhost" | "127.0.0.1" | "[::1]");
        let is_https = uri.scheme_str() == Some("https");
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback => {}
            Some("http") => {
                return Err("http:// would show the token on the way: use https://".to_owned());
            }
            _ => return Err("expected an address that begins with https://".to_owned()),
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("the address holds a user name or password: leave it out".to_owned());
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("the address of the API has no `?` or `#`".to_owned());
        }
        // The store knows an audience by the address of its API, so one API has one spelling.
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let authority = authority.to_ascii_lowercase();
        let (scheme, default_port) = if is_https { ("https", ":443") } else { ("http", ":80") };
        let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
        Ok(Self(format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/'))))
    }
}

/// What the API knows its customer by. It is never printed, not even by `Debug`.
#[derive(Clone, Debug)]
pub struct Token(SecretString);

impl Token {
    /// Takes a token as it is written in an environment variable or a file, where a line end may follow it.
    pub fn new(text: &str) -> Result<Self> {
        let text = text.trim();
        let is_token = !text.is_empty() && text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        if !is_token {
            return Err(Error::usage(
                "the token is empty or holds what no token can",
                "set THRONG_TOKEN",
            ));
        }
        Ok(Self(SecretString::from(text)))
    }

    /// Reads a token from a file that only its owner can read.
    pub fn from_file(path: &Path) -> Result<Self> {
        Self::new(&secret_of_file("token", path)?).map_err(|_| {
            let message = format!("the token file {} holds no token", Quoted(path));
            Error::usage(message, "it is to hold the token alone, in one line")
        })
    }

    /// What proves that whoever has the token knows the secret of its app: HMAC-SHA-256 (RFC 2104) in hex.
    pub(super) fn proof(&self, secret: &AppSecret) -> String {
        let keyed = Hmac::<Sha256>::new_from_slice(secret.0.expose_secret().as_bytes());
        let keyed = keyed.expect("a key of any length is one");
        const_hex::encode(keyed.chain_update(self.0.expose_secret()).finalize().into_bytes())
    }

    /// The value of the `Authorization` header, which begins with a platform's word.
    pub(super) fn header(&self, scheme: &str) -> HeaderValue {
        let text = Zeroizing::new(format!("{scheme} {}", self.0.expose_secret()));
        let mut value = HeaderValue::from_str(&text).expect("a token is visible ASCII");
        value.set_sensitive(true);
        value
    }

    /// `text`, which is the name of an audience or the like, without words that could be the token in some spelling: all
    /// that are as long as the token and are not plain.
    pub(crate) fn redact(&self, text: &str) -> String {
        let token = Zeroizing::new(self.0.expose_secret().to_ascii_lowercase());
        let holds = |text: &str| text.to_ascii_lowercase().contains(token.as_str());
        let bare: String = text.split_whitespace().collect();
        let shown = text.split(' ').map(|word| {
            let is_shown = word.len() < token.len() || is_plain(word) && !holds(word);
            if is_shown { word } else { HIDDEN }
        });
        let shown = shown.collect::<Vec<_>>().join(" ");
        // Its letters may stand apart.
        let is_apart = holds(&bare) && holds(&shown.split_whitespace().collect::<String>());
        if is_apart { HIDDEN.to_owned() } else { shown }
    }
}

/// The secret of an app of Meta's. It is never sent, and never printed.
#[derive(Clone, Debug)]
pub struct AppSecret(SecretString);

impl AppSecret {
    /// Takes a secret as it is written in an environment variable or a file, where a line end may follow it.
    pub fn new(text: &str) -> Result<Self> {
        let text = text.trim();
        let is_secret = !text.is_empty() && text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        if !is_secret {
            return Err(Error::usage(
                "the app secret is empty or holds what no secret can",
                "set THRONG_APP_SECRET",
            ));
        }
        Ok(Self(SecretString::from(text)))
    }

    /// Reads a secret from a file that only its owner can read.
    pub fn from_file(path: &Path) -> Result<Self> {
        Self::new(&secret_of_file("app secret", path)?).map_err(|_| {
            let message = format!("the app secret file {} holds no secret", Quoted(path));
            Error::usage(message, "it is to hold the secret alone, in one line")
        })
    }
}

/// The text of a file that only its owner can read.
fn secret_of_file(what: &str, path: &Path) -> Result<Zeroizing<String>> {
    let failed = |error: &std::io::Error| {
        let message = format!("failed to read the {what} file {}: {}", Quoted(path), Cause(error));
        Error::usage(message, format!("write the {what} into it, and chmod 600"))
    };
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let meta = file.metadata().map_err(|error| failed(&error))?;
    if meta.is_file() && meta.mode() & 0o077 != 0 {
        return Err(Error::usage(
            format!("others can read the {what} file {}", Quoted(path)),
            format!("chmod 600 {}", path.display()),
        ));
    }
    // Wiped as well, and so never moved, which would leave a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(TOKEN_BYTES_MAX));
    let read = file.take(TOKEN_BYTES_MAX as u64).read_to_string(&mut text);
    read.map_err(|error| failed(&error))?;
    Ok(text)
}

written! {
    Endpoint: { "type": "string", "minLength": 1 },
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn every_platform_has_an_address() {
        for platform in [Platform::Pitchtarget, Platform::Meta] {
            let endpoint = Endpoint::of(platform);
            assert_eq!(endpoint.as_str().parse(), Ok(endpoint));
        }
    }

    #[test]
    fn only_loopback_may_be_reached_without_tls() {
        for (text, endpoint) in [
            ("https://api.example.com", "https://api.example.com"),
            ("https://api.example.com:8443/v1/", "https://api.example.com:8443/v1"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://localhost:1/", "http://localhost:1"),
            ("http://[::1]:1", "http://[::1]:1"),
            ("HTTPS://API.example.com:443/V1/", "https://api.example.com/V1"),
        ] {
            assert_eq!(text.parse::<Endpoint>().map(|e| e.0).as_deref(), Ok(endpoint), "{text}");
        }
        for text in [
            "",
            "api.example.com",
            "http://api.example.com",
            "http://localhost.example.com",
            "ftp://api.example.com",
            "https://user:secret@api.example.com",
            "https://api.example.com?token=secret",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn token_is_never_shown() {
        let token = Token::new("canary-1\n").expect("a token");
        assert!(!format!("{token:?}").contains("canary"));
        for (text, shown) in [
            ("no canary-1 here", "no [...] here"),
            ("\u{e9}Canary-1, CANARY-1", "[...] [...]"),
            ("no c a n a r y - 1 here", "[...]"),
            ("can ary-1", "[...]"),
            ("no canary%2D1 here", "no [...] here"),
            ("no Y2FuYXJ5LTE= here", "no [...] here"),
            ("no 63616e6172792d31", "no [...]"),
            ("VIP-customers 2026-11-28, q4_newsletter", "VIP-customers 2026-11-28, q4_newsletter"),
            ("https://www.example.com/opt-out?a=1&b=2", "https://www.example.com/opt-out?a=1&b=2"),
            (
                "[throng 00ff1c8e7a6b5d4c3b2a190807f6e5d4]",
                "[throng 00ff1c8e7a6b5d4c3b2a190807f6e5d4]",
            ),
            ("Stra\u{df}enbahn-\u{dc}bersicht", "Stra\u{df}enbahn-\u{dc}bersicht"),
        ] {
            assert_eq!(token.redact(text), shown);
        }
        assert_eq!(token.header("OAuth"), "OAuth canary-1");
        assert!(!format!("{:?}", token.header("OAuth")).contains("canary"));
        for text in ["", " \n", "two words", "line\nbreak", "ümlaut"] {
            assert!(Token::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_proof_is_that_of_published_samples() {
        let proof = |secret: &str, token: &str| {
            let token = Token(SecretString::from(token));
            token.proof(&AppSecret::new(secret).expect("a secret"))
        };
        // RFC 4231, test case 2; the second is of Python's hmac: a key that is longer than a block is hashed.
        assert_eq!(
            proof("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            proof(&"a".repeat(131), "x"),
            "76f0801bdbc0ff29214ffdd6edce36467d4142a842d91a011c59c66d12693db0"
        );
        assert!(!format!("{:?}", AppSecret::new("canary-2").expect("a secret")).contains("canary"));
        assert!(AppSecret::new(" ").is_err());
    }

    #[test]
    fn token_file_is_for_its_owner_alone() {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), "canary-1\n").expect("writes");
        assert!(Token::from_file(file.path()).is_ok());
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o640)).expect("chmod");
        let error = Token::from_file(file.path()).expect_err("refused");
        assert!(error.to_string().contains("others can read"), "{error}");
        assert!(!error.to_string().contains("canary"));
    }
}
