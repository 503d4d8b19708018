//! The job file from outside: what it becomes, and what every mistake in it is told.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::date;
use serde_json::Value;

use super::*;
use crate::config::{Format, Header};
use crate::normalize::{Case, Idn, Prehashed, RuleOptions, Vanity};

/// The least that a job needs.
const LEAST: &str = "\
name = \"nightly\"
state = \"state\"
[input]
files = \"crm.csv\"
[[audience]]
user-type = \"email_hash\"
name = \"Newsletter\"
[target]
ad-account = 7
";

fn env(name: &str) -> Option<String> {
    let value = match name {
        "SECRET" => "canary",
        "ACCOUNT" => "1234567",
        "MEMORY" => "64M",
        "THREADS" => "2",
        _ => return None,
    };
    Some(value.to_owned())
}

fn parse(text: &str) -> Result<Job> {
    Job::parse(text, Path::new("jobs/nightly.toml"), &env, date(2026, 11, 24))
}

/// Message and hint.
fn mistake(text: &str) -> (String, String) {
    let error = parse(text).expect_err(text);
    assert_eq!(error.exit_code() as u8, 2, "{error}");
    (error.to_string(), error.hint().unwrap_or_default().to_owned())
}

/// The example with everything that is commented out.
fn whole_example() -> String {
    let is_toml = |line: &str| {
        let Some(code) = line.strip_prefix("# ") else { return false };
        let key = code.split('=').next().unwrap_or_default().trim();
        let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        (code.contains(" = ") && is_key) || code.starts_with('[')
    };
    let uncomment = |line: &str| line["# ".len() * usize::from(is_toml(line))..].to_owned();
    EXAMPLE.lines().map(|line| uncomment(line) + "\n").collect()
}

#[test]
fn the_least_job_has_defaults() {
    let job = parse(LEAST).expect("a job");
    assert_eq!((job.name.as_str(), job.state_dir.as_path()), ("nightly", Path::new("jobs/state")));
    let audience = &job.audiences[0];
    assert_eq!(audience.spec.label.as_str(), "email_hash");
    assert_eq!(audience.guards, Guards::default());
    assert_eq!(audience.replace, Replace::Never);
    let TargetSpec::Create { name, has_marker, generation, content, .. } =
        audience.target().expect("a target")
    else {
        panic!("it is to be created");
    };
    assert_eq!((name.as_str(), has_marker, generation), ("Newsletter", true, 0));
    assert_eq!(content, Content::Growing);
    assert_eq!(job.target.endpoint.as_str(), crate::api::ENDPOINT);
    assert_eq!(job.target.ad_account, 7.into());
    assert_eq!((job.target.parallel, job.target.retry), (3, RetryPolicy::default()));
    assert_eq!(job.target.request_time_max, Duration::from_mins(15));
    assert_eq!(job.target.time_max, Duration::from_hours(6));
    assert_eq!(job.prepare.max_rejects, MaxRejects::Share(0.1));
    assert_eq!(job.prepare.read.format, Format::Auto);
    assert_eq!(job.report, ReportPaths::default());
}

#[test]
fn the_whole_example_says_what_it_seems_to_say() {
    let job = parse(&whole_example()).expect("a job");
    assert_eq!(job.inputs[0].written, "exports/crm-{date-1d:%Y-%m-%d}*.csv");
    assert_eq!(job.inputs[0].filled, "exports/crm-2026-11-23*.csv");
    assert_eq!(job.inputs[0].max_age, Some(Duration::from_hours(30)));
    assert_eq!(job.suppress[0].user_type, Some(UserType::EmailHash));
    assert_eq!(job.suppress[0].column, Some(ColumnSelector::Name("email".to_owned())));
    assert_eq!(job.suppress[0].files[0].max_age, Some(Duration::from_hours(8 * 24)));
    let read = &job.prepare.read;
    assert_eq!((read.format, read.header), (Format::Csv(Some(b';')), Header::Auto));
    assert_eq!(read.country_column, Some(ColumnSelector::Name("country".to_owned())));
    let rules = &job.prepare.rules;
    assert_eq!(rules.country.map(|country| country.to_string()).as_deref(), Some("DE"));
    assert_eq!((rules.prehashed, rules.case), (Prehashed::Auto, Case::Lower));
    assert_eq!((rules.idn, rules.vanity), (Idn::Reject, Vanity::Reject));
    let [newsletter, phones] = &job.audiences[..] else { panic!("two audiences") };
    assert_eq!(newsletter.spec.label.as_str(), "newsletter");
    assert_eq!(newsletter.replace, Replace::WhenOptedOut);
    let guards = Guards { max_shrink: Share(0.1), max_growth: Share(0.5), min_entries: 1000 };
    assert_eq!(newsletter.guards, guards);
    let creation = newsletter.creation.as_ref().expect("created");
    assert_eq!(creation.opt_out_link.as_deref(), Some("https://www.example.com/opt-out"));
    assert_eq!(phones.target().expect("a target"), TargetSpec::Audience(59.into()));
    assert_eq!((phones.guards, phones.name()), (Guards::default(), "phone_hash"));
    assert_eq!(job.target.ad_account, 1_234_567.into());
    assert_eq!(job.target.token_file.as_deref(), Some(Path::new("/run/secrets/throng-token")));
    assert_eq!(job.target.ca_file.as_deref(), Some(Path::new("jobs/company-ca.pem")));
    assert_eq!(job.prepare.resources.memory_bytes, 2 << 30);
    assert_eq!(job.prepare.resources.threads, 4);
    assert_eq!(job.prepare.output.part_lines, 1_000_000);
    assert_eq!(job.prepare.output.part_bytes, Some(50 << 20));
    let rejects = job.prepare.output.rejects.as_ref().expect("a list");
    assert_eq!(rejects.path, Path::new("jobs/rejects-2026-11-24.csv"));
    assert!(!rejects.with_values);
    assert_eq!(job.report.html, Some(PathBuf::from("jobs/report.html")));
    assert_eq!(job.report.metrics, Some(PathBuf::from("/var/lib/node_exporter/throng.prom")));
}

/// What the example shows as what holds if nothing is said, does.
#[test]
fn the_example_and_its_comments_agree() {
    let (example, whole) =
        (parse(EXAMPLE).expect("a job"), parse(&whole_example()).expect("a job"));
    assert_eq!(example.audiences[0].guards, Guards::default());
    assert_eq!(example.target.retry, whole.target.retry);
    assert_eq!(example.target.time_max, whole.target.time_max);
    assert_eq!(example.target.request_time_max, whole.target.request_time_max);
    assert_eq!(example.target.parallel, whole.target.parallel);
    assert_eq!(example.prepare.output.part_lines, whole.prepare.output.part_lines);
    assert_eq!(example.prepare.max_rejects, MaxRejects::DEFAULT);
    assert_eq!(
        format!("{:?}", RuleOptions { country: None, ..whole.prepare.rules }),
        format!("{:?}", example.prepare.rules)
    );
}

/// Every key of the parser is in the schema and in the example, and the other way round.
#[test]
fn parser_schema_and_example_have_the_same_keys() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let example = whole_example();
    let example = toml::de::DeTable::parse(&example).expect("TOML");
    for spec in read::SPECS {
        let key = spec.name.trim_matches(['[', ']']);
        let known: BTreeSet<&str> = spec.keys.iter().copied().collect();
        assert_eq!(known.len(), spec.keys.len(), "a key twice in {}", spec.name);
        let (object, shown) = if key.is_empty() {
            (&schema, keys(example.get_ref()))
        } else {
            let property = &schema["properties"][key];
            let object = if property["type"] == "array" { &property["items"] } else { property };
            let value = example.get_ref().iter().find(|(name, _)| name.get_ref() == key);
            let shown = match value.expect(key).1.get_ref() {
                toml::de::DeValue::Table(table) => keys(table),
                toml::de::DeValue::Array(items) => {
                    let tables = items.iter().filter_map(|item| item.get_ref().as_table());
                    tables.flat_map(keys).collect()
                }
                _ => panic!("{key} is a table"),
            };
            (object, shown)
        };
        let described: BTreeSet<&str> =
            object["properties"].as_object().expect(key).keys().map(String::as_str).collect();
        assert_eq!(described, known, "schema and parser differ in {}", spec.name);
        assert_eq!(object["additionalProperties"], false, "{}", spec.name);
        let shown: BTreeSet<&str> = shown.iter().map(String::as_str).collect();
        assert_eq!(shown, known, "example and parser differ in {}", spec.name);
    }
}

fn keys(table: &toml::de::DeTable<'_>) -> BTreeSet<String> {
    table.keys().map(|key| key.get_ref().to_string()).collect()
}

/// The words and bounds of the schema are those of the parser.
#[test]
fn schema_and_parser_allow_the_same() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let property = |table: &str, key: &str| {
        let table = &schema["properties"][table];
        let object = if table["type"] == "array" { &table["items"] } else { table };
        object["properties"][key].clone()
    };
    let words = |table: &str, key: &str| -> Vec<String> {
        let words = property(table, key)["anyOf"][0]["enum"].clone();
        serde_json::from_value(words).expect("words")
    };
    let names = |choices: &[&str]| choices.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(words("audience", "user-type"), names(&UserType::ALL.map(UserType::name)));
    assert_eq!(words("suppress", "user-type"), names(&UserType::ALL.map(UserType::name)));
    assert_eq!(words("audience", "replace"), names(&Replace::CHOICES.map(|of| of.0)));
    assert_eq!(words("rules", "prehashed"), names(&Prehashed::CHOICES.map(|of| of.0)));
    assert_eq!(words("rules", "case"), names(&Case::CHOICES.map(|of| of.0)));
    assert_eq!(words("rules", "idn"), names(&Idn::CHOICES.map(|of| of.0)));
    assert_eq!(words("rules", "vanity"), names(&Vanity::CHOICES.map(|of| of.0)));
    let most = |table, key| property(table, key)["anyOf"][0]["maximum"].as_u64();
    assert_eq!(most("target", "parallel"), Some(crate::upload::PARALLEL_MAX as u64));
    assert_eq!(most("limits", "threads"), Some(crate::config::THREADS_MAX as u64));
    for (table, key, value) in [
        ("target", "parallel", Value::from(crate::upload::PARALLEL)),
        ("target", "attempts", RetryPolicy::default().attempts_max.into()),
        ("limits", "part-lines", crate::config::PART_LINES.into()),
        ("limits", "max-rejects", MaxRejects::DEFAULT.to_string().into()),
        ("limits", "max-shrink", Guards::default().max_shrink.to_string().into()),
        ("limits", "max-growth", Guards::default().max_growth.to_string().into()),
        ("limits", "min-entries", Guards::default().min_entries.into()),
    ] {
        assert_eq!(property(table, key)["default"], value, "{key}");
    }
    // What is needed of each table.
    for (table, key) in [("input", "files"), ("audience", "user-type"), ("target", "ad-account")] {
        let line = LEAST.lines().find(|line| line.starts_with(key)).expect(key);
        let (message, _) = mistake(&LEAST.replace(&format!("{line}\n"), ""));
        assert!(message.contains(&format!("needs `{key}`")), "{message}");
        let object = &schema["properties"][table];
        let object = if object["type"] == "array" { &object["items"] } else { object };
        assert_eq!(object["required"], serde_json::json!([key]), "{table}");
    }
}
