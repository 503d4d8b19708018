//! `throng who`: what it says of people is what the sandbox has, and when it got it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::digest_hex;
use crate::support::home::{Home, email, emails, first_night, output_for, stderr, summary};
use crate::support::upload::{Prepared, User};

fn who(state: &Path, user_type: &str, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.args(["who", "-t", user_type, "--state"]).arg(state).args(args);
    output_for(&mut command, input)
}

/// The answers, in JSON; nothing of what was asked about is in them.
#[track_caller]
pub(crate) fn asked(state: &Path, user_type: &str, args: &[&str], input: &str) -> Value {
    let text = who(state, user_type, args, input);
    let ended = who(state, user_type, &[&["--json"], args].concat(), input);
    assert_eq!((text.status.code(), ended.status.code()), (Some(0), Some(0)), "{}", stderr(&ended));
    for output in [&text, &ended] {
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(output);
        for line in input.lines().map(str::trim).filter(|line| line.len() > 3) {
            assert!(!said.contains(line), "{said}");
            assert!(!said.contains(&digest_hex(line.as_bytes())), "{said}");
        }
    }
    summary(&ended)
}

/// By line: the standing and the run of each audience that it has to do with.
fn standings(answers: &Value) -> Vec<(u64, Vec<(&str, i64)>)> {
    let found = |line: &'_ Value| {
        let found = line["found"].as_array().unwrap().iter();
        found
            .map(|found| {
                (found["standing"].as_str().unwrap().to_owned(), found["run"].as_i64().unwrap())
            })
            .map(|(standing, run)| (&*standing.leak(), run))
            .collect()
    };
    let lines = answers["lines"].as_array().unwrap().iter();
    lines.map(|line| (line["line"].as_u64().unwrap(), found(line))).collect()
}

fn night(home: &Home, people: std::ops::Range<u64>) {
    home.write("export.csv", &emails(people));
    let ended = home.sync(&[]);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
}

#[test]
fn each_line_is_answered_with_its_audience_and_night() {
    let (home, sandbox) = first_night(0);
    night(&home, 0..25);
    night(&home, 0..40);
    let state = home.path("state");
    let digest = digest_hex(email(5).as_bytes()).to_uppercase();
    let input = format!(
        "{}\n  \nnonsense\n\" {} \"\r\n{}\n{digest}\n{}",
        email(3),
        email(27).to_uppercase(),
        email(99),
        email(3)
    );
    let answers = asked(&state, "email_hash", &[], &input);
    assert_eq!(
        standings(&answers),
        [
            (1, vec![("in", 1)]),
            (3, vec![]),
            (4, vec![("in", 2)]),
            (5, vec![]),
            (6, vec![("in", 1)]),
            (7, vec![("in", 1)]),
        ]
    );
    assert_eq!((&answers["blank"], &answers["unread"]), (&json!(1), &json!([])));
    assert_eq!(answers["lines"][1]["rejected"], "no_at_sign");
    let audience = json!({
        "endpoint": sandbox.endpoint(),
        "ad_account": "7",
        "name": "News",
        "audience": "59",
        "role": "live",
    });
    assert_eq!(answers["audiences"], json!([audience]));
    let found = &answers["lines"][0]["found"][0];
    let at = |name: &str| found[name].as_i64().unwrap();
    assert!(at("sent_at") <= at("confirmed_at") && at("sent_at") > 1_700_000_000_000, "{found}");

    let text = who(&state, "email_hash", &[], &input);
    let text = String::from_utf8(text.stdout).unwrap();
    let first = format!(
        "line 1: in `News` (59, live, ad account 7 at {}), since run 1, sent 2",
        sandbox.endpoint()
    );
    assert!(text.starts_with(&first), "{text}");
    assert!(text.contains("\nline 3: rejected: no_at_sign ("), "{text}");
    assert!(text.contains("\nline 5: in no audience\n"), "{text}");

    let phones = asked(&state, "phone_hash", &["--country", "NZ"], "021 123 4567\n");
    assert_eq!(standings(&phones), [(1, vec![])], "another type");
    let nowhere = who(&home.path("nowhere"), "email_hash", &[], &input);
    assert_eq!((nowhere.status.code(), nowhere.stdout.len()), (Some(2), 0), "{}", stderr(&nowhere));
    assert!(stderr(&nowhere).contains("nothing is remembered in"), "{}", stderr(&nowhere));
    assert!(stderr(&nowhere).contains("--state"), "{}", stderr(&nowhere));
    assert!(!home.path("nowhere").exists(), "looking makes nothing");
}

#[test]
fn everybody_is_found_where_the_sandbox_has_them_and_nobody_else() {
    let (home, sandbox) = first_night(0);
    home.two_audiences(&sandbox);
    home.write("export.csv", &emails(0..300));
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    let input: String = (0..600).map(|person| email(person) + "\n").collect();
    let answers = asked(&home.path("state"), "email_hash", &[], &input);
    let held: Vec<Vec<String>> =
        sandbox.audiences().unwrap().iter().map(|each| sandbox.members(each.id).unwrap()).collect();
    for (person, (_, found)) in (0..600).zip(standings(&answers)) {
        let digest = digest_hex(email(person).as_bytes());
        let of_sandbox = held.iter().filter(|members| members.contains(&digest)).count();
        assert_eq!(found.len(), of_sandbox, "{person}");
        assert_eq!(of_sandbox, if person < 300 { 2 } else { 0 });
    }
}

#[test]
fn what_nobody_confirmed_may_be_in() {
    let (home, sandbox) = first_night(5);
    sandbox.push_fault("create,nth=1,when=after,cut".parse().unwrap());
    sandbox.push_fault("list,status=500".parse().unwrap());
    assert_eq!(home.sync(&[]).status.code(), Some(8));
    let state = home.path("state");
    let answers = asked(&state, "email_hash", &[], &email(3));
    assert_eq!(standings(&answers), [(1, vec![("possible", 1)])]);
    sandbox.clear_faults();
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    let answers = asked(&state, "email_hash", &[], &email(3));
    assert_eq!(standings(&answers)[0].1[0].0, "in");
}

#[test]
fn a_directory_that_was_uploaded_is_looked_into_as_long_as_it_is_there() {
    let prepared = Prepared::new(200, 12);
    let sandbox = crate::support::home::sandbox();
    let user = User::new(&prepared, &[]);
    assert_eq!(user.upload(&sandbox, &[]).status.code(), Some(0));
    let ids: Vec<&str> = prepared.members.iter().map(String::as_str).collect();
    let upper =
        |id: &&str| if id.len().is_multiple_of(2) { id.to_uppercase() } else { (*id).to_owned() };
    let input = ids.iter().map(upper).collect::<Vec<_>>().join("\n") + "\ncanary-id-none\n";
    let user_type = "custom_audience_third_party_id";
    let args = [];
    let answers = asked(&user.state(), user_type, &args, &input);
    let found = standings(&answers);
    assert_eq!(found.len(), 201);
    let (last, known) = found.split_last().unwrap();
    assert!(known.iter().all(|(_, found)| found[..] == [("in", 1)]), "{known:?}");
    assert_eq!(*last, (201, vec![]));
    let kept = asked(&user.state(), user_type, &["--case", "keep"], &ids[0].to_uppercase());
    assert_eq!(standings(&kept), [(1, vec![])], "as it was told");

    // Another result at the same place is not taken for the one that was uploaded.
    std::fs::remove_dir_all(prepared.out()).unwrap();
    let answers = asked(&user.state(), user_type, &args, ids[0]);
    assert_eq!(standings(&answers), [(1, vec![])]);
    let unread = answers["unread"].as_array().unwrap();
    assert_eq!(unread.len(), prepared.parts.len());
    let entries: u64 = unread.iter().map(|part| part["entries"].as_u64().unwrap()).sum();
    assert_eq!(entries, 200);
    let said = stderr(&who(&user.state(), user_type, &args, ids[0]));
    assert!(said.contains("nobody is certain not to be in it"), "{said}");
}

#[test]
fn a_part_that_is_damaged_is_told() {
    let (home, _sandbox) = first_night(25);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    let parts = home.list("state/parts/000001");
    let path = home.path("state/parts/000001").join(&parts[0]);
    let text = std::fs::read_to_string(&path).unwrap();
    let input = emails(0..25).replace("email\n", "");
    let found =
        |answers: &Value| standings(answers).iter().filter(|(_, found)| !found.is_empty()).count();
    let lines = text.lines().count();
    // In another order all of it is found, cut off it is not looked into.
    let reversed: String = text.lines().rev().map(|line| line.to_owned() + "\n").collect();
    for (text, expected, unread) in
        [(&reversed[..], 25, 0), (&text[..text.len() - 65], 25 - lines, 1)]
    {
        std::fs::write(&path, text).unwrap();
        let answers = asked(&home.path("state"), "email_hash", &[], &input);
        assert_eq!(answers["unread"].as_array().unwrap().len(), unread);
        assert_eq!(found(&answers), expected);
    }
}
