//! SHA-256 of many short messages.
//!
//! Canonical identifiers are nearly always shorter than 56 bytes, so that message and padding fit one block. Laying the
//! block out here and calling the compression function costs less than half of what the streaming interface costs
//! for such a message (`benches/stages.rs`, group `hash`): there is no buffering to keep track of.

use sha2::{Digest as _, Sha256};

use crate::normalize::Canonical;

/// The 32 bytes of a SHA-256.
pub type Digest = [u8; 32];

/// Longest message that fits one block with its padding: 64 bytes less the 0x80 byte and the length.
const ONE_BLOCK_BYTES_MAX: usize = 55;

/// Initial hash value (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// SHA-256 of one message.
pub fn digest(message: &[u8]) -> Digest {
    if message.len() > ONE_BLOCK_BYTES_MAX {
        return Sha256::digest(message).into();
    }
    let mut block = [0; 64];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] = 0x80;
    block[56..].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    let mut state = INITIAL;
    sha2::block_api::compress256(&mut state, &[block]);
    let mut digest = Digest::default();
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// Appends the digest of each raw value of a batch, in order.
pub fn hash_batch(canonical: &Canonical, digests: &mut Vec<Digest>) {
    digests.extend(canonical.raw().map(digest));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_streaming_interface_at_every_length_around_the_block() {
        let message: Vec<u8> = (0..200).collect();
        for len in 0..message.len() {
            let expected: Digest = Sha256::digest(&message[..len]).into();
            assert_eq!(digest(&message[..len]), expected, "{len}");
        }
    }
}
