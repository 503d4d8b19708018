//! The fuzzer of the target that `FUZZ_TARGET` names: see `throng::fuzz`.
#![no_main]

use std::panic;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    // The library answers for panics of a crate that it gives damaged files to.
    let abort = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !throng::source::is_quiet() {
            abort(info);
        }
    }));
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    let targets = throng::fuzz::TARGETS;
    targets.into_iter().find(|(known, _)| *known == name).expect("a target of that name").1
});

fuzz_target!(|data: &[u8]| TARGET(data));
