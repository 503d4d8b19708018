//! What is written by people and by other programs: job files, manifests, answers of the API.

use std::path::Path;
use std::time::SystemTime;

use jiff::civil::date;

use super::Choices;
use crate::api::{CustomAudience, Id, ListPage, ListedAudience};
use crate::emit::Manifest;
use crate::error::Error;
use crate::job::Job;
use crate::notation;
use crate::upload::{Endpoint, Token, answer};

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
    let kind = choices.below(5);
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
        3 => drop(words(body)),
        _ => {
            let said = words(body);
            let shown = answer::without_entries(&said, &body[..body.len().min(64)]);
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
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

/// What is shown of a server's words.
fn words(body: &[u8]) -> String {
    let token = Token::new("canary-token").expect("a token");
    let said = match answer::message(body) {
        Some(said) => said,
        None => String::from_utf8_lossy(body).into_owned(),
    };
    let shown = answer::sanitized(&token.redact(&said));
    // 200 characters; what is hidden may be shorter than what stands for it.
    assert!(shown.chars().count() <= 600 && !shown.contains("canary-token"), "{shown:?}");
    for text in [&shown, &answer::redirected(&said)] {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    let _wait = answer::retry_after(&said, SystemTime::UNIX_EPOCH);
    shown
}
