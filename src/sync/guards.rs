//! What must not pass at 3 a.m.: an export that is half written, empty, old, or of somebody else.

use super::{AudienceRecord, GuardRecord, ListAudienceRecord, OptOutListRecord, SyncRecord};
use crate::config::Share;
use crate::job::{Guards, ListGuards};

/// Far less than one member of all that an audience can hold: 0.29 of 100 are 29, whatever the last bits say.
const TOLERANCE: f64 = 1e-12;

/// The guard of how many of an opt-out list are members.
pub(super) const MEMBERS: &str = "min_opt_out_members";

/// A guard that stops a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stopped {
    pub(super) guard: GuardRecord,
    /// The flag that lets it pass, and its value.
    pub(super) flag: (&'static str, Allowed),
    pub(super) message: String,
}

/// What a flag has to allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    AtMostPercent(u64),
    AtLeast(u64),
}

/// The flags that let all of them pass, each once, since a flag stands for all audiences.
pub(super) fn flags_to_pass(stopped: &[Stopped]) -> String {
    let mut flags: Vec<(&str, Allowed)> = Vec::new();
    for Stopped { flag: (name, value), .. } in stopped {
        match (flags.iter_mut().find(|flag| flag.0 == *name), value) {
            (None, _) => flags.push((name, *value)),
            (Some((_, Allowed::AtMostPercent(of))), Allowed::AtMostPercent(value)) => {
                *of = (*of).max(*value);
            }
            (Some((_, Allowed::AtLeast(of))), Allowed::AtLeast(value)) => *of = (*of).min(*value),
            (Some(_), _) => {}
        }
    }
    let words = flags.iter().map(|(name, value)| match value {
        Allowed::AtMostPercent(value) => format!("{name} {value}%"),
        Allowed::AtLeast(value) => format!("{name} {value}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Looks at an audience; `before` is the last run that passed. All that would stop it, so that a person decides once.
pub(super) fn check(
    guards: &Guards,
    audience: &AudienceRecord,
    before: Option<&SyncRecord>,
) -> Vec<Stopped> {
    let few = check_number(guards, audience);
    few.into_iter().chain(check_change(guards, audience, before)).collect()
}

/// Looks at an opt-out list; `before` is the last run that passed, `audiences` are those of this one.
pub(super) fn check_list(
    guards: &ListGuards,
    list: &OptOutListRecord,
    before: Option<&SyncRecord>,
    audiences: &[AudienceRecord],
) -> Vec<Stopped> {
    let OptOutListRecord { name, records, .. } = list;
    let mut stopped_by = Vec::new();
    let least = guards.min_entries;
    if *records < least {
        let message = format!(
            "the opt-out list `{name}` has {records} records, and min-opt-outs asks for {least}"
        );
        let flag = ("--min-opt-outs", Allowed::AtLeast(*records));
        let figures = (records.to_string(), least.to_string());
        stopped_by.push(stopped("min_opt_outs", name, figures, flag, message));
    }
    let earlier = before.and_then(|run| run.opt_out_lists.iter().find(|of| of.name == *name));
    stopped_by.extend(check_hits(guards, list, earlier));
    let Some(earlier) = earlier else { return stopped_by };
    if stopped_by.iter().all(|of| of.guard.name != MEMBERS) {
        stopped_by.extend(check_audiences(guards, list, earlier, audiences));
    }
    stopped_by.extend(check_list_shrink(guards, list, earlier));
    stopped_by
}

/// Looks at how much less an opt-out list holds: records, and values by which somebody is held back, of each audience; those
/// of which most is missing.
fn check_list_shrink(
    guards: &ListGuards,
    list: &OptOutListRecord,
    earlier: &OptOutListRecord,
) -> Option<Stopped> {
    let OptOutListRecord { name, .. } = list;
    let mut pairs = vec![("records".to_owned(), list.records, earlier.records)];
    // Records of earlier versions do not have it by audience.
    if earlier.audiences.is_empty() {
        pairs.push(("usable values".to_owned(), list.usable, earlier.usable));
    }
    for before in &earlier.audiences {
        let now = list.audiences.iter().find(|of| of.audience == before.audience);
        pairs.extend(now.map(|now| {
            (format!("usable values for `{}`", now.audience), now.usable, before.usable)
        }));
    }
    let Share(limit) = guards.max_shrink;
    let share = |(now, before): (u64, u64)| 1.0 - count(now) / count(before);
    let too_few = pairs
        .into_iter()
        .filter(|(_, now, before)| *before > 0 && share((*now, *before)) > limit + TOLERANCE);
    let more_missing = |one: (u64, u64), other: (u64, u64)| share(one) > share(other);
    let (what, now, before) = too_few
        .reduce(|most, of| if more_missing((of.1, of.2), (most.1, most.2)) { of } else { most })?;
    let found = Share(share((now, before))).to_string();
    let limit = guards.max_shrink.to_string();
    let message = format!(
        "the opt-out list `{name}` has {now} {what}, {found} fewer than the {before} of the run before, \
         and max-opt-out-shrink allows {limit}: is it half written?"
    );
    let enough = (before.saturating_sub(now) * 100).div_ceil(before);
    let flag = ("--max-opt-out-shrink", Allowed::AtMostPercent(enough));
    Some(stopped("max_opt_out_shrink", name, (found, limit), flag, message))
}

/// Looks at each audience of which somebody was on an opt-out list in the run before: nobody is any more, or the list was
/// not even read for it, while another column of the list still has members.
fn check_audiences(
    guards: &ListGuards,
    list: &OptOutListRecord,
    earlier: &OptOutListRecord,
    audiences: &[AudienceRecord],
) -> Vec<Stopped> {
    let OptOutListRecord { name, usable, .. } = list;
    // An empty list is told by what it lost.
    if guards.min_members == Some(0) || *usable == 0 {
        return Vec::new();
    }
    let check = |before: &ListAudienceRecord| {
        let members = hits(before.members, before.taken_out).filter(|members| *members > 0)?;
        let audience = &before.audience;
        audiences.iter().find(|of| of.name == *audience)?;
        let now = list.audiences.iter().find(|of| of.audience == *audience);
        let what = match now {
            None => "has nothing",
            Some(now) if hits(now.members, now.taken_out) == Some(0) => "holds back nobody",
            Some(_) => return None,
        };
        let message = format!(
            "the opt-out list `{name}` {what} for `{audience}`, and in the run before {members} of it were members: was it written as before?"
        );
        let flag = ("--min-opt-out-members", Allowed::AtLeast(0));
        Some(stopped(MEMBERS, name, ("0".to_owned(), "1".to_owned()), flag, message))
    };
    earlier.audiences.iter().filter_map(check).collect()
}

/// Entries by which a list is known to be written as it should be: members, or people who were taken out by it.
fn hits(members: Option<u64>, taken_out: u64) -> Option<u64> {
    members.map(|members| members.max(taken_out))
}

/// Looks at how many of an opt-out list are members. That nobody is can be right, unless somebody was in the run before, or
/// the list is written in another form than the inputs.
fn check_hits(
    guards: &ListGuards,
    list: &OptOutListRecord,
    earlier: Option<&OptOutListRecord>,
) -> Option<Stopped> {
    let OptOutListRecord { name, usable, suspicion, .. } = list;
    let Some(members) = hits(list.members, list.taken_out) else {
        let least = guards.min_members?;
        let message = format!(
            "there are too many opt-out lists to say how many of `{name}` are members, and min-opt-out-members asks for {least}"
        );
        let flag = ("--min-opt-out-members", Allowed::AtLeast(0));
        let figures = ("unknown".to_owned(), least.to_string());
        return Some(stopped(MEMBERS, name, figures, flag, message));
    };
    let before = earlier.and_then(|of| hits(of.members, of.taken_out)).unwrap_or(0);
    let (least, why) = match (guards.min_members, suspicion) {
        (Some(least), _) => (least, format!("min-opt-out-members asks for {least}")),
        (None, Some(cause)) => (u64::MAX, format!("it differs from the inputs: {cause}")),
        (None, None) if before > 0 && *usable > 0 => {
            (1, format!("in the run before {before} were: was it written as before?"))
        }
        (None, None) => return None,
    };
    if members >= least {
        return None;
    }
    let message = match members {
        0 => format!("nobody of the opt-out list `{name}` is a member, and {why}"),
        _ => format!("{members} of the opt-out list `{name}` are members, and {why}"),
    };
    let flag = ("--min-opt-out-members", Allowed::AtLeast(members));
    let figures = (members.to_string(), if least == u64::MAX { 1 } else { least }.to_string());
    Some(stopped(MEMBERS, name, figures, flag, message))
}

/// Looks at how many are taken out of an audience that holds `held`: of `leaving`, who is gone and who opted out.
pub(super) fn check_removal(
    guards: &Guards,
    name: &str,
    leaving: (u64, u64),
    held: u64,
) -> Option<Stopped> {
    let (gone, opted_out) = leaving;
    // Whoever opted out, and is in no export any more, stands on both lists.
    let all = (gone + opted_out).min(held.max(gone).max(opted_out));
    let Share(limit) = guards.max_shrink;
    if held == 0 || all == 0 || count(all) / count(held) <= limit + TOLERANCE {
        return None;
    }
    let found = Share(count(all) / count(held)).to_string();
    let enough = (all * 100).div_ceil(held);
    let message = format!(
        "{all} of the {held} in `{name}` would be taken out ({opted_out} opted out, {gone} are gone), and max-shrink allows {}",
        guards.max_shrink
    );
    let flag = ("--max-shrink", Allowed::AtMostPercent(enough));
    Some(stopped("max_shrink", name, (found, guards.max_shrink.to_string()), flag, message))
}

fn check_number(guards: &Guards, audience: &AudienceRecord) -> Option<Stopped> {
    let AudienceRecord { name, figures, .. } = audience;
    let members = figures.sets.members;
    let least = guards.min_entries;
    if members >= least {
        return None;
    }
    let message = format!("`{name}` has {members} members, and min-entries asks for {least}");
    let (found, limit) = (members.to_string(), least.to_string());
    let flag = ("--min-entries", Allowed::AtLeast(members));
    Some(stopped("min_entries", name, (found, limit), flag, message))
}

fn check_change(
    guards: &Guards,
    audience: &AudienceRecord,
    before: Option<&SyncRecord>,
) -> Option<Stopped> {
    let AudienceRecord { name, figures, .. } = audience;
    let members = figures.sets.members;
    let earlier =
        before?.audiences.iter().find(|earlier| earlier.name == *name)?.figures.sets.members;
    if earlier == 0 {
        return None;
    }
    let change = count(members) / count(earlier) - 1.0;
    let (guard, flag, word, limit) = match (guards.max_shrink, guards.max_growth) {
        (Share(limit), _) if -change > limit + TOLERANCE => {
            ("max_shrink", "--max-shrink", "fewer", guards.max_shrink)
        }
        (_, Share(limit)) if change > limit + TOLERANCE => {
            ("max_growth", "--max-growth", "more", guards.max_growth)
        }
        _ => return None,
    };
    let found = Share(change.abs()).to_string();
    // In whole numbers, so that nothing is rounded down.
    let enough = (members.abs_diff(earlier) * 100).div_ceil(earlier);
    let message = format!(
        "`{name}` has {members} members, {found} {word} than the {earlier} of the run before, and {} allows {limit}",
        flag.trim_start_matches('-')
    );
    let flag = (flag, Allowed::AtMostPercent(enough));
    Some(stopped(guard, name, (found, limit.to_string()), flag, message))
}

fn stopped(
    guard: &str,
    audience: &str,
    (found, limit): (String, String),
    flag: (&'static str, Allowed),
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
        let mut audience = AudienceRecord { name: "news".to_owned(), ..AudienceRecord::default() };
        audience.figures.sets.members = members;
        audience
    }

    fn night(members: u64) -> SyncRecord {
        SyncRecord { audiences: vec![audience(members)], ..SyncRecord::default() }
    }

    #[test]
    fn a_limit_itself_passes_and_what_is_beyond_does_not() {
        let guards = Guards { max_shrink: Share(0.2), max_growth: Share(0.5), min_entries: 10 };
        let name = |members, before: Option<u64>| {
            let stopped = check(&guards, &audience(members), before.map(night).as_ref());
            stopped.into_iter().next().map(|stopped| stopped.guard.name)
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
    fn an_opt_out_list_that_shrank_stops_a_run() {
        let list = |records| OptOutListRecord {
            name: "opt.csv".to_owned(),
            records,
            ..OptOutListRecord::default()
        };
        let before =
            |records| SyncRecord { opt_out_lists: vec![list(records)], ..SyncRecord::default() };
        let name = |guards: &ListGuards, now, earlier: Option<u64>| {
            let stopped = check_list(guards, &list(now), earlier.map(before).as_ref(), &[]);
            stopped.into_iter().map(|stopped| stopped.guard.name).collect::<Vec<_>>()
        };
        let usual = ListGuards::default();
        assert!(name(&usual, 0, None).is_empty(), "a new list may be empty");
        assert!(name(&usual, 95, Some(100)).is_empty());
        assert!(name(&usual, 200, Some(100)).is_empty());
        for now in [94, 0] {
            assert_eq!(name(&usual, now, Some(100)), ["max_opt_out_shrink"], "{now}");
        }
        let least = ListGuards { min_entries: 10, ..usual };
        assert_eq!(name(&least, 9, None), ["min_opt_outs"]);
        let stopped = check_list(&least, &list(9), Some(&before(100)), &[]);
        assert_eq!(flags_to_pass(&stopped), "--min-opt-outs 9 --max-opt-out-shrink 91%");
    }

    #[test]
    fn an_opt_out_list_of_which_nobody_is_a_member_any_more_stops_a_run() {
        let list = |members, suspicion: Option<&str>| OptOutListRecord {
            name: "opt.csv".to_owned(),
            records: 100,
            usable: 100,
            members,
            suspicion: suspicion.map(str::to_owned),
            ..OptOutListRecord::default()
        };
        let stops = |min_members, now: &OptOutListRecord, before: Option<Option<u64>>| {
            let guards = ListGuards { min_members, ..ListGuards::default() };
            let night = |members| SyncRecord {
                opt_out_lists: vec![list(members, None)],
                ..SyncRecord::default()
            };
            let stopped = check_list(&guards, now, before.map(night).as_ref(), &[]);
            stopped.into_iter().map(|of| of.guard.name).collect::<Vec<_>>()
        };
        let guard = ["min_opt_out_members"];
        let idle = list(Some(0), None);
        assert!(stops(None, &idle, None).is_empty(), "a new list may concern nobody");
        assert!(stops(None, &idle, Some(Some(0))).is_empty());
        assert!(stops(None, &idle, Some(None)).is_empty());
        assert_eq!(stops(None, &idle, Some(Some(1))), guard);
        assert!(stops(Some(0), &idle, Some(Some(9))).is_empty());
        assert_eq!(stops(Some(1), &idle, None), guard);
        assert!(stops(None, &list(Some(1), None), Some(Some(9))).is_empty());
        assert_eq!(stops(Some(5), &list(Some(4), None), None), guard);
        assert!(stops(None, &list(None, None), Some(Some(9))).is_empty());
        // Its other column can have hits.
        for members in [0, 7] {
            let odd = list(Some(members), Some("it holds UUIDs"));
            assert_eq!(stops(None, &odd, None), guard);
            assert!(stops(Some(members), &odd, None).is_empty());
        }
    }

    #[test]
    fn each_audience_of_an_opt_out_list_is_looked_at() {
        let run = |of: &[(&str, u64, u64)]| {
            let audiences = of.iter().map(|(name, usable, members)| ListAudienceRecord {
                audience: (*name).to_owned(),
                usable: *usable,
                members: Some(*members),
                taken_out: 0,
            });
            OptOutListRecord {
                name: "opt.csv".to_owned(),
                records: 100,
                usable: of.iter().map(|of| of.1).sum(),
                members: Some(of.iter().map(|of| of.2).sum()),
                audiences: audiences.collect(),
                ..OptOutListRecord::default()
            }
        };
        let of_job = ["mail", "tel"]
            .map(|name| AudienceRecord { name: name.to_owned(), ..AudienceRecord::default() });
        let stops = |guards: &ListGuards, now: &[(&str, u64, u64)], before: OptOutListRecord| {
            let before = SyncRecord { opt_out_lists: vec![before], ..SyncRecord::default() };
            let stopped = check_list(guards, &run(now), Some(&before), &of_job);
            stopped.into_iter().map(|of| of.guard.name).collect::<Vec<_>>()
        };
        let usual = ListGuards::default();
        let before = || run(&[("mail", 100, 10), ("tel", 100, 10), ("sold", 9, 9)]);
        assert!(stops(&usual, &[("mail", 100, 1), ("tel", 95, 10)], before()).is_empty());
        // Its column is gone, or has somebody else; the other one still has members.
        assert_eq!(stops(&usual, &[("tel", 100, 10)], before()), [MEMBERS]);
        assert_eq!(stops(&usual, &[("mail", 100, 0), ("tel", 100, 10)], before()), [MEMBERS]);
        // As many records, of which most are blank.
        let blank = [("mail", 10, 1), ("tel", 100, 10)];
        assert_eq!(stops(&usual, &blank, before()), ["max_opt_out_shrink"]);
        let older = OptOutListRecord { audiences: Vec::new(), ..before() };
        assert_eq!(stops(&usual, &blank, older), ["max_opt_out_shrink"]);
        let passing = ListGuards { min_members: Some(0), max_shrink: Share(0.9), ..usual };
        for now in [&[("tel", 100, 10)][..], &blank] {
            assert!(stops(&passing, now, before()).is_empty(), "{now:?}");
        }
    }

    #[test]
    fn most_of_an_audience_is_not_taken_out() {
        let guards = Guards::default();
        let name = |leaving, held| {
            check_removal(&guards, "news", leaving, held).map(|stopped| stopped.guard.name)
        };
        for (leaving, held, is_stopped) in [
            ((0, 0), 0, false),
            ((0, 0), 100, false),
            ((20, 0), 100, false),
            ((0, 20), 100, false),
            ((10, 10), 100, false),
            ((11, 10), 100, true),
            ((0, 21), 100, true),
            ((100, 100), 100, true),
            ((5, 0), 0, false),
        ] {
            assert_eq!(name(leaving, held).is_some(), is_stopped, "{leaving:?} of {held}");
        }
        let stopped = check_removal(&guards, "news", (50, 10), 100).expect("stops");
        assert_eq!(
            stopped.message,
            "60 of the 100 in `news` would be taken out (10 opted out, 50 are gone), and max-shrink allows 20%"
        );
        assert_eq!(flags_to_pass(&[stopped]), "--max-shrink 60%");
    }

    #[test]
    fn the_message_has_the_figures() {
        let stopped = check(&Guards::default(), &audience(40), Some(&night(100)));
        assert_eq!(
            stopped[0].message,
            "`news` has 40 members, 60% fewer than the 100 of the run before, and max-shrink allows 20%"
        );
        assert_eq!(flags_to_pass(&stopped), "--max-shrink 60%");
    }

    #[test]
    fn the_flags_let_all_audiences_pass_at_once() {
        let guards = Guards { max_shrink: Share(0.1), max_growth: Share(0.1), min_entries: 50 };
        let pairs = [(40, 100), (29, 100), (300, 100), (700, 100), (100, 100)];
        let stopped: Vec<_> = pairs
            .iter()
            .flat_map(|(now, before)| check(&guards, &audience(*now), Some(&night(*before))))
            .collect();
        assert_eq!(flags_to_pass(&stopped), "--min-entries 29 --max-shrink 71% --max-growth 600%");
    }

    #[test]
    fn a_flag_is_always_enough() {
        for before in 1..150 {
            for now in 0..300 {
                let none =
                    Guards { max_shrink: Share(0.0), max_growth: Share(0.0), min_entries: 0 };
                let stopped = check(&none, &audience(now), Some(&night(before)));
                let flags = flags_to_pass(&stopped);
                let Some((_, value)) = flags.split_once(' ') else { continue };
                let value: Share = value.parse().expect("a share");
                let passing = Guards { max_shrink: value, max_growth: value, min_entries: 0 };
                let again = check(&passing, &audience(now), Some(&night(before)));
                assert!(again.is_empty(), "{now} after {before}: {flags}");
            }
        }
    }
}
