//! When an input is the wrong file.

/// Limit on rejected values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxRejects {
    /// A share of the values that are not blank, 0 to 1.
    Share(f64),
    /// A count.
    Count(u64),
}

impl MaxRejects {
    /// Unless somebody said otherwise.
    pub const DEFAULT: Self = Self::Share(0.1);

    /// The smallest whole percentage that is not exceeded by `rejected` of `values`.
    pub fn that_allows(rejected: u64, values: u64) -> Self {
        let percents = (0_u8..100).map(|percent| Self::Share(f64::from(percent) / 100.0));
        percents
            .into_iter()
            .find(|limit| !limit.is_exceeded(rejected, values))
            .unwrap_or(Self::Share(1.0))
    }

    /// The limit on values that must not leave in clear: a tenth of the one on rejects. All may be such only if all may be
    /// rejects.
    #[must_use]
    pub fn on_personal_data(self) -> Self {
        match self {
            Self::Share(share) if share < 1.0 => Self::Share(share / 10.0),
            Self::Share(share) => Self::Share(share),
            Self::Count(count) => Self::Count(count / 10),
        }
    }

    /// True if `rejected` of `values` are too many.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more precision than f64 has")]
    pub fn is_exceeded(self, rejected: u64, values: u64) -> bool {
        match self {
            Self::Share(share) => rejected as f64 > share * values as f64,
            Self::Count(count) => rejected > count,
        }
    }
}

impl std::fmt::Display for MaxRejects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{}%", share * 100.0),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

impl std::str::FromStr for MaxRejects {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
            None => match text.parse::<u64>() {
                Ok(count) => return Ok(Self::Count(count)),
                Err(_) => text.parse().ok(),
            },
        };
        match share {
            Some(share) if (0.0..=1.0).contains(&share) => Ok(Self::Share(share)),
            _ => Err("expected a count (500), a share (0.1) or a percentage (10%)".to_owned()),
        }
    }
}

crate::written::written! {
    MaxRejects: { "type": ["number", "string"], "minimum": 0, "pattern": "^[0-9.]+ *%?$" },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_rejects_is_a_count_a_share_or_a_percentage() {
        for (text, expected) in [
            ("0", MaxRejects::Count(0)),
            ("500", MaxRejects::Count(500)),
            ("0.25", MaxRejects::Share(0.25)),
            ("10%", MaxRejects::Share(0.1)),
            ("100%", MaxRejects::Share(1.0)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "-1", "1.5", "101%", "many", "NaN"] {
            assert!(text.parse::<MaxRejects>().is_err(), "{text}");
        }
        assert!(!MaxRejects::Share(0.1).is_exceeded(10, 100));
        assert!(MaxRejects::Share(0.1).is_exceeded(11, 100));
        assert!(MaxRejects::Count(0).is_exceeded(1, 100));
    }
}
