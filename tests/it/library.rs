//! What a program brings along instead of files: values and readers.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use throng::config::{MaxRejects, SuppressInput};
use throng::{AudienceSpec, Error, ExitCode, Input, Prepare, PrepareConfig, Progress, UserType};

use crate::support::fixture;

fn run(config: PrepareConfig) -> throng::Result<throng::Summary> {
    let progress = Progress::default();
    Prepare::plan(config, &progress)?.run(&progress)
}

fn config(user_type: UserType, dir: &Path, input: Input) -> PrepareConfig {
    let mut config = PrepareConfig::new(user_type, dir.join("out"));
    config.inputs.push(input);
    config.resources.threads = 2;
    config
}

fn part(dir: &Path, user_type: UserType) -> String {
    fs::read_to_string(dir.join(format!("out/{user_type}-00001.txt"))).unwrap()
}

#[test]
fn values_are_taken_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    // Each would mean something else in a file: a header, delimiters, quotes, line ends, nothing.
    let values = ["id", "a,b;c", "say \"x\"", "\"q\"", "two\nlines", "", "\u{feff}bom", "z"];
    let input = Input::values("ids", values.into_iter().map(Ok));
    let mut job = config(UserType::CustomAudienceThirdPartyId, dir.path(), input);
    job.max_rejects = MaxRejects::Count(1);
    let summary = run(job).unwrap();
    let audience = &summary.audiences[0];
    assert_eq!(
        (audience.figures.read, audience.figures.blank, audience.figures.rejected),
        (8, 1, 1)
    );
    assert_eq!(audience.figures.rejects[0].reason, "control_character");
    assert_eq!(
        (&audience.figures.rejects[0].first_source[..], audience.figures.rejects[0].first_line),
        ("ids", 5)
    );
    let text = part(dir.path(), UserType::CustomAudienceThirdPartyId);
    let mut found: Vec<&str> = text.lines().collect();
    found.sort_unstable();
    assert_eq!(found, ["\"q\"", "a,b;c", "bom", "id", "say \"x\"", "z"]);
}

#[test]
fn an_iterator_that_fails_publishes_nothing() {
    for kind in [io::ErrorKind::ConnectionReset, io::ErrorKind::Interrupted] {
        let dir = tempfile::tempdir().unwrap();
        let rows = (0..100_000).map(move |n| match n {
            99_999 => Err(io::Error::from(kind)),
            _ => Ok(format!("person{n}@example.com")),
        });
        let error = run(config(UserType::EmailHash, dir.path(), Input::values("customers", rows)))
            .unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::Input);
        assert!(error.to_string().starts_with("failed to read `customers`: "), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_reader_is_read_like_the_file_that_it_reads() {
    for name in ["records/export.csv", "records/export.csv.gz", "records/export.csv.zst"] {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = fixture(name);
        let reader = Input::reader("blob", File::open(&path).unwrap());
        run(config(UserType::EmailHash, one.path(), reader)).unwrap();
        run(config(UserType::EmailHash, other.path(), Input::Path(path))).unwrap();
        let part = |dir| part(dir, UserType::EmailHash);
        assert_eq!(part(one.path()), part(other.path()), "{name}");
    }
}

#[test]
fn values_hold_back_and_are_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let members = ["ann@example.com", "bob@example.com"];
    let mut job = config(
        UserType::EmailHash,
        dir.path(),
        Input::values("customers", members.into_iter().map(Ok)),
    );
    let opted_out = Input::values("opt-outs", ["Bob@Example.com"].into_iter().map(Ok));
    job.suppress.push(opted_out.into());
    let again = job.clone();
    let summary = run(job).unwrap();
    assert_eq!(
        (summary.audiences[0].figures.sets.suppressed, summary.audiences[0].figures.sets.written),
        (1, 1)
    );
    let error = run(again).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Usage, "{error}");
}

#[test]
fn values_are_for_one_user_type() {
    let dir = tempfile::tempdir().unwrap();
    let list = || Input::values("list", ["ann@example.com"].into_iter().map(Ok));
    let mut job = config(UserType::EmailHash, dir.path(), list());
    job.audiences.push(AudienceSpec::from(UserType::PhoneHash));
    assert!(matches!(run(job), Err(Error::Usage { .. })));

    // A suppression list says which of two types it is for.
    let text = "email,phone\nann@example.com,+64 21 123 4567\nbob@example.com,+64 21 123 4568\n";
    let mut job = config(UserType::EmailHash, dir.path(), Input::reader("text", text.as_bytes()));
    job.audiences.push(AudienceSpec::from(UserType::PhoneHash));
    let only = Some(UserType::EmailHash);
    job.suppress.push(SuppressInput { user_type: only, ..list().into() });
    let suppressed: Vec<u64> =
        run(job).unwrap().audiences.iter().map(|a| a.figures.sets.suppressed).collect();
    assert_eq!(suppressed, [1, 0]);
}
