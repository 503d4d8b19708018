//! Opt-out lists that name people in more columns than one: all of them are held back, or somebody is told.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use throng::Result;
use throng::config::{AudienceSpec, Condition, Input, MaxRejects, PrepareConfig, SuppressInput};
use throng::hash::ListDigest;
use throng::normalize::UserType;
use throng::prepare::summary::Summary;

use crate::support::{config, digest_hex, run};

const PEOPLE: usize = 20;

fn mail(of: usize) -> String {
    format!("person.{of}@mail{of}.example")
}

fn phone(of: usize) -> String {
    format!("+49 171 23456{of:02}")
}

struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A table of people, of whose columns these are read.
    fn config(&self, types: &[UserType]) -> PrepareConfig {
        let rows: Vec<String> =
            (0..PEOPLE).map(|of| format!("{},{},{}", 100_200 + of, mail(of), phone(of))).collect();
        let text = format!("id,email,phone\n{}\n", rows.join("\n"));
        let mut config =
            config(types[0], &[self.write("in.csv", &text)], &self.0.path().join("out"));
        let spec = |of: &UserType| {
            let column = if *of == UserType::EmailHash { "email" } else { "phone" };
            AudienceSpec::new(*of, Some(column.parse().unwrap()))
        };
        config.max_rejects = MaxRejects::DEFAULT;
        config.audiences = types.iter().map(spec).collect();
        config
    }

    fn run(&self, types: &[UserType], list: &str) -> Result<Summary> {
        let mut config = self.config(types);
        config.suppress.push(Input::Path(self.write("list.csv", list)).into());
        run(config)
    }
}

fn suppressed(summary: &Summary) -> Vec<u64> {
    summary.audiences.iter().map(|of| of.figures.sets.suppressed).collect()
}

/// The first four people, the first in the first column, the others in the second.
fn either(header: &str, value: impl Fn(usize) -> String) -> String {
    let rows: Vec<String> = (1..4).map(|of| format!(",{}\n", value(of))).collect();
    format!("{header}\n{},\n{}", value(0), rows.concat())
}

#[test]
fn people_in_a_column_that_is_called_otherwise_are_held_back() {
    let desk = Desk::new();
    let digest = |of: usize| digest_hex(mail(of).as_bytes());
    let bare = |of: usize| phone(of).replace(['+', ' '], "");
    for (user_type, list) in [
        (UserType::EmailHash, either("email,contact", mail)),
        (UserType::EmailHash, either("email,recipient", mail)),
        (UserType::EmailHash, either("email,login", mail)),
        (UserType::EmailHash, either("e-mail,to", mail)),
        (UserType::EmailHash, either("email,customer", mail)),
        (UserType::EmailHash, either("email,digest", digest)),
        (UserType::PhoneHash, either("phone,contact", phone)),
        (UserType::PhoneHash, either("phone,whatsapp", phone)),
        (UserType::PhoneHash, either("phone,fax", bare)),
    ] {
        let summary = desk.run(&[user_type], &list).unwrap();
        assert_eq!(suppressed(&summary), [4], "{list}");
        assert_eq!(summary.audiences[0].figures.sets.written, 16, "{list}");
    }
    // The agent is called like the column of the inputs.
    let rows = (0..4).map(|of| format!("{},agent.{}@shop.example\n", mail(of), of % 2));
    let list = format!("customer,email\n{}", rows.collect::<String>());
    assert_eq!(suppressed(&desk.run(&[UserType::EmailHash], &list).unwrap()), [4]);
    // Nobody named a column.
    let mut config = desk.config(&[UserType::EmailHash]);
    config.audiences[0].columns.clear();
    config.suppress.push(Input::Path(desk.write("list.csv", &list)).into());
    assert_eq!(suppressed(&run(config).unwrap()), [4]);
}

#[test]
fn dates_and_numbers_beside_phone_numbers_are_nobodys() {
    let desk = Desk::new();
    for (header, beside) in [
        ("phone,since", "2026-11-24"),
        ("phone,customer_no", "30123456"),
        ("phone,at", "1764230400"),
        ("phone,email_sha256", &digest_hex(b"x")),
    ] {
        let row = |of| format!("{},{beside}\n", phone(of));
        let list = format!("{header}\n{}", (0..4).map(row).collect::<String>());
        let summary = desk.run(&[UserType::PhoneHash], &list).unwrap();
        let list = &summary.audiences[0].figures.opt_out_lists[0];
        assert_eq!((list.usable, list.members), (4, Some(4)), "{header}");
    }
}

#[test]
fn domains_beside_addresses_hold_nobody_back() {
    let desk = Desk::new();
    let list = format!("email,provider\n{},@mail1.example\n{},@mail3.example\n", mail(0), mail(2));
    let summary = desk.run(&[UserType::EmailHash], &list).unwrap();
    assert_eq!(suppressed(&summary), [2]);
}

#[test]
fn rows_with_nothing_in_the_columns_that_are_read_are_a_warning() {
    let desk = Desk::new();
    // Behind the rows that are looked at.
    let early: Vec<String> = (0..600).map(|of| format!("p{of}@a.example,\n")).collect();
    let early = early.concat();
    let late: Vec<String> = (0..600).map(|of| format!(",p{of}@b.example\n")).collect();
    let late = late.concat();
    let list = format!("email,contact\n{}\n{early}{late}", mail(0) + ",");
    let summary = desk.run(&[UserType::EmailHash], &list).unwrap();
    let warnings = summary.warnings.join("\n");
    assert!(warnings.contains("600 of 1,201 rows of this opt-out list have nothing"), "{warnings}");
    let full = format!("email,contact\n{}\n{early}", mail(0) + ",");
    assert!(desk.run(&[UserType::EmailHash], &full).unwrap().warnings.is_empty());
}

#[test]
fn digests_of_another_audience_are_not_passed_over() {
    let desk = Desk::new();
    let (mails, phones) = ("0cc175b9c0f1b6a831c399e269772661", "92eb5ffee6ae2fec3ad71c777531578f");
    let list = desk.write("list.csv", &format!("email_md5;phone_md5\n{mails};\n;{phones}\n"));
    let both = [UserType::EmailHash, UserType::PhoneHash];
    let of = |user_type: Option<UserType>| SuppressInput {
        user_type,
        digest: Some(ListDigest::Md5),
        ..Input::Path(list.clone()).into()
    };
    let mut config = desk.config(&both);
    config.suppress.push(of(None));
    let error = run(config.clone()).unwrap_err();
    assert!(error.to_string().contains("column 2 `phone_md5` holds digests, too"), "{error}");
    config.suppress.push(of(Some(UserType::PhoneHash)));
    run(config).unwrap();
    let mut config = desk.config(&both[..1]);
    config.suppress.push(of(None));
    run(config).unwrap();
}

#[test]
fn a_list_without_a_column_for_an_audience_is_a_warning_with_a_hint() {
    let desk = Desk::new();
    let both = [UserType::EmailHash, UserType::PhoneHash];
    let row = |of| format!("86f7e437faa5a7fce15d1ddcb9eaeaea377667b8,{}\n", phone(of));
    let list = format!("contact,phone\n{}", (0..4).map(row).collect::<String>());
    let summary = desk.run(&both, &list).unwrap();
    let warnings = summary.warnings.join("\n");
    assert!(
        warnings.contains("no column holds email_hash: nobody is held back there"),
        "{warnings}"
    );
    assert!(warnings.contains("column 1 `contact` holds SHA-1 digests"), "{warnings}");
    assert!(warnings.contains("--suppress sha1=FILE"), "{warnings}");
}

#[test]
fn lists_that_hold_nobody_have_a_line_and_are_a_warning_if_no_other_does() {
    let desk = Desk::new();
    for empty in ["", "email\n"] {
        let summary = desk.run(&[UserType::EmailHash], empty).unwrap();
        let warnings = summary.warnings.join("\n");
        assert!(warnings.contains("NOBODY is held back"), "{empty:?}: {warnings}");
        let text = summary.to_string();
        assert!(text.contains("list.csv: 0 read, 0 usable"), "{empty:?}: {text}");
    }
    let mut config = desk.config(&[UserType::EmailHash]);
    for (name, text) in [("list.csv", ""), ("other.csv", &*mail(0))] {
        config.suppress.push(Input::Path(desk.write(name, text)).into());
    }
    let summary = run(config).unwrap();
    assert!(summary.warnings.is_empty(), "{:?}", summary.warnings);
    assert!(summary.to_string().contains("list.csv: 0 read, 0 usable"), "{summary}");
}

#[test]
fn rows_of_a_list_that_a_condition_drops_are_said() {
    let desk = Desk::new();
    let status = ["unsubscribed", "Unsubscribed (bounce)", "opt-out", "unsubscribed"];
    let rows = status.iter().enumerate().map(|(of, status)| format!("{},{status}\n", mail(of)));
    let list = format!("email,status\n{}", rows.collect::<String>());
    let mut config = desk.config(&[UserType::EmailHash]);
    let conditions: Vec<Condition> = vec!["status=unsubscribed".parse().unwrap()];
    let input = Input::Path(desk.write("list.csv", &list));
    config.suppress.push(SuppressInput { conditions, ..input.into() });
    let summary = run(config).unwrap();
    let figures = &summary.audiences[0].figures.opt_out_lists[0];
    assert_eq!((figures.read, figures.usable, figures.dropped), (2, 2, 2));
    let text = summary.to_string();
    let line = text.lines().find(|line| line.contains("by --suppress-where")).unwrap();
    assert!(line.contains("dropped") && line.contains(" 2 "), "{text}");
}
