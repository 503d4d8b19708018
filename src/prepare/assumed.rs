//! Whether phone numbers that have neither a prefix nor a country are the international ones that they were taken for.
//!
//! It costs a microsecond to know whether a number is valid, so it is asked of some: of those whose digits have the lowest
//! spread. They are the same ones however the input is cut into chunks, and in a small column they are all.

use std::fmt::Write as _;

use super::tally::Tally;
use crate::normalize::{AssumedNumber, Country, countries_of};

/// Numbers that a sample keeps.
const SAMPLE_NUMBERS: usize = 128;
/// Numbers that are enough if all of them but one are valid: there can be thousands of sources.
const FIRST_LOOK: usize = 32;
/// Of a hundred numbers, how many must be valid: of an export's real numbers nearly all are.
const VALID_PERCENT: usize = 90;
/// A source of fewer numbers is judged with the others.
const SOURCE_NUMBERS_MIN: usize = 20;
/// Of a hundred values, how many may be numbers without prefix before it matters whether they are valid.
const STRAY_PERCENT: u64 = 1;
/// Of a hundred numbers, how many must be valid in a country for a hint to name it.
const HINT_PERCENT: usize = 60;
/// Countries that a hint names.
const COUNTRIES_SHOWN: usize = 3;

/// Some of the numbers of a column, each once: those with the lowest spread.
#[derive(Clone)]
pub(crate) struct Sample {
    /// Numbers from here on are not kept.
    limit: u64,
    kept: Vec<(u64, AssumedNumber)>,
}

impl Default for Sample {
    fn default() -> Self {
        Self { limit: u64::MAX, kept: Vec::new() }
    }
}

impl std::fmt::Debug for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sample({})", self.kept.len())
    }
}

impl Sample {
    /// Adds a number.
    #[inline]
    pub(super) fn add(&mut self, number: AssumedNumber) {
        let spread = number.spread();
        if spread < self.limit {
            self.keep(spread, number);
        }
    }

    /// Adds the numbers of another sample.
    pub(super) fn merge(&mut self, other: Self) {
        for (spread, number) in other.kept {
            if spread < self.limit {
                self.keep(spread, number);
            }
        }
    }

    fn keep(&mut self, spread: u64, number: AssumedNumber) {
        self.kept.push((spread, number));
        if self.kept.len() >= 2 * SAMPLE_NUMBERS {
            self.settle();
        }
    }

    /// Leaves the numbers that count.
    fn settle(&mut self) {
        self.kept.sort_unstable();
        self.kept.dedup();
        self.kept.truncate(SAMPLE_NUMBERS);
        if let [.., (last, _)] = self.kept[..]
            && self.kept.len() == SAMPLE_NUMBERS
        {
            self.limit = last;
        }
    }

    /// The numbers, in an order that depends on them alone.
    fn numbers(&self) -> Vec<AssumedNumber> {
        let mut settled = self.clone();
        settled.settle();
        settled.kept.into_iter().map(|(_, number)| number).collect()
    }
}

/// Reason why numbers are not believed to be international.
pub(super) struct Doubt {
    /// Numbers that were taken as international.
    assumed: u64,
    /// Numbers that were looked at, and how many of them are valid.
    checked: usize,
    valid: usize,
    /// Countries in which they are valid as national numbers.
    countries: Vec<Country>,
}

impl Doubt {
    /// Doubt about a column, or about all of an audience's.
    pub(super) fn of(tally: &Tally) -> Option<Self> {
        if Self::is_stray(tally) {
            return None;
        }
        let numbers = tally.assumed.numbers();
        let (checked, valid) = checked(&numbers);
        // `501 200 1000` is a number in Belize, and one in Arkansas. Elsewhere a prefix or a trunk zero is usual.
        let american = numbers.iter().filter(|number| number.is_valid_north_american()).count();
        let is_ambiguous = is_enough(american, numbers.len(), VALID_PERCENT);
        (is_ambiguous || !is_enough(valid, checked, VALID_PERCENT)).then(|| Self {
            assumed: tally.assumed_international,
            checked,
            valid,
            countries: fitting(&numbers),
        })
    }

    /// Doubt about one of several sources, which may be a small part of an export.
    pub(super) fn of_part(tally: &Tally) -> Option<Self> {
        if Self::is_stray(tally) {
            return None;
        }
        let numbers = tally.assumed.numbers();
        let percent = if numbers.len() < SOURCE_NUMBERS_MIN { 50 } else { VALID_PERCENT };
        let (checked, valid) = checked(&numbers);
        let doubt = || Self {
            assumed: tally.assumed_international,
            checked,
            valid,
            countries: fitting(&numbers),
        };
        (!is_enough(valid, checked, percent)).then(doubt)
    }

    /// Whether a column has prefixes, but for a few numbers: there is no column of them to be believed. They are counted.
    fn is_stray(tally: &Tally) -> bool {
        tally.assumed_international * 100 <= tally.values() * STRAY_PERCENT
    }

    /// What is doubtful about them.
    pub(super) fn message(&self) -> String {
        let Self { assumed, checked, valid, .. } = self;
        let numbers = format!("{assumed} phone numbers have neither a prefix nor a country");
        if is_enough(*valid, *checked, VALID_PERCENT) {
            return format!("{numbers}, and are valid as international and as American ones");
        }
        format!(
            "{numbers}, and as international ones {valid} of {checked} that were looked at are valid"
        )
    }

    /// The remedy.
    pub(super) fn hint(&self) -> String {
        let country = country_hint(&self.countries);
        format!("{country}; if they are international: --unprefixed international")
    }
}

/// How to give the country of numbers that do not say it.
pub(super) fn country_hint(countries: &[Country]) -> String {
    let [first, ..] = countries else {
        return "give the numbers' country with --country XX, or its column with --country-column"
            .to_owned();
    };
    format!(
        "they would be valid in {}: give their country, as with --country {first}, or its column with --country-column",
        named(countries)
    )
}

/// The countries in which the numbers of a column that were rejected or taken as international are valid.
pub(super) fn countries_of_rejected(tally: &Tally) -> Vec<Country> {
    let mut numbers = tally.national.numbers();
    numbers.extend(tally.assumed.numbers());
    fitting(&numbers)
}

fn named(countries: &[Country]) -> String {
    let mut text = String::new();
    for (index, country) in countries.iter().enumerate() {
        let separator = match index {
            0 => "",
            _ if index + 1 == countries.len() => " or ",
            _ => ", ",
        };
        let _infallible = write!(text, "{separator}{country} ({})", country.name());
    }
    text
}

/// How many numbers are looked at, and how many of them are valid.
fn checked(numbers: &[AssumedNumber]) -> (usize, usize) {
    let valid =
        |numbers: &[AssumedNumber]| numbers.iter().filter(|number| number.is_valid()).count();
    let (first, rest) = numbers.split_at(FIRST_LOOK.min(numbers.len()));
    let of_first = valid(first);
    if first.len() == FIRST_LOOK && of_first + 1 >= FIRST_LOOK {
        (first.len(), of_first)
    } else {
        (numbers.len(), of_first + valid(rest))
    }
}

const fn is_enough(valid: usize, checked: usize, percent: usize) -> bool {
    valid * 100 >= checked * percent
}

fn fitting(numbers: &[AssumedNumber]) -> Vec<Country> {
    let countries = countries_of(numbers, HINT_PERCENT).into_iter().take(COUNTRIES_SHOWN);
    countries.map(|fit| fit.country).collect()
}
