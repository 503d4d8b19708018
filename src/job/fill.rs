//! Variables and dates within strings of the job file.
//!
//! `${VAR}` is the variable's value, `${VAR:-default}` the default if it is not set or empty, `$${` is `${`. In paths,
//! `{date}` is the date of the run, `{date-1d:%Y%m%d}` the day before in a form of strftime (units: d, w, m for days,
//! weeks, months), `{{` and `}}` are braces. One pass does both: what a variable holds is never looked at again.

use jiff::Span;
use jiff::civil::Date;

/// The source of variables.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The form of a date that gives none.
const DATE_FORM: &str = "%Y-%m-%d";

/// Most days, weeks or months between the run and a date.
const OFFSET_MAX: i32 = 9999;

/// A mistake in a string. It never holds a variable's value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) message: String,
    pub(super) hint: &'static str,
}

fn flaw<T>(message: impl Into<String>, hint: &'static str) -> Result<T, Flaw> {
    Err(Flaw { message: message.into(), hint })
}

/// Fills in variables and, if there is a date, dates.
pub(super) fn fill(text: &str, env: Env<'_>, date: Option<Date>) -> Result<String, Flaw> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['$', '{', '}']) {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$${") {
            filled.push_str("${");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("${") {
            let Some((inner, after)) = after.split_once('}') else {
                return flaw("a variable has no end", "write ${NAME}, or $${ for ${ itself");
            };
            filled.push_str(&variable(inner, env)?);
            rest = after;
        } else if date.is_some() && (rest.starts_with("{{") || rest.starts_with("}}")) {
            filled.push_str(&rest[..1]);
            rest = &rest[2..];
        } else if let (Some(date), Some(after)) = (date, rest.strip_prefix('{')) {
            let hint = "write {date}, {date-1d} or {date:%Y%m%d}; {{ is { itself";
            let Some((inner, after)) = after.split_once('}') else {
                return flaw("a date has no end", hint);
            };
            filled.push_str(&dated(inner, date, hint)?);
            rest = after;
        } else if rest.starts_with("{date") {
            return flaw("a date stands where none is filled in", "dates are for paths of files");
        } else {
            filled.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

fn variable(inner: &str, env: Env<'_>) -> Result<String, Flaw> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(is_inner) || name.as_bytes()[0].is_ascii_digit() {
        let hint = "write ${NAME} or ${NAME:-default}, or $${ for ${ itself";
        return flaw("a variable's name is of letters, digits and _", hint);
    }
    if default.is_some_and(|default| default.contains("${")) {
        return flaw(
            format!("the default of the variable `{name}` holds another variable"),
            "set the variable, or give a default without variables",
        );
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => flaw(
            format!("the variable `{name}` is not set"),
            "set it, or give a default: ${NAME:-default}",
        ),
    }
}

/// A date as the text between the braces wants it.
fn dated(inner: &str, today: Date, hint: &'static str) -> Result<String, Flaw> {
    let no_date = || Flaw { message: "what stands in braces is no date".to_owned(), hint };
    let inner = inner.strip_prefix("date").ok_or_else(no_date)?;
    let (offset, form) = inner.split_once(':').unwrap_or((inner, DATE_FORM));
    let date =
        if offset.is_empty() { today } else { shifted(offset, today).ok_or_else(no_date)? };
    let form = if form.is_empty() || form.contains('$') { None } else { Some(form) };
    let text = form.and_then(|form| jiff::fmt::strtime::format(form, date).ok());
    text.ok_or_else(|| Flaw {
        message: "the form of a date is not one that strftime knows for days".to_owned(),
        hint: "for example {date:%Y-%m-%d}",
    })
}

/// `-1d` is a day earlier, `+2w` two weeks later, `-1m` a month earlier, at most its last day.
fn shifted(offset: &str, today: Date) -> Option<Date> {
    let sign = match offset.as_bytes().first()? {
        b'-' => -1,
        b'+' => 1,
        _ => return None,
    };
    let unit = offset.chars().last()?;
    let digits = offset[1..].strip_suffix(unit)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: i32 = digits.parse().ok().filter(|count| *count <= OFFSET_MAX)?;
    let span = match unit {
        'd' => Span::new().try_days(sign * count),
        'w' => Span::new().try_weeks(sign * count),
        'm' => Span::new().try_months(sign * count),
        _ => return None,
    };
    today.checked_add(span.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "DIR" => Some("/data/{date}/${OTHER}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn filled(text: &str, date: Option<Date>) -> Result<String, String> {
        fill(text, &env, date).map_err(|flaw| flaw.message)
    }

    #[test]
    fn variables_have_defaults_and_are_not_looked_at_again() {
        let day = Some(date(2026, 11, 24));
        for (text, expected) in [
            ("plain", "plain"),
            ("${DIR}/x", "/data/{date}/${OTHER}/x"),
            ("${DIR:-y}", "/data/{date}/${OTHER}"),
            ("${EMPTY}", ""),
            ("${EMPTY:-y}", "y"),
            ("${NONE:-a:-b}", "a:-b"),
            ("${NONE:-}", ""),
            ("$${NONE}", "${NONE}"),
            ("$$${NONE:-x}", "$${NONE:-x}"),
            ("5$ and $NAME", "5$ and $NAME"),
        ] {
            assert_eq!(filled(text, None).as_deref(), Ok(expected), "{text}");
            // A lone brace is only one where there are no dates.
            if !text.contains("$${") && !text.contains("$$$") {
                assert_eq!(filled(text, day).as_deref(), Ok(expected), "{text}");
            }
        }
        for text in ["${", "${A", "${}", "${A-b}", "${1A}", "${A B}", "${NONE}", "${A:-${B}}"] {
            assert!(filled(text, None).is_err(), "{text}");
        }
        let flaw = fill("${DIR}${NONE}", &env, None).expect_err("not set");
        assert_eq!(flaw.message, "the variable `NONE` is not set");
    }

    #[test]
    fn dates_are_shifted_by_days_weeks_and_months() {
        for (text, today, expected) in [
            ("{date}", date(2026, 1, 1), "2026-01-01"),
            ("{date-1d}", date(2026, 1, 1), "2025-12-31"),
            ("{date-1d:%Y/%m/%d}", date(2028, 3, 1), "2028/02/29"),
            ("{date-1d:%Y%m%d}", date(2027, 3, 1), "20270228"),
            ("{date+1d:%d.%m.%y}", date(2028, 2, 28), "29.02.28"),
            ("{date-1w}", date(2026, 11, 24), "2026-11-17"),
            ("{date-1m:%Y-%m}", date(2026, 3, 31), "2026-02"),
            ("{date-12m}", date(2028, 2, 29), "2027-02-28"),
            ("a{date:%j}b{{c}}d}", date(2026, 11, 24), "a328b{c}d}"),
            ("{date-0d:%F}", date(2026, 11, 24), "2026-11-24"),
        ] {
            assert_eq!(filled(text, Some(today)).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "{",
            "{date",
            "{dat}",
            "{Date}",
            "{x}",
            "{date-}",
            "{date1d}",
            "{date-1}",
            "{date-d}",
            "{date-1y}",
            "{date--1d}",
            "{date-+1d}",
            "{date-99999d}",
            "{date:}",
            "{date:%H}",
            "{date:%Q}",
            "{date:%}",
            "{date:${X}}",
            "{date-1d%F}",
            "{date+9999m:%Y}{date+9999w-}",
        ] {
            assert!(filled(text, Some(date(2026, 11, 24))).is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_out_of_place_is_told() {
        assert_eq!(filled("{other}", None).as_deref(), Ok("{other}"));
        let flaw = fill("News {date:%Y}", &env, None).expect_err("no place for a date");
        assert_eq!(flaw.message, "a date stands where none is filled in");
    }
}
