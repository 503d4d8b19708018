//! How much of its limits Meta says is used, and how long to wait so that they are not reached.

use std::time::Duration;

use serde_json::Value;

use crate::platform::Reply;

/// Headers that tell it: by business use case and ad account, by ad account, by app.
pub(super) const HEADERS: [&str; 3] =
    ["X-Business-Use-Case-Usage", "X-Ad-Account-Usage", "X-App-Usage"];

/// Fields whose values are a share of a limit, in percent.
const SHARES: [&str; 4] = ["call_count", "total_cputime", "total_time", "acc_id_util_pct"];

/// From here on it goes slower.
const SLOW_PERCENT: f64 = 80.0;

/// The wait between two requests when nothing is left of a limit.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// The wait after a refusal that does not say how long.
const REFUSED_WAIT: Duration = Duration::from_mins(1);

/// Longest wait that is believed: limits are about an hour or a day.
const WAIT_MAX: Duration = Duration::from_hours(24);

/// How limits stand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Usage {
    /// The largest share that is used of any, in percent.
    percent: f64,
    /// Time until requests are accepted again, if it is told.
    regain: Option<Duration>,
}

/// How long to wait before the next request, so that no limit is reached: nothing below 80%, then the longer the less is left.
pub(super) fn pause(reply: &Reply) -> Duration {
    let usage = Usage::read(reply, false);
    if let Some(regain) = usage.regain {
        return regain;
    }
    let share = (usage.percent - SLOW_PERCENT) / (100.0 - SLOW_PERCENT);
    PAUSE_MAX.mul_f64(share.clamp(0.0, 1.0))
}

/// How long to wait after a request was refused because of a limit.
pub(super) fn wait_after_refusal(reply: &Reply) -> Duration {
    Usage::read(reply, true).regain.unwrap_or(REFUSED_WAIT)
}

impl Usage {
    /// Reads what an answer says, of a refusal if it is one. Where it tells limits by account, those of others are none of
    /// this one's; but what is not told by this account's number may be about it all the same.
    fn read(reply: &Reply, is_refusal: bool) -> Self {
        let mut usage = Self::default();
        for (_, text) in &reply.headers {
            let value: Value = serde_json::from_str(text).unwrap_or_default();
            let is_by_account =
                value.as_object().is_some_and(|of| of.values().any(Value::is_array));
            let own = reply
                .ad_account
                .as_ref()
                .and_then(|id| value.get(id.as_str()).or_else(|| value.get(format!("act_{id}"))));
            let mut told = Self::default();
            told.take(own.unwrap_or(&value));
            let is_certain = own.is_some() || !is_by_account || reply.ad_account.is_none();
            usage.percent = usage.percent.max(told.percent);
            // It goes slower, but waits for nobody else.
            usage.regain = usage.regain.max(told.regain.filter(|_| is_certain || is_refusal));
        }
        usage
    }

    /// Takes an object, or all that are in an object by account or in a list.
    fn take(&mut self, value: &Value) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.take(value)),
            Value::Object(object) => {
                let number = |name: &str| object.get(name).and_then(Value::as_f64);
                let percent = SHARES.into_iter().filter_map(number).fold(self.percent, f64::max);
                self.percent = percent;
                let minutes = number("estimated_time_to_regain_access");
                let minutes = minutes.filter(|minutes| *minutes > 0.0).map(|time| time * 60.0);
                // It is told at all times; it is to be waited for if nothing is left.
                let is_used_up = number("acc_id_util_pct").is_some_and(|share| share >= 100.0);
                let seconds = number("reset_time_duration").filter(|_| is_used_up);
                for seconds in [minutes, seconds].into_iter().flatten() {
                    let wait = Duration::try_from_secs_f64(seconds).unwrap_or(WAIT_MAX);
                    self.regain = self.regain.max(Some(wait.min(WAIT_MAX)));
                }
                object.values().filter(|value| value.is_array()).for_each(|value| self.take(value));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Call;

    fn reply(headers: &[(&'static str, &str)]) -> Reply {
        let headers = headers.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        let ad_account = Some(7.into());
        Reply { call: Call::Add, status: 200, body: Vec::new(), headers, ad_account }
    }

    #[test]
    fn the_limits_of_another_account_are_none_of_this_one() {
        let of = |accounts: &[(&str, u32, u32)]| {
            let of_one = |(account, percent, minutes): &(&str, u32, u32)| {
                format!(
                    r#""{account}": [{{"call_count": {percent}, "estimated_time_to_regain_access": {minutes}}}]"#
                )
            };
            let all: Vec<String> = accounts.iter().map(of_one).collect();
            let reply = reply(&[(HEADERS[0], &format!("{{{}}}", all.join(",")))]);
            (pause(&reply).as_secs(), wait_after_refusal(&reply).as_secs())
        };
        assert_eq!(of(&[("7", 10, 0), ("8", 100, 50)]), (0, 60));
        assert_eq!(of(&[("act_7", 90, 0), ("8", 100, 50)]), (30, 60));
        assert_eq!(of(&[("8", 0, 0), ("7", 100, 3)]), (180, 180));
        // It may be the number of a business that this account is of.
        assert_eq!(of(&[("8", 100, 50)]), (60, 50 * 60));
    }

    fn of_business(percent: u32, minutes: u32) -> String {
        format!(
            r#"{{"7": [{{"type": "custom_audience", "call_count": {percent}, "total_cputime": 1, "total_time": 2,
                "estimated_time_to_regain_access": {minutes}}}]}}"#
        )
    }

    #[test]
    fn it_goes_slower_the_less_is_left_and_waits_when_told() {
        let pause = |percent, minutes| {
            pause(&reply(&[(HEADERS[0], &of_business(percent, minutes))])).as_secs()
        };
        assert_eq!([0, 50, 80].map(|percent| pause(percent, 0)), [0, 0, 0]);
        assert_eq!([85, 90, 95, 100, 250].map(|percent| pause(percent, 0)), [15, 30, 45, 60, 60]);
        assert_eq!(pause(100, 7), 7 * 60);
    }

    #[test]
    fn the_fullest_of_all_limits_counts() {
        let app = r#"{"call_count": 95, "total_cputime": 0, "total_time": 1}"#;
        let account = r#"{"acc_id_util_pct": 90.5, "reset_time_duration": 100}"#;
        assert_eq!(pause(&reply(&[(HEADERS[2], app)])).as_secs(), 45);
        assert_eq!(pause(&reply(&[(HEADERS[1], account)])).as_millis(), 31_500);
        assert_eq!(pause(&reply(&[(HEADERS[1], account), (HEADERS[2], app)])).as_secs(), 45);
        let full = r#"{"acc_id_util_pct": 100, "reset_time_duration": 100}"#;
        assert_eq!(pause(&reply(&[(HEADERS[1], full)])).as_secs(), 100);
        for nonsense in ["", "7", "[]", "{}", r#"{"7": 1}"#, r#"{"call_count": "x"}"#] {
            assert_eq!(pause(&reply(&[(HEADERS[0], nonsense)])), Duration::ZERO, "{nonsense}");
        }
    }

    #[test]
    fn a_refusal_is_waited_for_as_told_or_for_a_minute() {
        let told = |minutes| reply(&[(HEADERS[0], &of_business(100, minutes))]);
        assert_eq!(wait_after_refusal(&told(3)).as_secs(), 180);
        assert_eq!(wait_after_refusal(&told(0)).as_secs(), 60);
        assert_eq!(wait_after_refusal(&reply(&[])).as_secs(), 60);
        assert_eq!(wait_after_refusal(&told(4_000_000_000)), WAIT_MAX);
    }
}
