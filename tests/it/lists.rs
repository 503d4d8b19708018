//! Opt-out lists are looked at: how many of each are members, whole domains, and what speaks against a list of which
//! nobody is.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;
use throng::audience::ListFigures;
use throng::config::{Format, Header, Input, SuppressInput};
use throng::normalize::{Country, UserType};
use throng::prepare::summary::Summary;

use crate::support::{by_name, config, digest_hex, entries, run, suppressing};

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

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    /// E-mail addresses with these lists.
    fn run(&self, members: &str, lists: &[&str]) -> Summary {
        let mut config = config(UserType::EmailHash, &[self.write("in.txt", members)], &self.out());
        for (index, list) in lists.iter().enumerate() {
            let path = self.write(&format!("list-{index}.txt"), list);
            config.suppress.push(Input::Path(path).into());
        }
        run(config).unwrap()
    }
}

fn members(summary: &Summary) -> Vec<Option<u64>> {
    summary.audiences[0].figures.opt_out_lists.iter().map(|list| list.members).collect()
}

fn warnings(summary: &Summary) -> String {
    summary.warnings.join("\n")
}

fn digests(addresses: &[&str]) -> Vec<String> {
    let mut digests: Vec<String> =
        addresses.iter().map(|address| digest_hex(address.as_bytes())).collect();
    digests.sort();
    digests
}

#[test]
fn each_list_is_counted_on_its_own_and_people_once() {
    let desk = Desk::new();
    let lists = [
        "ann@a.example\nANN@a.example\nbob@a.example\n\nnull\nzoe@b.example\n",
        "ann@a.example\n",
        "zoe@b.example\n",
    ];
    let summary = desk.run("ann@a.example\nbob@a.example\ncy@a.example\ncy@a.example\n", &lists);
    assert_eq!(members(&summary), [Some(2), Some(1), Some(0)]);
    let figures = &summary.audiences[0].figures;
    assert_eq!(figures.sets.suppressed, 2);
    let ListFigures { read, blank, usable, rejected, rejects, .. } = &figures.opt_out_lists[0];
    assert_eq!((*read, *blank, *usable, *rejected), (6, 1, 4, 1));
    assert_eq!((&rejects[0].reason[..], rejects[0].first_line), ("null_word", 5));
    let text = summary.to_string();
    assert!(text.contains("list-0.txt: 6 read, 4 usable"), "{text}");
    assert!(text.contains("list-2.txt: 1 read, 1 usable: NOBODY is a member"), "{text}");
    assert!(warnings(&summary).contains("list-2.txt"), "{}", warnings(&summary));
    assert!(warnings(&summary).contains("while other lists hold members back"));
    assert_eq!(summary.warnings.len(), 1);
}

#[test]
fn files_of_one_pattern_are_one_list() {
    let desk = Desk::new();
    let mut config =
        config(UserType::EmailHash, &[desk.write("in.txt", "ann@a.example\n")], &desk.out());
    for (name, text) in [("a", "ann@a.example\n"), ("b", "ann@a.example\nbob@a.example\n")] {
        let input = Input::Path(desk.write(name, text));
        config.suppress.push(SuppressInput { list: Some("*".to_owned()), ..input.into() });
    }
    let other = desk.write("c", "ann@a.example\n");
    run(suppressing(config, &other)).unwrap();
    let manifest = fs::read_to_string(desk.out().join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let lists = &manifest["audiences"][0]["opt_out_lists"];
    assert_eq!(lists.as_array().unwrap().len(), 2, "{lists}");
    assert_eq!((&lists[0]["read"], &lists[0]["members"]), (&3.into(), &1.into()), "{lists}");
    assert_eq!((&lists[1]["read"], &lists[1]["members"]), (&1.into(), &1.into()), "{lists}");
}

#[test]
fn lists_beyond_the_bound_still_hold_back() {
    let desk = Desk::new();
    let addresses: Vec<String> = (0..70).map(|of| format!("user.{of}@a.example\n")).collect();
    let lists: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let summary = desk.run(&(addresses.concat() + "left@a.example\n"), &lists);
    assert_eq!(entries(&desk.out()), digests(&["left@a.example"]));
    let members = members(&summary);
    assert_eq!(members.len(), 70);
    assert!(members[..63].iter().all(|of| *of == Some(1)));
    assert!(members[63..].iter().all(Option::is_none));
}

#[test]
fn a_domain_holds_back_everybody_there_and_nobody_else() {
    let desk = Desk::new();
    let left = ["d@mail.rival.example", "e@rival.example.com", "f@arival.example"];
    let text = format!("a@rival.example\nB@Rival.Example.\nc@other.example\n{}\n", left.join("\n"));
    let summary = desk.run(&text, &["@rival.example\n%@other.example\nzoe@b.example\n"]);
    assert_eq!(entries(&desk.out()), digests(&left));
    let list = &summary.audiences[0].figures.opt_out_lists[0];
    assert_eq!((list.usable, list.domains, list.members), (3, 2, Some(3)));
    let summary = desk.run(&text, &["*@*.rival.example\n*.b.example\n"]);
    assert_eq!(members(&summary), [Some(1)]);
    assert!(!entries(&desk.out()).contains(&digest_hex(b"d@mail.rival.example")));
}

#[test]
fn a_domain_stands_in_a_column_of_csv_as_well() {
    let desk = Desk::new();
    let input = desk.write("in.csv", "id,email\n1,a@rival.example\n2,b@a.example\n");
    let config = config(UserType::EmailHash, &[input], &desk.out());
    let list = desk.write("list.csv", "since,email\n2025,@rival.example\n2026,zoe@b.example\n");
    run(suppressing(by_name(config, "email"), &list)).unwrap();
    assert_eq!(entries(&desk.out()), digests(&["b@a.example"]));
}

#[test]
fn a_list_of_nothing_but_domains_is_read_and_its_first_line_is_no_header() {
    let desk = Desk::new();
    let text = "a@rival.example\nb@other.example\nc@a.example\n";
    for list in
        ["@rival.example\n@other.example\n", "@rival.example\n", "*.x.example\n@rival.example\n"]
    {
        desk.run(text, &[list]);
        assert!(!entries(&desk.out()).contains(&digest_hex(b"a@rival.example")), "{list}");
    }
}

#[test]
fn names_of_domains_are_not_guessed() {
    let desk = Desk::new();
    let input = desk.write("in.txt", "a@rival.example\nb@other.example\n");
    let config = config(UserType::EmailHash, &[input], &desk.out());
    let list = desk.write("list.txt", "rival.example\nother.example\n");
    let error = run(suppressing(config, &list)).unwrap_err();
    assert!(error.hint().unwrap().contains("@rival.example"), "{error}");
    let list = "ann@a.example\nbob@a.example\nrival.example\n";
    let summary = desk.run("a@rival.example\nann@a.example\n", &[list]);
    assert!(warnings(&summary).contains("that could be a domain"), "{}", warnings(&summary));
}

#[test]
fn a_member_that_is_a_digest_may_be_of_any_domain() {
    let desk = Desk::new();
    let digest = digest_hex(b"a@rival.example");
    let summary = desk.run(&format!("{digest}\nb@rival.example\n"), &["@rival.example\n"]);
    assert_eq!(entries(&desk.out()), [digest]);
    assert!(warnings(&summary).contains("1 values of email_hash came as digests"));
}

#[test]
fn who_was_sent_and_is_of_a_domain_must_go() {
    let desk = Desk::new();
    let text = "a@rival.example\nb@a.example\n";
    desk.run(text, &[]);
    let earlier = desk.0.path().join("earlier");
    fs::rename(desk.out(), &earlier).unwrap();
    let mut config = config(UserType::EmailHash, &[desk.write("in.txt", text)], &desk.out());
    config.against.push(earlier.into());
    let summary = run(suppressing(config, &desk.write("l", "@rival.example\n"))).unwrap();
    let sets = &summary.audiences[0].figures.sets;
    assert_eq!((sets.suppressed, sets.must_go, sets.known), (1, 1, 1));
}

#[test]
fn a_domain_holds_back_the_whole_row() {
    let desk = Desk::new();
    let text = "email,phone\na@rival.example,+49 30 901820\nb@a.example,+49 89 21300\n";
    for threads in [1, 3] {
        let mut config = config(UserType::EmailHash, &[desk.write("in.csv", text)], &desk.out());
        config.audiences.push(UserType::PhoneHash.into());
        config.resources.threads = threads;
        let list = desk.write("list.txt", "@rival.example\n");
        let mut config = suppressing(config, &list);
        config.suppress[0].user_type = Some(UserType::EmailHash);
        let summary = run(config).unwrap();
        let sets = |of: usize| summary.audiences[of].figures.sets;
        assert_eq!((sets(0).written, sets(1).written, sets(1).linked), (1, 1, 1));
        assert_eq!(members(&summary), [Some(1)]);
    }
}

#[test]
fn a_list_in_another_form_is_told_with_its_cause() {
    let desk = Desk::new();
    let mut config = config(
        UserType::PhoneHash,
        &[desk.write("in.txt", "+49 30 901820\n+49 89 21300\n+49 40 428280\n")],
        &desk.out(),
    );
    config.rules.country = Some("AT".parse::<Country>().unwrap());
    let list = desk.write("list.txt", "030 901820\n089 21300\n");
    let summary = run(suppressing(config.clone(), &list)).unwrap();
    let list_figures = &summary.audiences[0].figures.opt_out_lists[0];
    assert!(list_figures.suspicion.as_ref().unwrap().contains("holds national numbers"));
    assert!(warnings(&summary).contains("--country"), "{}", warnings(&summary));
    config.rules.country = Some("DE".parse::<Country>().unwrap());
    let summary = run(suppressing(config, &list)).unwrap();
    assert_eq!(members(&summary), [Some(2)]);
    assert_eq!(warnings(&summary), "");
}

#[test]
fn digests_of_something_else_are_told() {
    let desk = Desk::new();
    let list = digests(&["Ann@A.example", "salt:bob@a.example"]).join("\n");
    let summary = desk.run("ann@a.example\nbob@a.example\n", &[&list]);
    assert!(warnings(&summary).contains("it holds digests"), "{}", warnings(&summary));
}

/// What a naive reader makes of members and lists.
#[derive(Default)]
struct Truth {
    left: BTreeSet<String>,
    members: Vec<u64>,
}

fn truth(members: &[String], lists: &[Vec<String>]) -> Truth {
    let members: BTreeSet<String> = members.iter().map(|of| of.to_lowercase()).collect();
    let is_on = |member: &String, line: &String| {
        let line = line.to_lowercase();
        let (_, domain) = member.split_once('@').unwrap();
        match line.strip_prefix(['*', '%']).unwrap_or(&line).strip_prefix('@') {
            Some(of) => of.strip_prefix("*.").map_or(domain == of, |of| {
                domain.strip_suffix(of).is_some_and(|front| front.ends_with('.'))
            }),
            None => line == *member || line == digest_hex(member.as_bytes()),
        }
    };
    let is_on_list =
        |member: &String, list: &Vec<String>| list.iter().any(|line| is_on(member, line));
    let count = |list| members.iter().filter(|member| is_on_list(member, list)).count() as u64;
    Truth {
        left: members
            .iter()
            .filter(|member| !lists.iter().any(|list| is_on_list(member, list)))
            .map(|member| digest_hex(member.as_bytes()))
            .collect(),
        members: lists.iter().map(count).collect(),
    }
}

fn address() -> impl Strategy<Value = String> {
    ("[a-h]", 0..40_u8, domain()).prop_map(|(name, number, of)| format!("{name}{number}@{of}"))
}

fn domain() -> impl Strategy<Value = String> {
    "(Mail\\.|x\\.)?[a-f]\\.example"
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => address(),
        3 => address().prop_map(|of| digest_hex(of.to_lowercase().as_bytes())),
        1 => ("[*%]?@(\\*\\.)?", domain()).prop_map(|(front, of)| front + &of),
    ]
}

/// Runs one case, whatever the number of threads, the chunks and the memory.
fn check(
    members: &[String],
    lists: &[Vec<String>],
    (threads, chunk, is_tight): (usize, usize, bool),
) -> Result<(), TestCaseError> {
    let desk = Desk::new();
    let input = desk.write("in.txt", &(members.join("\n") + "\n"));
    let mut config = config(UserType::EmailHash, &[input], &desk.out());
    config.read.format = Format::Lines;
    config.read.header = Header::Absent;
    config.resources.threads = threads;
    config.resources.chunk_bytes = chunk;
    if is_tight {
        (config.resources.memory_bytes, config.resources.block_bytes) = (32 << 20, 320);
    }
    for (index, list) in lists.iter().enumerate() {
        let path = desk.write(&format!("list-{index}"), &(list.join("\n") + "\n"));
        config.suppress.push(Input::Path(path).into());
    }
    let summary = run(config).unwrap();
    let expected = truth(members, lists);
    prop_assert_eq!(entries(&desk.out()), expected.left.into_iter().collect::<Vec<_>>());
    let found: Vec<u64> =
        summary.audiences[0].figures.opt_out_lists.iter().map(|of| of.members.unwrap()).collect();
    prop_assert_eq!(found, expected.members);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn lists_are_counted_as_a_naive_reader_counts_them(
        members in proptest::collection::vec(address(), 1..400),
        lists in proptest::collection::vec(proptest::collection::vec(line(), 1..60), 1..5),
        tuning in (1..5_usize, prop_oneof![Just(64_usize), Just(1000), Just(1 << 18)], any::<bool>()),
    ) {
        check(&members, &lists, tuning)?;
    }
}

#[test]
fn a_list_with_a_second_column_of_the_type_holds_back_who_is_in_either() {
    let desk = Desk::new();
    let members =
        desk.write("in.csv", "id,email\n1,ann@a.example\n2,bob@a.example\n3,cy@a.example\n");
    let mut config = config(UserType::EmailHash, &[members], &desk.out());
    config.audiences[0].columns = vec!["email".parse().unwrap()];
    let list = desk.write("list.csv", "email,email_alt\nann@a.example,\n,bob@a.example\n");
    config.suppress.push(Input::Path(list).into());
    let summary = run(config).unwrap();
    assert_eq!(summary.audiences[0].figures.sets.suppressed, 2);
    assert_eq!(summary.audiences[0].figures.sets.written, 1);
}

#[test]
fn a_list_of_which_too_much_cannot_be_read_stops_the_run() {
    let desk = Desk::new();
    let members = desk.write("in.txt", "ann@a.example\nbob@a.example\n");
    let mut config = config(UserType::EmailHash, &[members], &desk.out());
    let good = (0..8).map(|n| format!("p{n}@b.example")).collect::<Vec<_>>().join("\n");
    let list = desk.write("list.txt", &format!("{good}\nbob at a.example\nann(at)a.example\n"));
    config.suppress.push(Input::Path(list).into());
    config.max_rejects = "10%".parse().unwrap();
    let error = run(config.clone()).unwrap_err().to_string();
    assert!(
        error.contains("2 of 10 values were rejected") && error.contains("10% allows"),
        "{error}"
    );
    config.max_rejects = "20%".parse().unwrap();
    run(config).unwrap();
}
