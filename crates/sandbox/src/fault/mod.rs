//! What goes wrong, on purpose: which request a fault strikes, at which moment, and what it does.
//!
//! A script is TOML with a table for each fault. The flag `--fault` holds the same pairs, separated by commas; a word
//! alone means `true`, and texts need no quotes:
//!
//! ```toml
//! # The second request that adds users: the effect is there, the answer is not.
//! [[fault]]           # --fault add,nth=2,when=after,cut
//! add = true          # create, add, list, details, delete, or several; any of them if left out
//! nth = 2             # this one alone; or first = N, from = N, share = 0.2 (with seed = N); every one if left out
//! when = "after"      # head: the body is not read; before: it is read (the default); after: the effect is there
//! cut = true          # or hang, html, wrong_json, truncated, no_id, no_continue
//!
//! [[fault]]           # --fault add,first=3,status=429,retry_after=1,body=slow down
//! add = true
//! first = 3
//! status = 429
//! retry_after = 1     # seconds; retry_date = 1 says the same as a date
//! body = "slow down"  # instead of an error in JSON
//!
//! [[fault]]           # --fault delay=0.5: half a second more for everything
//! delay = 0.5         # goes with whatever else the fault does
//!
//! [[fault]]           # --fault create,at_byte=1000,cut: in the middle of the body
//! create = true
//! at_byte = 1000
//! cut = true
//!
//! [[fault]]           # --fault add,slow=65536: bytes of the body that are read in a second
//! add = true
//! slow = 65536
//! ```
//!
//! Requests are counted for each fault, and only those that it could strike: an authorised request of its call.

mod written;

use std::time::Duration;

use serde::Deserialize;

/// A call of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Make an audience.
    Create,
    /// Add users to one.
    Add,
    /// List them.
    List,
    /// Details of one.
    Details,
    /// Delete one.
    Delete,
}

/// Which of the requests of its call a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Which {
    /// Every one.
    Every,
    /// One of them, counted from 1.
    Nth(u64),
    /// So many, then no more.
    First(u64),
    /// This one and all later ones, counted from 1.
    From(u64),
    /// A share of them, between 0 and 1. The same seed always strikes the same ones.
    Share(f64, u64),
}

/// When a fault strikes a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// As soon as its head is there; the body is not read.
    Head,
    /// When all of it is there and nothing is changed yet.
    #[default]
    Before,
    /// When the change is durable.
    After,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answers with this status.
    Status {
        /// The status.
        status: u16,
        /// `Retry-After`.
        retry_after: Option<RetryAfter>,
        /// The body; an error in JSON if left out.
        body: Option<String>,
    },
    /// Never answers.
    Hang,
    /// Closes the connection without an answer.
    Cut,
    /// Closes the connection when so many bytes of the body have arrived.
    CutAtByte(u64),
    /// Answers with success and a web page.
    Html,
    /// Answers with success and some other JSON.
    WrongJson,
    /// Answers with success and the beginning of the right JSON.
    Truncated,
    /// Answers with success and an audience without its id.
    NoId,
    /// Reads so many bytes of the body in a second.
    Slow(u64),
    /// Never says `100 Continue`.
    NoContinue,
    /// Takes its time, then does what it should.
    Nothing,
}

/// The two forms of `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// So many seconds.
    Seconds(u64),
    /// A date, so many seconds after the answer.
    Date(u64),
}

/// One thing that goes wrong. [`str::parse`] reads what `--fault` takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The calls; any if there are none.
    pub calls: Vec<Call>,
    /// Which of its requests.
    pub which: Which,
    /// When.
    pub when: When,
    /// How long the sandbox waits before it.
    pub delay: Duration,
    /// What is done.
    pub action: Action,
}

impl Fault {
    fn is_about(&self, call: Call) -> bool {
        self.calls.is_empty() || self.calls.contains(&call)
    }
}

impl Which {
    fn has(self, count: u64) -> bool {
        match self {
            Self::Every => true,
            Self::Nth(number) => count == number,
            Self::First(last) => count <= last,
            Self::From(number) => count >= number,
            Self::Share(share, seed) => chance(seed, count) < share,
        }
    }
}

/// A number from 0 to below 1 that looks random and is the same for the same arguments (`SplitMix64`).
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn chance(seed: u64, index: u64) -> f64 {
    let mut x = seed.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// All faults of a sandbox, each with the number of requests that it could have struck.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<(Fault, u64)>);

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        self.0.push((fault, 0));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What strikes the request that has just come in, in the order in which it was given.
    pub(super) fn strike(&mut self, call: Call) -> Vec<Fault> {
        let mut striking = Vec::new();
        for (fault, seen) in &mut self.0 {
            if fault.is_about(call) {
                *seen += 1;
                if fault.which.has(*seen) {
                    striking.push(fault.clone());
                }
            }
        }
        striking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Fault {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn requests_are_counted_for_each_fault() {
        let struck = |text: &str| {
            let mut faults = Faults::default();
            faults.push(parse(text));
            let calls = [Call::Add, Call::List, Call::Add, Call::Add, Call::Add];
            calls.map(|call| !faults.strike(call).is_empty())
        };
        assert_eq!(struck("cut"), [true; 5]);
        assert_eq!(struck("list,details,cut"), [false, true, false, false, false]);
        assert_eq!(struck("add,cut"), [true, false, true, true, true]);
        assert_eq!(struck("add,nth=2,cut"), [false, false, true, false, false]);
        assert_eq!(struck("add,first=2,cut"), [true, false, true, false, false]);
        assert_eq!(struck("from=3,cut"), [false, false, true, true, true]);
    }

    #[test]
    fn a_share_is_about_that_share_and_always_the_same() {
        let struck = |seed| {
            let mut faults = Faults::default();
            faults.push(parse(&format!("share=0.2,seed={seed},cut")));
            (0..1000).map(|_| faults.strike(Call::Add).len()).collect::<Vec<_>>()
        };
        let count = struck(7).iter().sum::<usize>();
        assert!((150..250).contains(&count), "{count}");
        assert_eq!(struck(7), struck(7));
        assert_ne!(struck(7), struck(8));
    }
}
