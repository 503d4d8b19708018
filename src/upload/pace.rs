//! The pace of requests under a platform's limits: nobody runs into one, and none is left unused.
//!
//! Limits are about an hour: either one that begins with a request, so that all are free again when it is over, or the one
//! that lies behind each moment. Answers tell how much of them is used. As long as that is little, nobody waits. Then what
//! is left is spread over what is left of the hour, unless it is enough for everything that is to be sent; so the last of it
//! is used when the hour is over, and whoever else uses the same limit finds some of it until then.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::mutex::lock;
use crate::platform::{Id, Limits};

/// From here on it goes slower, in percent of a limit.
const SLOW_PERCENT: f64 = 90.0;

/// The time that limits are about.
const HOUR: Duration = Duration::from_hours(1);

/// Least wait where nothing is left.
const USED_UP_MIN: Duration = Duration::from_secs(1);

/// Beyond what a clock could lag behind the server's.
const LAG: Duration = Duration::from_millis(500);

/// Requests from which on the steps in which percents are told do not matter.
const MANY_REQUESTS: u32 = 100;

/// The paces of a process, by ad account.
#[derive(Debug, Default)]
pub(super) struct Paces(Mutex<BTreeMap<Id, Pace>>);

impl Paces {
    /// How long to wait at `now`, after an answer about an ad account that told how its limits stand, if so many requests are
    /// still to be made.
    pub(super) fn after(
        &self,
        ad_account: &Id,
        now: Instant,
        limits: Limits,
        left: u64,
    ) -> Duration {
        let mut paces = lock(&self.0);
        paces.entry(ad_account.clone()).or_default().after(now, limits, left)
    }
}

/// What is known of the limits of an ad account.
#[derive(Debug, Default)]
struct Pace {
    /// What is known since the hour began that is counted at the moment.
    hour: Option<Hour>,
    /// When requests of the last hour were answered.
    answers: VecDeque<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Hour {
    /// When it was seen first; it cannot have begun later.
    began: Instant,
    /// What was used of it then, in percent.
    percent: f64,
    /// The most that was used of it since.
    percent_max: f64,
    /// Requests since.
    requests: u32,
}

impl Pace {
    fn after(&mut self, now: Instant, limits: Limits, left: u64) -> Duration {
        self.answers.push_back(now);
        while self.answers.front().is_some_and(|at| *at + HOUR <= now) {
            self.answers.pop_front();
        }
        let percent = limits.percent;
        // A fall by more than half is no wavering: what was used before counts no more.
        let current = self.hour.filter(|hour| percent >= hour.percent_max / 2.0);
        let mut hour =
            current.unwrap_or(Hour { began: now, percent, percent_max: percent, requests: 0 });
        hour.requests += 1;
        hour.percent_max = hour.percent_max.max(percent);
        self.hour = Some(hour);
        if let Some(regain) = limits.regain {
            return regain;
        }
        if percent < SLOW_PERCENT {
            return Duration::ZERO;
        }
        let requests_left = (100.0 - percent).max(0.0) / hour.cost();
        #[expect(clippy::cast_precision_loss, reason = "requests of a run are far below 2^53")]
        let is_enough = left as f64 <= requests_left;
        if is_enough {
            return Duration::ZERO;
        }
        let end = (hour.began + HOUR).saturating_duration_since(now);
        if percent >= 100.0 {
            return self.until_free(now, end);
        }
        let evenly = end.div_f64(requests_left.max(1.0));
        // As many as come free in an hour, where it is that behind each moment.
        evenly.max(HOUR.mul_f64(hour.cost() / 100.0)).min(end.max(Duration::from_mins(1)))
    }

    /// How long nothing is left: until the hour is over, or until the first request of the last hour is older than that.
    fn until_free(&self, now: Instant, end: Duration) -> Duration {
        let oldest = self
            .answers
            .front()
            .map_or(Duration::ZERO, |oldest| (*oldest + HOUR).saturating_duration_since(now));
        let wait = if end.is_zero() { oldest } else { end };
        wait.max(USED_UP_MIN) + LAG
    }
}

impl Hour {
    /// What a request takes of a limit, in percent. Percents are told in whole ones at times, so that a few requests say little.
    fn cost(&self) -> f64 {
        let gain = self.percent_max - self.percent;
        let told = if self.requests > MANY_REQUESTS { gain } else { gain + 1.0 };
        told.max(1.0) / f64::from(self.requests.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that refuses requests beyond a limit, and whose headers are true.
    #[derive(Debug)]
    struct Server {
        limit: usize,
        /// Whether the hour begins with a request, or lies behind each moment.
        is_fixed: bool,
        requests: VecDeque<Instant>,
    }

    impl Server {
        fn new(limit: usize, is_fixed: bool) -> Self {
            Self { limit, is_fixed, requests: VecDeque::new() }
        }

        /// Whole percents that are used after a request; nothing if it is refused.
        fn request(&mut self, now: Instant) -> Option<f64> {
            let is_over = |at: Option<&Instant>| at.is_some_and(|at| *at + HOUR <= now);
            if self.is_fixed && is_over(self.requests.front()) {
                self.requests.clear();
            }
            while is_over(self.requests.front()) {
                self.requests.pop_front();
            }
            if self.requests.len() >= self.limit {
                return None;
            }
            self.requests.push_back(now);
            Some(u32::try_from(self.requests.len() * 100 / self.limit).expect("small").into())
        }
    }

    const ANSWERED_AFTER: Duration = Duration::from_millis(300);

    /// How long a run of so many requests takes, and how many of them are refused.
    fn run(server: &mut Server, begin: Instant, requests: u64) -> (Duration, u32) {
        let (paces, account) = (Paces::default(), 7.into());
        let (mut now, mut refused, mut left) = (begin, 0, requests);
        while left > 0 {
            let Some(percent) = server.request(now) else {
                refused += 1;
                now += Duration::from_mins(1);
                continue;
            };
            now += ANSWERED_AFTER;
            left -= 1;
            if left > 0 {
                now += paces.after(&account, now, Limits { percent, regain: None }, left);
            }
        }
        (now - begin, refused)
    }

    /// The same by somebody who knows when the next one is accepted.
    fn shortest(server: &mut Server, begin: Instant, requests: u64) -> Duration {
        let mut now = begin;
        for _ in 0..requests {
            while server.request(now).is_none() {
                let oldest = *server.requests.front().expect("requests");
                now = now.max(oldest + HOUR);
            }
            now += ANSWERED_AFTER;
        }
        now - begin
    }

    /// Servers of which somebody has used a part already.
    fn pair(limit: usize, is_fixed: bool, used: usize, begin: Instant) -> [Server; 2] {
        [(); 2].map(|()| {
            let mut server = Server::new(limit, is_fixed);
            for _ in 0..used {
                server.request(begin);
            }
            server
        })
    }

    #[test]
    fn a_night_of_fifty_million_is_never_refused_and_takes_as_long_as_the_limits_allow() {
        let begin = Instant::now();
        for limit in [150, 300, 999, 1000, 1900, 4000, 190_000] {
            let requests = if limit < 300 { 1300 } else { 5000 };
            for used in [0, limit / 2, limit * 9 / 10] {
                // With that little left of so much, it is slow until it is known how little a request takes.
                if limit > 100_000 && used > limit / 2 {
                    continue;
                }
                let [mut paced, mut ideal] = pair(limit, true, used, begin);
                let later = begin + Duration::from_mins(20);
                let (took, refused) = run(&mut paced, later, requests);
                let shortest = shortest(&mut ideal, later, requests);
                assert_eq!(refused, 0, "{limit} an hour, {used} used");
                assert!(
                    took <= shortest.mul_f64(1.05),
                    "{limit} an hour, {used} used: {took:?}, not {shortest:?}"
                );
            }
        }
    }

    /// What was used evenly comes free evenly, so that the end of a run can take until its last hour is over.
    #[test]
    fn where_the_hour_lies_behind_each_moment_it_is_never_refused_either() {
        let begin = Instant::now();
        for limit in [50, 300, 999, 1900, 4000] {
            let requests = if limit < 300 { 500 } else { 5000 };
            for used in [0, limit / 2] {
                let [mut paced, mut ideal] = pair(limit, false, used, begin);
                let later = begin + Duration::from_mins(20);
                let (took, refused) = run(&mut paced, later, requests);
                let shortest = shortest(&mut ideal, later, requests);
                assert_eq!(refused, 0, "{limit} an hour, {used} used");
                assert!(
                    took <= shortest.mul_f64(1.05) + HOUR,
                    "{limit} an hour, {used} used: {took:?}, not {shortest:?}"
                );
            }
        }
    }

    fn of(percent: f64) -> Limits {
        Limits { percent, regain: None }
    }

    #[test]
    fn nobody_waits_below_nine_tenths_or_if_what_is_left_is_enough() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        for request in 1..=899_u32 {
            assert_eq!(pace.after(now, of(f64::from(request / 10)), 5000), Duration::ZERO);
        }
        assert!(pace.after(now, of(90.0), 5000) > Duration::from_secs(30), "36 s, about");
        assert!(pace.after(now, of(90.0), 5000) < Duration::from_secs(40));
        assert_eq!(pace.after(now, of(91.0), 80), Duration::ZERO);
        let rest = pace.after(now, of(100.0), 5000);
        assert!(rest >= HOUR && rest < HOUR + Duration::from_secs(2), "{rest:?}");
        assert_eq!(pace.after(now + rest, of(0.0), 5000), Duration::ZERO, "an hour later");
    }

    #[test]
    fn a_wait_that_is_told_is_kept() {
        let regain = Some(Duration::from_mins(7));
        let limits = Limits { percent: 100.0, regain };
        assert_eq!(Pace::default().after(Instant::now(), limits, 5000).as_secs(), 420);
    }

    #[test]
    fn each_ad_account_has_limits_of_its_own() {
        let (paces, now) = (Paces::default(), Instant::now());
        for _ in 0..3 {
            assert!(paces.after(&7.into(), now, of(99.0), 5000) > Duration::ZERO);
            assert_eq!(paces.after(&8.into(), now, of(3.0), 5000), Duration::ZERO);
        }
    }
}
