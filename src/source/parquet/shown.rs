//! Values that are no identifiers as programs print them, for conditions.

use std::fmt;

use jiff::Span;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::Offset;

use super::leaf::Part;

/// Days since 1970: `2026-11-24`.
pub(super) struct Date(pub(super) i64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = Span::new().try_days(self.0);
        match days.and_then(|days| date(1970, 1, 1).checked_add(days)) {
            Ok(date) => write!(f, "{date}"),
            // Farther away than calendars go.
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

/// A time in UTC by parts of a second since 1970: `2026-11-24 02:00:00`, and what is left of a second.
pub(super) struct Moment(pub(super) i64, pub(super) Part);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, part) = *self;
        let time = match part {
            Part::Milli => Timestamp::from_millisecond(number),
            Part::Micro => Timestamp::from_microsecond(number),
            Part::Nano => Timestamp::from_nanosecond(number.into()),
        };
        match time {
            Ok(time) => write!(f, "{}", Offset::UTC.to_datetime(time).strftime("%F %T%.f")),
            Err(_) => write!(f, "{number}"),
        }
    }
}

/// A whole number with decimal places: `12.50`.
pub(super) struct Decimal(pub(super) i64, pub(super) u8);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, places) = *self;
        let places = usize::from(places);
        let digits = format!("{:0width$}", number.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let (sign, point) = (if number < 0 { "-" } else { "" }, if places > 0 { "." } else { "" });
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_printed_as_programs_print_them() {
        assert_eq!(Date(20_781).to_string(), "2026-11-24");
        assert_eq!(Date(-1).to_string(), "1969-12-31");
        assert_eq!(Date(i64::MAX).to_string(), i64::MAX.to_string());
        assert_eq!(Moment(1_795_485_600_000, Part::Milli).to_string(), "2026-11-24 02:00:00");
        assert_eq!(Moment(1_500_000, Part::Micro).to_string(), "1970-01-01 00:00:01.5");
        assert_eq!(Moment(-1, Part::Nano).to_string(), "1969-12-31 23:59:59.999999999");
        assert_eq!(Moment(i64::MAX, Part::Milli).to_string(), i64::MAX.to_string());
        assert_eq!(Decimal(1, 0).to_string(), "1");
        assert_eq!(Decimal(-5, 2).to_string(), "-0.05");
        assert_eq!(Decimal(1250, 2).to_string(), "12.50");
        assert_eq!(Decimal(i64::MIN, 0).to_string(), i64::MIN.to_string());
    }
}
