//! SHA-256 of long messages that come in pieces, several of them side by side.

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

    /// Goes on over as many whole blocks of each of several messages, which costs less than one after the other where
    /// a kernel interleaves them.
    ///
    /// # Panics
    ///
    /// If the messages have not the same number of bytes, or these are no whole blocks.
    pub fn update_each(kernel: Kernel, pieces: &mut [(&mut Self, &[u8])]) {
        let len = pieces.first().map_or(0, |(_, bytes)| bytes.len());
        assert!(pieces.iter().all(|(_, bytes)| bytes.len() == len), "as many bytes of each");
        let mut states: Vec<_> = pieces.iter().map(|(stream, _)| stream.state).collect();
        let blocks: Vec<_> = pieces.iter().map(|(_, bytes)| whole_blocks(bytes)).collect();
        kernel.compress_each(&mut states, &blocks);
        for ((stream, _), state) in pieces.iter_mut().zip(states) {
            stream.state = state;
            stream.len_bytes += len as u64;
        }
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
    use crate::guarded::{Edge, Guarded};

    #[test]
    fn equals_the_streaming_interface_at_every_length_around_blocks() {
        let message: Vec<u8> = (0..=250).cycle().take(1000).collect();
        for kernel in Kernel::all() {
            for (messages, blocks) in (0..10).flat_map(|m| [0, 1, 2, 5].map(|blocks| (m, blocks))) {
                for rest in (0..200).step_by(messages.max(1)) {
                    let ahead = BLOCK_BYTES * blocks;
                    let whole: Vec<_> =
                        (0..messages).map(|at| &message[3 * at..][..ahead + rest]).collect();
                    let mut streams = vec![Stream::default(); messages];
                    let mut pieces: Vec<_> =
                        streams.iter_mut().zip(whole.iter().map(|m| &m[..ahead])).collect();
                    Stream::update_each(kernel, &mut pieces);
                    for (stream, message) in streams.into_iter().zip(whole) {
                        let digest = stream.finish(&message[ahead..]);
                        assert_eq!(digest, Digest::from(Sha256::digest(message)), "{messages}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_kernel_touches_anything_but_states_and_blocks() {
        let message: Vec<u8> = (0..=250).cycle().take(3 * BLOCK_BYTES).collect();
        let mut rooms: Vec<_> = (0..9).map(|_| Guarded::new()).collect();
        let mut to = Guarded::new();
        for (kernel, edge) in Kernel::all().flat_map(|k| Edge::BOTH.map(|edge| (k, edge))) {
            for (messages, blocks) in (0..=rooms.len()).flat_map(|m| (0..=3).map(move |b| (m, b))) {
                let bytes = &message[..blocks * BLOCK_BYTES];
                let mut expected = Stream::default();
                expected.update(bytes);
                for gap in 0..BLOCK_BYTES {
                    let held = rooms[..messages].iter_mut().enumerate();
                    let held = held.map(|(at, room)| &*room.hold(edge, (gap + 5 * at) % 64, bytes));
                    let held: Vec<_> = held.map(whole_blocks).collect();
                    let states = to.hold(edge, 0, &vec![INITIAL; messages]);
                    kernel.compress_each(states, &held);
                    assert!(states.iter().all(|state| *state == expected.state), "{messages}");
                }
            }
        }
    }
}
