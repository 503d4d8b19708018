//! Directories of partitions, as engines write them: folders are columns, and what is not complete is not taken.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use throng::config::{AudienceSpec, Condition, Input, PrepareConfig, SuppressInput};
use throng::normalize::{Normalizer, RuleOptions, UserType};
use throng::prepare::summary::Summary;

use crate::support::{config, entries, run};

struct Desk(tempfile::TempDir);

impl Desk {
    /// Files below `export`, each with these lines.
    fn new(files: &[(&str, &[&str])]) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for (name, lines) in files {
            desk.write(name, lines);
        }
        desk
    }

    fn write(&self, name: &str, lines: &[&str]) -> PathBuf {
        let path = self.0.path().join("export").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
        fs::write(&path, text).unwrap();
        path
    }

    fn config(&self, user_type: UserType, files: &[&str]) -> PrepareConfig {
        let inputs: Vec<PathBuf> =
            files.iter().map(|file| self.0.path().join("export").join(file)).collect();
        config(user_type, &inputs, &self.0.path().join("out"))
    }

    /// What is written, in its order.
    fn entries(&self) -> Vec<String> {
        entries(&self.0.path().join("out"))
    }
}

fn conditions(texts: &[&str]) -> Vec<Condition> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn digests(user_type: UserType, values: &[&str]) -> Vec<String> {
    let rule = Normalizer::new(user_type, RuleOptions::default());
    let mut digests: Vec<String> =
        values.iter().map(|value| rule.entry(value).unwrap().unwrap()).collect();
    digests.sort_unstable();
    digests
}

const SHOPS: [(&str, &[&str]); 4] = [
    ("country=NZ/consent=yes/p0.csv", &["id,email", "1,ann@example.com"]),
    ("country=DE/consent=yes/p0.csv", &["id,email", "2,bob@example.com"]),
    ("country=DE/consent=no/p0.csv", &["id,email", "3,cy@example.com"]),
    ("country=__HIVE_DEFAULT_PARTITION__/consent=yes/p0.csv", &["id,email", "4,dee@example.com"]),
];

fn shops(texts: &[&str]) -> Result<(Summary, Vec<String>), throng::Error> {
    let desk = Desk::new(&SHOPS);
    let names: Vec<&str> = SHOPS.iter().map(|(name, _)| *name).collect();
    let mut config = desk.config(UserType::EmailHash, &names);
    config.read.conditions = conditions(texts);
    run(config).map(|summary| (summary, desk.entries()))
}

#[test]
fn conditions_on_folders_leave_whole_files_out() {
    let emails = |values: &[&str]| digests(UserType::EmailHash, values);
    for (texts, left, people) in [
        (&["country=de"][..], 2, &["bob@example.com", "cy@example.com"][..]),
        (&["Country=DE", "consent=yes"], 3, &["bob@example.com"]),
        (&["country!=DE"], 2, &["ann@example.com", "dee@example.com"]),
        (&["country="], 3, &["dee@example.com"]),
        // One on a column of the files goes on as ever.
        (&["country=DE", "id=3"], 2, &["cy@example.com"]),
    ] {
        let (summary, found) = shops(texts).unwrap();
        assert_eq!(found, emails(people), "{texts:?}");
        let told = format!("{left} of 4 inputs are not read, since conditions leave");
        assert!(summary.notes.iter().any(|note| note.contains(&told)), "{:?}", summary.notes);
    }
    // What a condition on a column drops is counted as its own, and one that keeps nobody out is told.
    let (summary, _) = shops(&["country!=DE", "id=1", "consent!=maybe"]).unwrap();
    let dropped: Vec<u64> = summary.dropped.iter().map(|of| of.rows).collect();
    assert_eq!(dropped, [0, 1, 0]);
    let warned: Vec<&String> =
        summary.warnings.iter().filter(|warning| warning.contains("drops no row")).collect();
    assert!(matches!(&warned[..], [one] if one.contains("consent!=maybe")), "{warned:?}");
    let error = shops(&["country=FR"]).unwrap_err();
    assert!(error.to_string().contains("leave out the partitions of all inputs"), "{error}");
    let error = shops(&["contry=DE"]).unwrap_err();
    assert!(error.to_string().contains("no column is called"), "{error}");
}

#[test]
fn a_folder_is_not_what_an_audience_is_made_of() {
    let desk = Desk::new(&SHOPS);
    let mut config = desk.config(UserType::EmailHash, &[SHOPS[0].0]);
    config.audiences = vec![AudienceSpec::new(UserType::EmailHash, ["country".parse().unwrap()])];
    let error = run(config).unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("a folder of its path")), "{error:?}");
}

#[test]
fn countries_of_folders_are_those_of_their_numbers() {
    let by_folder = Desk::new(&[
        ("region=x/country=DE/p.csv", &["id,tel", "1,0171 3920052", "2,+64 21 000 1234"]),
        ("region=x/country=new%20zealand/p.csv", &["id,tel", "3,021 000 5678"]),
        ("region=x/country=__HIVE_DEFAULT_PARTITION__/p.csv", &["id,tel", "4,+49 171 3920053"]),
    ]);
    let rows = ["tel,country", "0171 3920052,DE", "+64 21 000 1234,DE", "021 000 5678,NZ"];
    let by_column = Desk::new(&[("all.csv", &[&rows[..], &["+49 171 3920053,"]].concat())]);
    let files = ["DE", "new%20zealand", "__HIVE_DEFAULT_PARTITION__"]
        .map(|country| format!("region=x/country={country}/p.csv"));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    for (desk, files) in [(&by_folder, &files[..]), (&by_column, &["all.csv"])] {
        let mut config = desk.config(UserType::PhoneHash, files);
        config.read.country_column = Some("Country".parse().unwrap());
        let summary = run(config).unwrap();
        assert_eq!(summary.audiences[0].figures.rejected, 0);
        found.push(desk.entries());
    }
    assert_eq!(found[0].len(), 4);
    assert_eq!(found[0], found[1]);

    let odd = Desk::new(&[("country=Q1/p.csv", &["id,tel", "1,0171 3920052"])]);
    let mut config = odd.config(UserType::PhoneHash, &["country=Q1/p.csv"]);
    config.read.country_column = Some("country".parse().unwrap());
    let error = run(config).unwrap_err();
    assert!(error.to_string().contains("names none"), "{error}");
}

#[test]
fn a_list_that_conditions_leave_out_is_warned_about() {
    let desk = Desk::new(&SHOPS);
    let list = desk.write("status=active/list.csv", &["email", "bob@example.com"]);
    let summary = |condition: &str| {
        let mut config = desk.config(UserType::EmailHash, &[SHOPS[0].0, SHOPS[1].0]);
        config.output.overwrite = true;
        config.suppress = vec![SuppressInput {
            conditions: conditions(&[condition]),
            ..Input::Path(list.clone()).into()
        }];
        run(config).unwrap()
    };
    assert_eq!(summary("status=active").audiences[0].figures.sets.suppressed, 1);
    let left_out = summary("status=unsubscribed");
    assert_eq!(left_out.audiences[0].figures.sets.suppressed, 0);
    assert!(left_out.warnings.iter().any(|warning| warning.contains("NOBODY is held back")));
    let notes = &summary("status=active").notes;
    assert!(!notes.iter().any(|note| note.contains("drops none")), "{notes:?}");
}

/// What the command says of a directory, with its exit code.
fn prepare(desk: &Desk, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    let ran = command
        .current_dir(desk.0.path())
        .args(["prepare", "-t", "email_hash", "-o", "out"])
        .args(args)
        .output()
        .unwrap();
    (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[test]
fn directories_can_be_asked_to_be_complete() {
    let desk = Desk::new(&SHOPS);
    let (code, said) = prepare(&desk, &["export", "--complete"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("it has no `_SUCCESS`") && said.contains("hint: run again"), "{said}");
    let (_, said) = prepare(&desk, &["export/country=DE/consent=no/p0.csv", "--complete"]);
    assert!(said.contains("it is no directory with `_SUCCESS`"), "{said}");
    desk.write("_SUCCESS", &[]);
    let (code, said) = prepare(&desk, &["export", "--complete", "--where", "country=DE"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(desk.entries().len(), 2);
}
