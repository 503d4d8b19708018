//! SHA-256 of long messages that come in pieces, two of them side by side.

use super::{Digest, INITIAL, Kernel, to_digest};

/// Bytes that pieces are made of.
pub const BLOCK_BYTES: usize = 64;

/// A message of which some blocks were hashed.
#[derive(Clone, Debug)]
pub struct Stream {
    state: [u32; 8],
    len_bytes: u64,
}

impl Default for Stream {
    fn default() -> Self {
        Self { state: INITIAL, len_bytes: 0 }
    }
}

impl Stream {
    /// Goes on over whole blocks.
    ///
    /// # Panics
    ///
    /// If `bytes` are no whole blocks.
    pub fn update(&mut self, bytes: &[u8]) {
        sha2::block_api::compress256(&mut self.state, whole_blocks(bytes));
        self.len_bytes += bytes.len() as u64;
    }

    /// Goes on over as many whole blocks of each of two messages, which costs little more than one of them where a
    /// kernel interleaves them.
    ///
    /// # Panics
    ///
    /// If the messages have not the same number of bytes, or these are no whole blocks.
    pub fn update_both(kernel: Kernel, streams: [&mut Self; 2], bytes: [&[u8]; 2]) {
        let [one, other] = streams;
        let mut states = [one.state, other.state];
        kernel.compress_both(&mut states, bytes.map(whole_blocks));
        [one.state, other.state] = states;
        one.len_bytes += bytes[0].len() as u64;
        other.len_bytes += bytes[1].len() as u64;
    }

    /// The digest of the whole message; `rest` is what is left of it.
    pub fn finish(mut self, rest: &[u8]) -> Digest {
        let (blocks, rest) = rest.split_at(rest.len() / BLOCK_BYTES * BLOCK_BYTES);
        self.update(blocks);
        let bits = (self.len_bytes + rest.len() as u64) * 8;
        let mut padded = [0; 2 * BLOCK_BYTES];
        padded[..rest.len()].copy_from_slice(rest);
        padded[rest.len()] = 0x80;
        let len = if rest.len() < BLOCK_BYTES - 8 { BLOCK_BYTES } else { 2 * BLOCK_BYTES };
        padded[len - 8..len].copy_from_slice(&bits.to_be_bytes());
        self.update(&padded[..len]);
        to_digest(self.state)
    }
}

fn whole_blocks(bytes: &[u8]) -> &[[u8; BLOCK_BYTES]] {
    let (blocks, rest) = bytes.as_chunks();
    assert!(rest.is_empty(), "pieces are whole blocks");
    blocks
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn equals_the_streaming_interface_at_every_length_around_blocks() {
        let message: Vec<u8> = (0..=250).cycle().take(1000).collect();
        for kernel in Kernel::all() {
            for blocks in [0, 1, 2, 5] {
                for rest in 0..200 {
                    let (ahead, behind) = (BLOCK_BYTES * blocks, BLOCK_BYTES * blocks + rest);
                    let (one, other) = (&message[..behind], &message[3..behind + 3]);
                    let mut streams = [Stream::default(), Stream::default()];
                    let [first, second] = &mut streams;
                    let pieces = [&one[..ahead], &other[..ahead]];
                    Stream::update_both(kernel, [first, second], pieces);
                    let [first, second] = streams;
                    let digests = [first.finish(&one[ahead..]), second.finish(&other[ahead..])];
                    assert_eq!(digests, [one, other].map(|m| Digest::from(Sha256::digest(m))));
                }
            }
        }
    }
}
