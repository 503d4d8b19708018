//! What can be taken from an answer that says no: how long to wait, and what to tell a person.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::words;

/// Largest number that is taken for an error's code; a larger one could be an entry.
const CODE_MAX: u64 = 99_999;

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds, or a date, which is a wait from `now` on.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The goal of a redirection: scheme and host of an absolute one, never its query. `asked` is the API's address.
pub(crate) fn redirected(location: &str, asked: &str) -> String {
    let uri: Option<ureq::http::Uri> = location.parse().ok();
    let target = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.host()?)));
    match target {
        Some((scheme @ ("http" | "https"), host)) => {
            format!("it redirects to {scheme}://{}", words::shown_host(host, asked))
        }
        Some(_) => "it redirects to an address that is not of the web".to_owned(),
        None => "it redirects within the server".to_owned(),
    }
}

/// The error that an answer tells of, in the server's own words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Not to be shown as it is.
    pub(crate) text: String,
    code: Option<u64>,
}

impl Said {
    /// Reads an error in JSON, in any of the usual forms.
    pub(crate) fn read(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = ["error", "errors", "message", "error_description", "detail"]
            .iter()
            .find_map(|key| text_of(body.get(*key)?));
        let code = [body.pointer("/error/code"), body.get("code")];
        let code = code.into_iter().flatten().find_map(Value::as_u64);
        Self { text: text.unwrap_or_default(), code: code.filter(|code| *code <= CODE_MAX) }
    }

    /// The error as a message may repeat it.
    pub(crate) fn shown(&self) -> String {
        let text = words::shown(&self.text);
        match self.code {
            Some(code) if text.is_empty() => format!("code {code}"),
            Some(code) => format!("{text} (code {code})"),
            None => text,
        }
    }
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
            (r#"{"error": "no"}"#, "no"),
            (r#"{"error": {"code": 7, "message": "no"}}"#, "no (code 7)"),
            (r#"{"errors": ["a", {"message": "the"}]}"#, "a; the"),
            (r#"{"errors": {"name": ["is missing"]}}"#, "name is missing"),
            (r#"{"message": "no"}"#, "no"),
            (r#"{"code": 99999}"#, "code 99999"),
            (r#"{"error": {"code": 1234501}, "code": "12"}"#, ""),
            ("<html>no</html>", ""),
            ("[]", ""),
        ] {
            assert_eq!(Said::read(body.as_bytes()).shown(), text, "{body}");
        }
    }

    #[test]
    fn a_redirection_is_told_without_its_query() {
        let redirected = |location| redirected(location, "https://api.example.com");
        let told = "it redirects to https://www.example.com";
        assert_eq!(redirected("https://www.example.com/x?token=1"), told);
        assert_eq!(
            redirected("https://canary.example.com"),
            "it redirects to https://[...].example.com"
        );
        assert_eq!(redirected("/login"), "it redirects within the server");
        assert!(!redirected("canary://example.com").contains("canary"));
    }
}
