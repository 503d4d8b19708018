//! Names of countries: the table of `names.txt`, which `tests/differential/country_names.py` makes of Unicode CLDR and ISO
//! 3166.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::encoding;

/// A country a line: codes of two letters, three letters and three digits, the English name, folded names, locales.
const TABLE: &str = include_str!("names.txt");

/// Bytes of the longest folded name.
const NAME_BYTES_MAX: usize = 80;

static NAMES: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for line in TABLE.lines() {
        let mut fields = line.split('\t');
        let Some(country) = fields.next() else { continue };
        let codes: Vec<&str> = fields.by_ref().take(2).collect();
        let codes = codes.into_iter().filter(|code| *code != "-").map(str::to_ascii_lowercase);
        let others = fields.skip(1).map(str::to_owned);
        names.extend(codes.chain(others).map(|name| (name, country)));
    }
    names
});

/// The two-letter code of a country by its name or another code.
pub(super) fn find(name: &[u8]) -> Option<&'static str> {
    let of_text = |text: &str| NAMES.get(fold(text, &mut [0; NAME_BYTES_MAX])?).copied();
    if let Some(locale) = locale(name) {
        return NAMES.get(std::str::from_utf8(&locale).ok()?).copied();
    }
    match std::str::from_utf8(name) {
        Ok(text) => of_text(text),
        // No country's name is another one's in another encoding.
        Err(_) => encoding::readings(name).find_map(|text| of_text(&text)),
    }
}

/// A locale as the table has it: `de_AT` for `de-AT`. In other letter case it may be a part of a country, as `DE-BE` is Berlin
/// and `de-BE` German in Belgium.
fn locale(name: &[u8]) -> Option<[u8; 5]> {
    let [language @ .., b'-' | b'_', first, second] = name else { return None };
    let is_locale = matches!(language, [_, _])
        && language.iter().all(u8::is_ascii_lowercase)
        && first.is_ascii_uppercase()
        && second.is_ascii_uppercase();
    is_locale.then_some([language[0], language[1], b'_', *first, *second])
}

/// The English name of the country of a two-letter code.
pub(super) fn english(code: &str) -> Option<&'static str> {
    let rest_of = |line: &'static str| line.strip_prefix(code)?.strip_prefix('\t');
    TABLE.lines().find_map(rest_of)?.split('\t').nth(2)
}

/// A name in lower case, without marks that stand apart, one space between words, without an article in front; `None` if it
/// is longer than any. Nothing is allocated: each row of a country column comes here.
fn fold<'a>(name: &str, buffer: &'a mut [u8; NAME_BYTES_MAX]) -> Option<&'a str> {
    let mut len = 0;
    let mut gap = false;
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            '.' | '\'' | '`' | '\u{2018}' | '\u{2019}' | '\u{2bb}' | '\u{300}'..='\u{36f}' => {}
            _ if is_gap(c) => gap = len > 0,
            _ => {
                if std::mem::take(&mut gap) {
                    *buffer.get_mut(len)? = b' ';
                    len += 1;
                }
                let c = if c == 'ς' { 'σ' } else { c };
                let place = buffer.get_mut(len..len + c.len_utf8())?;
                len += c.encode_utf8(place).len();
            }
        }
    }
    let folded = std::str::from_utf8(&buffer[..len]).ok()?;
    Some(folded.strip_prefix("the ").unwrap_or(folded))
}

fn is_gap(c: char) -> bool {
    c.is_whitespace()
        || c.is_ascii() && !c.is_ascii_alphanumeric()
        || matches!(
            c,
            '\u{2010}'
                | '\u{2011}'
                | '\u{2013}'
                | '\u{2014}'
                | '\u{ff0c}'
                | '\u{ff08}'
                | '\u{ff09}'
                | '\u{30fb}'
                | '\u{3001}'
        )
}
