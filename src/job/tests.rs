//! The job file from outside: what it becomes, and what every mistake in it is told.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::date;
use serde_json::Value;

use super::*;
use crate::config::{Format, Header, MaxRejects, SuppressBy, Time};
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

/// The whole example without its sandbox, which excludes what reaches the API, and without commands, which exclude files.
fn example_of_the_api() -> String {
    let whole = whole_example();
    whole
        .lines()
        .filter(|line| !line.starts_with("sandbox") && !line.starts_with("from"))
        .map(|line| line.to_owned() + "\n")
        .collect()
}

#[test]
fn a_sandbox_excludes_what_reaches_the_api() {
    let job = parse(&format!("{LEAST}sandbox = \"rehearsal\"\n")).expect("a job");
    assert_eq!(job.target.sandbox.as_deref(), Some(Path::new("jobs/rehearsal")));
    let both = example_of_the_api().replace("ad-account", "sandbox = \"x\"\nad-account");
    let error = parse(&both).expect_err("both");
    assert!(error.to_string().ends_with("`endpoint`: a sandbox is reached without it"), "{error}");
}

#[test]
fn commands_stand_for_files() {
    let text = LEAST.replace(
        "files = \"crm.csv\"",
        "from = [\"cat a-{date}\", \"awk '{{print $1}}' ${SECRET}\"]",
    ) + "[[suppress]]\nfrom = \"cat o\"\n[[suppress]]\nfiles = \"o\"\n[[suppress]]\nfrom = \"zcat $FILE\"\n";
    let job = parse(&text).expect("a job");
    let command = |of: &FilePattern| match &of.means {
        Means::Command(command) => command.clone(),
        Means::Files { .. } => panic!("a command is meant"),
    };
    for (pattern, text, name) in [
        (&job.inputs[0], "cat a-2026-11-24", "command 1 (cat)"),
        (&job.inputs[1], "awk '{print $1}' canary", "command 2 (awk)"),
        (&job.suppress[0].files[0], "cat o", "opt-out command 1 (cat)"),
        (&job.suppress[2].files[0], "zcat $FILE", "opt-out command 2 (zcat)"),
    ] {
        let command = command(pattern);
        assert_eq!((command.text(), &*pattern.written), (text, name));
        assert_eq!((command.name(), command.dir()), (Path::new(name), Path::new("jobs")));
    }
    assert!(!format!("{job:?}").contains("canary"));
    assert_eq!(job.suppress[2].name(), "opt-out command 2 (zcat)");
    let same = LEAST.replace("files = \"crm.csv\"", "from = \"cat x\"")
        + "[[suppress]]\nfrom = \"cat x\"\n";
    let error = parse(&same).expect("a job").find(&crate::stop::Stop::default());
    let said = error.expect_err("nobody would be left").to_string();
    assert!(
        said.ends_with("line 11, column 8: a command is both input and suppression list"),
        "{said}"
    );
}

#[test]
fn the_least_job_has_defaults() {
    let job = parse(LEAST).expect("a job");
    assert_eq!((job.name.as_str(), job.state_dir.as_path()), ("nightly", Path::new("jobs/state")));
    let audience = &job.audiences[0];
    assert_eq!(audience.spec.label.as_str(), "email_hash");
    assert_eq!(audience.guards, Guards::default());
    assert_eq!(audience.replace, Replace::Never);
    let TargetSpec::Create { name, has_marker, content, .. } = audience.target().expect("a target")
    else {
        panic!("it is to be created");
    };
    assert_eq!((name.as_str(), has_marker), ("Newsletter", true));
    assert_eq!(content, Content::Growing);
    assert_eq!(job.target.endpoint.as_str(), crate::platform::pitchtarget::ENDPOINT);
    assert_eq!(job.target.ad_account, 7.into());
    assert_eq!((job.target.parallel, job.target.retry), (3, RetryPolicy::default()));
    assert_eq!(job.target.request_time_max, Duration::from_mins(15));
    assert_eq!(job.target.time_max, Duration::from_hours(6));
    assert_eq!(job.prepare.max_rejects, MaxRejects::Share(0.1));
    assert_eq!(job.prepare.read.format, Format::Auto);
    assert_eq!(job.report, ReportPaths::default());
    let by = parse(&format!("suppress-by = \"identifier\"\n{LEAST}"))
        .expect("a job")
        .prepare
        .suppress_by;
    assert_eq!((job.prepare.suppress_by, by), (SuppressBy::Person, SuppressBy::Identifier));
}

#[test]
fn the_whole_example_says_what_it_seems_to_say() {
    let job = parse(&example_of_the_api()).expect("a job");
    assert_eq!(job.inputs[0].written, "exports/crm-{date-1d:%Y-%m-%d}*.csv");
    let Means::Files { pattern, is_complete: false } = &job.inputs[0].means else {
        panic!("files are meant");
    };
    assert_eq!(pattern, "exports/crm-2026-11-23*.csv");
    assert_eq!(job.inputs[0].max_age, Some(Duration::from_hours(30)));
    assert_eq!(job.suppress[0].user_type, Some(UserType::EmailHash));
    assert_eq!(job.suppress[0].digest, Some(ListDigest::Md5));
    assert_eq!(job.prepare.suppress_by, SuppressBy::Person);
    assert_eq!(job.suppress[0].column, Some(ColumnSelector::Name("email".to_owned())));
    assert_eq!(job.suppress[0].files[0].max_age, Some(Duration::from_hours(8 * 24)));
    let read = &job.prepare.read;
    assert_eq!(
        (read.format, read.delimiter, read.header),
        (Format::Csv, Some(b';'.into()), Header::Auto)
    );
    assert_eq!(read.country_column, Some(ColumnSelector::Name("country".to_owned())));
    let rules = &job.prepare.rules;
    assert_eq!(rules.country.map(|country| country.to_string()).as_deref(), Some("DE"));
    assert_eq!((rules.prehashed, rules.case), (Prehashed::Auto, Case::Auto));
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

/// Defaults that the example shows are the defaults.
#[test]
fn the_example_and_its_comments_agree() {
    let (example, whole) =
        (parse(EXAMPLE).expect("a job"), parse(&example_of_the_api()).expect("a job"));
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

/// The example shows every key that there is, and no other is read.
#[test]
fn example_and_schema_have_the_same_keys() {
    let whole = whole_example();
    let example = toml::de::DeTable::parse(&whole).expect("TOML");
    for known::KnownTable { header, keys: known } in &*known::TABLES {
        let shown = match header.trim_matches(['[', ']']) {
            "" => keys(example.get_ref()),
            key => {
                let value = example.get_ref().iter().find(|(name, _)| name.get_ref() == key);
                let value = value.expect(key).1.get_ref();
                let items = value.as_array().into_iter().flatten();
                let tables = items.map(toml::Spanned::get_ref).chain([value]);
                tables.filter_map(toml::de::DeValue::as_table).flat_map(keys).collect()
            }
        };
        let known: BTreeSet<String> = known.iter().cloned().collect();
        assert_eq!(shown, known, "{header}");
    }
}

fn keys(table: &toml::de::DeTable<'_>) -> BTreeSet<String> {
    table.keys().map(|key| key.get_ref().to_string()).collect()
}

/// The schema has no null, which TOML has not, and names words, bounds, defaults and what is needed.
#[test]
fn the_schema_says_what_the_file_may_hold() {
    let text = schema();
    assert!(!text.contains("null"), "{text}");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let table = |table: &str| {
        let table = schema["properties"][table].clone();
        if table["type"] == "array" { table["items"].clone() } else { table }
    };
    for known in &known::TABLES[1..] {
        let table = table(known.header.trim_matches(['[', ']']));
        assert_eq!(table["additionalProperties"], false, "{}", known.header);
        assert!(table["description"].is_string(), "{}", known.header);
        for key in &known.keys {
            assert!(table["properties"][key]["description"].is_string(), "{key}");
        }
    }
    let property = |of: &str, key: &str| table(of)["properties"][key].clone();
    let types = property("audience", "user-type")["anyOf"][0].to_string();
    assert!(UserType::ALL.iter().all(|of| types.contains(&format!("\"{of}\""))), "{types}");
    assert_eq!(property("upload", "parallel")["anyOf"][0]["maximum"], 64);
    assert_eq!(property("limits", "threads")["anyOf"][1]["$ref"], "#/$defs/variable");
    for (of, key, value) in [
        ("upload", "parallel", Value::from(crate::limits::PARALLEL)),
        ("upload", "time-limit", "6h".into()),
        ("target", "request-time", "15m".into()),
        ("limits", "part-lines", crate::limits::PART_LINES.into()),
        ("guards", "max-rejects", MaxRejects::DEFAULT.to_string().into()),
        ("guards", "max-shrink", Guards::default().max_shrink.to_string().into()),
        ("guards", "max-growth", Guards::default().max_growth.to_string().into()),
        ("guards", "min-entries", Guards::default().min_entries.into()),
        ("rules", "prehashed", "auto".into()),
        ("audience", "replace", "never".into()),
    ] {
        assert_eq!(property(of, key)["default"], value, "{key}");
    }
    for of in ["input", "suppress"] {
        assert_eq!(table(of)["required"], Value::Null);
        let one_of = serde_json::json!([{"required": ["files"]}, {"required": ["from"]}]);
        assert_eq!(table(of)["oneOf"], one_of);
    }
    let needed = serde_json::json!(["name", "state", "input", "audience", "target"]);
    assert_eq!(schema["required"], needed);
}

/// Every kind of mistake: what is said after the file's name, and what to do.
#[test]
fn every_mistake_is_told_with_its_place() {
    let (mut cases, mut wrong) = (0, String::new());
    for case in include_str!("mistakes.txt").split("\n\n") {
        let part = |sign: &str| {
            let line = case.lines().find_map(|line| line.strip_prefix(sign));
            line.map(|text| text.strip_prefix(' ').unwrap_or(text).replace('⏎', "\n"))
        };
        let Some(message) = part("=") else { continue };
        let from = part("<").unwrap_or_default();
        assert!(LEAST.contains(&from), "{case}");
        let text = match (part(">"), part("+")) {
            (Some(to), None) => LEAST.replacen(&from, &to, 1),
            (None, Some(more)) => format!("{LEAST}{more}"),
            _ => panic!("{case}"),
        };
        let (told, what_to_do) = mistake(&text);
        let expected = (format!("`jobs/nightly.toml`, {message}"), part("?").unwrap_or_default());
        if (&told, &what_to_do) != (&expected.0, &expected.1) {
            wrong.extend([case, "\nis told: ", &told, "\nhint: ", &what_to_do, "\n\n"]);
        }
        assert!(!told.contains("canary") && !what_to_do.contains("canary"), "{text}");
        cases += 1;
    }
    assert_eq!(wrong, "");
    assert!(cases > 70, "{cases}");
}

#[test]
fn an_audience_that_exists_may_have_a_name_for_what_takes_its_place() {
    let job = parse(&LEAST.replace("name = \"News", "id = 5\nname = \"News")).expect("a job");
    let audience = &job.audiences[0];
    assert_eq!(audience.target().expect("a target"), TargetSpec::Audience(5.into()));
    assert_eq!(
        audience.creation.as_ref().map(|creation| creation.name.as_str()),
        Some("Newsletter")
    );
}

#[test]
fn variables_stand_for_numbers_and_lists_too() {
    let text = LEAST.replace("ad-account = 7", "ad-account = \"${ACCOUNT}\"")
        + "[upload]\nparallel = \"${PARALLEL:-5}\"\n[limits]\nmemory = \"${MEMORY}\"\nthreads = \"${THREADS}\"\n";
    let job = parse(&text).expect("a job");
    assert_eq!(job.target.ad_account, 1_234_567.into());
    assert_eq!(job.target.parallel, 5);
    assert_eq!(job.prepare.resources.memory_bytes, 64 << 20);
    assert_eq!(job.prepare.resources.threads, 2);
}

#[test]
fn numbers_and_strings_mean_the_same_where_both_are_usual() {
    for (table, number, text) in [
        ("guards", "max-rejects = 0.25", "max-rejects = \"25%\""),
        ("guards", "max-rejects = 5_00", "max-rejects = \"500\""),
        ("guards", "max-shrink = 0.25", "max-shrink = \"25 %\""),
        ("guards", "max-growth = 2.5", "max-growth = \"250%\""),
        ("guards", "max-growth = 2.0", "max-growth = \"200%\""),
        ("limits", "part-bytes = 1048576", "part-bytes = \"1M\""),
    ] {
        let of = |line: &str| {
            let job = parse(&format!("{LEAST}[{table}]\n{line}\n")).expect(line);
            let Job { prepare, audiences, .. } = job;
            (prepare.max_rejects, audiences[0].guards, prepare.output.part_bytes)
        };
        assert_eq!(of(number), of(text), "{number}");
        assert_ne!(of(number), of(""), "{number}");
    }
    let column = |text: &str| {
        let text = LEAST.replacen("user-type", &format!("column = {text}\nuser-type"), 1);
        parse(&text).expect("a job").audiences[0].spec.columns.clone()
    };
    assert_eq!(column("3"), [ColumnSelector::Number(3)]);
    assert_eq!(column("\"3\""), [ColumnSelector::Number(3)]);
    let mail = || ColumnSelector::Name("mail".to_owned());
    assert_eq!(column("\"mail\""), [mail()]);
    assert_eq!(column("[\"mail\", 3]"), [mail(), ColumnSelector::Number(3)]);
    assert_eq!(column("[\"mail\", \"3\"]"), [mail(), ColumnSelector::Number(3)]);
}

#[test]
fn the_endpoint_is_the_files_else_the_environments() {
    let env = |name: &str| (name == "THRONG_ENDPOINT").then(|| "http://127.0.0.1:1".to_owned());
    let endpoint = |text: &str, env: &dyn Fn(&str) -> Option<String>| {
        Job::parse(text, Path::new("x"), env, date(2026, 1, 1)).map(|job| job.target.endpoint)
    };
    assert_eq!(endpoint(LEAST, &env).expect("a job").as_str(), "http://127.0.0.1:1");
    let text = format!("{LEAST}endpoint = \"https://api.example.com/\"\n");
    assert_eq!(endpoint(&text, &env).expect("a job").as_str(), "https://api.example.com");
    let wrong = |_: &str| Some("canary".to_owned());
    let error = endpoint(LEAST, &wrong).expect_err("no address").to_string();
    let message =
        "the variable THRONG_ENDPOINT is wrong: expected an address that begins with https://";
    assert_eq!(error, message);
}

#[test]
fn paths_are_relative_to_the_job_file() {
    let paths = |path: &str| {
        let text = LEAST.replace("\"state\"", "\"../state\"")
            + "token-file = \"/run/token\"\nca-file = \"ca.pem\"\n[limits]\ntmp-dir = \"tmp\"\n\
               [report]\nmetrics = \"m.prom\"\nhtml = \"{date:%Y}/r.html\"\n";
        let job = Job::parse(&text, Path::new(path), &env, date(2026, 1, 1)).expect("a job");
        [
            Some(job.state_dir),
            job.target.token_file,
            job.target.ca_file,
            job.prepare.resources.tmp_dir,
            job.report.metrics,
            job.report.html,
        ]
        .map(|path| path.expect("a path").display().to_string())
    };
    let plain = ["../state", "/run/token", "ca.pem", "tmp", "m.prom", "2026/r.html"];
    assert_eq!(paths("nightly.toml"), plain);
    let folder =
        ["/a/../state", "/run/token", "/a/ca.pem", "/a/tmp", "/a/m.prom", "/a/2026/r.html"];
    assert_eq!(paths("/a/nightly.toml"), folder);
}

#[test]
fn a_person_overrides_the_guards_of_all_audiences() {
    let text = example_of_the_api();
    let mut job = parse(&text).expect("a job");
    job.override_guards(&GuardOptions::default());
    assert_eq!(format!("{job:?}"), format!("{:?}", parse(&text).expect("a job")));
    let age = Duration::from_hours(90 * 24);
    job.override_guards(&GuardOptions {
        max_rejects: Some(MaxRejects::Count(7)),
        max_shrink: Some(Share(0.9)),
        max_growth: None,
        min_entries: Some(Count::clamped(0)),
        max_age: Some(Time(age)),
        ..GuardOptions::default()
    });
    assert_eq!(job.prepare.max_rejects, MaxRejects::Count(7));
    let [one, other] = &job.audiences[..] else { panic!("two audiences") };
    assert_eq!(
        one.guards,
        Guards { max_shrink: Share(0.9), max_growth: Share(0.5), min_entries: 0 }
    );
    assert_eq!((other.guards.max_shrink, other.guards.max_growth), (Share(0.9), Share(1.0)));
    assert_eq!((job.inputs[0].max_age, job.suppress[0].files[0].max_age), (Some(age), Some(age)));
    // Who said nothing about age does not care.
    let mut job = parse(LEAST).expect("a job");
    job.override_guards(&GuardOptions { max_age: Some(Time(age)), ..GuardOptions::default() });
    assert_eq!(job.inputs[0].max_age, None);
}

/// A night is the date that people have where the job runs, just after midnight and on the days clocks change.
#[test]
fn date_is_that_of_the_time_zone() {
    let posix = |rule: &str| TimeZone::posix(rule).expect("a rule");
    let berlin = posix("CET-1CEST,M3.5.0,M10.5.0/3");
    for (at, zone, expected) in [
        ("2026-11-23T23:30:00Z", &berlin, date(2026, 11, 24)),
        ("2026-11-23T22:30:00Z", &berlin, date(2026, 11, 23)),
        ("2026-06-23T22:30:00Z", &berlin, date(2026, 6, 24)),
        ("2028-02-28T23:30:00Z", &berlin, date(2028, 2, 29)),
        ("2026-10-25T00:30:00Z", &berlin, date(2026, 10, 25)),
        ("2026-11-24T00:30:00Z", &TimeZone::UTC, date(2026, 11, 24)),
        ("2026-11-24T04:30:00Z", &posix("EST5EDT,M3.2.0,M11.1.0"), date(2026, 11, 23)),
    ] {
        assert_eq!(date_at(at.parse().expect(at), zone), expected, "{at}");
    }
}

proptest::proptest! {
    /// No text and no variable causes a panic, or a message with a value.
    #[test]
    fn any_text_is_a_job_or_a_mistake(key in "[a-z-]{1,12}", value in ".{0,40}", at in 0_usize..12) {
        let mut lines: Vec<String> = LEAST.lines().map(str::to_owned).collect();
        let value = value.replace('\'', "");
        lines.insert(at.min(lines.len()), format!("{key} = '${{SECRET}}{value}'"));
        if let Err(error) = parse(&lines.join("\n")) {
            let told = format!("{error} {}", error.hint().unwrap_or_default());
            proptest::prop_assert!(!told.contains("canary"), "{}", told);
            proptest::prop_assert_eq!(told.lines().count(), 1);
        }
    }

    /// A known key with the value of a variable: the value is never told.
    #[test]
    fn no_message_has_a_variables_value(table in 0..known::TABLES.len(), key in 0_usize..12) {
        let known::KnownTable { header, keys } = &known::TABLES[table];
        let key = &keys[key % keys.len()];
        let line = format!("{key} = '${{SECRET}}'");
        let old = |old: &str| old.split(" = ").next() == Some(key.as_str());
        let mut text = String::new();
        let mut place = "";
        for written in LEAST.lines() {
            if written.starts_with('[') {
                place = written;
            }
            if place != *header || !old(written) {
                text.extend([written, "\n"]);
            }
            if written == *header || (header.is_empty() && text.len() < 2) {
                text.extend([&line, "\n"]);
            }
        }
        if header.is_empty() {
            text = format!("{line}\n{text}");
        } else if !LEAST.contains(header.as_str()) {
            text.extend([header.as_str(), "\n", &line, "\n"]);
        }
        proptest::prop_assert!(text.contains(&line));
        if let Err(error) = parse(&text) {
            let told = format!("{error} {}", error.hint().unwrap_or_default());
            proptest::prop_assert!(!told.contains("canary"), "{}", told);
        }
    }
}

#[test]
fn utc_needs_no_files_of_time_zones() {
    let is = |said: &str| is_utc(Some(said.as_ref()));
    assert!(is_utc(None) && is("UTC") && is("Etc/UTC"));
    assert!(!is("Europe/Berlin") && !is("") && !is("utc-or-so"));
}

#[test]
fn keys_may_stand_beside_what_they_are_about() {
    let job = |tables: &str| {
        parse(&LEAST.replace("[target]", &format!("{tables}\n[target]"))).expect("a job")
    };
    let own =
        job("[upload]\nattempts = 2\n[guards]\nmax-shrink = \"7%\"\n[limits]\npart-lines = 5");
    let moved =
        parse(&format!("{LEAST}\nattempts = 2\n[limits]\npart-lines = 5\nmax-shrink = \"7%\""))
            .expect("a job");
    for job in [&own, &moved] {
        assert_eq!(job.target.retry.attempts_max, 2);
        assert_eq!(job.audiences[0].guards.max_shrink, Share(0.07));
        assert_eq!(job.prepare.output.part_lines, 5);
    }
    let twice = format!("{LEAST}\nattempts = 2\n[upload]\nattempts = 3");
    let error = parse(&twice).expect_err("said twice");
    assert!(error.to_string().contains("unknown key `attempts` in [target]"), "{error}");
}
