//! The kernel for every machine, and the truth for the others: `sha2` on blocks that are laid out already, one after the
//! other. It uses what the processor has for single messages.

use super::{Block, Digest, INITIAL, to_digest};

pub(super) fn hash_blocks(blocks: &[Block], digests: &mut [Digest]) {
    for (block, digest) in blocks.iter().zip(digests) {
        let mut state = INITIAL;
        sha2::block_api::compress256(&mut state, std::slice::from_ref(&block.0));
        *digest = to_digest(state);
    }
}

pub(super) fn compress_each(states: &mut [[u32; 8]], blocks: &[&[[u8; 64]]]) {
    for (state, blocks) in states.iter_mut().zip(blocks) {
        sha2::block_api::compress256(state, blocks);
    }
}
