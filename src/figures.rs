//! Counts, sizes, shares and times as people read them.

use std::fmt;

use crate::quote::Lines;
use crate::utc::Utc;

const MILLIS_PER_MINUTE: i64 = 60 * 1000;

/// A whole number with its thousands set apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size with three digits.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn bytes(number: u64) -> String {
    if number < 1024 {
        return format!("{number} B");
    }
    let mut size = number as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        // 1023.7 would be shown as 1024.
        if size < 1023.5 {
            break;
        }
        (size, unit) = (size / 1024.0, next);
    }
    match size {
        ..9.995 => format!("{size:.2} {unit}"),
        ..99.95 => format!("{size:.1} {unit}"),
        _ => format!("{size:.0} {unit}"),
    }
}

/// A duration.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a duration of a run, and casts saturate"
)]
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 0.9995 {
        return format!("{:.0} ms", (seconds * 1000.0).max(0.0));
    }
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours} h {minutes:02} min")
    } else {
        format!("{minutes} min {seconds:02} s")
    }
}

/// The time since something, in one or two units.
pub(crate) fn age(millis: i64) -> String {
    let minutes = millis / MILLIS_PER_MINUTE;
    let (days, hours) = (minutes / (24 * 60), minutes / 60 % 24);
    match minutes {
        ..0 => "in the future".to_owned(),
        0 => "just now".to_owned(),
        1..60 => format!("{minutes} min old"),
        _ if days == 0 => format!("{hours} h {:02} min old", minutes % 60),
        _ if days < 3 => format!("{days} d {hours} h old"),
        _ => format!("{days} days old"),
    }
}

/// A rate a second, with three digits: as many as it is good for.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is no less than 0, and casts saturate"
)]
pub(crate) fn rate(rate: f64) -> String {
    let unit = 10_f64.powf((rate.max(1.0).log10().floor() - 2.0).max(0.0));
    count(((rate / unit).round() * unit) as u64)
}

/// A line of a summary: a name, its count, and what the count means if that is not plain.
pub(crate) fn row(f: &mut fmt::Formatter<'_>, name: &str, number: u64, note: &str) -> fmt::Result {
    let separator = if note.is_empty() { "" } else { "  " };
    writeln!(f, "  {name:<24}{:>15}{separator}{note}", count(number))
}

/// A part of a whole in percent; never 0% for something, nor 100% for less than all.
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    if part == whole {
        return "100%".to_owned();
    }
    share(part as f64 / whole as f64)
}

/// A share in percent, with the digits that it is good for.
pub(crate) fn share(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0%".to_owned(),
        ..0.005 => "<0.01%".to_owned(),
        ..9.995 => format!("{percent:.2}%"),
        99.95..100.0 => ">99.9%".to_owned(),
        _ => format!("{percent:.1}%"),
    }
}

/// `24 Nov 2026, 02:00 UTC`.
pub(crate) fn moment(millis: i64) -> String {
    format!("{}, {} UTC", Utc(millis).day(), Utc(millis).clock())
}

/// Text as it may stand on a page: what would be invisible, or would turn the direction of what follows, is spelled out.
pub(crate) fn visible(text: &str) -> String {
    Lines(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable_and_claim_no_more_than_they_know() {
        assert_eq!([0, 999, 1000, 12_345_678].map(count), ["0", "999", "1,000", "12,345,678"]);
        let sizes = [0, 1023, 1024, 1_048_575, 64_172_851, 5_000_000_000];
        assert_eq!(
            sizes.map(bytes),
            ["0 B", "1023 B", "1.00 KiB", "1.00 MiB", "61.2 MiB", "4.66 GiB"]
        );
        let times = [0.0004, 0.9996, 12.34, 59.96, 200.0, 3900.0];
        let shown = ["0 ms", "1.0 s", "12.3 s", "1 min 00 s", "3 min 20 s", "1 h 05 min"];
        assert_eq!(times.map(duration), shown);
        assert_eq!([1_269_128.4, 109.4, 0.0].map(rate), ["1,270,000", "109", "0"]);
        let shares = [(0, 7), (1, 1_000_000), (12, 1000), (999_999, 1_000_000), (7, 7), (0, 0)];
        let shown = ["0%", "<0.01%", "1.20%", ">99.9%", "100%", "–"];
        assert_eq!(shares.map(|(part, whole)| percent(part, whole)), shown);
    }

    #[test]
    fn ages_have_the_unit_that_matters() {
        let minutes = [-5, 0, 59, 130, 60 * 30, 60 * 24 * 5];
        let shown = [
            "in the future",
            "just now",
            "59 min old",
            "2 h 10 min old",
            "1 d 6 h old",
            "5 days old",
        ];
        assert_eq!(minutes.map(|minutes| age(minutes * MILLIS_PER_MINUTE)), shown);
    }

    #[test]
    fn nothing_hides() {
        assert_eq!(visible("a\u{202e}b\u{7}c\u{e9}"), "a\\u{202e}b\\u{7}c\u{e9}");
    }
}
