//! How faults are written: in a script, and as a flag.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::{Action, Call, Fault, RetryAfter, When, Which};

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
}
