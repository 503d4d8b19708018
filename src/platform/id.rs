//! Numbers of audiences and accounts: opaque decimal strings once they are read.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::written::written;

/// Most digits of an id: what any integer of 64 bits has.
const DIGITS_MAX: usize = 20;

/// A number of the vendor's or of Facebook's. The wire has it as a number or as a string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

impl Id {
    /// Its decimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads an id from JSON: a number or a string of digits.
    pub(crate) fn from_json(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::Number(number) => Some(Self(number.as_u64()?.to_string())),
            serde_json::Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_number = !text.is_empty()
            && text.len() <= DIGITS_MAX
            && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number {
            Ok(Self(text.to_owned()))
        } else if text.starts_with("act_") {
            Err("expected a number: leave `act_` out".to_owned())
        } else {
            Err("expected a number".to_owned())
        }
    }
}

written! {
    Id: { "type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]{1,20}$" },
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_numbers_and_strings_of_digits() {
        for value in [json!(6_017_382_038_943_u64), json!("6017382038943")] {
            let id = Id::from_json(&value).expect("an id");
            assert_eq!(id.as_str(), "6017382038943");
        }
        for value in [json!(null), json!(1.5), json!(-1), json!(""), json!("1/../2"), json!({})] {
            assert_eq!(Id::from_json(&value), None, "{value}");
        }
    }
}
