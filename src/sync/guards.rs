//! What must not pass at 3 a.m.: an export that is half written, empty, old, or of somebody else.

use std::time::{Duration, SystemTime};

use super::{AudienceRecord, GuardRecord, SyncRecord};

/// Limits that a run must keep before anything of it is posted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Guards {
    /// The largest share, 0 to 1, by which an audience may have fewer members than in the run before.
    pub max_shrink: Option<f64>,
    /// The largest share by which it may have more; 1 is twice as many.
    pub max_growth: Option<f64>,
    /// Fewest members of each audience.
    pub min_entries: Option<u64>,
    /// The greatest age of an input.
    pub max_age: Option<Duration>,
}

/// A guard that stops a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stopped {
    pub(super) guard: GuardRecord,
    pub(super) message: String,
}

impl Guards {
    /// Looks at an audience; `before` is the last run that passed.
    pub(super) fn check(
        &self,
        audience: &AudienceRecord,
        before: Option<&SyncRecord>,
    ) -> Option<Stopped> {
        let AudienceRecord { name, members, .. } = audience;
        if let Some(least) = self.min_entries.filter(|least| members < least) {
            let message =
                format!("`{name}` has {members} members, and min-entries asks for {least}");
            return Some(stopped(
                "min_entries",
                Some(name),
                &members.to_string(),
                &least.to_string(),
                message,
            ));
        }
        let earlier = before?.audiences.iter().find(|earlier| earlier.name == *name)?.members;
        if earlier == 0 {
            return None;
        }
        let change = count(*members) / count(earlier) - 1.0;
        let (guard, word, limit) = match (self.max_shrink, self.max_growth) {
            (Some(limit), _) if -change > limit => ("max_shrink", "fewer", limit),
            (_, Some(limit)) if change > limit => ("max_growth", "more", limit),
            _ => return None,
        };
        let (found, limit) = (percent(change.abs()), percent(limit));
        let flag = guard.replace('_', "-");
        let message = format!(
            "`{name}` has {members} members, {found} {word} than the {earlier} of the run before, and {flag} allows {limit}"
        );
        Some(stopped(guard, Some(name), &found, &limit, message))
    }

    /// Looks at when an input was written. One from the future is as good as new: clocks differ.
    pub(super) fn check_age(
        &self,
        path: &str,
        modified: SystemTime,
        now: SystemTime,
    ) -> Option<Stopped> {
        let limit = self.max_age?;
        let age = now.duration_since(modified).unwrap_or_default();
        if age <= limit {
            return None;
        }
        let (found, limit) = (hours(age), hours(limit));
        let message = format!("the input {path} is {found} old, and max-age allows {limit}");
        Some(stopped("max_age", None, &found, &limit, message))
    }
}

fn stopped(
    name: &str,
    audience: Option<&String>,
    found: &str,
    limit: &str,
    message: String,
) -> Stopped {
    let guard = GuardRecord {
        name: name.to_owned(),
        audience: audience.cloned(),
        found: found.to_owned(),
        limit: limit.to_owned(),
        command: String::new(),
    };
    Stopped { guard, message }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more precision than f64 has")]
fn count(members: u64) -> f64 {
    members as f64
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

fn hours(time: Duration) -> String {
    format!("{:.1} hours", time.as_secs_f64() / 3600.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audience(members: u64) -> AudienceRecord {
        AudienceRecord { name: "news".to_owned(), members, ..AudienceRecord::default() }
    }

    fn night(members: u64) -> SyncRecord {
        SyncRecord { audiences: vec![audience(members)], ..SyncRecord::default() }
    }

    #[test]
    fn a_limit_itself_passes_and_what_is_beyond_does_not() {
        let guards = Guards {
            max_shrink: Some(0.2),
            max_growth: Some(0.5),
            min_entries: Some(10),
            max_age: None,
        };
        let name = |members, before: Option<u64>| {
            let stopped = guards.check(&audience(members), before.map(night).as_ref());
            stopped.map(|stopped| stopped.guard.name)
        };
        for (members, before, expected) in [
            (100, None, None),
            (9, None, Some("min_entries")),
            (10, None, None),
            (80, Some(100), None),
            (79, Some(100), Some("max_shrink")),
            (150, Some(100), None),
            (151, Some(100), Some("max_growth")),
            (100, Some(0), None),
        ] {
            assert_eq!(name(members, before).as_deref(), expected, "{members} after {before:?}");
        }
    }

    #[test]
    fn the_message_has_the_figures() {
        let guards = Guards { max_shrink: Some(0.2), ..Guards::default() };
        let stopped = guards.check(&audience(40), Some(&night(100))).expect("stops");
        assert_eq!(
            stopped.message,
            "`news` has 40 members, 60.0% fewer than the 100 of the run before, and max-shrink allows 20.0%"
        );
    }

    #[test]
    fn an_input_from_the_future_is_new() {
        let guards = Guards { max_age: Some(Duration::from_hours(26)), ..Guards::default() };
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1000);
        let check = |modified| guards.check_age("x", modified, now).map(|stopped| stopped.message);
        assert_eq!(check(now + Duration::from_hours(2)), None);
        assert_eq!(check(now - Duration::from_hours(26)), None);
        assert_eq!(
            check(now - Duration::from_hours(36)).as_deref(),
            Some("the input x is 36.0 hours old, and max-age allows 26.0 hours")
        );
    }
}
