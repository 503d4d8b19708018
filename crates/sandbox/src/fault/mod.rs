//! Faults, on purpose: which request a fault strikes, at which moment, and what it does.
//!
//! A script is TOML with a table for each fault. The flag `--fault` holds the same pairs, separated by commas; a word
//! alone means `true`, and texts need no quotes:
//!
//! ```toml
#![doc = include_str!("example.toml")]
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
    /// Remove users from one, at Meta.
    Remove,
    /// Replace the users of one, at Meta.
    Replace,
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

/// The moment at which a fault strikes a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Its head is there; the body is not read.
    Head,
    /// All of it is there and nothing is changed yet.
    #[default]
    Before,
    /// The change is durable.
    After,
}

/// The effect of a fault.
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
    /// Counts so many entries of a batch as invalid, and leaves them out. At Meta alone.
    Invalid(usize),
    /// Answers with an error of Meta's. Another platform does what it should.
    Graph(GraphFault),
    /// Takes its time, then does what it should.
    Nothing,
}

/// An error of Meta's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphFault {
    /// `code`; the rest of the object follows from it.
    pub code: u32,
    /// `error_subcode`.
    pub subcode: Option<u32>,
    /// The status, if it is to be another than the usual one.
    pub status: Option<u16>,
    /// `is_transient`, if it is to be true.
    pub is_transient: bool,
    /// Minutes in `estimated_time_to_regain_access`, with a usage of 100 percent.
    pub regain_access: Option<u64>,
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
    /// Those of their requests that it strikes.
    pub which: Which,
    /// The moment.
    pub when: When,
    /// The wait before it.
    pub delay: Duration,
    /// The effect.
    pub action: Action,
}

impl Fault {
    /// Tells if it can strike at Meta alone.
    pub fn is_metas(&self) -> bool {
        let calls = [Call::Remove, Call::Replace];
        matches!(self.action, Action::Invalid(_) | Action::Graph(_))
            || !self.calls.is_empty() && self.calls.iter().all(|call| calls.contains(call))
    }

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

    /// Counts a request that has just come in, and finds the faults that strike it, in the order in which they were given.
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
