//! What is written by people and by other programs: job files, manifests, answers of the API.

use std::path::Path;
use std::time::SystemTime;

use jiff::civil::date;

use super::Choices;
use crate::emit::Manifest;
use crate::error::Error;
use crate::job::Job;
use crate::notation;
use crate::platform::Id;
use crate::platform::pitchtarget::{CustomAudience, ListPage, ListedAudience};
use crate::upload::answer::{self, Said};
use crate::upload::{Endpoint, Token};

/// What a variable of a job holds.
const SECRET: &str = "canary-4711";

/// A document is read or refused; the refusal is one line, and does not tell what a variable holds.
pub fn documents(data: &[u8]) {
    let mut choices = Choices(data);
    let kind = choices.below(4);
    let Ok(text) = std::str::from_utf8(choices.0) else { return };
    let path = Path::new("document");
    match kind {
        0 | 1 => {
            let env = |name: &str| (name == "S").then(|| SECRET.to_owned());
            if let Err(error) = Job::parse(text, path, &env, date(2026, 11, 24)) {
                check(&error);
            }
        }
        2 => match Manifest::parse(text.as_bytes(), path) {
            Err(error) => check(&error),
            Ok(manifest) => {
                let written = manifest.to_json().expect("JSON");
                let again = Manifest::parse(&written, path).expect("what was written is read");
                assert_eq!(again.to_json().expect("JSON"), written);
            }
        },
        _ => {
            for line in text.lines() {
                let _refused =
                    (notation::size(line), notation::time(line), notation::delimiter(line));
                let _refused = line.parse::<Endpoint>();
            }
        }
    }
}

fn check(error: &Error) {
    for text in [error.to_string(), error.hint().unwrap_or_default().to_owned()] {
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(!text.contains(SECRET), "{text:?}");
    }
}

/// An answer of either revision is understood or not; the ids of what is understood are numbers.
/// Of the server's words nothing reaches a terminal that steers it, and no token.
pub fn answers(data: &[u8]) {
    let mut choices = Choices(data);
    let kind = choices.below(4);
    let body = choices.0;
    match kind {
        0 => {
            if let Ok(audience) = CustomAudience::from_json(body) {
                check_ids(Some(&audience.id), audience.fb_id.as_ref());
            }
        }
        1 => {
            if let Ok(page) = ListPage::from_json(body) {
                page.audiences.iter().for_each(check_listed);
            }
        }
        2 => {
            if let Ok(audience) = ListedAudience::from_json(body) {
                check_listed(&audience);
            }
        }
        _ => words(body),
    }
}

fn check_listed(listed: &ListedAudience) {
    check_ids(listed.id(), listed.fb_id());
}

/// An id goes into addresses, so that it is a number and nothing else.
fn check_ids(id: Option<&Id>, fb_id: Option<&Id>) {
    for id in [id, fb_id].into_iter().flatten() {
        assert!(!id.as_str().is_empty() && id.as_str().bytes().all(|b| b.is_ascii_digit()), "{id}");
    }
}

/// Server's words show nothing that is not known beforehand.
fn words(body: &[u8]) {
    let token = Token::new("canary-token").expect("a token");
    let mut said = Said::read(body);
    if said.text.is_empty() {
        said.text = String::from_utf8_lossy(body).into_owned();
    }
    let shown = said.shown();
    assert!(shown.len() <= 250 && !shown.contains("canary"), "{shown:?}");
    assert!(!token.redact(&said.text).to_ascii_lowercase().contains("canary-token"));
    for text in [&shown, &answer::redirected(&said.text, "https://api.example.com")] {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    let _wait = answer::retry_after(&said.text, SystemTime::UNIX_EPOCH);
}
