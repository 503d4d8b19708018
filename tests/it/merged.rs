//! Nights after the small parts of earlier ones were merged: whoever is in no other place is known still.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use throng::limits::SMALL_PARTS_MAX;
use throng::sandbox::{Sandbox, SandboxConfig};

use crate::support::home::{Home, digests, email, emails, stderr, summary};
use crate::support::upload::TOKEN;
use crate::who::asked;

struct Job {
    home: Home,
    sandbox: Sandbox,
    people: BTreeSet<u64>,
}

impl Job {
    fn new() -> Self {
        let config = SandboxConfig { token: TOKEN.to_owned(), ..SandboxConfig::default() };
        let job = Self {
            home: Home::new(),
            sandbox: Sandbox::start(config).unwrap(),
            people: (0..30).collect(),
        };
        job.home.write("opt_outs.txt", "");
        job.home.job(&job.sandbox, "");
        job
    }

    /// A night; what it says of its audience.
    #[track_caller]
    fn night(&self, code: i32, args: &[&str]) -> Value {
        self.home.write("export.csv", &emails(self.people.iter().copied()));
        let ended = self.home.sync(args);
        assert_eq!(ended.status.code(), Some(code), "{}", stderr(&ended));
        summary(&ended)["audiences"][0].clone()
    }

    fn opt_out(&self, people: &[u64]) {
        let list: Vec<String> = people.iter().map(|person| email(*person)).collect();
        self.home.write("opt_outs.txt", &list.join("\n"));
    }

    fn members(&self) -> BTreeSet<String> {
        let audiences = self.sandbox.audiences().unwrap();
        assert_eq!(audiences.len(), 1);
        self.sandbox.members(audiences[0].id).unwrap().into_iter().collect()
    }

    fn list(&self, what: &str) -> BTreeSet<String> {
        let path = self.home.path(&format!("state/lists/email_hash-{what}.txt"));
        fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
    }
}

#[track_caller]
fn assert_counts(audience: &Value, counts: [(&str, u64); 3]) {
    for (name, count) in counts {
        assert_eq!(audience[name], count, "{name}: {audience}");
    }
}

#[test]
fn who_is_only_in_a_merged_run_is_known_must_go_and_is_replaced() {
    let mut job = Job::new();
    // The first night has four parts, each further one has one.
    for night in 0..SMALL_PARTS_MAX as u64 - 3 {
        job.people.insert(100 + night);
        job.night(0, &[]);
    }
    assert_eq!(job.home.list("state/parts").len(), SMALL_PARTS_MAX - 3);
    // One more is one too many, also if the night is interrupted. Its own parts stay, and what was not sent goes.
    job.people.extend(200..225);
    job.opt_out(&[2]);
    job.sandbox.push_fault("add,from=2,status=503".parse().unwrap());
    let audience = job.night(7, &[]);
    assert_counts(&audience, [("written", 25), ("must_go", 1), ("gone", 0)]);
    let merged = format!("{:06}", SMALL_PARTS_MAX - 2);
    assert_eq!(job.home.list("state/parts"), [&merged[..]]);
    job.sandbox.clear_faults();
    let audience = job.night(0, &[]);
    assert_counts(&audience, [("written", 15), ("must_go", 1), ("gone", 0)]);
    assert_eq!(job.home.list("state/parts").len(), 2);
    assert_eq!(job.members(), digests(job.people.iter().copied()));

    let everybody = emails(job.people.iter().copied()).replace("email\n", "");
    let answers = asked(&job.home.path("state"), "email_hash", &[], &everybody);
    let found = |line: &Value| line["found"][0]["standing"] == "in";
    let lines = answers["lines"].as_array().unwrap();
    assert!(lines.len() == job.people.len() && lines.iter().all(found), "{answers}");
    assert_eq!(lines[0]["found"][0]["is_exact"], false);

    // From here on everybody is known from few parts alone.
    job.people.remove(&5);
    job.opt_out(&[2, 110]);
    let requests = job.sandbox.exchanges().len();
    let audience = job.night(0, &[]);
    assert_counts(&audience, [("written", 0), ("must_go", 2), ("gone", 1)]);
    assert_eq!(job.list("must-go"), digests([2, 110]));
    assert_eq!(job.list("gone"), digests([5]));
    assert_eq!(job.sandbox.exchanges().len(), requests, "nobody is new");
    let parts = format!("state/parts/{merged}");
    for args in [
        &["history", "--state", "state"][..],
        &["history", "--state", "state", "--json"],
        &["history", "--state", "state", "--html"],
        &["sync", "nightly.toml", "--dry-run"],
        &["sync", "nightly.toml", "--check"],
    ] {
        let ended = job.home.throng(args);
        assert_eq!(ended.status.code(), Some(0), "{args:?}: {}", stderr(&ended));
    }
    job.people.insert(300);
    let audience = job.night(0, &[]);
    assert_counts(&audience, [("written", 1), ("entries_sent", 1), ("must_go", 2)]);

    // A replacement that is interrupted keeps what counts for the live audience, and then needs nothing of it.
    job.sandbox.push_fault("add,from=2,status=503".parse().unwrap());
    job.night(7, &["--replace"]);
    assert!(job.home.path(&parts).exists());
    job.sandbox.clear_faults();
    let audience = job.night(0, &[]);
    assert_counts(&audience, [("held_after", 114), ("must_go", 0), ("gone", 0)]);
    assert!(!job.home.path(&parts).exists());
    let left = job.people.iter().copied().filter(|person| ![2, 110].contains(person));
    assert_eq!(job.members(), digests(left));
    assert_counts(&job.night(0, &[]), [("written", 0), ("must_go", 0), ("gone", 0)]);
}
