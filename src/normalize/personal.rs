//! Personal data where an id is expected: what is an e-mail address or a phone number beyond doubt, and what has the look
//! of a name, a postal address, a date of birth or a national phone number.

use std::borrow::Cow;

use super::phone::{self, DIGITS_MAX, DIGITS_MIN};
use super::{email, shape};

/// The look of a value that may be an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Several words, or words and a number: a name, a postal address, a company.
    Words,
    /// A national phone number as people write them.
    Phone,
    /// A date, as of birth.
    Date,
    /// One word, which may be a name.
    Word {
        /// True if only its first letter is a capital one.
        is_capitalised: bool,
    },
    /// A number in groups, which may be a phone number; the groups' lengths tell one kind from another.
    Groups(u64),
    /// None of these.
    Other,
}

/// Text as it is looked at: without what hides an address or a number.
pub(super) fn plain(value: &[u8]) -> Cow<'_, [u8]> {
    if value.is_ascii()
        && !value.iter().any(|byte| matches!(byte, b'%' | b'&' | b'[' | b'(' | b'\\'))
    {
        return Cow::Borrowed(value);
    }
    let text = String::from_utf8_lossy(value);
    let mut folded: String = text.chars().filter_map(folded).collect();
    for (hidden, shown) in [
        ("%25", "%"),
        ("\\u0040", "@"),
        ("\\u002B", "+"),
        ("\\u002b", "+"),
        ("%40", "@"),
        ("%2B", "+"),
        ("%2b", "+"),
        ("&#64;", "@"),
        ("&commat;", "@"),
        ("[at]", "@"),
        ("(at)", "@"),
        ("[dot]", "."),
        ("(dot)", "."),
    ] {
        if folded.contains(hidden) {
            folded = folded.replace(hidden, shown);
        }
    }
    Cow::Owned(folded.into_bytes())
}

/// A character by one of ASCII of its kind; `None` for what is not seen.
fn folded(c: char) -> Option<char> {
    Some(match c {
        _ if c.is_ascii() => c,
        '\u{AD}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}'
        | '\u{FEFF}' => {
            return None;
        }
        '\u{FF01}'..='\u{FF5E}' => {
            char::from_u32(u32::from(c) - 0xFEE0).expect("full-width forms are those of ASCII")
        }
        '\u{FE6B}' => '@',
        '\u{FE62}' | '\u{207A}' | '\u{2795}' => '+',
        '\u{3002}' | '\u{2024}' => '.',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{B2}' | '\u{B3}' | '\u{B9}' | '\u{2070}'..='\u{2079}' | '\u{2080}'..='\u{2089}' => '1',
        _ if phone::is_digit(c) => '1',
        _ if c.is_whitespace() => ' ',
        _ if c.is_uppercase() => 'A',
        _ if c.is_alphabetic() => 'a',
        _ => '*',
    })
}

/// Whether text holds an e-mail address, or an international phone number with `+` or as a link.
pub(super) fn is_raw(plain: &[u8]) -> bool {
    memchr::memchr_iter(b'@', plain).any(|at| is_address_around(plain, at))
        || memchr::memchr_iter(b'+', plain).any(|at| is_number_from(&plain[at + 1..]))
        || is_phone_link(plain)
}

/// Whether the `@` at a place stands in an e-mail address, whatever is around it.
fn is_address_around(plain: &[u8], at: usize) -> bool {
    // One sign too many, or a space on either side, hides nothing.
    let is_between = |byte: &u8| matches!(byte, b'@' | b' ');
    let before = plain[..at].iter().rposition(|byte| !is_between(byte));
    let is_local_end = match before.map(|last| plain[last]).as_ref() {
        // A quoted local part.
        Some(b'"') => true,
        Some(last) => email::is_atom_byte(*last),
        None => false,
    };
    let domain = &plain[at + 1..];
    let domain = &domain[domain.iter().take_while(|byte| is_between(byte)).count()..];
    let is_domain_byte = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let end = domain.iter().position(|byte| !is_domain_byte(byte)).unwrap_or(domain.len());
    let is_literal =
        || domain.first() == Some(&b'[') && domain.get(1).is_some_and(u8::is_ascii_digit);
    let mut labels = domain[..end].split(|byte| *byte == b'.');
    let has_host = labels.next().is_some_and(|label| !label.is_empty());
    let has_top_level = labels.any(|label| label.first().is_some_and(u8::is_ascii_alphabetic));
    is_local_end && (has_host && has_top_level || is_literal())
}

/// Whether text begins with as many digits as a phone number has, with separators between them.
fn is_number_from(text: &[u8]) -> bool {
    let is_part = |byte: &&u8| byte.is_ascii_digit() || is_joint(**byte);
    text.iter().take_while(is_part).filter(|byte| byte.is_ascii_digit()).count() >= DIGITS_MIN
}

/// Whether text is a link to a phone number.
pub(super) fn is_phone_link(plain: &[u8]) -> bool {
    [&b"tel:"[..], b"callto:", b"sms:", b"whatsapp:", b"phone:"].iter().any(|scheme| {
        let start = plain.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && is_number_from(&plain[scheme.len()..])
    })
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'[' | b']' | b'\t')
}

/// What stands between the digits of a number with `+` where someone made an id of it.
fn is_joint(byte: u8) -> bool {
    is_separator(byte)
        || matches!(byte, b'_' | b'|' | b';' | b',' | b':' | b'=' | b'~' | b'\'' | b'*')
}

/// What text looks like.
pub(super) fn look(plain: &[u8]) -> Look {
    if plain.is_empty() {
        return Look::Other;
    }
    if plain.iter().all(|byte| byte.is_ascii_digit() || is_separator(*byte)) {
        return look_of_number(plain);
    }
    if is_date(plain) {
        return Look::Date;
    }
    let is_between = |byte: &u8| matches!(byte, b' ' | b',' | b';' | b'|' | b'\t' | b'^' | b'&');
    let tokens = || plain.split(is_between).filter(|token| !token.is_empty());
    let count = tokens().count();
    let words = || tokens().filter(|token| is_word(token));
    let letters = |token: &[u8]| token.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    if count == 1 {
        let is_capitalised = plain[0].is_ascii_uppercase()
            && plain[1..].iter().filter(|byte| byte.is_ascii_uppercase()).count() <= 1
            && plain[1..].iter().any(u8::is_ascii_lowercase);
        let is_one = is_word(plain) && letters(plain) >= 2;
        return if is_one { Look::Word { is_capitalised } } else { Look::Other };
    }
    // `Jane Roe`, `Doe, J.`, but not `AB 1234` nor `B AB 1234`, and not `GOLD 1234`.
    let is_name = words().count() >= 2 && words().map(letters).sum::<usize>() >= 4;
    let is_word_of_address =
        |token: &[u8]| letters(token) >= 3 && token.iter().any(u8::is_ascii_lowercase);
    let has_number = || tokens().any(|token| token[0].is_ascii_digit());
    let is_address = || words().any(is_word_of_address) && has_number();
    if is_name || is_address() { Look::Words } else { Look::Other }
}

/// Whether a token is letters, with the signs that names have inside and behind.
fn is_word(token: &[u8]) -> bool {
    token[0].is_ascii_alphabetic()
        && token
            .iter()
            .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'.' | b'-' | b'\''))
}

fn look_of_number(plain: &[u8]) -> Look {
    let digits = plain.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == plain.len() || !(DIGITS_MIN..=DIGITS_MAX).contains(&digits) {
        return Look::Other;
    }
    if is_date(plain) {
        return Look::Date;
    }
    let mut lens = [0_usize; 4];
    let mut groups = 0;
    let mut hash = 0_u64;
    for group in plain.split(|byte| !byte.is_ascii_digit()).filter(|group| !group.is_empty()) {
        if let Some(len) = lens.get_mut(groups) {
            *len = group.len();
        }
        groups += 1;
        hash = hash << 4 | group.len() as u64 & 15;
    }
    // Cards and accounts: groups of four.
    if groups >= 3 && digits == 4 * groups && lens[..3] == [4, 4, 4] && plain[0] != b'0' {
        return Look::Other;
    }
    let has_bracket = plain.iter().any(|byte| matches!(byte, b'(' | b')'));
    // The United States' way of writing phone numbers, and that of social security numbers.
    let is_usual = matches!((groups, lens), (3, [3, 2 | 3, 4, _]) | (4, [1, 3, 3, 4]));
    let is_trunk = groups > 1 && plain[0] == b'0' && (9..=13).contains(&digits);
    if has_bracket || is_usual || is_trunk { Look::Phone } else { Look::Groups(hash) }
}

/// Whether text is a date, with or without a time behind it.
fn is_date(plain: &[u8]) -> bool {
    let end = plain.iter().position(|byte| matches!(byte, b' ' | b'T')).unwrap_or(plain.len());
    plain[0].is_ascii_digit() && shape::is_date(&plain[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_raw_value(value: &str) -> bool {
        is_raw(&plain(value.as_bytes()))
    }

    #[test]
    fn addresses_and_numbers_are_found_wherever_they_stand() {
        for value in [
            "a@b.example",
            "Ann Lee <a.lee@b.example>",
            "mailto:a@b.example?subject=x",
            "a@b.example;c@d.example",
            "L7^Ann^a@b.example^",
            "\"ann lee\"@b.example",
            "a@[192.0.2.1]",
            "ann@@b.example",
            "ann @ b.example",
            "a%40b.example",
            "a&#64;b.example",
            "a(at)b.example",
            "a[at]b.example",
            "\u{e4}nn@b\u{fc}cher.example",
            "ann\u{ff20}b.example",
            "ann@b.exa\u{200b}mple",
            "+49 30 1234567",
            "Tel. +49 (0)30-123 45 67",
            "(+1) 617.555.0100",
            "7;+49301234567;x",
            "tel:0301234567",
            "\u{ff0b}\u{ff14}\u{ff19}301234567",
            "+\u{664}\u{669}\u{663}\u{660}1234567",
        ] {
            assert!(is_raw_value(value), "{value}");
        }
        for value in [
            "user@host",
            "@joe",
            "c\u{e4}fe@home",
            "pkg@1.2",
            "+vip-7",
            "+Team1234567",
            "a+b",
            "aB+12/x9==",
            "442079460123",
            "tel:x",
            "50% off",
            "x & y",
            "a@",
            "@b.example",
        ] {
            assert!(!is_raw_value(value), "{value}");
        }
    }

    #[test]
    fn looks_are_told_apart() {
        let word = |is_capitalised| Look::Word { is_capitalised };
        for (value, expected) in [
            ("Jane Roe", Look::Words),
            ("Doe, J.", Look::Words),
            ("O'Brien;Ann", Look::Words),
            ("J\u{fc}rgen M\u{fc}ller", Look::Words),
            ("12 Main St", Look::Words),
            ("Hauptstr. 5", Look::Words),
            ("Tel. 030 1234567", Look::Words),
            ("Jane", word(true)),
            ("McKenzie", word(true)),
            ("jane-roe", word(false)),
            ("ABCDEF", word(false)),
            ("(617) 200-1000", Look::Phone),
            ("617-200-1000", Look::Phone),
            ("0171 2345670", Look::Phone),
            ("030/1234567", Look::Phone),
            ("123-45-6789", Look::Phone),
            ("1987-05-12", Look::Date),
            ("12.05.1987", Look::Date),
            ("1987-05-12T00:00:00", Look::Date),
            ("1987-05-12 00:00", Look::Date),
            ("2024-001234", Look::Groups(0x46)),
            ("12-345678", Look::Groups(0x26)),
            ("1234 5678 9012", Look::Other),
            ("4711", Look::Other),
            ("AB 1234", Look::Other),
            ("B AB 1234", Look::Other),
            ("GOLD 1234", Look::Other),
            ("cust-000123", Look::Other),
            ("id \"5\" \u{e9} --x--", Look::Other),
            ("12-34", Look::Other),
            ("--", Look::Other),
        ] {
            assert_eq!(look(&plain(value.as_bytes())), expected, "{value}");
        }
    }
}
