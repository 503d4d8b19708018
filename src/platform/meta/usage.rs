//! How much of its limits Meta says is used, and how long to wait where one was reached.

use std::time::Duration;

use serde_json::Value;

use crate::platform::{Limits, Reply};

/// Headers that tell it: by business use case and ad account, by ad account, by app.
pub(super) const HEADERS: [&str; 3] =
    ["X-Business-Use-Case-Usage", "X-Ad-Account-Usage", "X-App-Usage"];

/// Fields whose values are a share of a limit, in percent.
const SHARES: [&str; 4] = ["call_count", "total_cputime", "total_time", "acc_id_util_pct"];

/// The wait after a refusal that does not say how long.
const REFUSED_WAIT: Duration = Duration::from_mins(1);

/// Longest wait that is believed: limits are about an hour or a day.
const WAIT_MAX: Duration = Duration::from_hours(24);

/// How limits stand after a request that was carried out.
pub(super) fn limits(reply: &Reply) -> Limits {
    read(reply, false)
}

/// How long to wait after a request was refused because of a limit.
pub(super) fn wait_after_refusal(reply: &Reply) -> Duration {
    read(reply, true).regain.unwrap_or(REFUSED_WAIT)
}

/// Reads what an answer says, of a refusal if it is one. Where it tells limits by account, those of others are none of this
/// one's; but what is not told by this account's number may be about it all the same.
fn read(reply: &Reply, is_refusal: bool) -> Limits {
    let mut limits = Limits::default();
    for (_, text) in &reply.headers {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let is_by_account = value.as_object().is_some_and(|of| of.values().any(Value::is_array));
        let own = reply
            .ad_account
            .as_ref()
            .and_then(|id| value.get(id.as_str()).or_else(|| value.get(format!("act_{id}"))));
        let mut told = Limits::default();
        take(&mut told, own.unwrap_or(&value));
        let is_certain = own.is_some() || !is_by_account || reply.ad_account.is_none();
        limits.percent = limits.percent.max(told.percent);
        // It goes slower, but waits for nobody else.
        limits.regain = limits.regain.max(told.regain.filter(|_| is_certain || is_refusal));
    }
    limits
}

/// Takes an object, or all that are in an object by account or in a list.
fn take(limits: &mut Limits, value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| take(limits, value)),
        Value::Object(object) => {
            let number = |name: &str| object.get(name).and_then(Value::as_f64);
            limits.percent = SHARES.into_iter().filter_map(number).fold(limits.percent, f64::max);
            let minutes = number("estimated_time_to_regain_access");
            let minutes = minutes.filter(|minutes| *minutes > 0.0).map(|time| time * 60.0);
            // It is told at all times; it is to be waited for if nothing is left.
            let is_used_up = number("acc_id_util_pct").is_some_and(|share| share >= 100.0);
            let seconds = number("reset_time_duration").filter(|time| is_used_up && *time > 0.0);
            for seconds in [minutes, seconds].into_iter().flatten() {
                let wait = Duration::try_from_secs_f64(seconds).unwrap_or(WAIT_MAX);
                limits.regain = limits.regain.max(Some(wait.min(WAIT_MAX)));
            }
            object.values().filter(|value| value.is_array()).for_each(|value| take(limits, value));
        }
        _ => {}
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
            let Limits { percent, regain } = limits(&reply);
            (percent, regain.map(|wait| wait.as_secs()), wait_after_refusal(&reply).as_secs())
        };
        assert_eq!(of(&[("7", 10, 0), ("8", 100, 50)]), (10.0, None, 60));
        assert_eq!(of(&[("act_7", 90, 0), ("8", 100, 50)]), (90.0, None, 60));
        assert_eq!(of(&[("8", 0, 0), ("7", 100, 3)]), (100.0, Some(180), 180));
        // It may be the number of a business that this account is of.
        assert_eq!(of(&[("8", 100, 50)]), (100.0, None, 50 * 60));
    }

    fn of_business(percent: u32, minutes: u32) -> String {
        format!(
            r#"{{"7": [{{"type": "custom_audience", "call_count": {percent}, "total_cputime": 1, "total_time": 2,
                "estimated_time_to_regain_access": {minutes}}}]}}"#
        )
    }

    #[test]
    fn the_fullest_of_all_limits_counts() {
        let percent =
            |headers: &[(&'static str, &str)]| limits(&reply(headers)).percent.to_string();
        let app = r#"{"call_count": 95, "total_cputime": 0, "total_time": 1}"#;
        let account = r#"{"acc_id_util_pct": 90.5, "reset_time_duration": 100}"#;
        assert_eq!(percent(&[(HEADERS[2], app)]), "95");
        assert_eq!(percent(&[(HEADERS[1], account)]), "90.5");
        assert_eq!(percent(&[(HEADERS[1], account), (HEADERS[2], app)]), "95");
        let regain = |share: u32, seconds: u32| {
            let text =
                format!(r#"{{"acc_id_util_pct": {share}, "reset_time_duration": {seconds}}}"#);
            limits(&reply(&[(HEADERS[1], &text)])).regain
        };
        assert_eq!(regain(100, 100), Some(Duration::from_secs(100)));
        assert_eq!((regain(99, 100), regain(100, 0)), (None, None));
        for nonsense in ["", "7", "[]", "{}", r#"{"7": 1}"#, r#"{"call_count": "x"}"#] {
            assert_eq!(limits(&reply(&[(HEADERS[0], nonsense)])), Limits::default(), "{nonsense}");
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
