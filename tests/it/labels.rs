//! Several audiences from one pass, also of one type: each has a label, which names its parts.

use std::fs;
use std::path::PathBuf;

use throng::config::{AudienceSpec, ColumnSelector, PrepareConfig};
use throng::emit::Manifest;
use throng::normalize::UserType;
use throng::stop::Stop;

use crate::support::{config, run, suppressing};

const EXPORT: &str = "work,home,tel\n\
    ann@example.com,ann.home@example.com,+442079460018\n\
    bob@example.com,,+442079460019\n\
    cy@example.com,ann@example.com,\n";

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn config(&self, audiences: &[(&str, &str)]) -> PrepareConfig {
        let input = self.write("export.csv", EXPORT);
        let mut config = config(UserType::EmailHash, &[input], &self.0.path().join("out"));
        config.audiences = audiences.iter().map(|(label, column)| spec(label, column)).collect();
        config
    }

    fn lines(&self, file: &str) -> usize {
        fs::read_to_string(self.0.path().join("out").join(file)).unwrap().lines().count()
    }
}

fn spec(label: &str, column: &str) -> AudienceSpec {
    let column = Some(ColumnSelector::Name(column.to_owned()));
    AudienceSpec { label: label.parse().unwrap(), ..AudienceSpec::new(UserType::EmailHash, column) }
}

#[test]
fn audiences_of_one_type_have_parts_of_their_own() {
    let desk = Desk::new();
    let mut config = desk.config(&[("work", "work"), ("home", "home"), ("email_hash", "work")]);
    config.output.part_lines = 2;
    let summary = run(config.clone()).unwrap();
    assert_eq!(
        summary.audiences.iter().map(|a| a.figures.sets.written).collect::<Vec<_>>(),
        [3, 2, 3]
    );
    let text = summary.to_string();
    assert!(text.contains("work (email_hash)\n"), "{text}");
    assert!(text.contains("\nemail_hash\n"), "{text}");
    assert_eq!((desk.lines("work-00001.txt"), desk.lines("work-00002.txt")), (2, 1));
    assert_eq!((desk.lines("home-00001.txt"), desk.lines("email_hash-00001.txt")), (2, 2));
    let manifest = Manifest::read(&config.output.dir).unwrap();
    let labels: Vec<&str> = manifest.audiences.iter().map(|of| of.label.as_str()).collect();
    assert_eq!(labels, ["work", "home", "email_hash"]);
    assert_eq!(manifest.problems(&config.output.dir, &Stop::default()).unwrap(), []);
    assert_eq!(manifest.inputs[0].columns[0], "1 `work` as work (email_hash)");
}

#[test]
fn two_audiences_of_one_label_are_refused() {
    let desk = Desk::new();
    let error = run(desk.config(&[("work", "work"), ("work", "home")])).unwrap_err();
    assert_eq!(error.to_string(), "two audiences are called `work`");
    assert_eq!(error.hint(), Some("give each a label of its own: --map COLUMN=TYPE:LABEL"));
}

#[test]
fn earlier_results_are_known_by_label() {
    let desk = Desk::new();
    let mut earlier = desk.config(&[("work", "work"), ("home", "home")]);
    earlier.output.dir = desk.0.path().join("known");
    run(earlier.clone()).unwrap();
    // The columns are exchanged: what is known of a label is not what is known of another one.
    let mut config = desk.config(&[("home", "work"), ("work", "home")]);
    config.against.push(earlier.output.dir.into());
    let summary = run(config.clone()).unwrap();
    let sets = summary
        .audiences
        .iter()
        .map(|a| (a.figures.sets.known, a.figures.sets.gone, a.figures.sets.written));
    assert_eq!(sets.collect::<Vec<_>>(), [(1, 1, 2), (1, 2, 1)]);
    config.audiences.push(spec("other", "work"));
    let error = run(config).unwrap_err();
    assert!(error.to_string().ends_with("it holds no other (email_hash)"), "{error}");
    assert_eq!(error.hint(), Some("it holds work (email_hash), home (email_hash)"));
}

#[test]
fn whoever_opted_out_is_in_no_audience_of_the_type() {
    let desk = Desk::new();
    let both = [("work", "work"), ("home", "home")];
    // Whatever the list's column is called: like one of the inputs' columns, like none, or there are two of them.
    for (name, text) in [
        ("one.csv", "work\nann@example.com\n"),
        ("other.csv", "id,mail\nx,ann@example.com\n"),
        ("plain.txt", "ann@example.com\n"),
        ("two.csv", "work,home\n,ann@example.com\nsomebody@example.com,\n"),
    ] {
        let list = desk.write(name, text);
        let mut config = suppressing(desk.config(&both), &list);
        let summary = run(config.clone()).unwrap();
        let held_back =
            summary.audiences.iter().map(|a| a.figures.sets.suppressed).collect::<Vec<_>>();
        assert_eq!(held_back, [1, 1], "{name}");
        assert!(!summary.notes.iter().any(|note| note.contains("nobody")), "{:?}", summary.notes);
        config.suppress[0].user_type = Some(UserType::EmailHash);
        let summary = run(config).unwrap();
        assert_eq!(
            summary.audiences.iter().map(|a| a.figures.sets.suppressed).collect::<Vec<_>>(),
            [1, 1]
        );
    }
}

#[test]
fn a_list_for_none_of_them_stops_the_run() {
    let desk = Desk::new();
    let list = desk.write("out.csv", "id,tel\n1,+442079460018\n2,+442079460019\n");
    let error = run(suppressing(desk.config(&[("work", "work"), ("home", "home")]), &list));
    assert!(error.unwrap_err().to_string().contains("no column holds values for email_hash"));
}

#[test]
fn fifty_audiences_stay_within_the_least_memory() {
    let desk = Desk::new();
    let names: Vec<String> = (0..50).map(|n| format!("audience-{n}")).collect();
    let columns = ["work", "home"].into_iter().cycle();
    let audiences: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(columns).collect();
    let mut config = desk.config(&audiences);
    config.resources.memory_bytes = throng::limits::MEMORY_BYTES_MIN;
    let summary = run(config).unwrap();
    assert_eq!(
        summary.audiences.iter().map(|a| a.figures.sets.written).sum::<u64>(),
        25 * 3 + 25 * 2
    );
}

#[test]
#[cfg(feature = "sandbox")]
fn upload_takes_a_label_or_the_type_of_the_only_one() {
    let desk = Desk::new();
    let mut config = desk.config(&[("work", "work"), ("home", "home")]);
    config.audiences.push(AudienceSpec {
        label: "phones".parse().unwrap(),
        ..AudienceSpec::new(UserType::PhoneHash, Some(ColumnSelector::Name("tel".to_owned())))
    });
    run(config.clone()).unwrap();
    let upload = |which: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_throng"));
        command.arg("upload").arg(&config.output.dir).args(["--create", "News", "--sandbox"]);
        let output = command.args(which).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (which, count) in [("home", 2), ("work", 3), ("phones", 2), ("phone_hash", 2)] {
        let (code, text) = upload(&["-t", which]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains(&format!(": {count} members (")), "{which}: {text}");
    }
    let names = "it holds work (email_hash), home (email_hash), phones (phone_hash)";
    for (which, message, hint) in [
        (&[][..], "` holds work (email_hash), home", "say which one goes into this audience"),
        (&["-t", "email_hash"], "` holds more than one email_hash", names),
        (&["-t", "fbid"], "` holds no fbid", names),
    ] {
        let (code, text) = upload(which);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(message) && text.contains(hint), "{text}");
    }
}
