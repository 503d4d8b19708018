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
    let usage = Usage::read(reply);
    if let Some(regain) = usage.regain {
        return regain;
    }
    let share = (usage.percent - SLOW_PERCENT) / (100.0 - SLOW_PERCENT);
    PAUSE_MAX.mul_f64(share.clamp(0.0, 1.0))
}

/// How long to wait after a request was refused because of a limit.
pub(super) fn wait_after_refusal(reply: &Reply) -> Duration {
    Usage::read(reply).regain.unwrap_or(REFUSED_WAIT)
}

impl Usage {
    fn read(reply: &Reply) -> Self {
        let mut usage = Self::default();
        for (_, text) in &reply.headers {
            let value: Value = serde_json::from_str(text).unwrap_or_default();
            usage.take(&value);
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
        Reply { call: Call::Add, status: 200, body: Vec::new(), headers }
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
