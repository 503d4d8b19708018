//! Points in time as records keep them and as people and programs read them, in UTC.

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::strtime;

/// A point in time, in milliseconds since 1970. It is shown as RFC 3339 has it: `2026-11-24T02:00:05.040Z`.
///
/// A plain number, so that a record of a clock that was far off can be read, kept and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(pub i64);

impl Utc {
    /// The time of the system's clock.
    pub fn now() -> Self {
        Self(Timestamp::now().as_millisecond())
    }

    /// The day for people: `24 Nov 2026`.
    pub fn day(self) -> String {
        self.formatted("%-d %b %Y")
    }

    /// The day for programs: `2026-11-24`.
    pub fn iso_day(self) -> String {
        self.formatted("%Y-%m-%d")
    }

    /// The time of day for people: `02:00`.
    pub fn clock(self) -> String {
        self.formatted("%H:%M")
    }

    fn formatted(self, format: &str) -> String {
        strtime::format(format, self.timestamp()).unwrap_or_default()
    }

    /// The nearest time that there is a date for.
    fn timestamp(self) -> Timestamp {
        let nearest = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_millisecond(self.0).unwrap_or(nearest)
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_date_shows() {
        // date -u -d @N +%FT%T
        for (seconds, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (-1, "1969-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(Utc(seconds * 1000).to_string(), shown);
        }
        assert_eq!(Utc(1_795_502_405_040).to_string(), "2026-11-24T06:40:05.040Z");
        assert_eq!(Utc(1_795_502_405_040).day(), "24 Nov 2026");
        assert_eq!(Utc(1_795_502_405_040).clock(), "06:40");
    }

    #[test]
    fn a_clock_that_is_far_off_is_no_reason_to_fail() {
        assert!(Utc(i64::MAX).to_string().starts_with("9999-"));
        assert!(!Utc(i64::MIN).day().is_empty());
    }
}
