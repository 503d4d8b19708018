//! What is written by people and by other programs: job files, manifests, answers of the API.

use std::path::Path;
use std::time::SystemTime;

use jiff::civil::date;

use super::Choices;
use crate::api::{CustomAudience, ListPage, ListedAudience, Revision};
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

/// An answer of either revision is understood or not; what is understood is understood again when it is written anew.
/// Of the server's words nothing reaches a terminal that steers it, and no token.
pub fn answers(data: &[u8]) {
    let mut choices = Choices(data);
    let kind = choices.below(5);
    let body = choices.0;
    match kind {
        0 => {
            if let Ok(audience) = CustomAudience::from_json(body) {
                for revision in Revision::ALL {
                    let again = written(&audience.to_json(revision));
                    let again = CustomAudience::from_json(&again).expect("an audience");
                    assert!(
                        (&again.id, &again.name, &again.fb_id)
                            == (&audience.id, &audience.name, &audience.fb_id)
                    );
                }
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
    let body = match listed {
        ListedAudience::Facebook(audience) => written(&audience.to_json()),
        ListedAudience::Vendor(audience) => written(&audience.to_json(Revision::B)),
    };
    let again = ListedAudience::from_json(&body).expect("an audience");
    assert!((again.fb_id(), again.name()) == (listed.fb_id(), listed.name()));
}

fn written(value: &serde_json::Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("JSON")
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
