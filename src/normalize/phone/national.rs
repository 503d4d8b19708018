//! National numbers as a table: the fast path for numbers that are their country's without interpretation.
//!
//! In most countries a national number is what is dialled without the trunk zero, or all of it where there is none. For these
//! the calling code goes in front, if a number of that length is possible; libphonenumber, whose regular expressions take a
//! microsecond, would say the same. Its metadata cannot be asked for prefixes, so the countries stand here, and a test
//! compares each with the library. Whatever else is there (exit codes, carrier codes, the country's own code, two zeros) is
//! left to it.

use crate::normalize::Country;

/// Countries whose trunk prefix is a zero and whose exit code begins with two.
const WITH_TRUNK_ZERO: &[&str] = &[
    "AE", "AF", "AL", "AM", "AT", "AZ", "BA", "BD", "BE", "BG", "BL", "CD", "CH", "DE", "DZ", "EC",
    "EG", "EH", "ER", "ET", "FR", "GE", "GF", "GH", "GP", "HR", "IE", "IN", "IQ", "IR", "JO", "KG",
    "KI", "LA", "LB", "LK", "LR", "LY", "MC", "MD", "ME", "MF", "MK", "MM", "MQ", "MW", "MY", "NA",
    "NL", "NP", "PH", "PK", "PM", "PS", "PY", "RE", "RO", "RS", "SA", "SD", "SE", "SK", "SL", "SO",
    "SS", "SY", "TR", "UA", "VE", "VN", "XK", "YE", "YT", "ZA", "ZM", "ZW", "AU", "CN", "GB", "ID",
    "IL", "JP", "KR", "NZ", "TH",
];

/// Countries without a trunk prefix that begins other numbers, too.
const WITHOUT_TRUNK: &[&str] = &[
    "AD", "AO", "AW", "BH", "BI", "BN", "BT", "CF", "CK", "CM", "CY", "CZ", "DJ", "DK", "EE", "ES",
    "FK", "FM", "GI", "GL", "GM", "GN", "GQ", "GR", "GT", "GW", "HN", "HT", "IO", "KM", "KW", "LS",
    "LV", "ML", "MR", "MT", "MZ", "NI", "NR", "NU", "OM", "PF", "PL", "PT", "SN", "SR", "ST", "SV",
    "SZ", "TG", "TK", "TL", "TN", "TV", "UZ", "VU", "WF", "BR", "CO", "CL", "HK", "HU", "MX", "NO",
    "PE", "RU", "SG",
];

/// Countries in which the zero of a national number is part of it.
const WITH_ZERO: &[&str] = &["IT"];

/// Countries of these whose exit code is more than two zeros, or another one.
const OTHER_EXIT_CODES: &[&str] =
    &["AU", "BR", "CL", "CO", "HK", "ID", "JP", "KR", "MX", "RU", "SG", "TH"];

/// Countries of the North American plan, where ten digits are a number and a 1 may stand before them.
const NORTH_AMERICAN: &[&str] = &[
    "AG", "AI", "AS", "BB", "BM", "BS", "CA", "DM", "DO", "GD", "GU", "JM", "KN", "KY", "LC", "MP",
    "MS", "PR", "SX", "TC", "TT", "US", "VC", "VG", "VI",
];

/// Beginnings of national numbers as they are written that are left to the library: carrier and exit codes.
const EXCEPT: &[(&str, &[&str])] = &[
    ("AU", &["14", "18"]),
    ("BR", &["90"]),
    ("CL", &["1"]),
    ("CN", &["11", "12", "17"]),
    ("CO", &["9"]),
    ("GB", &["18"]),
    ("IL", &["01"]),
    ("JP", &["010"]),
    ("KR", &["08"]),
    ("NZ", &["0161"]),
    ("RU", &["8"]),
];

/// The way in which a country's national numbers become international.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(super) struct National {
    /// The calling code; 0 if the library has to decide.
    pub(super) code: u16,
    pub(super) has_trunk_zero: bool,
    /// True if international numbers may begin with two zeros, and with nothing but a code behind them.
    pub(super) has_exit_zeros: bool,
    has_zero: bool,
    is_north_american: bool,
    except: &'static [&'static str],
}

impl National {
    pub(super) fn of(country: Country, code: u16) -> Self {
        let name = country.to_string();
        let is_in = |list: &[&str]| list.contains(&name.as_str());
        let has_trunk_zero = is_in(WITH_TRUNK_ZERO);
        let has_zero = is_in(WITH_ZERO);
        let is_north_american = is_in(NORTH_AMERICAN);
        if !has_trunk_zero && !has_zero && !is_north_american && !is_in(WITHOUT_TRUNK) {
            return Self::default();
        }
        let except =
            EXCEPT.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, except)| except);
        let has_exit_zeros = !is_north_american && !is_in(OTHER_EXIT_CODES);
        Self { code, has_trunk_zero, has_exit_zeros, has_zero, is_north_american, except }
    }

    /// The national number in digits as they were written; `None` where the library has to decide.
    #[inline]
    pub(super) fn number<'a>(self, written: &'a [u8], code: &[u8]) -> Option<&'a [u8]> {
        if self.is_north_american {
            let number = match written {
                [b'1', rest @ ..] => rest,
                _ => written,
            };
            return (number.len() == 10 && number[0] >= b'2').then_some(number);
        }
        if self.except.iter().any(|prefix| written.starts_with(prefix.as_bytes())) {
            return None;
        }
        match written {
            [b'0', b'1'..=b'9', ..] if self.has_trunk_zero => Some(&written[1..]),
            [b'0', b'1'..=b'9', ..] if self.has_zero => Some(written),
            [b'1'..=b'9', ..] if !written.starts_with(code) => Some(written),
            _ => None,
        }
    }
}
