//! The metrics file against the rules of Prometheus' text format, and against what it tells of.

use std::collections::{BTreeMap, BTreeSet};

use throng::audience::Rejects;
use throng::report::metrics;
use throng::sync::{PhaseRecord, SyncRecord};

use crate::support::nights;

type Labels = BTreeMap<String, String>;

/// Values by name and labels, as they are written.
type Samples = BTreeMap<(String, Labels), String>;

/// Reads the format strictly: HELP, TYPE, then samples of one metric; each metric and each series once.
fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'));
    let (mut samples, mut names) = (BTreeMap::new(), BTreeSet::new());
    let mut lines = text.lines().peekable();
    while let Some(help) = lines.next() {
        let (name, help) = help.strip_prefix("# HELP ").unwrap().split_once(' ').unwrap();
        assert!(help.ends_with('.') && !help.contains('\\'), "{help}");
        assert!(names.insert(name), "{name} twice");
        assert_eq!(lines.next().unwrap(), format!("# TYPE {name} gauge"));
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.starts_with("throng_sync_") && name.chars().all(is_name), "{name}");
        assert!(!["_total", "_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end)));
        let before = samples.len();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let labelled = line.strip_prefix(name).unwrap().strip_prefix('{').unwrap();
            let (labels, value) = parse_labels(labelled);
            let value = value.strip_prefix(' ').unwrap();
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            let series = (name.to_owned(), labels);
            assert!(samples.insert(series, value.to_owned()).is_none(), "{line} twice");
        }
        assert!(samples.len() > before, "{name} has no samples");
    }
    samples
}

/// `name="value",name="value"}rest`
fn parse_labels(mut text: &str) -> (Labels, &str) {
    let mut labels = Labels::new();
    loop {
        let (name, rest) = text.split_once("=\"").unwrap();
        let (mut value, mut chars) = (String::new(), rest.char_indices());
        let end = loop {
            match chars.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().unwrap().1 {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    c => panic!("\\{c} is no escape"),
                }),
                (_, c) => value.push(c),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none());
        text = &rest[end + 1..];
        if let Some(rest) = text.strip_prefix('}') {
            return (labels, rest);
        }
        text = text.strip_prefix(',').unwrap();
    }
}

fn value<'s>(samples: &'s Samples, name: &str, labels: &[(&str, &str)]) -> &'s str {
    let mut wanted: Labels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    wanted.entry("sync_job".to_owned()).or_insert_with(|| "nightly".to_owned());
    &samples[&(format!("throng_sync_{name}"), wanted)]
}

#[test]
fn figures_of_the_record_are_there() {
    let runs = nights::ending("done").unwrap();
    let samples = parse(&metrics(&runs[0], None));
    let audience = &runs[0].audiences[0];
    let labels = [("audience", "Customers by e-mail"), ("user_type", "email_hash")];
    for (name, figure) in [
        ("read_records", audience.figures.read),
        ("members", audience.figures.sets.members),
        ("must_go_entries", 312),
        ("uploaded_entries", audience.entries_sent),
        ("held_entries", audience.held_after),
    ] {
        assert_eq!(value(&samples, name, &labels), figure.to_string(), "{name}");
    }
    let reason = [labels[0], labels[1], ("reason", "no_at_sign")];
    let rejects = &audience.figures.rejects;
    let count = rejects.iter().find(|reject| reject.reason == "no_at_sign").unwrap().count;
    assert_eq!(value(&samples, "rejected_records", &reason), count.to_string());
    let ended = format!("{}.{:03}", runs[0].ended_at / 1000, runs[0].ended_at % 1000);
    assert_eq!(value(&samples, "last_success_timestamp_seconds", &[]), ended);
    let members: u64 = runs[0].inputs[..2].iter().map(|input| input.records).sum();
    assert_eq!(value(&samples, "input_records", &[("role", "member")]), members.to_string());
}

#[test]
fn the_last_success_and_who_must_go_survive_a_failed_run() {
    let runs = nights::ending("partial").unwrap();
    let samples = parse(&metrics(&runs[0], Some(1_790_000_000_500)));
    assert_eq!(value(&samples, "last_success_timestamp_seconds", &[]), "1790000000.5");
    assert_eq!(value(&samples, "last_run_exit_code", &[]), "7");
    let before = nights::ending("done").unwrap().swap_remove(0);
    let refused = SyncRecord { exit_code: 5, audiences: Vec::new(), ..before };
    let labels = [("audience", "Customers by e-mail"), ("user_type", "email_hash")];
    assert_eq!(value(&parse(&metrics(&refused, None)), "must_go_entries", &labels), "312");
    let page = throng::report::render(&refused, &[]).unwrap();
    assert!(page.contains("353 people who opted out are in the live audience"));
    let never = parse(&metrics(&runs[0], None));
    assert!(!never.keys().any(|(name, _)| name.contains("last_success")));
    let dry = SyncRecord { is_dry_run: true, exit_code: 0, ..runs[0].clone() };
    let samples = parse(&metrics(&dry, Some(5000)));
    assert_eq!(value(&samples, "last_success_timestamp_seconds", &[]), "5");
}

#[test]
fn labels_are_escaped_and_series_are_never_repeated() {
    let mut run = nights::ending("done").unwrap().swap_remove(0);
    let hostile = "a\"} 1\n\\evil{b=\"";
    run.job = hostile.to_owned();
    run.audiences[0].name = hostile.to_owned();
    run.audiences[1] = run.audiences[0].clone();
    let reject = Rejects { reason: hostile.to_owned(), count: 1, ..Rejects::default() };
    run.audiences[0].figures.rejects = vec![reject.clone(), reject];
    run.phases = vec![PhaseRecord { name: "upload".to_owned(), seconds: 0.5 }; 2];
    let samples = parse(&metrics(&run, None));
    let labels = |more: &[(&'static str, &'static str)]| {
        let mut labels = vec![("sync_job", hostile)];
        labels.extend(more);
        labels
    };
    assert_eq!(value(&samples, "phase_duration_seconds", &labels(&[("phase", "upload")])), "1");
    let reason = labels(&[("audience", hostile), ("user_type", "email_hash"), ("reason", hostile)]);
    assert_eq!(value(&samples, "rejected_records", &reason), "2");
}

#[test]
fn a_run_that_knows_nothing_still_says_when_it_was() {
    let samples = parse(&metrics(&SyncRecord::default(), None));
    assert_eq!(value(&samples, "last_run_timestamp_seconds", &[("sync_job", "")]), "0");
}
