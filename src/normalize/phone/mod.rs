//! Canonical form of a phone number: country code and national number, digits only.
//!
//! Three steps. [`scan`] reduces the value to its digits and to whether they are international. [`plan`] answers for
//! the common shapes from a small table. Everything else is libphonenumber's to decide, which knows the trunk
//! prefixes, exit codes and number lengths of every country; it only ever sees clean digits.

mod plan;
mod scan;

use rlibphonenumber::{
    CountryCodeSource, NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber,
    ValidationError,
};

use self::plan::Plan;
use self::scan::Digits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Country, Note, Prehashed, Reason, Verdict, prehashed};
use crate::trim::{self, trim};

/// Fewest and most digits of an international number (ITU-T E.164: at most 15).
pub(super) const DIGITS_MIN: usize = 7;
/// See [`DIGITS_MIN`].
pub(super) const DIGITS_MAX: usize = 15;

/// Treatment of letters between digits, as in 1-800-FLOWERS.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Vanity {
    /// Reject the number.
    #[default]
    Reject,
    /// Map them to the keypad (ITU-T E.161).
    Convert,
}

#[derive(Debug)]
pub(super) struct PhoneRule {
    pub(super) prehashed: Prehashed,
    pub(super) vanity: Vanity,
    pub(super) country: Option<Country>,
    plan: Plan,
}

impl PhoneRule {
    pub(super) fn new(prehashed: Prehashed, vanity: Vanity, country: Option<Country>) -> Self {
        Self { prehashed, vanity, country, plan: Plan::from_metadata() }
    }

    /// Appends the canonical form of a trimmed, non-blank value to `out`, or says why there is none.
    ///
    /// `row_country` is what the row's country column holds, if there is such a column.
    #[inline]
    pub(super) fn apply(
        &self,
        value: &[u8],
        row_country: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let is_international = value[0] == b'+';
        let has_country = self.country.is_some() || row_country.is_some();
        let may_be_plain =
            self.prehashed != Prehashed::Always && (is_international || !has_country);
        if may_be_plain && self.plan.push_plain(value, out) {
            let assumed = !is_international;
            return Verdict::Raw(if assumed { Note::ASSUMED_INTERNATIONAL } else { Note::PLAIN });
        }
        self.apply_any(value, row_country, out)
    }

    #[cold]
    fn apply_any(&self, value: &[u8], row_country: Option<&[u8]>, out: &mut Vec<u8>) -> Verdict {
        let value = without_spreadsheet_guard(value);
        if value.is_empty() {
            return Verdict::Blank;
        }
        if trim::is_null_word(value) {
            return Verdict::Rejected(Reason::NullWord);
        }
        let Ok(text) = std::str::from_utf8(value) else {
            return Verdict::Rejected(Reason::InvalidUtf8);
        };
        if let Some(verdict) = prehashed::verdict(self.prehashed, value) {
            return verdict;
        }
        let country = match row_country.map(trim).filter(|code| !code.is_empty()) {
            None => self.country,
            // A code that is not known is only needed, and so only an error, if the number is national.
            Some(code) => Country::parse(code),
        };
        let row_names_country = row_country.is_some_and(|code| !trim(code).is_empty());
        match scan::digits(text, self.vanity).and_then(|digits| {
            let is_unknown = country.is_none() && row_names_country;
            canonical(&digits, country, is_unknown)
        }) {
            Ok((digits, note)) => {
                out.extend_from_slice(digits.as_bytes());
                Verdict::Raw(note)
            }
            Err(reason) => Verdict::Rejected(reason),
        }
    }
}

/// Whether a value is a number that begins with `+`, as far as its digits tell.
#[cold]
pub(super) fn has_plus(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let Some(number) = text.strip_prefix(['+', '\u{FF0B}']) else { return false };
    // Letters before the first digit are a name that begins with a plus sign.
    let begins_with_digit =
        number.chars().find(|c| c.is_alphanumeric()).is_some_and(scan::is_digit);
    begins_with_digit
        && scan::digits(text, Vanity::Reject)
            .is_ok_and(|digits| (DIGITS_MIN..=DIGITS_MAX).contains(&digits.text.len()))
}

/// Takes off what spreadsheets put around a value to keep it text: a leading apostrophe, or `="..."`.
fn without_spreadsheet_guard(value: &[u8]) -> &[u8] {
    match value {
        [b'\'', rest @ ..] => trim(rest),
        [b'=', b'"', inner @ .., b'"'] => trim(inner),
        _ => value,
    }
}

/// Country code and national number of scanned digits, as libphonenumber reads them.
fn canonical(
    digits: &Digits,
    country: Option<Country>,
    is_country_unknown: bool,
) -> Result<(String, Note), Reason> {
    let text = digits.text.as_str();
    if text.bytes().all(|digit| digit == b'0') {
        return Err(Reason::TooShort);
    }
    if digits.has_plus {
        // `+0044` is a prefix written twice; `+020` is a national number that no prefix makes international.
        let text = if text.starts_with("00") { text.trim_start_matches('0') } else { text };
        return international(text).map(plain);
    }
    // The country's own exit code goes first: in Australia 0011 is the prefix, not 00.
    if let Some(country) = country
        && let Some(number) = with_exit_code(text, country)
    {
        return possible(&number).map(plain);
    }
    if text.starts_with("00") {
        return international(text.trim_start_matches('0')).map(plain);
    }
    match country {
        Some(country) => {
            check_digit_count(text)?;
            if let Some(digits) = with_own_calling_code(text, country) {
                return Ok(plain(digits));
            }
            let number = PHONE_NUMBER_UTIL
                .parse(text, Some(country.region))
                .map_err(|error| parse_reason(&error))?;
            possible(&number).map(plain)
        }
        None if is_country_unknown => Err(Reason::UnknownCountry),
        None if text.starts_with('0') => Err(Reason::NationalNumber),
        None => international(text).map(|digits| (digits, Note::ASSUMED_INTERNATIONAL)),
    }
}

/// The number read as international, if its calling code is the country's own and the number is valid there. The
/// library prefers to read such digits as a national number of that length, where one is possible: 491713920052 would
/// become a number in Leer (0491) instead of the mobile number that it is.
fn with_own_calling_code(text: &str, country: Country) -> Option<String> {
    let code = PHONE_NUMBER_UTIL.get_country_code_for_region(country.region)?;
    if !text.starts_with(&code.to_string()) {
        return None;
    }
    let number = PHONE_NUMBER_UTIL.parse(format!("+{text}"), None).ok()?;
    if !PHONE_NUMBER_UTIL.is_valid_number(&number) {
        return None;
    }
    possible(&number).ok()
}

fn plain(digits: String) -> (String, Note) {
    (digits, Note::PLAIN)
}

fn with_exit_code(text: &str, country: Country) -> Option<PhoneNumber> {
    let number = PHONE_NUMBER_UTIL.parse_and_keep_raw_input(text, Some(country.region)).ok()?;
    (number.country_code_source() == CountryCodeSource::FromNumberWithIdd).then_some(number)
}

fn international(digits: &str) -> Result<String, Reason> {
    if digits.starts_with('0') {
        return Err(Reason::UnknownCallingCode);
    }
    check_digit_count(digits)?;
    let number = PHONE_NUMBER_UTIL
        .parse(format!("+{digits}"), None)
        .map_err(|error| parse_reason(&error))?;
    possible(&number)
}

fn check_digit_count(digits: &str) -> Result<(), Reason> {
    // One more than the maximum is left to libphonenumber: it may hold a trunk zero that goes.
    if digits.len() > DIGITS_MAX + 1 { Err(Reason::TooLong) } else { Ok(()) }
}

fn possible(number: &PhoneNumber) -> Result<String, Reason> {
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(number) {
        Ok(NumberLengthType::IsPossible) => {}
        // Without its area code it reaches nobody from abroad.
        Ok(NumberLengthType::IsPossibleLocalOnly) | Err(ValidationError::TooShort) => {
            return Err(Reason::TooShort);
        }
        Err(ValidationError::TooLong) => return Err(Reason::TooLong),
        Err(ValidationError::InvalidLength) => return Err(Reason::InvalidLength),
        Err(ValidationError::InvalidCountryCode) => return Err(Reason::UnknownCallingCode),
    }
    let national = rlibphonenumber::get_national_significant_number_owned(number);
    let digits = format!("{}{national}", number.country_code);
    // The library drops one trunk zero; of two, one would be left, and be dropped the next time.
    if national.starts_with('0') {
        let again = PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None);
        let again = again.map_err(|error| parse_reason(&error))?;
        if rlibphonenumber::get_national_significant_number_owned(&again) != national {
            return possible(&again);
        }
    }
    match digits.len() {
        ..DIGITS_MIN => Err(Reason::TooShort),
        DIGITS_MIN..=DIGITS_MAX => Ok(digits),
        _ => Err(Reason::TooLong),
    }
}

fn parse_reason(error: &ParseError) -> Reason {
    match error {
        ParseError::InvalidCountryCode => Reason::UnknownCallingCode,
        ParseError::TooLongNsn => Reason::TooLong,
        // Only digits are ever parsed: what is "not a number" then has too few of them.
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn | ParseError::NotANumber(_) => {
            Reason::TooShort
        }
    }
}

/// Whether the table answers; if it does, the library must say the same.
#[cfg(any(test, fuzzing))]
pub(crate) fn plan_answers(value: &str) -> bool {
    static PLAN: std::sync::LazyLock<Plan> = std::sync::LazyLock::new(Plan::from_metadata);
    let mut answer = Vec::new();
    if !PLAN.push_plain(value.as_bytes(), &mut answer) {
        return false;
    }
    let digits = scan::digits(value, Vanity::Reject).expect("has digits");
    let by_library = canonical(&Digits { has_plus: true, ..digits }, None, false);
    assert_eq!(
        by_library,
        Ok((String::from_utf8(answer).expect("digits"), Note::PLAIN)),
        "{value}"
    );
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The answer without the table, as the oracle for the table.
    fn by_library(digits: &str) -> Option<String> {
        international(digits).ok()
    }

    fn by_plan(plan: &Plan, value: &str) -> Option<String> {
        let mut out = Vec::new();
        plan.push_plain(value.as_bytes(), &mut out).then(|| String::from_utf8(out).expect("digits"))
    }

    /// Every calling code with every national prefix of three digits, in every length: wherever the table answers,
    /// libphonenumber gives the same digits.
    #[test]
    fn plan_agrees_with_library_on_every_calling_code_prefix_and_length() {
        let plan = Plan::from_metadata();
        let mut answers = 0_usize;
        for code in Plan::calling_codes() {
            for prefix in 100..1000 {
                // A prime step spreads the lengths and the filling over the prefixes.
                for len in 4 + (prefix + code) % 3..=14 {
                    let filling = "739152846037195";
                    let national = format!("{prefix}{}", &filling[..len as usize - 3]);
                    let digits = format!("{code}{national}");
                    if let Some(answer) = by_plan(&plan, &digits) {
                        answers += 1;
                        assert_eq!(Some(answer), by_library(&digits), "+{digits}");
                    }
                }
            }
        }
        assert!(answers > 200_000, "the table answered {answers} times");
    }

    proptest! {
        #[test]
        fn plan_agrees_with_library_wherever_it_answers(value in r"\+?[0-9 ().\-/]{5,20}") {
            plan_answers(&value);
        }

        #[test]
        fn every_answer_is_its_own_canonical_form(value in r"\+?(00)?[0-9 ().\-/]{5,20}( ?(ext|x|#)[0-9]{1,4})?") {
            let rule = PhoneRule::new(Prehashed::Auto, Vanity::Reject, None);
            let mut once = Vec::new();
            if let Verdict::Raw(_) = rule.apply(value.trim().as_bytes().get(..).filter(|v| !v.is_empty()).unwrap_or(b"x"), None, &mut once) {
                let mut twice = Vec::new();
                let is_raw = matches!(rule.apply(&once, None, &mut twice), Verdict::Raw(_));
                prop_assert!(is_raw);
                prop_assert_eq!(once, twice);
            }
        }
    }
}
