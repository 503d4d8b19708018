//! Canonical form of a phone number: country code and national number, digits only.
//!
//! Three steps. [`scan`] reduces the value to its digits and to whether they are international; shapes that need no such
//! care are not scanned. [`plan`] answers for the usual numbers from a small table. Everything else is libphonenumber's to decide, which knows the trunk
//! prefixes, exit codes and number lengths of every country; it only ever sees clean digits.

mod assumed;
mod national;
mod plan;
mod scan;
mod several;

use std::borrow::Cow;

use rlibphonenumber::{
    CountryCodeSource, NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, Region,
    ValidationError,
};

pub use self::assumed::{AssumedNumber, Fit, countries_of};
use self::plan::Plan;
use self::scan::Digits;
pub(super) use self::scan::{digit, is_digit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Country, Note, Prehashed, Reason, RuleOptions, Verdict, prehashed};
use crate::trim::{is_null_word, trim, without_guard};

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

/// Treatment of phone numbers that have neither a prefix nor a country.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Unprefixed {
    /// Take them as international if the column as a whole is valid as such, and stop if it is not.
    #[default]
    Auto,
    /// Take them as international.
    International,
    /// Reject them.
    Reject,
}

#[derive(Debug)]
pub(super) struct PhoneRule {
    pub(super) prehashed: Prehashed,
    pub(super) vanity: Vanity,
    pub(super) country: Option<Country>,
    pub(super) unprefixed: Unprefixed,
    plan: Plan,
}

impl PhoneRule {
    pub(super) fn new(options: RuleOptions) -> Self {
        let RuleOptions { prehashed, vanity, country, unprefixed, .. } = options;
        Self { prehashed, vanity, country, unprefixed, plan: Plan::from_metadata() }
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
        let may_be_assumed =
            !has_country && value[0] != b'(' && self.unprefixed != Unprefixed::Reject;
        let may_be_plain =
            self.prehashed != Prehashed::Always && (is_international || may_be_assumed);
        if may_be_plain && let Some(digits) = self.plan.push_plain(value, out) {
            return Verdict::Raw(if is_international {
                Note::PLAIN
            } else {
                Note::assumed(AssumedNumber::new(digits))
            });
        }
        if has_country
            && !is_international
            && self.prehashed != Prehashed::Always
            && let (Some(country), _) = self.country_of(row_country)
            && self.plan.push_national(value, country, out)
        {
            return Verdict::Raw(Note::PLAIN);
        }
        self.apply_any(value, row_country, out)
    }

    /// The country of a row: its own, or else the one that was given; and whether it names one that is not known, which is
    /// only an error if the number is national.
    #[inline]
    fn country_of(&self, row_country: Option<&[u8]>) -> (Option<Country>, bool) {
        let Some(name) = row_country.map(trim).filter(|name| !name.is_empty()) else {
            return (self.country, false);
        };
        match Country::parse(name) {
            None => self.country_of_odd(name),
            country => (country, false),
        }
    }

    /// The country that a spreadsheet guards, or the one that was given where there is a word for none.
    #[cold]
    fn country_of_odd(&self, name: &[u8]) -> (Option<Country>, bool) {
        match without_guard(name) {
            Some(inner) => self.country_of(Some(inner)),
            None if is_null_word(name) => (self.country, false),
            None => (None, true),
        }
    }

    #[cold]
    fn apply_any(&self, value: &[u8], row_country: Option<&[u8]>, out: &mut Vec<u8>) -> Verdict {
        let Ok(text) = std::str::from_utf8(value) else {
            return Verdict::Rejected(Reason::InvalidUtf8);
        };
        if let Some(verdict) = prehashed::verdict(self.prehashed, value) {
            return verdict;
        }
        self.scan(text, row_country, self.vanity, out)
    }

    /// The same of text that is no digest, with another treatment of letters.
    pub(super) fn scan(
        &self,
        text: &str,
        row_country: Option<&[u8]>,
        vanity: Vanity,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let (country, is_unknown) = self.country_of(row_country);
        let digits = match scan::digits(text, vanity) {
            Ok(digits) if self.plan.push_scanned(&digits, country, out) => {
                return Verdict::Raw(Note::PLAIN);
            }
            digits => digits,
        };
        match digits.and_then(|digits| canonical(&digits, country, is_unknown, self.unprefixed)) {
            Ok((digits, note)) => {
                out.extend_from_slice(digits.as_bytes());
                Verdict::Raw(note)
            }
            Err(reason) => Verdict::Rejected(reason),
        }
    }
}

/// Country code and national number of scanned digits, as libphonenumber reads them.
fn canonical(
    digits: &Digits,
    country: Option<Country>,
    is_country_unknown: bool,
    unprefixed: Unprefixed,
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
        Some(country) => of_country(text, country).map(plain),
        None if is_country_unknown => Err(Reason::UnknownCountry),
        None if text.starts_with('0') => Err(Reason::NationalNumber),
        None if unprefixed == Unprefixed::Reject => Err(Reason::NationalNumber),
        // `(617) 200-1000`: brackets are for what is left out when dialled from near.
        None if digits.is_bracketed && unprefixed == Unprefixed::Auto => {
            Err(Reason::NationalNumber)
        }
        None => {
            let note = Note::assumed(AssumedNumber::of_digits(text));
            international(text).map(|digits| (digits, note))
        }
    }
}

/// A number without prefix as the country's: national if it is valid so, or with the country's own code if it is valid so, or
/// national if that is possible.
///
/// Where national numbers are dialled with a trunk prefix, one without it is more likely the one with the country's code:
/// 491713920052 would become a number in Leer (0491) instead of the mobile number that it is. Italy has none, and 390 214 3973
/// is a mobile number there.
fn of_country(text: &str, country: Country) -> Result<String, Reason> {
    check_digit_count(text)?;
    let region = country.region();
    let text = old_mexican(text, country);
    let own = with_own_calling_code(&text, country);
    let national = PHONE_NUMBER_UTIL.parse(&*text, Some(region));
    let is_valid = |number| PHONE_NUMBER_UTIL.is_valid_number(number);
    match own {
        Some(own) if !national.as_ref().is_ok_and(is_valid) || drops_zero(&text, region) => Ok(own),
        _ => possible(&national.map_err(|error| parse_reason(&error))?),
    }
}

/// Whether a zero in front of a country's national numbers is a trunk prefix.
fn drops_zero(text: &str, region: Region) -> bool {
    PHONE_NUMBER_UTIL.parse(format!("0{text}"), Some(region)).is_ok_and(|number| {
        !rlibphonenumber::get_national_significant_number_owned(&number).starts_with('0')
    })
}

/// The number read as international, if its calling code is the country's own and the number is valid there.
fn with_own_calling_code(text: &str, country: Country) -> Option<String> {
    let code = PHONE_NUMBER_UTIL.get_country_code_for_region(country.region())?;
    if !text.starts_with(&code.to_string()) {
        return None;
    }
    let text = without_mexican_mobile_digit(text);
    let number = PHONE_NUMBER_UTIL.parse(format!("+{text}"), None).ok()?;
    if !PHONE_NUMBER_UTIL.is_valid_number(&number) {
        return None;
    }
    possible(&number).ok()
}

/// Takes the 1 off that Mexican mobile numbers had behind the country's code until 2019, and have in the ids of `WhatsApp` still.
/// No number of theirs has eleven digits now.
fn without_mexican_mobile_digit(digits: &str) -> Cow<'_, str> {
    match digits.strip_prefix("521") {
        Some(national) if national.len() == 10 => Cow::Owned(format!("52{national}")),
        _ => Cow::Borrowed(digits),
    }
}

/// Takes prefixes off that were dialled within Mexico until 2019, and that libphonenumber does not know any more.
fn old_mexican(text: &str, country: Country) -> Cow<'_, str> {
    let is_national = |digits: &&str| digits.len() == 10 && !digits.starts_with('0');
    if country.region() == Region::MX
        && let Some(national) = ["01", "044", "045", "1"]
            .into_iter()
            .filter_map(|prefix| text.strip_prefix(prefix))
            .find(is_national)
    {
        return Cow::Borrowed(national);
    }
    Cow::Borrowed(text)
}

fn plain(digits: String) -> (String, Note) {
    (digits, Note::PLAIN)
}

fn with_exit_code(text: &str, country: Country) -> Option<PhoneNumber> {
    let number = PHONE_NUMBER_UTIL.parse_and_keep_raw_input(text, Some(country.region())).ok()?;
    (number.country_code_source() == CountryCodeSource::FromNumberWithIdd).then_some(number)
}

fn international(digits: &str) -> Result<String, Reason> {
    if digits.starts_with('0') {
        return Err(Reason::UnknownCallingCode);
    }
    check_digit_count(digits)?;
    let digits = without_mexican_mobile_digit(digits);
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
    if PLAN.push_plain(value.as_bytes(), &mut answer).is_none() {
        return false;
    }
    let digits = scan::digits(value, Vanity::Reject).expect("has digits");
    let by_library = canonical(&Digits { has_plus: true, ..digits }, None, false, Unprefixed::Auto);
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
        plan.push_plain(value.as_bytes(), &mut out)?;
        Some(String::from_utf8(out).expect("digits"))
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

    /// Every country with every prefix of three digits, in every length, with and without a zero or a 1 in front: wherever the
    /// table of national numbers answers, libphonenumber gives the same digits.
    #[test]
    fn national_table_agrees_with_library_on_every_country_prefix_and_length() {
        let plan = Plan::from_metadata();
        let mut answers = 0_usize;
        let mut countries = 0_usize;
        for country in Country::all() {
            let before = answers;
            for prefix in 100..1000 {
                for len in [5, 7, 8, 9, 10, 11, 12] {
                    // A prime step spreads the lengths over the prefixes; the usual ones are all there.
                    if len < 9 && (prefix * 7 + len) % 3 != 0 {
                        continue;
                    }
                    let number = format!("{prefix}{}", &"739152846037195"[..len - 3]);
                    for written in [format!("0{number}"), number.clone(), format!("1{number}")] {
                        let mut out = Vec::new();
                        if !plan.push_national(written.as_bytes(), country, &mut out) {
                            continue;
                        }
                        answers += 1;
                        let digits = Digits { text: written, has_plus: false, is_bracketed: false };
                        let expected = canonical(&digits, Some(country), false, Unprefixed::Auto);
                        let answer = String::from_utf8(out).expect("digits");
                        assert_eq!(
                            Ok((answer, Note::PLAIN)),
                            expected,
                            "{} {country}",
                            digits.text
                        );
                    }
                }
            }
            countries += usize::from(answers > before);
        }
        assert!(answers > 300_000 && countries > 140, "{answers} answers of {countries} countries");
    }

    /// Whether the table answers for digits that were scanned; if it does, the library must say the same.
    fn scanned_answers(plan: &Plan, digits: &Digits, country: Option<Country>) -> bool {
        let mut out = Vec::new();
        if !plan.push_scanned(digits, country, &mut out) {
            return false;
        }
        let expected = canonical(digits, country, false, Unprefixed::Auto);
        let answer = String::from_utf8(out).expect("digits");
        assert_eq!(Ok((answer, Note::PLAIN)), expected, "{digits:?} {country:?}");
        true
    }

    /// Every calling code with a trunk zero behind it, and every country with every calling code behind two zeros, with and
    /// without such a zero: wherever the table answers, libphonenumber gives the same digits.
    #[test]
    fn table_agrees_with_library_on_trunk_zeros_and_exit_codes() {
        let plan = Plan::from_metadata();
        let digits = |text, has_plus| Digits { text, has_plus, is_bracketed: false };
        let codes: Vec<u16> = Plan::calling_codes().collect();
        let mut answers = [0_usize; 2];
        for code in &codes {
            for prefix in 10..1000 {
                let len = 6 + prefix % 5;
                let text = format!("{code}0{prefix}{}", &"739152846037195"[..len - 2]);
                answers[0] += usize::from(scanned_answers(&plan, &digits(text, true), None));
            }
        }
        for (at, country) in Country::all().enumerate() {
            for (nth, code) in codes.iter().enumerate() {
                for zero in ["", "0"] {
                    let prefix = 10 + (at * 7 + nth * 13) % 90;
                    let len = 5 + (at + nth) % 6;
                    let text = format!("00{code}{zero}{prefix}{}", &"739152846037195"[..len]);
                    let is_answer = scanned_answers(&plan, &digits(text, false), Some(country));
                    answers[1] += usize::from(is_answer);
                }
            }
        }
        assert!(answers[0] > 10_000 && answers[1] > 10_000, "{answers:?}");
    }

    proptest! {
        #[test]
        fn table_agrees_with_library_on_whatever_is_scanned(
            country in proptest::option::of(0..240_usize),
            text in r"(0{0,3}|011|0011)[1-9][0-9]{0,2}0?[0-9]{3,13}",
            has_plus in any::<bool>(),
        ) {
            static PLAN: std::sync::LazyLock<Plan> = std::sync::LazyLock::new(Plan::from_metadata);
            let country = country.map(|at| Country::all().nth(at).expect("there are more"));
            scanned_answers(&PLAN, &Digits { text, has_plus, is_bracketed: false }, country);
        }

        #[test]
        fn plan_agrees_with_library_wherever_it_answers(value in r"\+?[0-9 ().\-/]{5,20}") {
            plan_answers(&value);
        }

        #[test]
        fn national_table_agrees_with_library_wherever_it_answers(
            country in 0..240_usize,
            value in r"\(?0?[0-9]{2,5}\)?[0-9 ().\-]{3,14}",
        ) {
            static PLAN: std::sync::LazyLock<Plan> = std::sync::LazyLock::new(Plan::from_metadata);
            let country = Country::all().nth(country).expect("there are more");
            let mut out = Vec::new();
            if PLAN.push_national(value.as_bytes(), country, &mut out) {
                let by_library = scan::digits(&value, Vanity::Reject).and_then(|digits| {
                    canonical(&digits, Some(country), false, Unprefixed::Auto)
                });
                let answer = String::from_utf8(out).expect("digits");
                prop_assert_eq!(Ok((answer, Note::PLAIN)), by_library);
            }
        }

        #[test]
        fn every_answer_is_its_own_canonical_form(value in r"\+?(00)?[0-9 ().\-/]{5,20}( ?(ext|x|#)[0-9]{1,4})?") {
            let rule = PhoneRule::new(RuleOptions::default());
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
