//! Countries as people write them: by code or by name.

mod names;

use std::sync::LazyLock;

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};

use crate::written::written;

/// A country that libphonenumber knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country {
    region: Region,
    /// Place of its two-letter code among all of them.
    place: u16,
}

/// Two-letter codes: 26 x 26 places.
pub(super) const CODES: usize = 26 * 26;

impl Country {
    /// What is read as a country, for messages.
    pub(crate) const FORMS: &str =
        "two or three letters (ISO 3166) or its name, for example DE, DEU or Germany";

    /// Reads a country: its ISO 3166 code (two letters, three letters or three digits), or its name in English, in its own
    /// languages or in those of its neighbours, in any letter case; a locale (`de-AT`); or several of these that agree
    /// (`Austria (AT)`). `None` if no such country has phone numbers.
    ///
    /// ```
    /// use throng::normalize::Country;
    ///
    /// let names = ["AT", "aut", "040", "Austria", "Österreich", "Autriche", "de_AT", "Austria (AT)"];
    /// assert!(names.iter().all(|name| Country::parse(name.as_bytes()) == Country::parse(b"AT")));
    /// assert_eq!(Country::parse(b"Atlantis"), None);
    /// ```
    pub fn parse(name: &[u8]) -> Option<Self> {
        match name {
            [first, second] => Self::by_code(*first, *second),
            _ => Self::by_name(name).or_else(|| Self::by_parts(name)),
        }
    }

    fn by_name(name: &[u8]) -> Option<Self> {
        match names::find(name)?.as_bytes() {
            [first, second] => Self::by_code(*first, *second),
            _ => None,
        }
    }

    /// The country that each part of a text is: `Austria (AT)`, `AT - Austria`.
    #[cold]
    fn by_parts(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let of_text = |part: &str| match part.as_bytes() {
            [first, second] => Self::by_code(*first, *second),
            part => Self::by_name(part),
        };
        let mut parts = text
            .split(['(', ')', '[', ']', '/', '|', ',', ';', ':'])
            .flat_map(|part| part.split(" - "))
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let country = of_text(parts.next()?)?;
        let mut others = parts.peekable();
        others.peek()?;
        others.all(|part| of_text(part) == Some(country)).then_some(country)
    }

    fn by_code(first: u8, second: u8) -> Option<Self> {
        static REGIONS: LazyLock<Box<[Option<Region>]>> = LazyLock::new(|| {
            let letter = |at: usize| char::from(b'A' + u8::try_from(at % 26).unwrap_or(0));
            let of = |place: usize| {
                // What exports hold for the United Kingdom, and the European Union for Greece.
                let code = match [letter(place / 26), letter(place)] {
                    ['U', 'K'] => "GB".to_owned(),
                    ['E', 'L'] => "GR".to_owned(),
                    letters => letters.iter().collect(),
                };
                let region = Region::try_from(code.as_str()).ok()?;
                PHONE_NUMBER_UTIL.get_country_code_for_region(region)?;
                Some(region)
            };
            (0..CODES).map(of).collect()
        });
        let place = |letter: u8| {
            letter.is_ascii_alphabetic().then(|| usize::from(letter.to_ascii_uppercase() - b'A'))
        };
        let place = place(first)? * 26 + place(second)?;
        let region = REGIONS[place]?;
        // The United Kingdom has two codes, and one place.
        let place = match (first.to_ascii_uppercase(), second.to_ascii_uppercase()) {
            (b'U', b'K') => 26 * 6 + 1,
            (b'E', b'L') => 26 * 6 + 17,
            _ => place,
        };
        Some(Self { region, place: u16::try_from(place).ok()? })
    }

    /// Place of its two-letter code among all of them, less than [`CODES`].
    #[inline]
    pub(super) fn place(self) -> usize {
        usize::from(self.place)
    }

    /// Every country that has phone numbers.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let regions = PHONE_NUMBER_UTIL.get_supported_regions();
        regions.filter_map(|region| Self::parse(region.as_region_str().as_bytes()))
    }

    /// The country as libphonenumber calls it.
    pub(super) const fn region(self) -> Region {
        self.region
    }

    /// Its name in English.
    pub fn name(self) -> &'static str {
        names::english(&self.to_string()).unwrap_or_default()
    }
}

impl std::str::FromStr for Country {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text.trim().as_bytes())
            .ok_or_else(|| format!("expected a country: {}", Self::FORMS))
    }
}

written! {
    Country: { "type": "string", "minLength": 2 },
}

impl std::fmt::Display for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.region.as_region_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(name: &str) -> Option<String> {
        Country::parse(name.as_bytes()).map(|country| country.to_string())
    }

    #[test]
    fn reads_codes_and_names() {
        for (name, expected) in [
            ("nz", "NZ"),
            ("UK", "GB"),
            ("EL", "GR"),
            ("NZL", "NZ"),
            ("554", "NZ"),
            ("xk", "XK"),
            ("New Zealand", "NZ"),
            ("Aotearoa", "NZ"),
            ("U.S.A.", "US"),
            ("United  States of America", "US"),
            ("the Netherlands", "NL"),
            ("Côte d’Ivoire", "CI"),
            ("COTE D'IVOIRE", "CI"),
            ("O\u{308}sterreich", "AT"),
            ("Oesterreich", "AT"),
            ("MAGYARORSZÁG", "HU"),
            ("Korea, Republic of", "KR"),
            ("Türkiye", "TR"),
            ("Россия", "RU"),
            ("ελλαδα", "GR"),
            ("日本", "JP"),
            ("Allemagne", "DE"),
            ("Großbritannien", "GB"),
            ("GROSSBRITANNIEN", "GB"),
            ("Grande-Bretagne", "GB"),
            ("U.S.", "US"),
            ("U.K.", "GB"),
            ("Hongkong", "HK"),
            ("de-DE", "DE"),
            ("en_US", "US"),
            ("de-BE", "BE"),
            ("Germany (DE)", "DE"),
            ("DE - Deutschland", "DE"),
            ("[DEU] Germany", "DE"),
            ("Austria / Österreich", "AT"),
            ("Korea (South)", "KR"),
        ] {
            assert_eq!(code(name).as_deref(), Some(expected), "{name}");
        }
        let long = "x".repeat(500);
        for name in ["", "D", "Z1", "Antarctica", "Atlantis", "Bavaria", "99", "\u{308}", &long] {
            assert_eq!(code(name), None, "{name}");
        }
        // Two Koreas, Berlin, Belarus, two countries, a country and something else, no answer.
        for name in [
            "Korea",
            "DE-BE",
            "de-by",
            "DE/AT",
            "Germany (AT)",
            "Germany (West)",
            "(",
            "n.a.",
            "xx-DE",
        ] {
            assert_eq!(code(name), None, "{name}");
        }
        assert_eq!(Country::parse(b"\xd6sterreich"), Country::parse(b"AT"), "Windows-1252");
    }

    #[test]
    fn every_country_is_found_by_its_codes_and_its_english_name() {
        let mut count = 0;
        for country in Country::all() {
            count += 1;
            assert_eq!(code(&country.to_string()), Some(country.to_string()));
            assert_eq!(Country::parse(country.name().as_bytes()), Some(country), "{country}");
        }
        assert!(count > 240, "{count}");
    }
}
