//! Numbers without prefix and without country: what they were taken for, and what else they could be.
//!
//! Nearly every ten digits are possible as the number of some country, and few are valid: `617 200 1000` of Boston begins with
//! the code of Australia. So a column of such numbers is believed only if its numbers are valid, as a whole.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber};

use super::{DIGITS_MAX, scan};
use crate::normalize::Country;

/// Countries with many customers: of those that fit alike, these are named first.
const LARGE: &[&str] = &[
    "US", "IN", "BR", "ID", "MX", "JP", "DE", "GB", "FR", "TR", "IT", "ES", "KR", "CA", "PL", "AR",
    "AU", "NL", "CO", "ZA", "MY", "CN", "PH", "TH", "VN", "SA", "AE", "SE", "BE", "CH", "AT", "PT",
    "CZ", "RO", "GR", "DK", "NO", "FI", "IE", "NZ", "SG", "HK", "IL", "CL", "PE", "EG", "NG", "RU",
    "UA", "HU",
];

/// Beginnings of the numbers that regulators keep for films and examples, as far as libphonenumber does not take them for valid:
/// Ofcom's, Arcep's, `ComReg`'s and Bundesnetzagentur's. Columns for tests are made of them.
const FICTION: &[&str] =
    &["44163296", "447700900", "3363998", "35320910", "35320911", "35320912", "491522895"];

/// Orders in which the digits of a number are looked at, to see what is valid by chance.
const SCRAMBLES: usize = 3;

/// Digits of a number that was taken as international, although nothing says so. What it holds is never printed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssumedNumber([u8; DIGITS_MAX + 1]);

impl AssumedNumber {
    /// None.
    pub const NONE: Self = Self([0; DIGITS_MAX + 1]);

    /// Of digits, and bytes of value zero behind them.
    pub(super) const fn new(digits: [u8; DIGITS_MAX + 1]) -> Self {
        Self(digits)
    }

    /// Of digits; what is beyond the longest number is left out.
    pub(super) fn of_digits(digits: &str) -> Self {
        let mut number = [0; DIGITS_MAX + 1];
        number.iter_mut().zip(digits.bytes()).for_each(|(place, digit)| *place = digit);
        Self(number)
    }

    /// The digits of a value that has no prefix; `None` if it has one, or is no number. A trunk zero is left out.
    #[cold]
    pub fn of_rejected(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let digits = scan::digits(text, super::Vanity::Reject).ok()?;
        let number = digits.text.strip_prefix('0').unwrap_or(&digits.text);
        (!digits.has_plus && !number.starts_with('0')).then(|| Self::of_digits(number))
    }

    /// A number that depends on the digits alone and is spread evenly: it chooses the numbers that are looked at.
    #[inline]
    pub fn spread(self) -> u64 {
        let [low, high] = self.halves();
        let low = u128::from(low ^ 0x9e37_79b9_7f4a_7c15);
        let product = low * u128::from(high ^ 0xd1b5_4a32_d192_ed03);
        let folded = (product >> 64) ^ product;
        #[expect(clippy::cast_possible_truncation, reason = "both halves were folded into one")]
        let folded = folded as u64;
        folded.wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(32)
    }

    #[inline]
    fn halves(self) -> [u64; 2] {
        let mut halves = [[0; 8]; 2];
        halves[0].copy_from_slice(&self.0[..8]);
        halves[1].copy_from_slice(&self.0[8..]);
        halves.map(u64::from_le_bytes)
    }

    /// Whether some country has given such numbers out, read as international, or keeps them for examples.
    pub fn is_valid(self) -> bool {
        if FICTION.iter().any(|prefix| self.digits().starts_with(prefix)) {
            return true;
        }
        let number = PHONE_NUMBER_UTIL.parse(format!("+{}", self.digits()), None);
        number.is_ok_and(|number| PHONE_NUMBER_UTIL.is_valid_number(&number))
    }

    /// Whether a country has given such numbers out, read as national.
    pub fn is_valid_in(self, country: Country) -> bool {
        let Some(code) = PHONE_NUMBER_UTIL.get_country_code_for_region(country.region()) else {
            return false;
        };
        let Ok(national_number) = self.digits().parse() else { return false };
        let number = PhoneNumber { country_code: code, national_number, ..PhoneNumber::default() };
        PHONE_NUMBER_UTIL.is_valid_number_for_region(&number, country.region())
    }

    /// Whether it is a number of the United States, Canada or their neighbours whose 1 was left out, as is usual there.
    pub fn is_valid_north_american(self) -> bool {
        let digits = self.digits();
        digits.len() == 10
            && PHONE_NUMBER_UTIL
                .parse(format!("+1{digits}"), None)
                .is_ok_and(|number| PHONE_NUMBER_UTIL.is_valid_number(&number))
    }

    /// Numbers of the same digits in other orders.
    fn scrambled(self) -> [Self; SCRAMBLES] {
        let mut turned: Vec<u8> = self.digits().bytes().rev().collect();
        std::array::from_fn(|_| {
            let next =
                turned.iter().skip(1).position(|digit| *digit != b'0').map_or(0, |at| at + 1);
            turned.rotate_left(next);
            Self::of_digits(std::str::from_utf8(&turned).unwrap_or_default())
        })
    }

    fn digits(&self) -> &str {
        let len = self.0.iter().position(|digit| *digit == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..len]).unwrap_or_default()
    }
}

impl std::fmt::Debug for AssumedNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AssumedNumber")
    }
}

/// A country of which numbers can be.
#[derive(Clone, Copy, Debug)]
pub struct Fit {
    /// The country.
    pub country: Country,
    /// How many of the numbers are valid there as national ones.
    pub valid: usize,
    /// How many more of a hundred these are than of any digits: in Germany and Indonesia nearly all digits are valid.
    pub distinction: usize,
}

/// The countries in which at least so many of a hundred numbers are valid as national ones, the likely ones first.
pub fn countries_of(numbers: &[AssumedNumber], percent: usize) -> Vec<Fit> {
    if numbers.is_empty() {
        return Vec::new();
    }
    let misses_max = numbers.len() - (numbers.len() * percent).div_ceil(100);
    let fit = |country: Country| {
        let mut misses = 0;
        for number in numbers {
            misses += usize::from(!number.is_valid_in(country));
            if misses > misses_max {
                return None;
            }
        }
        let valid = numbers.len() - misses;
        let others = numbers.iter().flat_map(|number| number.scrambled());
        let valid_others = others.filter(|number| number.is_valid_in(country)).count();
        let share = valid * 100 / numbers.len();
        let distinction = share.saturating_sub(valid_others * 100 / (numbers.len() * SCRAMBLES));
        Some(Fit { country, valid, distinction })
    };
    let rank = |fit: &Fit| {
        let code = fit.country.to_string();
        let is_known = LARGE.iter().position(|large| *large == code);
        // What is little more or less by chance does not count.
        let likely = (fit.valid * 10 / numbers.len(), fit.distinction >= 40);
        (std::cmp::Reverse(likely), is_known.unwrap_or(LARGE.len()), code)
    };
    let mut countries: Vec<Fit> = Country::all().filter_map(fit).collect();
    countries.sort_by_cached_key(rank);
    countries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(texts: &[&str]) -> Vec<AssumedNumber> {
        texts.iter().map(|text| AssumedNumber::of_digits(text)).collect()
    }

    fn best(texts: &[&str]) -> Vec<String> {
        countries_of(&numbers(texts), 80).iter().map(|fit| fit.country.to_string()).collect()
    }

    #[test]
    fn the_countries_of_national_numbers_are_found() {
        assert_eq!(best(&["2065550123", "2062345678", "3602345678"])[0], "US");
        assert_eq!(best(&["612345678", "722345678", "912345678"])[0], "ES");
        let british = ["7911123456", "2079460958", "1134960123", "1214960123", "7400123456"];
        assert!(best(&british).contains(&"GB".to_owned()));
        assert_eq!(best(&["999", "1"]), Vec::<String>::new());
    }

    #[test]
    fn digits_are_read_of_what_was_rejected() {
        let read = |text: &str| AssumedNumber::of_rejected(text.as_bytes());
        assert_eq!(read("(206) 555-0123"), Some(AssumedNumber::of_digits("2065550123")));
        assert_eq!(read("0171 2345678"), Some(AssumedNumber::of_digits("1712345678")));
        for text in ["+1 206 555 0123", "0049 171 2345678", "ann", ""] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_is_never_printed() {
        assert_eq!(format!("{:?}", AssumedNumber::of_digits("2065550123")), "AssumedNumber");
    }
}
