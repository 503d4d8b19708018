//! What can be taken from an answer that says no: how long to wait, and what to tell a person.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::echo;

/// Most characters of a server's own words that a message repeats.
const MESSAGE_CHARS_MAX: usize = 200;

/// What stands for what is not repeated.
const HIDDEN: &str = "[...]";

/// Letters of a word that looks like a digest, a number or an address, from which on it is not repeated: a server may
/// quote an entry that it did not like.
const HIDDEN_LEN_MIN: usize = 7;

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds, or a date, which is a wait from `now` on.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Where a redirection leads: scheme and host of an absolute one, never its query.
pub(crate) fn redirected(location: &str) -> String {
    let uri: Option<ureq::http::Uri> = location.parse().ok();
    let target = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.host()?)));
    match target {
        Some((scheme, host)) => format!("it redirects to {scheme}://{}", sanitized(host)),
        None => "it redirects within the server".to_owned(),
    }
}

/// The text of an error in JSON, in any of the usual forms.
pub(crate) fn message(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let object = body.as_object()?;
    ["error", "errors", "message", "error_description", "detail"]
        .iter()
        .find_map(|key| text_of(object.get(*key)?))
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(values) => {
            let texts: Vec<String> = values.iter().filter_map(text_of).collect();
            (!texts.is_empty()).then(|| texts.join("; "))
        }
        Value::Object(object) => object.get("message").and_then(text_of).or_else(|| {
            let fields = object
                .iter()
                .filter_map(|(field, value)| Some(format!("{field} {}", text_of(value)?)));
            let fields: Vec<String> = fields.collect();
            (!fields.is_empty()).then(|| fields.join("; "))
        }),
        _ => None,
    }
}

/// A server's words as a message may repeat them: one line, not too long, and nothing that looks like an entry.
pub(crate) fn sanitized(text: &str) -> String {
    let mut printable: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MESSAGE_CHARS_MAX + 1)
        .collect();
    if printable.chars().count() > MESSAGE_CHARS_MAX {
        // Half a word would not be known for what it is.
        printable.truncate(printable.rfind(' ').unwrap_or_default());
    }
    let words = printable.split_whitespace();
    let words = words.map(|word| if is_hidden(word) { HIDDEN } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// A server's words without entries of the part that they are about, whatever these look like: a customer's id can be
/// any word. They are looked for in the part itself.
pub(crate) fn without_entries(text: &str, part: impl io::BufRead) -> String {
    let lower = text.to_ascii_lowercase();
    let is_inner = |c: char| c.is_alphanumeric();
    let edges: Vec<usize> = lower
        .char_indices()
        .filter(|(at, c)| {
            let before = lower[..*at].chars().next_back();
            !before.is_some_and(is_inner) || !is_inner(*c)
        })
        .map(|(at, _)| at)
        .chain([lower.len()])
        .collect();
    let mut phrases: HashMap<&[u8], Vec<(usize, usize)>> = HashMap::new();
    for (index, from) in edges.iter().enumerate() {
        for to in &edges[index + 1..] {
            phrases.entry(&lower.as_bytes()[*from..*to]).or_default().push((*from, *to));
        }
    }
    let mut hidden = vec![false; text.len()];
    for line in part.split(b'\n') {
        // A part that cannot be read has nothing to say of the text, so nothing of it is repeated.
        let Ok(mut line) = line else { return HIDDEN.to_owned() };
        line.make_ascii_lowercase();
        for (from, to) in phrases.get(&line[..]).into_iter().flatten() {
            hidden[*from..*to].fill(true);
        }
    }
    let mut shown = String::new();
    for (at, c) in text.char_indices() {
        match hidden[at] {
            false => shown.push(c),
            true if at == 0 || !hidden[at - 1] => shown.push_str(HIDDEN),
            true => {}
        }
    }
    shown
}

fn is_hidden(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    word.contains('@') || digits >= HIDDEN_LEN_MIN || echo::is_encoded(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Tue, 24 Nov 2026 10:00:00 GMT").expect("a date");
        for (value, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Tue, 24 Nov 2026 10:00:30 GMT", Some(30)),
            ("Tue, 24 Nov 2026 09:00:00 GMT", Some(0)),
            ("Tuesday, 24-Nov-26 10:01:00 GMT", Some(60)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn finds_the_text_in_the_usual_forms() {
        for (body, text) in [
            (r#"{"error": "no"}"#, Some("no")),
            (r#"{"error": {"code": 7, "message": "no"}}"#, Some("no")),
            (r#"{"errors": ["a", {"message": "b"}]}"#, Some("a; b")),
            (r#"{"errors": {"name": ["is missing"]}}"#, Some("name is missing")),
            (r#"{"message": "no"}"#, Some("no")),
            (r#"{"code": 7}"#, None),
            ("<html>no</html>", None),
            ("[]", None),
        ] {
            assert_eq!(message(body.as_bytes()).as_deref(), text, "{body}");
        }
    }

    #[test]
    fn nothing_that_could_be_an_entry_is_repeated() {
        for (said, shown) in [
            ("line 3: mary@example.com is no digest", "line 3: [...] is no digest"),
            ("bad \"+442079460018\",\nsee docs", "bad [...] see docs"),
            ("f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79", "[...]"),
            ("audience 59 is full", "audience 59 is full"),
        ] {
            assert_eq!(sanitized(said), shown);
        }
        assert_eq!(sanitized(&"xyz ".repeat(1000)).len(), MESSAGE_CHARS_MAX - 1);
        assert_eq!(sanitized(&"x".repeat(1000)), "");
    }

    #[test]
    fn entries_of_the_part_are_hidden_whatever_they_look_like() {
        let part = &b"alice\nvip customer 7\nc/12,x\nid\n\xff\n"[..];
        for (said, shown) in [
            ("line 1: Alice is unknown", "line 1: [...] is unknown"),
            ("\"VIP customer 7\": no", "\"[...]\": no"),
            ("bad c/12,x; see malice", "bad [...]; see malice"),
            ("vip customers", "vip customers"),
            ("\u{e9}-id-\u{e9}", "\u{e9}-[...]-\u{e9}"),
            ("", ""),
        ] {
            assert_eq!(without_entries(said, part), shown);
        }
    }

    #[test]
    fn a_redirection_is_told_without_its_query() {
        assert_eq!(
            redirected("https://evil.example/x?token=1"),
            "it redirects to https://evil.example"
        );
        assert_eq!(redirected("/login"), "it redirects within the server");
    }
}
