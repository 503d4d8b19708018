//! The spellings in which a server may repeat what it was sent: escaped for an address, for JSON or for HTML, as base64
//! or in hex, and one within the other. What is beyond these is not known for what it is.

use std::borrow::Cow;

use secrecy::zeroize::Zeroizing;

/// How many spellings may be wrapped around each other.
const DEPTH_MAX: usize = 2;

/// Shortest run of letters that is taken for base64 of a text; shorter ones are words.
const TEXT_LEN_MIN: usize = 8;

/// Shortest run of letters that is taken for base64 of any bytes, if it has digits and letters of both cases.
const BYTES_LEN_MIN: usize = 32;

/// Whether a text has a secret in it, in any spelling and in any case of its letters.
pub(super) fn holds(text: &str, secret: &str) -> bool {
    let secret = Zeroizing::new(secret.to_ascii_lowercase());
    is_in(text.as_bytes(), secret.as_bytes(), DEPTH_MAX)
}

fn is_in(text: &[u8], secret: &[u8], depth: usize) -> bool {
    // Each spelling takes at least as many characters.
    if text.len() < secret.len() {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    if memchr::memmem::find(&lower, secret).is_some() {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else { return false };
    matches!(unescaped(text), Cow::Owned(text) if is_in(&text, secret, depth))
        || runs(text, is_base64).any(|run| {
            // The secret may begin anywhere in what was encoded, and the text anywhere in the encoding.
            run.len() >= secret.len()
                && (0..4)
                    .any(|from| is_in(&from_base64(&run[from.min(run.len())..]), secret, depth))
        })
        || runs(text, |byte| byte.is_ascii_hexdigit()).any(|run| {
            run.len() >= 2 * secret.len()
                && (0..2).any(|from| is_in(&from_hex(&run[from..]), secret, depth))
        })
}

/// A text as people read it: without the escapes of addresses, JSON and HTML.
pub(super) fn plain(text: &str) -> String {
    let mut plain = text.as_bytes().to_vec();
    for _ in 0..DEPTH_MAX {
        match unescaped(&plain) {
            Cow::Owned(next) => plain = next,
            Cow::Borrowed(_) => break,
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Whether a word is base64: of a text, or of what can only be a digest.
pub(super) fn is_encoded(word: &str) -> bool {
    runs(word.as_bytes(), is_base64).any(|run| {
        let is_text = str::from_utf8(&from_base64(run))
            .is_ok_and(|text| !text.is_empty() && !text.chars().any(char::is_control));
        let is_mixed = run.iter().any(u8::is_ascii_digit)
            && run.iter().any(u8::is_ascii_uppercase)
            && run.iter().any(u8::is_ascii_lowercase);
        // Words have few capitals behind the first letter, or no other letters.
        let capitals = run[1..].iter().filter(|byte| byte.is_ascii_uppercase()).count();
        let is_no_word = run.iter().any(u8::is_ascii_digit)
            || capitals >= 3 && run.iter().any(u8::is_ascii_lowercase);
        run.len() >= TEXT_LEN_MIN && is_text && is_no_word || run.len() >= BYTES_LEN_MIN && is_mixed
    })
}

/// One layer of escapes undone; borrowed if there are none.
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    let mut plain = Vec::new();
    let (mut at, mut from) = (0, 0);
    while at < text.len() {
        let Some((c, len)) = escape(&text[at..]) else {
            at += 1;
            continue;
        };
        plain.extend_from_slice(&text[from..at]);
        plain.extend_from_slice(&c);
        at += len;
        from = at;
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    plain.extend_from_slice(&text[from..]);
    Cow::Owned(plain)
}

/// What the escape at the front of a text stands for, and how long it is.
fn escape(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let hex = |digits: &[u8]| u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok();
    let char = |code: u32| Some(char::from_u32(code)?.to_string().into_bytes());
    match text {
        [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            Some((from_hex(&[*high, *low]), 3))
        }
        [b'\\', b'x', rest @ ..] => Some((char(hex(rest.get(..2)?)?)?, 4)),
        [b'\\', b'u', rest @ ..] => Some((char(hex(rest.get(..4)?)?)?, 6)),
        [b'\\', c @ (b'/' | b'"' | b'\\'), ..] => Some((vec![*c], 2)),
        [b'&', b'#', rest @ ..] => {
            let end = memchr::memchr(b';', &rest[..rest.len().min(9)])?;
            let code = match &rest[..end] {
                [b'x' | b'X', digits @ ..] => hex(digits)?,
                digits => str::from_utf8(digits).ok()?.parse().ok()?,
            };
            Some((char(code)?, end + 3))
        }
        _ if text.starts_with(b"&amp;") => Some((vec![b'&'], 5)),
        _ => None,
    }
}

fn runs(text: &[u8], is_of: impl Fn(u8) -> bool) -> impl Iterator<Item = &[u8]> {
    text.split(move |byte| !is_of(*byte)).filter(|run| !run.is_empty())
}

/// Letters of the usual alphabet and of that for addresses.
fn is_base64(byte: u8) -> bool {
    six_bits(byte).is_some()
}

fn six_bits(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

fn from_base64(run: &[u8]) -> Vec<u8> {
    let bytes = run.chunks(4).flat_map(|letters| {
        let bits = letters
            .iter()
            .fold(0, |bits, letter| bits << 6 | u32::from(six_bits(*letter).unwrap_or_default()));
        let [_, bytes @ ..] = (bits << (6 * (4 - letters.len()))).to_be_bytes();
        bytes.into_iter().take(letters.len() * 3 / 4)
    });
    bytes.collect()
}

fn from_hex(run: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default();
    run.chunks_exact(2)
        .map(|pair| u8::try_from(digit(pair[0]) << 4 | digit(pair[1])).unwrap_or_default())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Canary+token/7431==";

    #[test]
    fn a_secret_is_known_in_every_spelling() {
        for text in [
            "bad Canary+token/7431== here",
            "CANARY+TOKEN/7431==",
            "Canary%2Btoken%2f7431%3d%3D",
            "%43anary+tok%65n/7431==",
            "Canary%252Btoken%252F7431%253D%253D",
            r"\u0043anary+token\/7431\x3d=",
            r"Canary\\u002btoken/7431==",
            "Canary&#43;token&#x2F;7431&amp;#61;=",
            // The token, `OAuth ` and the token, and `x` and the token, with the usual letters and those of addresses.
            "Basic Q2FuYXJ5K3Rva2VuLzc0MzE9PQ==.",
            "T0F1dGggQ2FuYXJ5K3Rva2VuLzc0MzE9PQ",
            "eENhbmFyeSt0b2tlbi83NDMxPT0",
            // Its beginning cut off.
            "XV0aCBDYW5hcnkrdG9rZW4vNzQzMT09",
            // Twice.
            "UTJGdVlYSjVLM1J2YTJWdUx6YzBNekU5UFE9PQ==",
            "43616e6172792b746f6b656e2f373433313d3d",
            "x043616E6172792B746F6B656E2F373433313D3D",
        ] {
            assert!(holds(text, SECRET), "{text}");
        }
        for text in
            ["", "Canary", "Canary token", "Q2FuYXJ5", "%43%4", "&#99999999;", r"\ud800\u12"]
        {
            assert!(!holds(text, SECRET), "{text}");
        }
    }

    #[test]
    fn words_are_no_base64() {
        for word in [
            "encrypted",
            "InvalidLength",
            "audience",
            "customer",
            "internal",
            "required",
            "exceeded",
            "unauthorized",
            "x",
        ] {
            assert!(!is_encoded(word), "{word}");
        }
        let digest = "8ZBPEKnXPFX6XeCsgjxEA97XGv1MMkjQC9zQhmVSu3k=";
        for word in ["Y2FuYXJ5IHZpcA==", "\"Y2FuYXJ5IHZpcA\",", "w4RubmU_w5w", digest] {
            assert!(is_encoded(word), "{word}");
        }
    }

    #[test]
    fn plain_text_is_left_as_it_is() {
        for text in ["100% of 50 %zz", "C:\\users", "a & b; AT&T &copy", "\u{e9}\\", "%", "&#"] {
            assert_eq!(plain(text), text);
        }
        assert_eq!(plain("a%2520b \\u00e9 &#233; %c3%a9"), "a b \u{e9} \u{e9} \u{e9}");
    }
}
