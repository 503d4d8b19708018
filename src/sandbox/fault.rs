//! What goes wrong, on purpose: which request a fault strikes, at which moment, and what it does.
//!
//! A script is TOML with a table for each fault; the flag `--fault` has the same keys, separated by commas, where the
//! call and what to do may stand without a key:
//!
//! ```toml
//! # The second request that adds users: the effect is there, the answer is not.
//! [[fault]]
//! call = "add"        # create, add, list, details or delete; any of them if left out
//! nth = 2             # this one alone; or first = N, from = N, share = 0.2 (with seed = N); every one if left out
//! when = "after"      # head: the body is not read; before: it is read (the default); after: the effect is there
//! do = "cut"          # cut, hang, html, wrong_json, truncated, no_id, no_continue
//!
//! [[fault]]           # --fault add,first=3,status=429,retry_after=1
//! call = "add"
//! first = 3
//! status = 429
//! retry_after = 1     # seconds; retry_date = 1 says the same as a date
//! body = "slow down"  # instead of an error in JSON
//!
//! [[fault]]           # --fault delay=0.5: half a second more for everything
//! delay = 0.5         # goes with whatever else the fault does
//!
//! [[fault]]           # --fault create,at_byte=1000,cut: in the middle of the body
//! call = "create"
//! at_byte = 1000
//! do = "cut"
//!
//! [[fault]]           # --fault add,slow=65536: bytes of the body that are read in a second
//! call = "add"
//! slow = 65536
//! ```
//!
//! Requests are counted for each fault, and only those that it could strike: an authorised request of its call.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// A call of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// The call; any if left out.
    pub call: Option<Call>,
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
    /// Reads a script.
    pub fn script(text: &str) -> Result<Vec<Self>, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Script {
            #[serde(default)]
            fault: Vec<Written>,
        }
        let script: Script = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            format!("line {line}: {}", error.message())
        })?;
        let faults = script.fault.into_iter().enumerate();
        faults
            .map(|(index, fault)| {
                fault.check().map_err(|error| format!("fault {}: {error}", index + 1))
            })
            .collect()
    }

    fn strikes(&self, call: Call, count: u64) -> bool {
        self.call.is_none_or(|own| own == call)
            && match self.which {
                Which::Every => true,
                Which::Nth(number) => count == number,
                Which::First(last) => count <= last,
                Which::From(number) => count >= number,
                Which::Share(share, seed) => chance(seed, count) < share,
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

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const CALLS: [&str; 5] = ["create", "add", "list", "details", "delete"];
        let mut table = toml::Table::new();
        for word in text.split(',').map(str::trim) {
            let (key, value) = match word.split_once('=') {
                Some(pair) => pair,
                None if CALLS.contains(&word) => ("call", word),
                None => ("do", word),
            };
            let number = value.parse().map(toml::Value::Integer);
            let number = number.or_else(|_| value.parse().map(toml::Value::Float));
            let value = number.unwrap_or_else(|_| value.into());
            if table.insert(key.to_owned(), value).is_some() {
                return Err(format!("`{key}` is given twice"));
            }
        }
        let written: Written =
            table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        written.check()
    }
}

/// A fault as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    call: Option<Call>,
    nth: Option<u64>,
    first: Option<u64>,
    from: Option<u64>,
    share: Option<f64>,
    seed: Option<u64>,
    when: Option<When>,
    at_byte: Option<u64>,
    #[serde(rename = "do")]
    deed: Option<Deed>,
    status: Option<u16>,
    retry_after: Option<u64>,
    retry_date: Option<u64>,
    body: Option<String>,
    slow: Option<u64>,
    delay: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deed {
    Cut,
    Hang,
    Html,
    WrongJson,
    Truncated,
    NoId,
    NoContinue,
}

impl Written {
    fn check(self) -> Result<Fault, String> {
        let delay = self.delay.map_or(Ok(Duration::ZERO), Duration::try_from_secs_f64);
        let delay = delay.map_err(|_| "`delay` takes seconds")?;
        let (which, action) = (self.which()?, self.action()?);
        if action == Action::Nothing && delay.is_zero() {
            return Err("this fault does nothing: give `do`, `status`, `slow` or `delay`".into());
        }
        Ok(Fault { call: self.call, which, when: self.when.unwrap_or_default(), delay, action })
    }

    fn which(&self) -> Result<Which, String> {
        if self.seed.is_some() && self.share.is_none() {
            return Err("`seed` goes with `share`".to_owned());
        }
        if [self.nth, self.first, self.from].contains(&Some(0)) {
            return Err("requests are counted from 1".to_owned());
        }
        match (self.nth, self.first, self.from, self.share) {
            (None, None, None, None) => Ok(Which::Every),
            (Some(number), None, None, None) => Ok(Which::Nth(number)),
            (None, Some(count), None, None) => Ok(Which::First(count)),
            (None, None, Some(number), None) => Ok(Which::From(number)),
            (None, None, None, Some(share)) if (0.0..=1.0).contains(&share) => {
                Ok(Which::Share(share, self.seed.unwrap_or_default()))
            }
            (None, None, None, Some(_)) => Err("`share` is between 0 and 1".to_owned()),
            _ => Err("give one of `nth`, `first`, `from` and `share`".to_owned()),
        }
    }

    fn action(&self) -> Result<Action, String> {
        if self.status.is_none()
            && (self.retry_after.is_some() || self.retry_date.is_some() || self.body.is_some())
        {
            return Err("`retry_after`, `retry_date` and `body` go with `status`".to_owned());
        }
        if self.at_byte.is_some() && (self.deed != Some(Deed::Cut) || self.when.is_some()) {
            return Err("`at_byte` goes with `cut` and says when".to_owned());
        }
        match (self.deed, self.status, self.slow) {
            (None, None, None) => Ok(Action::Nothing),
            (Some(deed), None, None) => Ok(match deed {
                Deed::Cut => self.at_byte.map_or(Action::Cut, Action::CutAtByte),
                Deed::Hang => Action::Hang,
                Deed::Html => Action::Html,
                Deed::WrongJson => Action::WrongJson,
                Deed::Truncated => Action::Truncated,
                Deed::NoId => Action::NoId,
                Deed::NoContinue => Action::NoContinue,
            }),
            (None, Some(status @ 200..=599), None) => {
                let seconds = self.retry_after.map(RetryAfter::Seconds);
                let retry_after = seconds.or(self.retry_date.map(RetryAfter::Date));
                Ok(Action::Status { status, retry_after, body: self.body.clone() })
            }
            (None, Some(_), None) => Err("`status` is between 200 and 599".to_owned()),
            (None, None, Some(0)) => Err("`slow` takes bytes a second".to_owned()),
            (None, None, Some(bytes)) => Ok(Action::Slow(bytes)),
            _ => Err("give one of `do`, `status` and `slow`".to_owned()),
        }
    }
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
            if fault.call.is_none_or(|own| own == call) {
                *seen += 1;
                if fault.strikes(call, *seen) {
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
    fn flag_and_script_say_the_same() {
        let script = r#"
            [[fault]]
            call = "add"
            nth = 2
            when = "after"
            do = "cut"
            [[fault]]
            first = 3
            status = 429
            retry_after = 1
            body = "slow down"
            [[fault]]
            call = "create"
            share = 0.5
            seed = 7
            slow = 65536
            delay = 0.25
        "#;
        let flags = [
            "add,nth=2,when=after,cut",
            "first=3,status=429,retry_after=1,body=slow down",
            "create,share=0.5,seed=7,slow=65536,delay=0.25",
        ];
        assert_eq!(Fault::script(script), Ok(flags.map(parse).to_vec()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "",
            "add",
            "nonsense",
            "add,cut,cut",
            "add,nht=2,cut",
            "add,nth=2,first=1,cut",
            "add,nth=0,cut",
            "add,share=2,cut",
            "add,seed=2,cut",
            "add,status=99",
            "add,cut,status=500",
            "add,retry_after=1,cut",
            "add,at_byte=5,hang",
            "add,at_byte=5,when=after,cut",
            "add,slow=0",
            "delay=-1",
            "when=sometimes,cut",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
        let error = Fault::script("\n[[fault]]\ndo = \"cut\"\nnht = 1\n").expect_err("a typo");
        assert!(error.starts_with("line 4: unknown field `nht`"), "{error}");
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
