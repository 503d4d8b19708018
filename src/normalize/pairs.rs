//! Names within ids: `Jane-Roe-0171-2345670`, `17:Ann:Lee:1987`. A row that someone made one value of has several words, as
//! no id of its column has.

/// The digest of the words of a text that could be names, if there are at least two; never 0.
#[inline]
pub(super) fn of(text: &[u8]) -> Option<u64> {
    if has_words(text) { pair(text) } else { None }
}

/// Whether two words at least begin with a letter: few ids have such.
#[inline]
fn has_words(text: &[u8]) -> bool {
    let (mut count, mut is_within) = (0, false);
    for byte in text {
        count += u32::from(!is_within & byte.is_ascii_alphabetic());
        is_within = byte.is_ascii_alphanumeric();
    }
    count >= 2
}

fn pair(text: &[u8]) -> Option<u64> {
    let words = text.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| is_name(word));
    let (mut count, mut hash) = (0, 0xcbf2_9ce4_8422_2325_u64);
    for word in words {
        count += 1;
        for byte in word.iter().chain(b"-") {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    (count >= 2).then_some(hash | 1)
}

/// Whether a word can be a name: letters with a vowel among them, in usual capitals, and no hex digits.
fn is_name(word: &[u8]) -> bool {
    let is_vowel = |byte: &u8| b"aeiouyAEIOUY".contains(byte);
    let [first, rest @ ..] = word else { return false };
    let is_lower = rest.iter().all(u8::is_ascii_lowercase);
    let is_capitalised = first.is_ascii_uppercase() && is_lower && !rest.is_empty();
    let is_usual = is_lower || word.iter().all(u8::is_ascii_uppercase);
    word.len() >= 2
        && first.is_ascii_alphabetic()
        && is_usual
        && word.iter().any(is_vowel)
        && (is_capitalised || !word.iter().all(u8::is_ascii_hexdigit))
}

/// Whether a value has the length and the hyphens of a UUID.
#[inline]
pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36 && [8, 13, 18, 23].iter().all(|at| value[*at] == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_make_a_pair_and_codes_do_not() {
        for text in
            ["Jane-Roe-0171-2345670", "17:Ann:Lee:1987", "jane_roe_17", "LEE/ANN/7", "Ada.Dee.1"]
        {
            assert!(of(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "dead-beef-0123",
            "K7QX-PLMN-88",
            "cust:000123",
            "aBcD-eFgH-1",
            "Jane-0171",
            "a-e-1",
            "",
        ] {
            assert!(of(text.as_bytes()).is_none(), "{text}");
        }
        assert_ne!(of(b"web-app-1"), of(b"web-shop-1"));
        assert_eq!(of(b"web-app-1"), of(b"web-app-27"));
    }
}
