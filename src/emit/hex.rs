//! Digests in hex, one a line.

use crate::hash::Digest;

/// Bytes of a digest in hex with its line end.
pub(super) const LINE_BYTES: usize = 65;

/// Replaces what is in `text` by a line for each digest.
pub(super) fn lines(digests: &[Digest], text: &mut Vec<u8>) {
    text.resize(digests.len() * LINE_BYTES, 0);
    for (digest, line) in digests.iter().zip(text.chunks_exact_mut(LINE_BYTES)) {
        let (digits, end) = line.split_at_mut(LINE_BYTES - 1);
        const_hex::encode_to_slice(digest, digits).expect("64 hex digits fit");
        end[0] = b'\n';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_digest_and_nothing_else() {
        let mut text = b"something else that was there before".repeat(9);
        let digests = [[0x0f; 32], [0xa9; 32]];
        lines(&digests, &mut text);
        let expected = format!("{}\n{}\n", "0f".repeat(32), "a9".repeat(32));
        assert_eq!(text, expected.as_bytes());
        lines(&[], &mut text);
        assert_eq!(text, b"");
    }
}
