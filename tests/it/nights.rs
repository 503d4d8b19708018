//! Nights that are cut keep their promises about people: whoever opted out is sent by no later request, who must go is
//! counted as long as it is so, and one audience's trouble is not another's. Every run is judged by the sandbox's log of
//! what took effect.

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use serde_json::Value;
use throng::sandbox::{Sandbox, SandboxConfig};

use crate::support::digest_hex;
use crate::support::home::{Home, digests, email, emails, requests, stderr, summary};
use crate::support::upload::TOKEN;

/// A job in its home, its API, and who has opted out so far.
struct Nights {
    home: Home,
    sandbox: Sandbox,
    opted_out: BTreeSet<u64>,
}

/// What the metric says of who must go; nothing if it is missing.
fn must_go_metric(home: &Home) -> Vec<u64> {
    let text = fs::read_to_string(home.path("throng.prom")).unwrap();
    let samples = text.lines().filter(|line| line.starts_with("throng_sync_must_go_entries{"));
    samples.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

impl Nights {
    /// Parts of two people each, of an audience that is built anew as `replace` says.
    fn new(replace: &str) -> Self {
        let nights = Self::without_job();
        nights.home.job_with(&nights.sandbox, "", |job| {
            let named = format!("name = \"News\"\nreplace = \"{replace}\"");
            job.replace("name = \"News\"", &named).replace("part-lines = 10", "part-lines = 2")
        });
        nights
    }

    /// The same with two audiences, `first` and `second`.
    fn of_two(replace: &str) -> Self {
        let nights = Self::without_job();
        nights.home.two_audiences(&nights.sandbox);
        let job = fs::read_to_string(nights.home.path("nightly.toml")).unwrap();
        let replace = format!("replace = \"{replace}\"\nname = ");
        let job = job.replace("part-lines = 10", "part-lines = 2");
        // The job's own name stands before its audiences.
        let (head, audiences) = job.split_once("[[audience]]").unwrap();
        let audiences = audiences.replace("name = ", &replace);
        nights.home.write("nightly.toml", &format!("{head}[[audience]]{audiences}"));
        nights
    }

    fn without_job() -> Self {
        let token = TOKEN.to_owned();
        let config = SandboxConfig { token, keeps_deliveries: true, ..SandboxConfig::default() };
        let sandbox = Sandbox::start(config).unwrap();
        let nights = Self { home: Home::new(), sandbox, opted_out: BTreeSet::new() };
        nights.people(0..4);
        nights.home.write("opt_outs.txt", &(email(999) + "\n"));
        nights
    }

    fn people(&self, people: impl IntoIterator<Item = u64>) {
        self.home.write("export.csv", &emails(people));
    }

    fn opt_out(&mut self, people: &[u64]) {
        self.opted_out.extend(people);
        let list: String = self.opted_out.iter().map(|person| email(*person) + "\n").collect();
        self.home.write("opt_outs.txt", &(list + &email(999) + "\n"));
    }

    fn fault(&self, fault: &str) {
        self.sandbox.push_fault(fault.parse().unwrap());
    }

    /// A night, of which nothing may be sent that has opted out by now.
    #[track_caller]
    fn run(&self, code: i32, args: &[&str]) -> Output {
        let before = self.sandbox.deliveries().len();
        let ended = self.home.sync(args);
        assert_eq!(ended.status.code(), Some(code), "{}", stderr(&ended));
        let opted_out = digests(self.opted_out.iter().copied());
        for delivery in &self.sandbox.deliveries()[before..] {
            let sent = delivery.entries.iter().find(|entry| opted_out.contains(*entry));
            assert!(sent.is_none(), "somebody who opted out was sent to {}", delivery.audience);
        }
        ended
    }

    /// The same, and what it says of its first audience.
    #[track_caller]
    fn night(&self, code: i32, args: &[&str]) -> Value {
        summary(&self.run(code, args))["audiences"][0].clone()
    }

    /// Members of every audience, the oldest first.
    fn members(&self) -> Vec<BTreeSet<String>> {
        let audiences = self.sandbox.audiences().unwrap();
        let members = |id| self.sandbox.members(id).unwrap().into_iter().collect();
        audiences.iter().map(|audience| members(audience.id)).collect()
    }

    fn must_go_list(&self, label: &str) -> BTreeSet<String> {
        let list = self.home.path(&format!("state/lists/{label}-must-go.txt"));
        let text = fs::read_to_string(list).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Who must go, everywhere where it is told.
    #[track_caller]
    fn assert_must_go(&self, said: &Value, people: &[u64]) {
        assert_eq!(said["must_go"], people.len(), "{said}");
        assert_eq!(self.must_go_list("email_hash"), digests(people.iter().copied()));
        assert_eq!(must_go_metric(&self.home), [people.len() as u64]);
    }
}

#[test]
fn an_audience_whose_answer_was_lost_is_found_without_sending_its_part_again() {
    let mut nights = Nights::new("never");
    nights.fault("create,nth=1,when=after,cut");
    nights.fault("list,status=500");
    nights.night(8, &[]);
    nights.sandbox.clear_faults();
    let first_part: BTreeSet<String> =
        nights.sandbox.deliveries()[0].entries.iter().cloned().collect();
    let in_it = |person: &u64| first_part.contains(&digest_hex(email(*person).as_bytes()));
    let early = (0..4).find(in_it).unwrap();
    nights.opt_out(&[early]);
    // A night that refuses its export sends nobody at all.
    nights.home.write("export.csv", "");
    nights.run(3, &[]);
    assert_eq!(nights.sandbox.deliveries().len(), 1);
    nights.people(0..4);
    let night = nights.night(0, &[]);
    nights.assert_must_go(&night, &[early]);
    assert_eq!((&night["held_before"], &night["held_after"]), (&2.into(), &4.into()));
    assert_eq!(nights.members(), [digests(0..4)]);
}

#[test]
fn who_must_go_is_counted_in_both_audiences_while_one_is_being_built() {
    let mut nights = Nights::new("never");
    nights.night(0, &[]);
    nights.opt_out(&[1]);
    nights.fault("add,status=503");
    let night = nights.night(7, &["--replace"]);
    nights.assert_must_go(&night, &[1]);
    assert_eq!(night["held_after"], 4, "of the live one alone");
    // Somebody opts out of what was built so far.
    let built = nights.members().pop().unwrap();
    let late = [0, 2, 3].into_iter().find(|of| built.is_superset(&digests([*of]))).unwrap();
    nights.opt_out(&[late]);
    let night = nights.night(6, &[]);
    nights.assert_must_go(&night, &[1, late]);
    assert_eq!(night["held_after"], 4);
    nights.sandbox.clear_faults();
    let night = nights.night(0, &[]);
    nights.assert_must_go(&night, &[late]);
    assert_eq!(nights.members().len(), 1);
}

#[test]
fn who_must_go_is_nobody_once_the_new_audience_is_complete() {
    let mut nights = Nights::new("when-opted-out");
    nights.night(0, &[]);
    nights.opt_out(&[1]);
    nights.fault("create,status=429");
    let night = nights.night(6, &[]);
    nights.assert_must_go(&night, &[1]);
    nights.sandbox.clear_faults();
    let night = nights.night(0, &[]);
    nights.assert_must_go(&night, &[]);
    assert!(night["must_go_list"].is_null());
    assert_eq!(nights.members(), [digests([0, 2, 3])]);
}

#[test]
fn sending_everybody_again_forgets_nobody_who_must_go() {
    let mut nights = Nights::new("never");
    nights.night(0, &[]);
    nights.opt_out(&[1]);
    let night = nights.night(0, &[]);
    nights.assert_must_go(&night, &[1]);
    for args in [&["--full"][..], &[]] {
        let night = nights.night(0, args);
        nights.assert_must_go(&night, &[1]);
    }
}

#[test]
fn who_must_go_stays_known_on_nights_that_stop_early() {
    let mut nights = Nights::new("never");
    nights.night(0, &[]);
    nights.opt_out(&[1]);
    nights.night(0, &[]);
    fs::remove_file(nights.home.path("export.csv")).unwrap();
    let stopped = nights.run(3, &[]);
    assert_eq!(must_go_metric(&nights.home), [1]);
    assert!(stderr(&stopped).contains("MUST GO"), "{}", stderr(&stopped));
    let record = summary(&stopped);
    assert_eq!(record["must_go"][0]["entries"], 1, "{record}");
    let at = record["must_go"][0]["at"].as_i64().unwrap();
    assert!(at < record["started_at"].as_i64().unwrap(), "as it was known before: {record}");
    let report = fs::read_to_string(nights.home.path("report.html")).unwrap();
    assert!(report.contains("who opted out is in the live audience"));
    nights.home.write("export.csv", "");
    nights.run(3, &[]);
    assert_eq!(must_go_metric(&nights.home), [1]);
    assert_eq!(nights.must_go_list("email_hash"), digests([1]));
}

#[test]
fn an_outcome_says_what_the_other_audience_got() {
    let nights = Nights::of_two("never");
    nights.run(0, &[]);
    nights.people(0..5);
    nights.fault("add,first=2,status=503");
    let ended = nights.run(7, &[]);
    assert!(stderr(&ended).contains("`first`"), "{}", stderr(&ended));
    assert_eq!(summary(&ended)["audiences"][1]["entries_sent"], 1);
    // If both fail, both are named.
    nights.people(0..6);
    nights.fault("add,status=503");
    let ended = nights.run(6, &[]);
    for label in ["`first`", "`second`"] {
        assert!(stderr(&ended).contains(label), "{}", stderr(&ended));
    }
    nights.sandbox.clear_faults();
    nights.run(0, &[]);
    assert_eq!(nights.members(), [digests(0..6), digests(0..6)]);
}

#[test]
fn a_refused_token_is_told_whatever_else_is_left_to_do() {
    let mut nights = Nights::new("never");
    nights.night(0, &[]);
    nights.opt_out(&[1]);
    nights.fault("delete,status=500");
    nights.night(7, &["--replace"]);
    nights.sandbox.clear_faults();
    nights.fault("delete,status=500");
    nights.fault("add,status=401");
    nights.people(0..6);
    let ended = nights.run(5, &[]);
    assert!(stderr(&ended).contains("THRONG_TOKEN"), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("which is still there"), "{}", stderr(&ended));
}

#[test]
fn a_replacement_that_is_complete_but_for_the_delete_goes_on_with_the_same_command() {
    let mut nights = Nights::new("never");
    nights.night(0, &[]);
    nights.opt_out(&[1]);
    nights.fault("delete,status=500");
    let night = nights.night(7, &["--replace"]);
    // The old one is still there, and so is who must go.
    nights.assert_must_go(&night, &[1]);
    nights.sandbox.clear_faults();
    let (posts, sent) = (requests(&nights.sandbox, "POST"), nights.sandbox.deliveries().len());
    let night = nights.night(0, &["--replace"]);
    nights.assert_must_go(&night, &[]);
    assert_eq!(requests(&nights.sandbox, "POST"), posts, "no third audience");
    assert_eq!(nights.sandbox.deliveries().len(), sent, "nobody is sent again");
    assert_eq!(nights.members(), [digests([0, 2, 3])]);
}

#[test]
fn an_audience_that_cannot_be_deleted_keeps_nobody_out() {
    let mut nights = Nights::new("never");
    nights.night(0, &[]);
    nights.opt_out(&[1]);
    nights.fault("delete,status=403");
    nights.night(5, &["--replace"]);
    nights.people(0..6);
    nights.opt_out(&[2]);
    let night = nights.night(5, &[]);
    assert_eq!((&night["entries_sent"], &night["must_go"]), (&2.into(), &2.into()), "{night}");
    assert_eq!(nights.members()[1], digests([0, 2, 3, 4, 5]));
    nights.sandbox.clear_faults();
    let night = nights.night(0, &[]);
    nights.assert_must_go(&night, &[2]);
    assert_eq!(nights.members(), [digests([0, 2, 3, 4, 5])]);
}

#[test]
fn an_audience_whose_create_is_open_does_not_block_the_others() {
    let mut nights = Nights::of_two("when-opted-out");
    nights.run(0, &[]);
    nights.opt_out(&[1]);
    // The first one's answer is lost, and the list cannot say what became of it.
    nights.fault("create,nth=1,when=after,cut");
    nights.fault("list,status=500");
    let ended = nights.run(8, &[]);
    assert!(stderr(&ended).contains("`first`"), "{}", stderr(&ended));
    nights.people(0..6);
    let ended = nights.run(8, &[]);
    assert_eq!(summary(&ended)["audiences"][1]["entries_sent"], 2, "{}", stderr(&ended));
    nights.sandbox.clear_faults();
    let ended = nights.run(0, &[]);
    let wanted = digests([0, 2, 3, 4, 5]);
    assert_eq!(nights.members(), [wanted.clone(), wanted], "{}", stderr(&ended));
}

#[test]
fn a_create_that_failed_needs_no_person_if_the_list_does_not_have_it() {
    for (fault, codes) in [
        ("create,nth=1,status=503", &[0][..]),
        ("create,nth=1,status=503,retry_after=1", &[0]),
        ("create,nth=1,status=500", &[0]),
        ("create,nth=1,status=429", &[0]),
        ("create,nth=1,cut", &[8, 0]),
    ] {
        let nights = Nights::new("never");
        nights.fault(fault);
        for code in codes {
            nights.night(*code, &[]);
        }
        assert_eq!(nights.members(), [digests(0..4)], "{fault}");
    }
}

#[test]
fn an_opt_out_list_that_is_half_written_or_empty_stops_the_night() {
    let mut nights = Nights::new("never");
    nights.people(0..9);
    nights.opt_out(&[1, 2, 3]);
    nights.night(0, &[]);
    let half = email(1) + "\n" + &email(2) + "\n";
    for list in ["", "email\n", &half] {
        nights.home.write("opt_outs.txt", list);
        nights.people(0..10);
        let stopped = nights.run(3, &[]);
        assert!(stderr(&stopped).contains("opt_outs.txt"), "{list:?}: {}", stderr(&stopped));
        assert_eq!(nights.members(), [digests([0, 4, 5, 6, 7, 8])], "{list:?}");
    }
    let guard = summary(&nights.run(3, &[]))["guard"].clone();
    assert_eq!(guard["name"], "max_opt_out_shrink");
    // A person has looked: two have taken it back.
    let passed = nights.home.shell(guard["command"].as_str().unwrap());
    assert_eq!(passed.status.code(), Some(0), "{}", stderr(&passed));
}

#[test]
fn an_opt_out_list_whose_rows_are_mostly_blank_stops_the_night() {
    let nights = Nights::new("never");
    nights.people(0..20);
    let list = |filled: u64| {
        let address = |of: u64| if of < filled { email(of) } else { String::new() };
        let rows = (0..10).map(|of| format!("{},2026-11-{}\n", address(of), of + 10));
        format!("email,when\n{}", rows.collect::<String>())
    };
    nights.home.write("opt_outs.txt", &list(10));
    nights.night(0, &[]);
    nights.home.write("opt_outs.txt", &list(1));
    let stopped = nights.run(3, &[]);
    let told = stderr(&stopped);
    assert!(told.contains("has 1 usable values for `email_hash`, 90% fewer than the 10"), "{told}");
    let record = summary(&stopped);
    assert_eq!(record["guard"]["name"], "max_opt_out_shrink");
    assert_eq!(nights.members(), [digests(10..20)]);
    let passed = nights.home.shell(record["guard"]["command"].as_str().unwrap());
    assert_eq!(passed.status.code(), Some(0), "{}", stderr(&passed));
}

#[test]
fn an_opt_out_list_that_hits_nobody_any_more_stops_the_night() {
    let mut nights = Nights::new("never");
    nights.people(0..9);
    nights.opt_out(&[1, 2]);
    let night = nights.night(0, &[]);
    assert_eq!(night["opt_out_lists"][0]["members"], 2, "{night}");
    let metrics = || fs::read_to_string(nights.home.path("throng.prom")).unwrap();
    let sample = |number| {
        format!(
            "audience=\"email_hash\",user_type=\"email_hash\",list=\"opt_outs.txt\"}} {number}\n"
        )
    };
    let of_list = |number| {
        format!("throng_sync_opt_out_list_members{{sync_job=\"nightly\",{}", sample(number))
    };
    assert!(metrics().contains(&of_list(2)), "{}", metrics());
    // As many lines as before, of somebody else.
    let other = [email(700), email(701), email(702)].join("\n");
    nights.home.write("opt_outs.txt", &other);
    nights.people(0..10);
    let stopped = nights.run(3, &[]);
    let told = stderr(&stopped);
    assert!(told.contains("nobody of the opt-out list `opt_outs.txt` is a member"), "{told}");
    assert!(told.contains("in the run before 2 were"), "{told}");
    let record = summary(&stopped);
    assert_eq!(record["guard"]["name"], "min_opt_out_members");
    assert_eq!(record["opt_out_lists"][0]["members"], 0);
    assert_eq!(record["warnings"].as_array().unwrap().len(), 1);
    assert_eq!(nights.members(), [digests([0, 3, 4, 5, 6, 7, 8])]);
    assert!(metrics().contains(&of_list(0)), "{}", metrics());
    let history = nights.home.throng(&["history", "--state", "state"]).stdout;
    let history = String::from_utf8(history).unwrap();
    for told in ["3 usable, 2 of the members\n", "3 usable, 0 of the members\n"] {
        assert!(history.contains(&format!("  opt-outs of opt_outs.txt: {told}")), "{history}");
    }
    let page = fs::read_to_string(nights.home.path("report.html")).unwrap();
    assert!(page.contains("nobody on it is a member"));
    // A person has looked, and the next night compares with this one.
    nights.opted_out.clear();
    let passed = nights.home.shell(record["guard"]["command"].as_str().unwrap());
    assert_eq!(passed.status.code(), Some(0), "{}", stderr(&passed));
    nights.night(0, &[]);
}

#[test]
fn an_old_audience_of_another_api_is_left_alone() {
    let mut nights = Nights::new("never");
    nights.night(0, &[]);
    nights.opt_out(&[1]);
    nights.fault("delete,status=500");
    nights.night(7, &["--replace"]);
    // The same job at another API, whose audience of that number is somebody's.
    let other = Nights::without_job();
    let job = fs::read_to_string(nights.home.path("nightly.toml")).unwrap();
    let moved = job.replace(&nights.sandbox.endpoint(), &other.sandbox.endpoint());
    nights.home.write("nightly.toml", &moved);
    assert_eq!(nights.home.sync(&[]).status.code(), Some(0));
    assert_eq!(requests(&other.sandbox, "DELETE"), 0);
    nights.home.write("nightly.toml", &job);
    nights.sandbox.clear_faults();
    nights.night(0, &[]);
    assert_eq!(nights.members().len(), 1);
}

#[test]
fn an_audience_that_was_given_by_number_keeps_its_type_and_its_name() {
    let nights = Nights::new("never");
    nights.night(0, &[]);
    let id = nights.sandbox.audiences().unwrap()[0].id;
    let job = fs::read_to_string(nights.home.path("nightly.toml")).unwrap();
    let given = job.replace("name = \"News\"", &format!("name = \"News\"\nid = {id}"));
    // Nobody sends digests of another kind to it.
    let wrong = given.replace(
        "[[audience]]\nuser-type = \"email_hash\"",
        "[[audience]]\nuser-type = \"phone_hash\"",
    );
    nights.home.write("nightly.toml", &wrong.replace("user-type = \"email_hash\"\n\n", "\n"));
    let refused = nights.home.sync(&[]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("holds email_hash"), "{}", stderr(&refused));
    // Replaced, it is known by its name, also when its first number is taken out of the file.
    nights.home.write("nightly.toml", &given);
    nights.night(0, &["--replace"]);
    nights.home.write("nightly.toml", &job);
    let night = nights.night(0, &[]);
    assert_eq!((&night["known"], &night["new"]), (&4.into(), &0.into()), "{night}");
    assert_eq!(nights.members(), [digests(0..4)]);
}

#[test]
fn a_dry_run_holds_nobody_up_and_leaves_no_trace() {
    let nights = Nights::new("never");
    nights.night(0, &[]);
    nights.people(0..6);
    let before = nights.home.throng(&["history", "--state", "state", "--json"]).stdout;
    let dry = summary(&nights.run(0, &["--dry-run", "--replace"]));
    assert_eq!((&dry["run"], &dry["audiences"][0]["new"]), (&2.into(), &6.into()));
    assert_eq!(nights.home.throng(&["history", "--state", "state", "--json"]).stdout, before);
    assert_eq!(nights.night(0, &[])["new"], 2);
}

#[test]
fn an_old_audience_of_which_only_facebooks_number_is_known_is_not_taken_for_deleted() {
    let mut nights = Nights::new("never");
    nights.people(0..2);
    nights.fault("create,nth=1,when=after,cut");
    nights.fault("list,status=500");
    nights.night(8, &[]);
    nights.sandbox.clear_faults();
    // It is found by its marker, in a list that has no other number, and nobody is new.
    nights.night(0, &[]);
    nights.opt_out(&[1]);
    nights.fault("delete,status=404");
    let ended = nights.run(8, &["--replace"]);
    assert!(stderr(&ended).contains("which may still be there"), "{}", stderr(&ended));
    nights.assert_must_go(&summary(&ended)["audiences"][0], &[1]);
}
