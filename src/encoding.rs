//! Text of which nobody said how it is encoded: names of columns and countries, never identifiers, of which nothing may be
//! guessed.

use std::borrow::Cow;

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, IBM866, ISO_8859_2, ISO_8859_15, KOI8_R, MACINTOSH,
    SHIFT_JIS, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255,
    WINDOWS_1256, WINDOWS_1257,
};

/// Encodings that exports come in, the likelier ones first.
const LEGACY: [&Encoding; 18] = [
    WINDOWS_1252,
    ISO_8859_15,
    MACINTOSH,
    WINDOWS_1250,
    ISO_8859_2,
    WINDOWS_1251,
    KOI8_R,
    IBM866,
    WINDOWS_1253,
    WINDOWS_1254,
    WINDOWS_1255,
    WINDOWS_1256,
    WINDOWS_1257,
    SHIFT_JIS,
    EUC_JP,
    EUC_KR,
    GB18030,
    BIG5,
];

/// The text that bytes most likely are: UTF-8 or, if they are none, Windows-1252.
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

/// All texts that bytes can be: the one if they are UTF-8, else one for each encoding that has them. For comparing with what
/// a person wrote, who would hardly write by chance what the bytes are in another encoding.
pub(crate) fn readings(bytes: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    let utf8 = std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
    let legacy: &[&Encoding] = if utf8.is_some() { &[] } else { &LEGACY };
    let read =
        |of: &&'static Encoding| of.decode_without_bom_handling_and_without_replacement(bytes);
    utf8.into_iter().chain(legacy.iter().filter_map(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_is_itself_and_the_rest_is_windows_1252() {
        for text in ["", "Straße", "Téléphone", "電話"] {
            assert_eq!(decode(text.as_bytes()), text);
            assert_eq!(readings(text.as_bytes()).collect::<Vec<_>>(), [text]);
        }
        assert_eq!(decode(b"Stra\xdfe"), "Straße");
        assert_eq!(decode(b"T\xe9l\xe9phone \x80"), "Téléphone €");
        assert_eq!(decode(b"\xc3"), "Ã");
    }

    #[test]
    fn what_a_person_wrote_is_found_in_whatever_encoding() {
        let is = |bytes: &[u8], text: &str| readings(bytes).any(|reading| reading == text);
        assert!(is(b"Stra\xdfe", "Straße") && is(b"Stra\xa7e", "Straße"));
        assert!(is(b"\xd2\xe5\xeb\xe5\xf4\xee\xed", "Телефон"));
        assert!(is(b"\x93d\x98b", "電話"));
        assert!(!is(b"Stra\xdfe", "Strasse") && !is(b"Stra\xdfe", "Stra\u{fffd}e"));
    }
}
