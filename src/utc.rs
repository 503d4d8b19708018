//! Points in time as records keep them and as people and programs read them, in UTC.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A point in time, in milliseconds since 1970. It is shown as RFC 3339 has it: `2026-11-24T02:00:05.040Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(pub i64);

impl Utc {
    /// What the system's clock says.
    pub fn now() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    /// Year, month and day, both counted from 1.
    pub fn date(self) -> (i64, u32, u32) {
        civil(self.0.div_euclid(MILLIS_PER_DAY))
    }

    /// Hour, minute, second and millisecond.
    pub fn time(self) -> (u32, u32, u32, u32) {
        // Of one day: it fits.
        let millis = u32::try_from(self.0.rem_euclid(MILLIS_PER_DAY)).unwrap_or_default();
        (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60, millis % 1000)
    }

    /// The day for people: `24 Nov 2026`.
    pub fn day(self) -> String {
        let (year, month, day) = self.date();
        format!("{day} {} {year}", MONTHS[month as usize - 1])
    }

    /// The time of day for people: `02:00`.
    pub fn clock(self) -> String {
        let (hour, minute, ..) = self.time();
        format!("{hour:02}:{minute:02}")
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((year, month, day), (hour, minute, second, milli)) = (self.date(), self.time());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// The date of a day counted from 1970 in the Gregorian calendar. Years begin in March here, so that the leap day is
/// the last one (Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
fn civil(day: i64) -> (i64, u32, u32) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let day_of_era = day.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = (shifted_month + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let small = |number: i64| u32::try_from(number).unwrap_or_default();
    (year, small(month), small(day_of_year - (153 * shifted_month + 2) / 5 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_date_shows() {
        // date -u -d @N +%FT%T
        for (seconds, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_795_502_405, "2026-11-24T06:40:05.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(Utc(seconds * 1000).to_string(), shown);
        }
        assert_eq!(Utc(1_795_502_405_040).to_string(), "2026-11-24T06:40:05.040Z");
        assert_eq!(Utc(1_795_502_405_040).day(), "24 Nov 2026");
        assert_eq!(Utc(1_795_502_405_040).clock(), "06:40");
    }

    #[test]
    fn days_follow_each_other() {
        let mut last = civil(-800_000);
        for day in -799_999..800_000 {
            let next = civil(day);
            let is_next = (next.0, next.1, next.2) == (last.0, last.1, last.2 + 1)
                || (next.2 == 1 && last.2 >= 28 && (next.0, next.1) == (last.0, last.1 + 1))
                || (next == (last.0 + 1, 1, 1) && (last.1, last.2) == (12, 31));
            assert!(is_next, "{last:?} then {next:?}");
            last = next;
        }
    }
}
