//! Calls into the `parquet` crate that may panic.
//!
//! The crate checks most of what it reads, and relies on the rest: a place in a dictionary that is not there, lengths
//! that add up to more than a page, an encoding of levels that nobody writes end in `expect`, `unreachable!` and slices
//! out of bounds (60.1). What is known of that is refused before; for what is not, a damaged file must still be an error
//! with the file's name, and the other threads of a program that uses this library must go on.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread ends as an error about a file, so that nobody need be told of it.
pub fn is_quiet() -> bool {
    IS_QUIET.get()
}

/// What `work` returns; `None` if it panics. What it worked on must not be used then.
pub(super) fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    let before = IS_QUIET.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_QUIET.set(before);
    done.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_quiet_and_ends_there() {
        assert_eq!(quietly(is_quiet), Some(true));
        assert_eq!(quietly(|| Vec::<u8>::new()[0]), None);
        assert!(!is_quiet());
    }
}
