//! A part of a whole.

use std::fmt;

use crate::written::written;

/// A share, 0.2 or 20%; of a growth, it may be more than the whole.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(pub f64);

/// Share by which members may be fewer than in the last run of a job, unless it chooses otherwise.
pub const MAX_SHRINK: Share = Share(0.2);

/// Share by which members may be more than in the last run of a job, unless it chooses otherwise.
pub const MAX_GROWTH: Share = Share(1.0);

/// Share by which an opt-out list may be shorter than in the last run, unless somebody said otherwise: people rarely
/// take back that they opted out, and a list that is half written lets them through.
pub const MAX_OPT_OUT_SHRINK: Share = Share(0.05);

impl std::str::FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
            None => text.parse().ok().filter(|_| text.contains('.')),
        };
        share
            .filter(|share| share.is_finite() && *share >= 0.0)
            .map(Self)
            .ok_or_else(|| "expected a share (0.2) or a percentage (20%)".to_owned())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * 1e4).round() / 1e2)
    }
}

written! {
    Share: { "type": ["number", "string"], "minimum": 0, "pattern": "^[0-9.]+ *%?$" },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_shown_as_they_are_written() {
        for text in ["0%", "7%", "20%", "12.5%", "33.33%", "100%", "250%"] {
            assert_eq!(text.parse::<Share>().expect(text).to_string(), text);
        }
        assert_eq!("0.07".parse::<Share>().expect("a share").to_string(), "7%");
        for text in ["", "%", "20", "-1%", "NaN", "inf", ".", "1e400.0"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
