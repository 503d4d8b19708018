//! Limits on calls about an ad account, and the headers that tell how much of them is used.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response};
use serde_json::{Value, json};

use crate::config::USAGE_WINDOW;

const BY_BUSINESS: HeaderName = HeaderName::from_static("x-business-use-case-usage");
const BY_ACCOUNT: HeaderName = HeaderName::from_static("x-ad-account-usage");
const BY_APP: HeaderName = HeaderName::from_static("x-app-usage");

/// Calls about each ad account. They are counted within an hour that begins with the first, and then anew; a call that
/// is refused does not count.
#[derive(Debug)]
pub(crate) struct Usage {
    limit: Option<u32>,
    accounts: HashMap<u64, Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    started: Duration,
    calls: u32,
}

/// How an ad account stands after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) account: u64,
    pub(super) percent: u32,
    /// Minutes until calls are accepted again, if this one was refused.
    pub(super) regain_access: Option<u64>,
}

impl Usage {
    pub(crate) fn new(limit: Option<u32>) -> Self {
        Self { limit, accounts: HashMap::new() }
    }

    /// Counts a call, or refuses it.
    pub(super) fn call(&mut self, account: u64, now: Duration) -> Reading {
        let Some(limit) = self.limit else {
            return Reading { account, percent: 0, regain_access: None };
        };
        let window = self.accounts.entry(account).or_insert(Window { started: now, calls: 0 });
        if now >= window.started + USAGE_WINDOW {
            *window = Window { started: now, calls: 0 };
        }
        let end = window.started + USAGE_WINDOW;
        if window.calls >= limit {
            let minutes = end.saturating_sub(now).as_secs().div_ceil(60).max(1);
            return Reading { account, percent: 100, regain_access: Some(minutes) };
        }
        window.calls += 1;
        let percent = u64::from(window.calls) * 100 / u64::from(limit);
        Reading { account, percent: percent.try_into().unwrap_or(100), regain_access: None }
    }
}

impl Reading {
    /// Puts it into an answer's head.
    pub(super) fn tell(self, response: &mut Response<Body>) {
        let Self { account, percent, regain_access } = self;
        let minutes = regain_access.unwrap_or(0);
        let of_business = json!({ account.to_string(): [{
            "type": "custom_audience",
            "call_count": percent,
            "total_cputime": percent * 3 / 4,
            "total_time": percent / 2,
            "estimated_time_to_regain_access": minutes,
            "ads_api_access_tier": "standard_access",
        }] });
        let of_account = json!({
            "acc_id_util_pct": percent,
            "reset_time_duration": minutes * 60,
            "ads_api_access_tier": "standard_access",
        });
        let of_app = json!({ "call_count": percent / 4, "total_cputime": 0, "total_time": 0 });
        for (name, value) in
            [(BY_BUSINESS, of_business), (BY_ACCOUNT, of_account), (BY_APP, of_app)]
        {
            if let Some(value) = header(&value) {
                response.headers_mut().insert(name, value);
            }
        }
    }
}

fn header(value: &Value) -> Option<HeaderValue> {
    HeaderValue::try_from(value.to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_refused_at_its_limit_until_the_hour_is_over() {
        let mut usage = Usage::new(Some(4));
        let minute = |minutes| Duration::from_mins(minutes);
        let percents: Vec<u32> =
            (0..4).map(|minutes| usage.call(7, minute(minutes)).percent).collect();
        assert_eq!(percents, [25, 50, 75, 100]);
        let refused = Reading { account: 7, percent: 100, regain_access: Some(20) };
        assert_eq!(usage.call(7, minute(40)), refused);
        assert_eq!(usage.call(8, minute(40)).regain_access, None, "another account");
        assert_eq!(usage.call(7, minute(60)).percent, 25, "anew");
    }
}
