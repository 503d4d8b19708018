//! SHA-256 of many short messages.
//!
//! Canonical identifiers are nearly always shorter than 56 bytes, so that message and padding fit one block. [`Messages`]
//! lays the blocks out as they come, and a [`Kernel`] turns them into digests, as many at once as the machine has lanes
//! for. Longer messages, one in thousands, go through the streaming interface of `sha2`.
//!
//! Per message on one core of a Zen 5 server (`benches/kernels.rs`): 7.9 ns with 2 times 16 lanes of AVX-512, 25 with
//! `sha2` on ready blocks, which uses the SHA extensions; its streaming interface takes more than twice that.

mod dispatch;
mod list_digest;
mod portable;
mod stream;
#[cfg(target_arch = "x86_64")]
mod x86_avx512;
#[cfg(target_arch = "x86_64")]
mod x86_sha_ni;

use sha2::{Digest as _, Sha256};

pub use self::dispatch::Kernel;
pub use self::list_digest::ListDigest;
pub use self::stream::{BLOCK_BYTES, Stream};

/// The 32 bytes of a SHA-256.
pub type Digest = [u8; 32];

/// Longest message that fits one block with its padding: 64 bytes less the 0x80 byte and the length.
pub const ONE_BLOCK_BYTES_MAX: usize = 55;

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

/// Round constants (FIPS 180-4, 4.2.2).
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ROUND: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// 64 bytes of input of the compression function.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Block(pub [u8; 64]);

impl Block {
    /// The block of a message that fits one.
    ///
    /// # Panics
    ///
    /// If the message is longer than [`ONE_BLOCK_BYTES_MAX`].
    #[inline]
    pub fn of(message: &[u8]) -> Self {
        let mut block = Self([0; 64]);
        block.0[..message.len()].copy_from_slice(message);
        block.0[message.len()] = 0x80;
        block.set_len(message.len());
        block
    }

    /// Writes the length of a message of at most [`ONE_BLOCK_BYTES_MAX`] bytes where the padding has it.
    #[inline]
    pub(crate) fn set_len(&mut self, len: usize) {
        debug_assert!(len <= ONE_BLOCK_BYTES_MAX);
        let bits = u16::try_from(len * 8).expect("at most 440");
        self.0[62..].copy_from_slice(&bits.to_be_bytes());
    }

    /// The message that was laid out.
    #[inline]
    fn message(&self) -> &[u8] {
        let len = usize::from(u16::from_be_bytes([self.0[62], self.0[63]])) / 8;
        &self.0[..len]
    }
}

/// Messages that wait to be hashed, in order.
#[derive(Debug, Default)]
pub struct Messages {
    blocks: Vec<Block>,
    /// Messages that do not fit a block; an empty message stands for each among `blocks`.
    long: Vec<u8>,
    longs: Vec<Long>,
}

/// A message that does not fit a block.
#[derive(Clone, Copy, Debug)]
struct Long {
    index: usize,
    start: usize,
    end: usize,
}

impl Messages {
    /// Forgets the messages, keeps the memory.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.long.clear();
        self.longs.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Adds a message.
    #[inline]
    pub fn push(&mut self, message: &[u8]) {
        if message.len() <= ONE_BLOCK_BYTES_MAX {
            self.blocks.push(Block::of(message));
        } else {
            self.push_long(message);
        }
    }

    /// Adds a message that is laid out already.
    #[inline]
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only kernels of x86-64 use it")
    )]
    pub(crate) fn push_block(&mut self, block: Block) {
        self.blocks.push(block);
    }

    #[cold]
    fn push_long(&mut self, message: &[u8]) {
        let start = self.long.len();
        self.long.extend_from_slice(message);
        self.longs.push(Long { index: self.blocks.len(), start, end: self.long.len() });
        self.blocks.push(Block::of(b""));
    }

    /// The messages, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut longs = self.longs.iter().peekable();
        self.blocks.iter().enumerate().map(move |(index, block)| {
            match longs.next_if(|long| long.index == index) {
                Some(long) => &self.long[long.start..long.end],
                None => block.message(),
            }
        })
    }

    /// Replaces what is in `digests` by the digest of each message, in order.
    pub fn hash(&self, kernel: Kernel, digests: &mut Vec<Digest>) {
        // What is in there is overwritten.
        digests.resize(self.blocks.len(), Digest::default());
        kernel.hash_blocks(&self.blocks, digests);
        for long in &self.longs {
            digests[long.index] = Sha256::digest(&self.long[long.start..long.end]).into();
        }
    }
}

/// SHA-256 of one message.
pub fn digest(message: &[u8]) -> Digest {
    if message.len() > ONE_BLOCK_BYTES_MAX {
        return Sha256::digest(message).into();
    }
    let mut digest = [Digest::default()];
    portable::hash_blocks(&[Block::of(message)], &mut digest);
    digest[0]
}

/// The digest that a state is.
#[inline]
fn to_digest(state: [u32; 8]) -> Digest {
    let mut digest = Digest::default();
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::guarded::{Edge, Guarded};

    /// Bytes with a prime period, so that swapped pieces show.
    fn pattern(len: usize, seed: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from((at * 7 + seed * 31) % 251).expect("below 251")).collect()
    }

    fn expect_digests(kernel: Kernel, messages: &[Vec<u8>]) {
        let mut batch = Messages::default();
        for message in messages {
            batch.push(message);
        }
        assert!(batch.iter().eq(messages.iter().map(|message| &**message)));
        let mut digests = vec![[9; 32]; 3];
        batch.hash(kernel, &mut digests);
        let expected: Vec<Digest> = messages.iter().map(|m| Sha256::digest(m).into()).collect();
        assert_eq!(digests, expected, "{} {}", kernel.name(), messages.len());
    }

    #[test]
    fn one_message_equals_the_streaming_interface_at_every_length_around_the_block() {
        for len in 0..200 {
            let message = pattern(len, len);
            let expected: Digest = Sha256::digest(&message).into();
            assert_eq!(digest(&message), expected, "{len}");
        }
    }

    #[test]
    fn every_kernel_equals_the_streaming_interface_at_every_length_and_count() {
        for kernel in Kernel::all() {
            // Counts around every number of lanes, and all lengths at every place of a group.
            for count in (0..=70).chain([127, 128, 129, 1000]) {
                let messages: Vec<_> = (0..count).map(|at| pattern(at * 5 % 58, at)).collect();
                expect_digests(kernel, &messages);
            }
            for len in 0..=130 {
                let messages: Vec<_> = (0..37).map(|at| pattern(len, at)).collect();
                expect_digests(kernel, &messages);
            }
        }
    }

    #[test]
    fn every_kernel_knows_the_published_answers() {
        let text = std::fs::read_to_string("fixtures/sha256/known_answers.csv").expect("reads");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> =
            reader.records().map(|row| row.expect("a row")).collect();
        for kernel in Kernel::all() {
            let mut batch = Messages::default();
            let mut digests = Vec::new();
            for row in &rows {
                batch.push(&const_hex::decode(&row[0]).expect("hex"));
            }
            batch.hash(kernel, &mut digests);
            for (row, digest) in rows.iter().zip(digests) {
                assert_eq!(const_hex::encode(digest), row[1], "{} {row:?}", kernel.name());
            }
        }
    }

    #[test]
    fn no_kernel_touches_anything_but_blocks_and_digests() {
        let message = |at| pattern(at * 5 % (ONE_BLOCK_BYTES_MAX + 1), at);
        let messages: Vec<_> = (0..70).map(message).collect();
        let all: Vec<_> = messages.iter().map(|message| Block::of(message)).collect();
        let expected: Vec<Digest> = messages.iter().map(|m| Sha256::digest(m).into()).collect();
        let (mut from, mut to) = (Guarded::new(), Guarded::new());
        for (kernel, edge) in Kernel::all().flat_map(|k| Edge::BOTH.map(|edge| (k, edge))) {
            for count in 0..=all.len() {
                let blocks = from.hold(edge, 0, &all[..count]);
                for gap in [0, count % 32] {
                    let digests = to.hold(edge, gap, &vec![Digest::default(); count]);
                    kernel.hash_blocks(blocks, digests);
                    assert_eq!(digests, &expected[..count], "{} {count}", kernel.name());
                }
            }
        }
    }

    #[test]
    fn kernels_are_known_by_their_names() {
        assert!(Kernel::all().any(|kernel| kernel == Kernel::default()));
        for kernel in Kernel::all() {
            assert_eq!(kernel.name().parse(), Ok(kernel));
        }
        assert!("abacus".parse::<Kernel>().is_err());
    }

    proptest! {
        #[test]
        fn every_kernel_equals_the_streaming_interface(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..90),
        ) {
            for kernel in Kernel::all() {
                expect_digests(kernel, &messages);
            }
        }
    }
}
