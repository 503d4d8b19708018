//! Values as people write them: one reading and one description for flags, the job file and its schema.
//!
//! A type is read by its `FromStr`, whose error says what is expected and never repeats what was written: it could have
//! come from a variable that holds a secret. [`written!`] makes serde read it so, from a string or a number, and
//! describes it to the schema.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::dialect::Separator;
use crate::limits::{MEMORY_BYTES_MIN, THREADS_MAX};
use crate::notation;

/// Reads a value by its `FromStr`, from a string or from a number as a string of its digits.
#[derive(Debug)]
pub(crate) struct Written<T>(PhantomData<T>);

impl<T> Written<T> {
    /// A visitor for a type.
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: FromStr<Err = String>> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        // `{:?}` keeps the point of 1.0.
        self.visit_str(&format!("{number:?}"))
    }
}

/// Has serde read types by [`Written`], and describes them to the schema.
macro_rules! written {
    ($($type:ty: $schema:tt),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> std::result::Result<Self, D::Error> {
                deserializer.deserialize_any($crate::written::Written::new())
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    )+};
}
pub(crate) use written;

/// Bytes, with an optional suffix K, M, G or T (powers of 1024).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        notation::size(text).map(Self)
    }
}

/// A memory limit that a run can work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MemoryLimit(pub u64);

impl FromStr for MemoryLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = notation::size(text)?;
        if bytes < MEMORY_BYTES_MIN {
            return Err(format!("too little, expected at least {}M", MEMORY_BYTES_MIN >> 20));
        }
        Ok(Self(bytes))
    }
}

/// A time with its unit: 500ms, 30s, 10m, 2h, 3d.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        notation::time(text).map(Self)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
        let whole = units.iter().find(|(_, of)| millis >= *of && millis.is_multiple_of(*of));
        let (unit, of) = whole.unwrap_or(&("ms", 1));
        write!(f, "{}{unit}", millis / of)
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Separator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        notation::delimiter(text)
    }
}

written! {
    Size: {
        "type": ["integer", "string"], "minimum": 1,
        "pattern": "^ *[0-9]+ *([KMGTkmgt]([Ii]?[Bb])?)? *$",
    },
    MemoryLimit: {
        "type": ["integer", "string"], "minimum": MEMORY_BYTES_MIN,
        "pattern": "^ *[0-9]+ *([KMGTkmgt]([Ii]?[Bb])?)? *$",
    },
    Time: { "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" },
    Separator: { "type": "string", "minLength": 1 },
}

/// One line of text: what goes into a field of a request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Line(pub String);

impl TryFrom<String> for Line {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        notation::line(&text).map(Self)
    }
}

impl JsonSchema for Line {
    fn schema_name() -> Cow<'static, str> {
        "Line".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

/// A whole number from `LEAST` to `MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count<const LEAST: u64, const MOST: u64>(u64);

/// Worker threads.
pub type Threads = Count<1, { THREADS_MAX as u64 }>;

impl<const LEAST: u64, const MOST: u64> Count<LEAST, MOST> {
    /// A number within the bounds; what is beyond becomes the nearest of them.
    pub const fn clamped(number: u64) -> Self {
        Self(if number < LEAST {
            LEAST
        } else if number > MOST {
            MOST
        } else {
            number
        })
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of things that are in memory.
    pub fn to_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const LEAST: u64, const MOST: u64> FromStr for Count<LEAST, MOST> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
        number.map(Self).ok_or_else(|| match MOST {
            u64::MAX => format!("expected a whole number from {LEAST}"),
            _ => format!("expected a whole number from {LEAST} to {MOST}"),
        })
    }
}

impl<const LEAST: u64, const MOST: u64> fmt::Display for Count<LEAST, MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de, const LEAST: u64, const MOST: u64> Deserialize<'de> for Count<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written::new())
    }
}

impl<const LEAST: u64, const MOST: u64> serde::Serialize for Count<LEAST, MOST> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<const LEAST: u64, const MOST: u64> JsonSchema for Count<LEAST, MOST> {
    fn schema_name() -> Cow<'static, str> {
        format!("Count{LEAST}To{MOST}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = json_schema!({ "type": "integer", "minimum": LEAST });
        if MOST < u64::MAX {
            schema.insert("maximum".to_owned(), MOST.into());
        }
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_within_its_bounds() {
        assert_eq!("1024".parse::<Threads>().map(Count::get), Ok(1024));
        for text in ["0", "1025", "-1", "1.0", "many", ""] {
            let wrong = text.parse::<Threads>().map(Count::get);
            assert_eq!(wrong, Err("expected a whole number from 1 to 1024".to_owned()), "{text}");
        }
        assert_eq!((Threads::clamped(0).get(), Threads::clamped(9999).get()), (1, 1024));
    }

    #[test]
    fn times_are_shown_as_they_are_written() {
        for text in ["1ms", "1500ms", "90s", "15m", "90m", "6h", "3d", "0ms"] {
            assert_eq!(text.parse::<Time>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn numbers_are_read_like_their_digits() {
        let read = |json: &str| serde_json::from_str::<Size>(json).map_err(|e| e.to_string());
        assert_eq!(read("4096"), Ok(Size(4096)));
        assert_eq!(read("\"4K\""), Ok(Size(4096)));
        assert!(read("-1").is_err_and(|why| why.starts_with("expected a size")));
        assert!(read("true").is_err_and(|why| why.ends_with("expected a string or a number at line 1 column 4")));
    }
}
