//! Reading faults: a script is TOML, and a flag is a short form of one of its tables.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::{Action, Call, Fault, GraphFault, RetryAfter, When, Which};

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
            format!("line {line}: {}", with_nearest(error.message()))
        })?;
        let faults = script.fault.iter().enumerate();
        faults
            .map(|(index, fault)| {
                fault.check().map_err(|error| format!("fault {}: {error}", index + 1))
            })
            .collect()
    }
}

impl FromStr for Fault {
    type Err = String;

    /// Reads the pairs of one table, separated by commas. A word alone stands for `word = true`, and texts need no quotes.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut table = toml::Table::new();
        for pair in text.split(',').map(str::trim) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, "true"));
            let value = scalar(value).unwrap_or_else(|| value.into());
            if table.insert(key.to_owned(), value).is_some() {
                return Err(format!("`{key}` is given twice"));
            }
        }
        let written: Written =
            table.try_into().map_err(|error: toml::de::Error| with_nearest(error.message()))?;
        written.check()
    }
}

/// The number, truth value or quoted text that is written here.
fn scalar(text: &str) -> Option<toml::Value> {
    let table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    table.into_iter().next().map(|(_, value)| value)
}

/// A message of serde's about an unknown word, which lists all known ones, with the nearest of these instead.
fn with_nearest(message: &str) -> String {
    let mut words = message.split('`').skip(1).step_by(2);
    let (true, Some(unknown)) = (message.starts_with("unknown "), words.next()) else {
        return message.to_owned();
    };
    let nearest = words.min_by_key(|known| strsim::damerau_levenshtein(unknown, known));
    let hint = nearest.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
    let what = message.split(',').next().unwrap_or_default();
    format!("{what}{hint}")
}

/// A fault as it is written: all keys that there are.
#[expect(clippy::struct_excessive_bools, reason = "each is a word that somebody writes or not")]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    create: bool,
    add: bool,
    remove: bool,
    replace: bool,
    list: bool,
    details: bool,
    delete: bool,
    nth: Option<u64>,
    first: Option<u64>,
    from: Option<u64>,
    share: Option<f64>,
    seed: Option<u64>,
    when: Option<When>,
    status: Option<u16>,
    retry_after: Option<u64>,
    retry_date: Option<u64>,
    body: Option<String>,
    code: Option<u32>,
    subcode: Option<u32>,
    transient: bool,
    regain_access: Option<u64>,
    invalid: Option<usize>,
    cut: bool,
    at_byte: Option<u64>,
    hang: bool,
    html: bool,
    wrong_json: bool,
    truncated: bool,
    no_id: bool,
    no_continue: bool,
    slow: Option<u64>,
    delay: f64,
}

impl Written {
    fn check(&self) -> Result<Fault, String> {
        let delay = Duration::try_from_secs_f64(self.delay);
        let delay = delay.map_err(|_| "`delay` takes seconds")?;
        let (which, action) = (self.which()?, self.action()?);
        if action == Action::Nothing && delay.is_zero() {
            return Err("it does nothing: give `cut`, `status`, `delay` or the like".into());
        }
        let calls = [
            (self.create, Call::Create),
            (self.add, Call::Add),
            (self.remove, Call::Remove),
            (self.replace, Call::Replace),
            (self.list, Call::List),
            (self.details, Call::Details),
            (self.delete, Call::Delete),
        ];
        let calls = calls.into_iter().filter_map(|(is_meant, call)| is_meant.then_some(call));
        let when = self.when.unwrap_or_default();
        Ok(Fault { calls: calls.collect(), which, when, delay, action })
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
        let is_graph = self.code.is_some();
        if is_graph
            && (self.retry_after.is_some() || self.retry_date.is_some() || self.body.is_some())
        {
            return Err("`code` writes the whole answer".to_owned());
        }
        if !is_graph && (self.subcode.is_some() || self.transient || self.regain_access.is_some()) {
            return Err("`subcode`, `transient` and `regain_access` go with `code`".to_owned());
        }
        if self.invalid == Some(0) {
            return Err("`invalid` takes a number of entries".to_owned());
        }
        if self.at_byte.is_some() && (!self.cut || self.when.is_some()) {
            return Err("`at_byte` goes with `cut` and says when".to_owned());
        }
        if self.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err("`status` is between 200 and 599".to_owned());
        }
        if self.slow == Some(0) {
            return Err("`slow` takes bytes a second".to_owned());
        }
        let seconds = self.retry_after.map(RetryAfter::Seconds);
        let retry_after = seconds.or(self.retry_date.map(RetryAfter::Date));
        let actions = [
            self.cut.then(|| self.at_byte.map_or(Action::Cut, Action::CutAtByte)),
            self.hang.then_some(Action::Hang),
            self.html.then_some(Action::Html),
            self.wrong_json.then_some(Action::WrongJson),
            self.truncated.then_some(Action::Truncated),
            self.no_id.then_some(Action::NoId),
            self.no_continue.then_some(Action::NoContinue),
            self.slow.map(Action::Slow),
            self.invalid.map(Action::Invalid),
            self.code.map(|code| Action::Graph(self.graph(code))),
            self.status.filter(|_| !is_graph).map(|status| Action::Status {
                status,
                retry_after,
                body: self.body.clone(),
            }),
        ];
        let mut given = actions.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(_), Some(_)) => Err("it does two things: give one, and `delay`".to_owned()),
            (action, _) => Ok(action.unwrap_or(Action::Nothing)),
        }
    }

    fn graph(&self, code: u32) -> GraphFault {
        GraphFault {
            code,
            subcode: self.subcode,
            status: self.status,
            is_transient: self.transient,
            regain_access: self.regain_access,
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
            add = true
            nth = 2
            when = "after"
            cut = true
            [[fault]]
            first = 3
            status = 429
            retry_after = 1
            body = "slow down"
            [[fault]]
            create = true
            list = true
            share = 0.5
            seed = 7
            slow = 65536
            delay = 0.25
            [[fault]]
            status = 200
            body = "true"
            [[fault]]
            remove = true
            replace = true
            nth = 3
            code = 80003
            regain_access = 5
            [[fault]]
            add = true
            code = 100
            subcode = 33
            status = 200
            transient = true
            [[fault]]
            add = true
            invalid = 7
        "#;
        let flags = [
            "add,nth=2,when=after,cut",
            "first=3,status=429,retry_after=1,body=slow down",
            "create,list,share=0.5,seed=7,slow=65536,delay=0.25",
            "status=200,body=\"true\"",
            "remove,replace,nth=3,code=80003,regain_access=5",
            "add,code=100,subcode=33,status=200,transient",
            "add,invalid=7",
        ];
        assert_eq!(Fault::script(script), Ok(flags.map(parse).to_vec()));
    }

    #[test]
    fn the_example_is_read_and_names_its_flags() {
        let text = include_str!("example.toml");
        let flags = text.lines().filter_map(|line| line.split_once("# --fault "));
        let flags: Vec<Fault> =
            flags.map(|(_, flag)| parse(flag.split(": ").next().unwrap_or_default())).collect();
        assert_eq!(flags.len(), 7);
        assert_eq!(Fault::script(text), Ok(flags));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "",
            "add",
            "nonsense",
            "add,cut,cut",
            "add,cut=false",
            "add,cut=yes",
            "add,nth=2,first=1,cut",
            "add,nth=0,cut",
            "add,share=2,cut",
            "add,seed=2,cut",
            "add,status=99",
            "add,cut,status=500",
            "add,cut,hang",
            "add,retry_after=1,cut",
            "add,at_byte=5,hang",
            "add,at_byte=5,when=after,cut",
            "add,slow=0",
            "add,invalid=0",
            "add,subcode=33",
            "add,status=400,transient",
            "add,code=17,body=x",
            "add,code=17,cut",
            "delay=-1",
            "when=sometimes,cut",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_word_is_told_with_the_nearest() {
        for (text, message) in [
            ("add,nht=2,cut", "unknown field `nht`; did you mean `nth`?"),
            ("creat,cut", "unknown field `creat`; did you mean `create`?"),
            ("wrong-json", "unknown field `wrong-json`; did you mean `wrong_json`?"),
            ("when=befor,cut", "unknown variant `befor`; did you mean `before`?"),
        ] {
            assert_eq!(text.parse::<Fault>(), Err(message.to_owned()));
        }
        let error = Fault::script("\n[[fault]]\ncut = true\nnht = 1\n").expect_err("a typo");
        assert_eq!(error, "line 4: unknown field `nht`; did you mean `nth`?");
        let error = Fault::script("[[falt]]\ncut = true\n").expect_err("a typo");
        assert_eq!(error, "line 1: unknown field `falt`; did you mean `fault`?");
    }
}
