//! The fuzzer of the target that `FUZZ_TARGET` names: see `throng::fuzz`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    let targets = throng::fuzz::TARGETS;
    targets.into_iter().find(|(known, _)| *known == name).expect("a target of that name").1
});

fuzz_target!(|data: &[u8]| TARGET(data));
