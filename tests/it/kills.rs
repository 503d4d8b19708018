//! Nights that are killed wherever it happens, with people who come, leave and opt out in between.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use rusqlite::Connection;
use throng::sandbox::{Change, Platform, Sandbox, SandboxConfig};

use crate::support::home::{Home, digests, email, emails, stderr, summary};
use crate::support::upload::TOKEN;
use crate::support::{Random, digest_hex};

/// How often a night is killed.
const KILLS: u64 = 30;

struct World {
    /// About as long as a night takes.
    night: Duration,
    killed: u64,
    /// Deliveries that were looked at.
    judged: usize,
    /// The platform.
    to: &'static str,
    home: Home,
    sandbox: Sandbox,
    random: Random,
    customers: BTreeSet<u64>,
    opted_out: BTreeSet<u64>,
    next_person: u64,
}

impl World {
    fn new(replace: &str, seed: u64) -> Self {
        Self::on(Platform::PitchTarget, replace, seed)
    }

    fn on(platform: Platform, replace: &str, seed: u64) -> Self {
        let home = Home::new();
        let token = TOKEN.to_owned();
        let config =
            SandboxConfig { platform, token, keeps_deliveries: true, ..SandboxConfig::default() };
        let sandbox = Sandbox::start(config).unwrap();
        let to = if platform == Platform::Meta { "meta" } else { "pitchtarget" };
        home.job_with(&sandbox, "max-shrink = \"90%\"\nmax-growth = \"900%\"", |job| {
            let replace = format!("name = \"News\"\nreplace = \"{replace}\"");
            job.replace("name = \"News\"", &replace)
                .replace("[target]", &format!("[target]\nplatform = \"{to}\""))
                .replace("[report]", "[report.]")
                .split("[report.]")
                .next()
                .unwrap()
                .to_owned()
        });
        let (customers, opted_out) = ((0..150).collect(), BTreeSet::new());
        let (night, killed, random) = (Duration::from_millis(450), 0, Random(seed));
        Self {
            night,
            killed,
            judged: 0,
            to,
            home,
            sandbox,
            random,
            customers,
            opted_out,
            next_person: 150,
        }
    }

    /// A night of people who come, leave and opt out, and its exports.
    fn change(&mut self) {
        for _ in 0..self.random.below(40) {
            self.customers.insert(self.next_person);
            self.next_person += 1;
        }
        let random = &mut self.random;
        self.customers.retain(|_| random.below(50) != 0);
        self.opted_out.extend(self.customers.iter().copied().filter(|_| random.below(25) == 0));
        self.home.write("export.csv", &emails(self.customers.iter().copied()));
        let opted_out = self.opted_out.iter().map(|person| email(*person) + "\n");
        self.home.write("opt_outs.txt", &opted_out.collect::<String>());
    }

    fn wanted(&self) -> BTreeSet<String> {
        digests(self.customers.difference(&self.opted_out).copied())
    }

    /// The members of each audience, once the sandbox has done all that it was asked for: of a process that was killed,
    /// a request may still be under way.
    fn audiences(&self) -> Vec<(String, BTreeSet<String>)> {
        let look = || {
            let audiences = self.sandbox.audiences().unwrap();
            let of = |id| self.sandbox.members(id).unwrap().into_iter().collect();
            audiences.iter().map(|of_all| (of_all.id.to_string(), of(of_all.id))).collect()
        };
        let (mut seen, mut same): (Vec<_>, _) = (look(), 0);
        while same < 10 {
            // An answer to a request of ours: whatever came before it was looked at.
            let list = ["audience", "list", "--to", self.to, "--ad-account", "7", "--endpoint"];
            if same == 5 {
                self.home.throng(&[&list[..], &[&self.sandbox.endpoint()]].concat());
            }
            std::thread::sleep(Duration::from_millis(5));
            let now = look();
            same = if now == seen { same + 1 } else { 0 };
            seen = now;
        }
        seen
    }

    /// No request that took effect since it was looked last holds anybody who had opted out, member or not.
    fn judge(&mut self) {
        let deliveries = self.sandbox.deliveries();
        let opted_out = digests(self.opted_out.iter().copied());
        for delivery in &deliveries[self.judged..] {
            let is_wrong = |entry: &String| opted_out.contains(entry);
            let is_removal = delivery.change == Change::Remove;
            assert!(
                is_removal || !delivery.entries.iter().any(is_wrong),
                "somebody was sent who had opted out"
            );
        }
        self.judged = deliveries.len();
    }

    /// Kills a night at a random point; what it has uploaded must have been wanted when it began.
    fn kill(&mut self, before: &[(String, BTreeSet<String>)]) -> Vec<(String, BTreeSet<String>)> {
        let mut child = self.home.start(&["--quiet"]);
        let moment = self.night * u32::try_from(self.random.below(100)).unwrap() / 100;
        std::thread::sleep(moment);
        child.kill().unwrap();
        if child.wait().unwrap().code().is_none() {
            self.killed += 1;
            self.night += self.night / 8;
        } else {
            self.night = moment;
        }
        let after = self.audiences();
        self.judge();
        let wanted = self.wanted();
        for (id, members) in &after {
            let earlier = before.iter().find(|(of, _)| of == id).map(|(_, members)| members);
            for member in
                members.iter().filter(|member| !earlier.is_some_and(|of| of.contains(*member)))
            {
                assert!(wanted.contains(member), "somebody was uploaded who was not to be");
            }
        }
        after
    }

    /// Runs the job until it is done, as a scheduler and a person together do.
    fn finish(&mut self, more: &[&str]) {
        let mut args = more.to_vec();
        for _ in 0..6 {
            let output = self.home.sync(&args);
            args = more.to_vec();
            self.judge();
            match output.status.code() {
                Some(0) => return,
                Some(8) => args.extend(["--create-again", "email_hash"]),
                code => panic!("{code:?}: {}", stderr(&output)),
            }
        }
        panic!("never done");
    }

    /// The entries of the live audience as the store has them, each once. Nothing is half done.
    fn check_state(&self) -> BTreeSet<String> {
        let db = Connection::open(self.home.path("state/throng.sqlite")).unwrap();
        let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let others = "SELECT count(*) FROM generation WHERE state != 'deleted' AND role != 'live'";
        assert_eq!(count(others), 0, "generations that wait for something");
        let intended = "SELECT count(*) FROM delivery WHERE state = 'intended'";
        assert_eq!(count(intended), 0, "parts that are still to be sent");
        let sql = "SELECT printf('%06d/%s.txt', kept_in, sha256), delivery.state
             FROM delivery JOIN part USING (sha256) JOIN generation ON generation.id = generation_id
             WHERE generation.state = 'ready'";
        let mut query = db.prepare(sql).unwrap();
        let parts: Vec<(String, String)> = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let mut named: Vec<String> = parts.iter().map(|(path, _)| path.clone()).collect();
        named.sort();
        let mut files: Vec<String> = Vec::new();
        for run in self.home.list("state/parts") {
            let of_run = self.home.list(&format!("state/parts/{run}"));
            files.extend(of_run.iter().map(|name| format!("{run}/{name}")));
        }
        files.sort();
        assert_eq!(files, named, "every file is named by a row, and every row has its file");
        let mut held = BTreeSet::new();
        for (path, state) in parts {
            let text = fs::read_to_string(self.home.path("state/parts").join(&path)).unwrap();
            assert!(
                path.contains(&digest_hex(text.as_bytes())),
                "{path} is not what its name says"
            );
            if state == "confirmed" {
                for entry in text.lines() {
                    assert!(held.insert(entry.to_owned()), "somebody is held twice");
                }
            }
        }
        held
    }

    /// Kills that come when a night is through show nothing.
    fn check_kills(&self) {
        assert!(self.killed > KILLS / 3, "{} of {KILLS}", self.killed);
    }

    fn check_history(&self) {
        let history = summary(&self.home.throng(&["history", "--state", "state", "--json"]));
        let nights = history["nights"].as_array().unwrap();
        let killed = nights.iter().filter(|night| night["exit_code"] == 137).count() as u64;
        assert!(killed > 0 && killed <= self.killed, "{killed} of {}", self.killed);
        let runs: Vec<i64> = nights.iter().map(|night| night["run"].as_i64().unwrap()).collect();
        assert!(
            (1..).zip(runs.iter().rev()).all(|(run, found)| run == *found),
            "none is missing: {runs:?}"
        );
        let text = self.home.throng(&["history", "--state", "state"]);
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.contains("done: "), "{text}");
    }
}

#[test]
fn killed_nights_upload_nobody_who_had_opted_out_and_lose_nobody() {
    let mut world = World::new("never", 20_261_125);
    let (mut before, mut all) = (Vec::new(), BTreeSet::new());
    for kill in 0..KILLS {
        world.change();
        // Now and then a night comes to its end.
        if kill % 7 == 6 {
            world.finish(&[]);
        }
        before = world.kill(&before);
        assert!(before.len() <= 1, "a second audience");
        all.extend(before.iter().flat_map(|(_, members)| members.iter().cloned()));
    }
    world.change();
    world.finish(&[]);
    let audiences = world.audiences();
    assert_eq!(audiences.len(), 1);
    all.extend(world.wanted());
    assert_eq!(audiences[0].1, all, "who was uploaded before, and who is wanted now");
    let held = world.check_state();
    assert!(held.is_subset(&audiences[0].1) && world.wanted().is_subset(&held));
    world.check_kills();
    assert!(world.judged > 30, "{} deliveries were looked at", world.judged);
    world.check_history();
    let quiet = summary(&world.home.sync(&[]));
    assert_eq!(quiet["audiences"][0]["written"], 0);
}

#[test]
fn replacements_that_are_killed_end_with_one_audience() {
    let mut world = World::new("when-opted-out", 4711);
    world.change();
    world.finish(&[]);
    let mut before = world.audiences();
    for _ in 0..KILLS {
        world.change();
        before = world.kill(&before);
        assert!(before.len() <= 2, "more than the old one and the new one");
    }
    world.check_kills();
    world.change();
    // What was begun is completed first; some who are in it may have opted out since.
    world.finish(&[]);
    world.finish(&["--replace"]);
    let audiences = world.audiences();
    assert_eq!(audiences.len(), 1);
    assert_eq!(audiences[0].1, world.wanted());
    assert_eq!(world.check_state(), world.wanted());
    let leftovers = fs::read_dir(world.home.path("state/parts")).unwrap().count();
    assert!(leftovers <= 3, "{leftovers} directories");
}

#[test]
fn killed_nights_of_a_mirror_end_with_the_truth() {
    let mut world = World::on(Platform::Meta, "never", 20_261_128);
    let mut before = Vec::new();
    for kill in 0..KILLS {
        world.change();
        if kill % 5 == 4 {
            world.finish(&[]);
            before = world.audiences();
            assert_eq!(before.len(), 1);
            assert_eq!(before[0].1, world.wanted(), "neither more nor less");
            assert_eq!(world.check_state(), world.wanted());
            world.change();
        }
        before = world.kill(&before);
        assert!(before.len() <= 1, "a second audience");
    }
    world.change();
    world.finish(&[]);
    let audiences = world.audiences();
    assert_eq!(audiences.len(), 1);
    assert_eq!(audiences[0].1, world.wanted());
    assert_eq!(world.check_state(), world.wanted());
    world.check_kills();
    let removals = world.sandbox.deliveries();
    assert!(removals.iter().filter(|delivery| delivery.change == Change::Remove).count() > 5);
}
