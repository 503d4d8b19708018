//! Which kernel a machine can run, and the one place where kernels are called.
#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "a function for an instruction set may only be called where it exists"
    )
)]

use std::sync::OnceLock;

use super::{Block, Digest, portable};
#[cfg(target_arch = "x86_64")]
use super::{x86_avx512, x86_sha_ni};

/// A way of computing on many values at once that this machine can run: one exists only for instruction sets that
/// were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Portable,
    /// SHA extensions, a few long messages at once.
    #[cfg(target_arch = "x86_64")]
    ShaNi,
    /// AVX-512, 32 messages at once.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kind {
    fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi => is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("lzcnt")
                    && is_x86_feature_detected!("popcnt")
            }
        }
    }
}

impl Kernel {
    /// The kernels that this machine can run, the slowest first.
    pub fn all() -> impl Iterator<Item = Self> {
        [
            Kind::Portable,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512,
        ]
        .into_iter()
        .filter(|kind| kind.is_available())
        .map(Self)
    }

    /// The name by which it can be forced.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi => "sha-ni",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
        }
    }

    /// Whether the machine has AVX-512 (F, BW, VL) with the bit manipulation instructions, and may use them.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only kernels of x86-64 use it")
    )]
    pub(crate) fn has_avx512(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.0 == Kind::Avx512;
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// Hashes messages of one block each.
    pub(super) fn hash_blocks(self, blocks: &[Block], digests: &mut [Digest]) {
        assert_eq!(blocks.len(), digests.len(), "a digest for each block");
        match self.0 {
            Kind::Portable => portable::hash_blocks(blocks, digests),
            // Single messages gain nothing from being interleaved.
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi => portable::hash_blocks(blocks, digests),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a kernel of this kind exists only where its instructions were found.
            Kind::Avx512 => unsafe { x86_avx512::hash_blocks(blocks, digests) },
        }
    }
}

impl Kernel {
    /// Goes on with each of several messages over as many blocks.
    pub(super) fn compress_each(self, states: &mut [[u32; 8]], blocks: &[&[[u8; 64]]]) {
        assert_eq!(states.len(), blocks.len(), "blocks for each state");
        match self.0 {
            // Lanes are for many messages; a few of them are faster on the SHA extensions.
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi | Kind::Avx512 if Kind::ShaNi.is_available() => {
                let groups = states.chunks_mut(SHA_NI_MESSAGES).zip(blocks.chunks(SHA_NI_MESSAGES));
                for (states, blocks) in groups {
                    // SAFETY: the instructions were found.
                    unsafe { compress_sha_ni(states, blocks) }
                }
            }
            _ => portable::compress_each(states, blocks),
        }
    }
}

/// How many messages are interleaved at most.
#[cfg(target_arch = "x86_64")]
const SHA_NI_MESSAGES: usize = 4;

/// One to four messages.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sha,sse4.1")]
fn compress_sha_ni(states: &mut [[u32; 8]], blocks: &[&[[u8; 64]]]) {
    fn sized<T, const LEN: usize>(states: &mut [T]) -> &mut [T; LEN] {
        states.try_into().expect("a state for each of the messages")
    }
    match *blocks {
        [a, b, c, d] => x86_sha_ni::compress(sized(states), [a, b, c, d]),
        [a, b, c] => x86_sha_ni::compress(sized(states), [a, b, c]),
        [a, b] => x86_sha_ni::compress(sized(states), [a, b]),
        _ => portable::compress_each(states, blocks),
    }
}

impl Default for Kernel {
    /// The fastest one that this machine can run.
    fn default() -> Self {
        static BEST: OnceLock<Kernel> = OnceLock::new();
        *BEST.get_or_init(|| Self::all().last().expect("the portable kernel is always there"))
    }
}

impl std::str::FromStr for Kernel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::all().find(|kernel| kernel.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::all().map(Self::name).collect();
            format!("this machine has no such kernel, only {}", names.join(", "))
        })
    }
}
