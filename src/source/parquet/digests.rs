//! Digests as bytes, as engines write them that hash (`sha2` of Spark gives text, `SHA256` of Google's and `SHA2_BINARY` of Snowflake bytes).
//!
//! A column that says nothing of its bytes holds digests if its first values are all of the length of one and most of them
//! are no text. Then those of that length become hex digits, so that they are what a digest is elsewhere; the others stay,
//! and are rejected.

use arrow_array::{Array, BinaryArray, FixedSizeBinaryArray};

/// Bytes of digests: MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512.
const DIGEST_BYTES: [usize; 6] = [16, 20, 28, 32, 48, 64];

/// The number of bytes of the digests that values are.
pub(super) fn bytes_of<'a>(values: impl Iterator<Item = &'a [u8]> + Clone) -> Option<usize> {
    let mut values = values.filter(|value| !value.is_empty());
    let len = values.clone().next()?.len();
    let is_digest = DIGEST_BYTES.contains(&len) && values.clone().all(|value| value.len() == len);
    let texts = values.clone().filter(|value| std::str::from_utf8(value).is_ok()).count();
    let all = values.by_ref().count();
    (is_digest && texts * 2 < all).then_some(len)
}

/// Values in hex if they have so many bytes.
pub(super) fn in_hex(array: &BinaryArray, bytes: usize) -> BinaryArray {
    hex((0..array.len()).map(|row| array.is_valid(row).then(|| array.value(row))), bytes)
}

/// The same for values of a fixed number of bytes.
pub(super) fn fixed_in_hex(array: &FixedSizeBinaryArray, bytes: usize) -> BinaryArray {
    hex((0..array.len()).map(|row| array.is_valid(row).then(|| array.value(row))), bytes)
}

fn hex<'a>(values: impl Iterator<Item = Option<&'a [u8]>>, bytes: usize) -> BinaryArray {
    let text = |value: &[u8]| {
        if value.len() == bytes { const_hex::encode(value).into_bytes() } else { value.to_vec() }
    };
    values.map(|value| value.map(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_told_from_text() {
        let byte = |n: u8, at: u8| n.wrapping_mul(37) ^ at.wrapping_mul(41).wrapping_add(200);
        let digest = |n: u8| (0..32).map(|at| byte(n, at)).collect();
        let digests: Vec<Vec<u8>> = (0..20).map(digest).collect();
        let of = |values: &[Vec<u8>]| bytes_of(values.iter().map(Vec::as_slice));
        assert_eq!(of(&digests), Some(32));
        assert_eq!(of(&[vec![Vec::new()], digests.clone()].concat()), Some(32));
        let short: Vec<Vec<u8>> = digests.iter().map(|of| of[..16].to_vec()).collect();
        assert_eq!(of(&short), Some(16));
        assert_eq!(of(&[digests.clone(), short].concat()), None);
        let odd: Vec<Vec<u8>> = digests.iter().map(|of| of[..31].to_vec()).collect();
        assert_eq!((of(&odd), of(&[]), of(&[Vec::new()])), (None, None, None));
        let text = |n: u8| format!("user.number.{n:04}@mail.example.co").into_bytes();
        let texts: Vec<Vec<u8>> = (0..20).map(text).collect();
        assert_eq!((texts[0].len(), of(&texts)), (32, None));
        let mixed = [&texts[..12], &digests[..8]].concat();
        assert_eq!(of(&mixed), None);
    }
}
