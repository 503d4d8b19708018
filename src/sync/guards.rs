//! What must not pass at 3 a.m.: an export that is half written, empty, old, or of somebody else.

use super::{AudienceRecord, GuardRecord, SyncRecord};
use crate::job::{Guards, Share};

/// A guard that stops a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stopped {
    pub(super) guard: GuardRecord,
    /// The flag that lets it pass.
    pub(super) flag: String,
    pub(super) message: String,
}

/// Looks at an audience; `before` is the last run that passed.
pub(super) fn check(
    guards: &Guards,
    audience: &AudienceRecord,
    before: Option<&SyncRecord>,
) -> Option<Stopped> {
    let AudienceRecord { name, members, .. } = audience;
    let least = guards.min_entries;
    if *members < least {
        let message = format!("`{name}` has {members} members, and min-entries asks for {least}");
        let (found, limit) = (members.to_string(), least.to_string());
        let flag = format!("--min-entries {members}");
        return Some(stopped("min_entries", name, (found, limit), flag, message));
    }
    let earlier = before?.audiences.iter().find(|earlier| earlier.name == *name)?.members;
    if earlier == 0 {
        return None;
    }
    let change = count(*members) / count(earlier) - 1.0;
    let (guard, word, limit) = match (guards.max_shrink, guards.max_growth) {
        (Share(limit), _) if -change > limit => ("max_shrink", "fewer", guards.max_shrink),
        (_, Share(limit)) if change > limit => ("max_growth", "more", guards.max_growth),
        _ => return None,
    };
    let found = Share(change.abs()).to_string();
    let name_of_flag = guard.replace('_', "-");
    // What lets this one pass, rounded up to whole percents.
    let flag = format!("--{name_of_flag} {:.0}%", (change.abs() * 100.0).ceil());
    let message = format!(
        "`{name}` has {members} members, {found} {word} than the {earlier} of the run before, and {name_of_flag} allows {limit}"
    );
    Some(stopped(guard, name, (found, limit.to_string()), flag, message))
}

fn stopped(
    guard: &str,
    audience: &str,
    (found, limit): (String, String),
    flag: String,
    message: String,
) -> Stopped {
    let guard = GuardRecord {
        name: guard.to_owned(),
        audience: Some(audience.to_owned()),
        found,
        limit,
        command: String::new(),
    };
    Stopped { guard, flag, message }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more precision than f64 has")]
fn count(members: u64) -> f64 {
    members as f64
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
        let guards = Guards { max_shrink: Share(0.2), max_growth: Share(0.5), min_entries: 10 };
        let name = |members, before: Option<u64>| {
            let stopped = check(&guards, &audience(members), before.map(night).as_ref());
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
        let stopped = check(&Guards::default(), &audience(40), Some(&night(100))).expect("stops");
        assert_eq!(
            stopped.message,
            "`news` has 40 members, 60% fewer than the 100 of the run before, and max-shrink allows 20%"
        );
        assert_eq!(stopped.flag, "--max-shrink 60%");
    }
}
