//! Names of audiences within a run.

use serde::Serialize;

use crate::limits::LABEL_BYTES_MAX;
use crate::user_type::UserType;
use crate::written::written;

/// The name of an audience within a run: its parts are named so, and manifest and summary. Safe as part of a file
/// name on any system, hence without upper case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct Label(String);

impl Label {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<UserType> for Label {
    fn from(user_type: UserType) -> Self {
        Self(user_type.name().to_owned())
    }
}

impl std::str::FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let is_label = text.len() <= LABEL_BYTES_MAX
            && text.bytes().all(is_inner)
            && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if is_label {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "expected a label: 1 to {LABEL_BYTES_MAX} of a-z, 0-9, _ and -, the first a letter or digit"
        ))
    }
}

written! {
    Label: { "type": "string", "pattern": format!("^[a-z0-9][a-z0-9_-]{{0,{}}}$", LABEL_BYTES_MAX - 1) },
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_is_safe_in_file_names_everywhere() {
        for text in ["a", "7", "email_hash", "news-letter_2", &"x".repeat(LABEL_BYTES_MAX)] {
            assert_eq!(text.parse::<Label>().map(String::from).as_deref(), Ok(text));
        }
        for user_type in UserType::ALL {
            assert_eq!(user_type.name().parse(), Ok(Label::from(user_type)));
        }
        let long = "x".repeat(LABEL_BYTES_MAX + 1);
        for text in ["", "-a", "_a", "A", "a b", "a/b", "..", ".a", "a.b", "ü", "a\n", &long] {
            assert!(text.parse::<Label>().is_err(), "{text}");
            assert!(serde_json::from_value::<Label>(text.into()).is_err(), "{text}");
        }
    }
}
