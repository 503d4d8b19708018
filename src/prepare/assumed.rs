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
/// Of a hundred numbers, how many must be valid: of national numbers of a whole country at most a third are by chance, of an
/// export's international ones nearly all.
const VALID_PERCENT: usize = 75;
/// The same if those that are not valid are national numbers of one country.
const PURE_PERCENT: usize = 90;
/// How many more of a hundred numbers than of any digits are valid in a country of which they are.
const DISTINCTION_MIN: usize = 40;
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
        // `501 200 1000` is a number in Belize, and one in Arkansas. Elsewhere a prefix or a trunk zero is usual.
        let american = numbers.iter().filter(|number| number.is_valid_north_american()).count();
        let is_ambiguous = is_enough(american, numbers.len(), PURE_PERCENT);
        let looked = Looked::at(&numbers);
        (is_ambiguous || !looked.is_enough(VALID_PERCENT))
            .then(|| Self::new(tally, &looked, &numbers))
    }

    /// Doubt about one of several sources, which may be a small part of an export.
    pub(super) fn of_part(tally: &Tally) -> Option<Self> {
        if Self::is_stray(tally) {
            return None;
        }
        let numbers = tally.assumed.numbers();
        let percent = if numbers.len() < SOURCE_NUMBERS_MIN { 50 } else { VALID_PERCENT };
        let looked = Looked::at(&numbers);
        (!looked.is_enough(percent)).then(|| Self::new(tally, &looked, &numbers))
    }

    fn new(tally: &Tally, looked: &Looked, numbers: &[AssumedNumber]) -> Self {
        Self {
            assumed: tally.assumed_international,
            checked: looked.count(),
            valid: looked.valid.len(),
            countries: fitting(if looked.invalid.is_empty() { numbers } else { &looked.invalid }),
        }
    }

    /// Whether a column has prefixes, but for a few numbers: there is no column of them to be believed. They are counted.
    fn is_stray(tally: &Tally) -> bool {
        tally.assumed_international * 100 <= tally.values() * STRAY_PERCENT
    }

    /// What is doubtful about them.
    pub(super) fn message(&self) -> String {
        let Self { assumed, checked, valid, .. } = self;
        let numbers = format!("{assumed} phone numbers have neither a prefix nor a country");
        if is_enough(*valid, *checked, PURE_PERCENT) {
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

/// Numbers that were looked at.
struct Looked {
    valid: Vec<AssumedNumber>,
    invalid: Vec<AssumedNumber>,
}

impl Looked {
    fn at(numbers: &[AssumedNumber]) -> Self {
        let (first, rest) = numbers.split_at(FIRST_LOOK.min(numbers.len()));
        let (mut valid, mut invalid) =
            first.iter().copied().partition::<Vec<AssumedNumber>, _>(|number| number.is_valid());
        if invalid.len() > 1 || first.len() < FIRST_LOOK {
            let (more_valid, more_invalid) =
                rest.iter().copied().partition::<Vec<AssumedNumber>, _>(|number| number.is_valid());
            valid.extend(more_valid);
            invalid.extend(more_invalid);
        }
        Self { valid, invalid }
    }

    fn count(&self) -> usize {
        self.valid.len() + self.invalid.len()
    }

    /// Whether so many of a hundred are valid, and the others are not those of one country.
    fn is_enough(&self, percent: usize) -> bool {
        is_enough(self.valid.len(), self.count(), percent)
            && (is_enough(self.valid.len(), self.count(), PURE_PERCENT)
                || !self.has_other_country())
    }

    /// Whether the numbers that are not valid are national ones of a country, and those that are valid are not.
    fn has_other_country(&self) -> bool {
        let is_of = |country: Country| {
            let count = self.valid.iter().filter(|number| number.is_valid_in(country)).count();
            is_enough(count, self.valid.len(), 50)
        };
        let fits = countries_of(&self.invalid, PURE_PERCENT);
        fits.iter().any(|fit| fit.distinction >= DISTINCTION_MIN && !is_of(fit.country))
    }
}

const fn is_enough(valid: usize, checked: usize, percent: usize) -> bool {
    valid * 100 >= checked * percent
}

fn fitting(numbers: &[AssumedNumber]) -> Vec<Country> {
    let countries = countries_of(numbers, HINT_PERCENT).into_iter().take(COUNTRIES_SHOWN);
    countries.map(|fit| fit.country).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: u64) -> AssumedNumber {
        AssumedNumber::of_rejected((4_420_000_000 + n * 7_919).to_string().as_bytes())
            .expect("digits")
    }

    fn sample(of: impl IntoIterator<Item = u64>) -> Sample {
        let mut sample = Sample::default();
        of.into_iter().for_each(|n| sample.add(number(n)));
        sample
    }

    #[test]
    fn a_sample_depends_on_the_numbers_alone() {
        let whole = sample(0..5_000);
        assert_eq!(whole.numbers().len(), SAMPLE_NUMBERS);
        let mut repeated = sample((0..5_000).rev());
        repeated.merge(sample((0..5_000).flat_map(|n| [n, n])));
        assert_eq!(repeated.numbers(), whole.numbers());
        for cut in [1, 100, 2_500] {
            let mut merged = sample(0..cut);
            merged.merge(sample(cut..5_000));
            assert_eq!(merged.numbers(), whole.numbers(), "{cut}");
        }
        assert_eq!(sample(0..50).numbers().len(), 50);
        assert_eq!(format!("{:?}", sample(0..3)), "Sample(3)");
    }

    #[test]
    fn a_sample_is_spread_evenly() {
        // Of numbers of which a third is of one kind, about a third of the sample is.
        let kinds: Vec<AssumedNumber> = (0..3_000).step_by(3).map(number).collect();
        let of_kind = sample(0..3_000).numbers().iter().filter(|n| kinds.contains(n)).count();
        assert!((25..=61).contains(&of_kind), "{of_kind}");
    }
}
