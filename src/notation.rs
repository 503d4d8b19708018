//! Sizes, times and the like as people write them: one reading for flags and the job file. No message repeats what was
//! written.

use std::time::Duration;

use crate::dialect::Separator;

/// Bytes, with an optional suffix K, M, G or T (powers of 1024).
pub fn size(text: &str) -> Result<u64, String> {
    let error = || "expected a size such as 512M or 4G".to_owned();
    let upper = text.trim().to_ascii_uppercase();
    let number = upper.trim_end_matches('B').trim_end_matches('I');
    let (number, shift) = match number.as_bytes().last() {
        Some(b'K') => (&number[..number.len() - 1], 10),
        Some(b'M') => (&number[..number.len() - 1], 20),
        Some(b'G') => (&number[..number.len() - 1], 30),
        Some(b'T') => (&number[..number.len() - 1], 40),
        _ => (number, 0),
    };
    let number: u64 = number.trim().parse().map_err(|_| error())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(error)
}

/// A time with its unit: 500ms, 30s, 10m, 2h, 3d.
pub fn time(text: &str) -> Result<Duration, String> {
    let error = || "expected a time such as 500ms, 30s, 10m, 2h or 3d".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().map_err(|_| error())?;
    let millis = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return Err(error()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(error)
}

/// One line of text: what goes into a field of a request.
pub fn line(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err("expected one line of text".to_owned());
    }
    Ok(text.to_owned())
}

/// What stands between the fields of CSV: one character or several, with `\t`, `\x01` and `\u0001` for those that cannot be
/// typed.
pub fn delimiter(text: &str) -> Result<Separator, String> {
    let error = || {
        format!(
            "expected up to {} bytes without quotes and line ends; \\t is a tab, \\x01 and \\u0001 are characters by \
             their number",
            Separator::BYTES_MAX
        )
    };
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (c, len) = escaped(rest).unwrap_or((c, c.len_utf8()));
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[len..];
    }
    Separator::new(&bytes).ok_or_else(error)
}

/// The character that an escape at the beginning of a text stands for, and the length of the escape.
fn escaped(text: &str) -> Option<(char, usize)> {
    let kind = text.strip_prefix('\\')?.chars().next()?;
    let digits = match kind {
        't' => return Some(('\t', 2)),
        '\\' => return Some(('\\', 2)),
        'x' => text.get(2..4)?,
        'u' => text.get(2..6)?,
        _ => return None,
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_number)?;
    // A byte beyond ASCII is no character of its own.
    let c = char::from_u32(number).filter(|c| kind == 'u' || c.is_ascii())?;
    Some((c, 2 + digits.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_suffixes() {
        for (text, bytes) in
            [("1", 1), ("4k", 4096), ("512M", 512 << 20), ("4GiB", 4 << 30), ("1 G", 1 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "M", "-1", "1.5G", "99999999999T"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        for (text, secs) in [("30s", 30), ("10m", 600), ("2h", 7200), ("3d", 259_200)] {
            assert_eq!(time(text), Ok(Duration::from_secs(secs)), "{text}");
        }
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        for text in
            ["", "10", "s", "-1s", "1.5s", "1w", "99999999999999999999s", "9999999999999999h"]
        {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn delimiters_are_typed_as_they_are_or_escaped() {
        for (text, bytes) in [
            (";", &b";"[..]),
            ("\t", b"\t"),
            ("\\t", b"\t"),
            (" ", b" "),
            ("\\", b"\\"),
            ("||", b"||"),
            ("~|~", b"~|~"),
            ("\\x01", b"\x01"),
            ("\\u0001", b"\x01"),
            ("\\u00a6", "\u{a6}".as_bytes()),
            ("\\x1F|", b"\x1f|"),
        ] {
            let read = delimiter(text).unwrap();
            assert_eq!(read.bytes(), bytes, "{text:?}");
            assert_eq!(delimiter(&read.to_string()), Ok(read), "{text:?}");
        }
        for text in ["", "\"", "\n", "a\"b", "\\x0a", "123456789"] {
            assert!(delimiter(text).is_err(), "{text:?}");
        }
    }
}
