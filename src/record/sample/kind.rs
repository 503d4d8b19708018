//! What the cell of a sample looks like: enough to see whether a delimiter cuts between values or through them.

use crate::trim::trim;

/// The look of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Empty,
    /// An e-mail address and nothing else.
    Address,
    /// Something with an e-mail address in it: another value beside it, a display name, a part of a list.
    Around,
    /// Something else that is an identifier or a date as a whole: a digest, a UUID, an international number, a day.
    Whole,
    /// Digits with decimal points or commas.
    Number,
    /// None of these.
    Text,
}

impl Kind {
    /// The look of a cell.
    pub(super) fn of(cell: &[u8]) -> Self {
        let cell = trim(cell);
        let cell = match cell {
            [b'"', inner @ .., b'"'] => trim(inner),
            _ => cell,
        };
        if cell.is_empty() {
            Self::Empty
        } else if is_address(cell) {
            Self::Address
        } else if holds_address(cell) {
            Self::Around
        } else if is_number(cell) {
            Self::Number
        } else if is_international(cell) || is_hex(cell) || is_date(cell) {
            Self::Whole
        } else {
            Self::Text
        }
    }
}

/// True for an address as people have one. Stricter than the rule of e-mail addresses, which takes `A1|ann` and `A1^ann`
/// for local parts: what may be a delimiter is none here.
fn is_address(cell: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', cell) else { return false };
    let (local, domain) = (&cell[..at], &cell[at + 1..]);
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    !local.is_empty()
        && local.iter().all(|byte| is_letter(byte) || b"._-+'&=".contains(byte))
        && domain.iter().all(|byte| is_letter(byte) || b".-".contains(byte))
        && memchr::memrchr(b'.', domain).is_some_and(|dot| dot > 0 && dot + 1 < domain.len())
}

/// True if an `@` stands between letters or digits, as in an address. A handle (`@ann`) has none before it.
fn holds_address(cell: &[u8]) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b > 0x7f);
    memchr::memchr_iter(b'@', cell).any(|at| {
        is_word(cell.get(at + 1)) && at.checked_sub(1).is_some_and(|at| is_word(cell.get(at)))
    })
}

fn is_number(cell: &[u8]) -> bool {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    digits.first().is_some_and(u8::is_ascii_digit)
        && digits.iter().all(|byte| byte.is_ascii_digit() || b".,".contains(byte))
}

fn is_international(cell: &[u8]) -> bool {
    let digits = cell.iter().filter(|byte| byte.is_ascii_digit()).count();
    cell[0] == b'+'
        && (7..=15).contains(&digits)
        && cell[1..].iter().all(|byte| byte.is_ascii_digit() || b" -./()".contains(byte))
}

/// Digests and UUIDs: 16 digits at least, of which some are letters.
fn is_hex(cell: &[u8]) -> bool {
    cell.len() >= 16
        && cell.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
        && cell.iter().any(u8::is_ascii_alphabetic)
}

/// `2026-11-24`, `24.11.2026`, `11/24/2026`, with or without a time behind it.
fn is_date(cell: &[u8]) -> bool {
    let day = cell.split(|byte| b" T".contains(byte)).next().unwrap_or_default();
    let mut groups = day.split(|byte| b"-./".contains(byte));
    let (Some(first), Some(second), Some(third), None) =
        (groups.next(), groups.next(), groups.next(), groups.next())
    else {
        return false;
    };
    [first, second, third].into_iter().flatten().all(u8::is_ascii_digit)
        && matches!([first.len(), second.len(), third.len()], [4, 1..=2, 1..=2] | [1..=2, 1..=2, 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_of_cells() {
        for (kind, cells) in [
            (Kind::Empty, &["", "  ", "\"\""][..]),
            (
                Kind::Address,
                &["ann@example.com", " \"ann.b+c@mail.example.org\" ", "jörg@müller.example"],
            ),
            (
                Kind::Around,
                &[
                    "Ann <ann@example.com>",
                    "A1^ann@example.com",
                    "1|ann@example.com",
                    "a@b.example;10",
                    "a@b.example,\"vip",
                ],
            ),
            (
                Kind::Whole,
                &[
                    "+49 30 1234567",
                    "2026-11-24",
                    "24.11.2026 10:00",
                    "d41d8cd98f00b204e9800998ecf8427e",
                ],
            ),
            (Kind::Number, &["10,50", "-3", "1.000,00", "4711"]),
            (Kind::Text, &["vip", "@ann", "Doe, Jane", "A1;10", "12-34"]),
        ] {
            for cell in cells {
                assert_eq!(Kind::of(cell.as_bytes()), kind, "{cell:?}");
            }
        }
    }
}
