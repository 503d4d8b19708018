//! The kernels under Miri, which sees what no processor complains about: references that overlap, reads of what was
//! never written, addresses beyond an allocation or not aligned. It knows AVX-512 and the SHA extensions wherever it runs.

#![allow(dead_code, reason = "not all of these files is used")]

#[path = "../../../src/hash/mod.rs"]
mod hash;
#[path = "../../../src/emit/hex.rs"]
mod hex;
#[path = "../../../src/record/scan.rs"]
mod scan;

use sha2::{Digest as _, Sha256};

use crate::hash::{BLOCK_BYTES, Digest, Kernel, Messages, ONE_BLOCK_BYTES_MAX, Stream};

fn main() {
    let kernels: Vec<Kernel> = Kernel::all().collect();
    assert!(kernels.len() == 3 || !cfg!(target_arch = "x86_64"), "{kernels:?}");
    for kernel in kernels {
        messages(kernel);
        streams(kernel);
        lines(kernel);
        places(kernel);
    }
}

fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at * 7 + seed * 31) % 251).unwrap()).collect()
}

/// None, fewer than pay, part of a group, more than one, more than two.
fn messages(kernel: Kernel) {
    for count in [0, 3, 5, 17, 33] {
        let all: Vec<_> = (0..count).map(|at| pattern(ONE_BLOCK_BYTES_MAX + 2 - at, at)).collect();
        let mut batch = Messages::default();
        all.iter().for_each(|message| batch.push(message));
        let mut digests = Vec::new();
        batch.hash(kernel, &mut digests);
        let expected: Vec<_> = all.iter().map(|m| Digest::from(Sha256::digest(m))).collect();
        assert_eq!(digests, expected);
    }
}

fn streams(kernel: Kernel) {
    for count in 1..=5 {
        let all: Vec<_> = (0..count).map(|at| pattern(2 * BLOCK_BYTES, at)).collect();
        let mut streams = vec![Stream::default(); count];
        let mut pieces: Vec<_> = streams.iter_mut().zip(all.iter().map(|m| &**m)).collect();
        Stream::update_each(kernel, &mut pieces);
        for (stream, message) in streams.into_iter().zip(&all) {
            assert_eq!(stream.finish(b""), Digest::from(Sha256::digest(message)));
        }
    }
}

fn lines(kernel: Kernel) {
    for count in 0..4 {
        let digests: Vec<_> = (0..count).map(|at| Digest::from(Sha256::digest([at]))).collect();
        let expected: String = digests.iter().map(|d| const_hex::encode(d) + "\n").collect();
        let mut text = Vec::new();
        hex::lines(kernel, &digests, &mut text);
        assert_eq!(text, expected.as_bytes());
    }
}

fn places(kernel: Kernel) {
    for len in [0, 1, 63, 64, 65, 130] {
        // As much memory as bytes, so that one more is none of it.
        let bytes = pattern(len, 3).into_boxed_slice();
        let mut found = Vec::new();
        scan::for_each_place(kernel, &bytes, 100, |at| found.push(at));
        assert!(found.into_iter().eq((0..len).filter(|at| bytes[*at] == 100)));
    }
}
