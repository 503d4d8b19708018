//! Nights on a platform that can take people out: after each one the audience is the truth, neither more nor less.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use throng::job;
use throng::sandbox::{Change, Platform, Sandbox, SandboxConfig};
use throng::sync::{SyncConfig, SyncRecord};
use throng::upload::{Client, ClientConfig, Token};

use crate::month::{World, change, digests, email, night_of};
use crate::support::{Random, digest_hex};

struct Mirror {
    dir: tempfile::TempDir,
    sandbox: Sandbox,
    user_type: &'static str,
}

impl Mirror {
    fn new(user_type: &'static str) -> Self {
        let config = SandboxConfig {
            platform: Platform::Meta,
            keeps_deliveries: true,
            ..SandboxConfig::default()
        };
        let sandbox = Sandbox::start(config).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), sandbox, user_type }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn export(&self, world: &World) {
        let mut text = String::from("email,key\n");
        for person in &world.customers {
            writeln!(text, "{},Key-{person}-x", email(*person)).unwrap();
        }
        fs::write(self.path("export.csv"), text).unwrap();
        let mut text = String::from("email,key\n");
        for person in &world.opted_out {
            writeln!(text, "{},Key-{person}-x", email(*person)).unwrap();
        }
        fs::write(self.path("opt_outs.csv"), text).unwrap();
    }

    /// What the audience of these people holds.
    fn entries<'a>(&self, people: impl IntoIterator<Item = &'a u64>) -> BTreeSet<String> {
        match self.user_type {
            "email_hash" => digests(people),
            _ => people.into_iter().map(|person| format!("Key-{person}-x")).collect(),
        }
    }

    fn config(&self, remove: &str) -> SyncConfig {
        let column = if self.user_type == "email_hash" { "email" } else { "key" };
        let text = format!(
            r#"
            name = "nightly"
            state = "state"
            [input]
            files = ["export.csv"]
            [[suppress]]
            files = "opt_outs.csv"
            [[audience]]
            user-type = "{}"
            column = "{column}"
            name = "Newsletter"
            [target]
            platform = "meta"
            {remove}
            ad-account = 7
            endpoint = "{}"
            [upload]
            attempts = 3
            retry-wait = "1ms"
            [guards]
            max-shrink = "30%"
            max-opt-out-shrink = "100%"
            min-opt-out-members = 0
            [limits]
            part-lines = 40
            threads = 2
            "#,
            self.user_type,
            self.sandbox.endpoint()
        );
        let date = jiff::civil::date(2026, 11, 24);
        let job = job::Job::parse(&text, &self.path("nightly.toml"), &|_| None, date).unwrap();
        let token = Token::new(self.sandbox.token()).unwrap();
        let client = ClientConfig { use_proxy: false, ..job.client_config(token) };
        SyncConfig::new(job, Client::new(client).unwrap(), "throng sync nightly.toml")
    }

    /// Has the command forget somebody.
    fn forget(&self, person: u64) {
        use std::io::Write as _;
        let mut forget = std::process::Command::new(env!("CARGO_BIN_EXE_throng"))
            .args(["forget", "-t", "email_hash", "--state", "state"])
            .current_dir(self.dir.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        forget.stdin.take().unwrap().write_all(email(person).as_bytes()).unwrap();
        assert!(forget.wait().unwrap().success());
    }

    fn members(&self) -> BTreeSet<String> {
        let audiences = self.sandbox.audiences().unwrap();
        assert!(audiences.len() <= 1, "{} audiences", audiences.len());
        let members = audiences.first().map(|audience| self.sandbox.members(audience.id).unwrap());
        members.unwrap_or_default().into_iter().collect()
    }

    fn fault(&self, fault: &str) {
        self.sandbox.push_fault(fault.parse().unwrap());
    }

    #[track_caller]
    fn assert_is_truth(&self, record: &SyncRecord, world: &World) {
        assert_eq!(record.exit_code, 0, "{:?}", record.error);
        let truth = self.entries(world.customers.difference(&world.opted_out));
        assert_eq!(self.members(), truth);
        let audience = &record.audiences[0];
        assert_eq!(audience.held_after, truth.len() as u64);
        assert_eq!((audience.figures.sets.must_go, audience.figures.sets.gone), (0, 0));
        assert!(audience.must_go_list.is_none() && audience.gone_list.is_none());
        assert_eq!(record.must_go_entries(), 0);
    }
}

fn world(customers: u64) -> World {
    World { customers: (0..customers).collect(), opted_out: BTreeSet::new() }
}

/// What goes wrong in a night.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    HalfWrittenExport,
    EmptyExport,
    WrongColumn,
    LostAnswers,
    LostRemoval,
    FailedRemoval,
    ServerDown,
    EndsWithinAdding,
}

impl Trouble {
    fn of(night: u64) -> Self {
        match night % 10 {
            1 => Self::HalfWrittenExport,
            2 => Self::LostAnswers,
            3 => Self::LostRemoval,
            4 => Self::FailedRemoval,
            5 => Self::EndsWithinAdding,
            6 => Self::ServerDown,
            7 => Self::EmptyExport,
            9 => Self::WrongColumn,
            _ => Self::None,
        }
    }

    fn make(self, mirror: &Mirror) {
        let export = mirror.path("export.csv");
        let text = fs::read_to_string(&export).unwrap();
        match self {
            Self::None => {}
            Self::HalfWrittenExport => fs::write(export, &text[..text.len() / 2]).unwrap(),
            Self::EmptyExport => fs::write(export, "email,key\n").unwrap(),
            // Most values are none of the type; the lists are as they were.
            Self::WrongColumn => {
                let text = text.replace("@example.com", "").replace("Key-", "a@b.example ");
                fs::write(export, text).unwrap();
            }
            Self::LostAnswers => {
                mirror.fault("add,nth=1,when=after,cut");
                mirror.fault("remove,nth=1,when=after,cut");
            }
            // It takes effect, and nobody says so, as often as it is sent.
            Self::LostRemoval => mirror.fault("remove,when=after,cut"),
            Self::FailedRemoval => mirror.fault("remove,status=503"),
            Self::ServerDown => mirror.fault("status=503"),
            Self::EndsWithinAdding => {
                mirror.fault("add,first=1,when=after,cut");
                mirror.fault("add,from=2,status=503");
            }
        }
    }
}

fn forty_nights(user_type: &'static str, remove: &str) {
    let mirror = Mirror::new(user_type);
    let mut random = Random(20_261_128);
    let mut world = world(400);
    let mut next_person = 400;
    let mut nights = [0, 0];
    for night in 0..40 {
        change(&mut world, &mut next_person, &mut random);
        // Some come back.
        if night % 3 == 0 {
            world.customers.insert(random.below(300));
            world.opted_out.pop_first();
        }
        mirror.export(&world);
        let trouble = Trouble::of(night);
        trouble.make(&mirror);
        let (before, deliveries) = (mirror.members(), mirror.sandbox.deliveries().len());
        let record = night_of(&mirror.config(remove));
        mirror.sandbox.clear_faults();
        let opted_out = mirror.entries(&world.opted_out);
        for delivery in &mirror.sandbox.deliveries()[deliveries..] {
            if delivery.change == Change::Add {
                let is_wrong = |entry: &String| opted_out.contains(entry);
                assert!(!delivery.entries.iter().any(is_wrong), "night {night}: {trouble:?}");
            }
        }
        let members = mirror.members();
        nights[usize::from(record.exit_code != 0)] += 1;
        let error = record.error.clone().unwrap_or_default();
        match trouble {
            Trouble::None | Trouble::LostAnswers => mirror.assert_is_truth(&record, &world),
            Trouble::HalfWrittenExport | Trouble::EmptyExport | Trouble::WrongColumn => {
                assert_eq!(record.exit_code, 3, "{error}");
                // Who opted out is out all the same, and nobody who is to stay. Removals of the night before may have been finished.
                assert!(members.is_disjoint(&opted_out), "night {night}: {trouble:?}: {error}");
                assert_eq!(record.must_go_entries(), 0);
                let truth = mirror.entries(world.customers.difference(&world.opted_out));
                let mut stay = before.intersection(&truth);
                assert!(stay.all(|entry| members.contains(entry)), "night {night}: {error}");
                assert!(members.is_subset(&before));
            }
            Trouble::LostRemoval | Trouble::FailedRemoval => {
                let has_left = record.exit_code != 0;
                assert!(!has_left || matches!(record.exit_code, 6 | 7), "{error}");
                if !has_left {
                    mirror.assert_is_truth(&record, &world);
                } else if trouble == Trouble::FailedRemoval {
                    assert_eq!(members, before, "nobody is added before others are out: {error}");
                }
            }
            Trouble::ServerDown | Trouble::EndsWithinAdding => {
                assert!(matches!(record.exit_code, 0 | 6 | 7), "{} {error}", record.exit_code);
                if trouble == Trouble::ServerDown {
                    assert_eq!(members, before);
                }
            }
        }
    }
    assert!(nights[0] >= 10 && nights[1] >= 15, "{nights:?}");
}

#[test]
fn forty_nights_are_a_mirror_of_the_export() {
    forty_nights("email_hash", "");
}

#[test]
fn forty_nights_of_ids_in_clear_are_a_mirror_of_the_export() {
    forty_nights("custom_audience_third_party_id", "remove = \"gone\"");
}

#[test]
fn who_opted_out_leaves_in_the_same_night_also_if_a_guard_stops_the_rest() {
    let mirror = Mirror::new("email_hash");
    let mut world = world(300);
    mirror.export(&world);
    let config = mirror.config("");
    mirror.assert_is_truth(&night_of(&config), &world);
    world.opted_out.extend([7, 8, 9]);
    // Half of the export is missing, and so are two of these.
    let all = world.customers.clone();
    world.customers.retain(|person| person % 2 == 0);
    mirror.export(&world);
    let record = night_of(&config);
    assert_eq!(record.exit_code, 3, "{:?}", record.error);
    assert!(record.error.unwrap().starts_with("nobody was added: "));
    assert_eq!(record.audiences[0].removed_opted_out, 3);
    assert_eq!(record.audiences[0].removed_gone, 0);
    assert_eq!(mirror.members(), digests(all.difference(&world.opted_out)));
    // Once a person says that it is right, the others leave, too.
    let mut config = mirror.config("");
    let guards = throng::config::GuardOptions {
        max_shrink: Some(throng::config::Share(1.0)),
        ..Default::default()
    };
    config.job.override_guards(&guards);
    let record = night_of(&config);
    mirror.assert_is_truth(&record, &world);
    assert_eq!(record.audiences[0].removed_gone, 148);
}

#[test]
fn who_opted_out_leaves_also_if_there_is_no_export() {
    let mirror = Mirror::new("email_hash");
    let mut world = world(300);
    mirror.export(&world);
    let config = mirror.config("");
    mirror.assert_is_truth(&night_of(&config), &world);
    world.opted_out.extend([7, 8, 9]);
    mirror.export(&world);
    fs::remove_file(mirror.path("export.csv")).unwrap();
    let record = night_of(&config);
    assert_eq!(record.exit_code, 3, "{:?}", record.error);
    assert!(record.notes.iter().any(|note| note.contains("3 who opted out")), "{:?}", record.notes);
    assert!(record.audiences.is_empty());
    assert_eq!(mirror.members(), digests(world.customers.difference(&world.opted_out)));
    // Not even if the lists are broken, too; but then nobody knows.
    fs::write(mirror.path("opt_outs.csv"), "email,key\n\"a").unwrap();
    let record = night_of(&config);
    assert_eq!(record.exit_code, 3, "{:?}", record.error);
    assert_eq!(mirror.members().len(), 297);
}

#[test]
fn an_opt_out_list_that_holds_nearly_everybody_empties_no_audience() {
    let mirror = Mirror::new("email_hash");
    let mut world = world(300);
    mirror.export(&world);
    let config = mirror.config("");
    mirror.assert_is_truth(&night_of(&config), &world);
    world.opted_out.extend(10..300);
    mirror.export(&world);
    let record = night_of(&config);
    assert_eq!(record.exit_code, 3, "{:?}", record.error);
    assert!(record.error.unwrap().contains("would be taken out"));
    assert_eq!(mirror.members().len(), 300);
}

#[test]
fn nights_without_answers_make_no_room_for_the_export_of_others() {
    let (mirror, mut world) = (Mirror::new("email_hash"), world(100));
    for night in 0..6 {
        world.customers.insert(100 + night);
        mirror.export(&world);
        let mut config = mirror.config("");
        config.is_full = true;
        assert_eq!(night_of(&config).exit_code, 0);
    }
    mirror.export(&World { customers: (1000..1106).collect(), ..World::default() });
    let record = night_of(&mirror.config(""));
    assert_eq!(record.guard.map(|guard| guard.name).as_deref(), Some("max_shrink"));
    assert_eq!(mirror.members(), mirror.entries(&world.customers));
}

#[test]
fn who_could_not_be_taken_out_is_taken_out_the_next_night() {
    let (mirror, mut world) = (Mirror::new("email_hash"), world(200));
    mirror.export(&world);
    let config = mirror.config("");
    mirror.assert_is_truth(&night_of(&config), &world);
    world.opted_out.extend(0..20);
    mirror.export(&world);
    // Of those who leave the platform takes one for invalid, and keeps it.
    mirror.fault("remove,nth=1,invalid=1");
    let record = night_of(&config);
    assert_eq!(record.exit_code, 3, "{:?}", record.error);
    assert!(record.error.as_ref().is_some_and(|error| error.contains("may still be in")));
    assert_eq!(record.must_go_entries(), 20);
    assert_eq!(mirror.members().len(), 181);
    mirror.assert_is_truth(&night_of(&config), &world);
}

#[test]
fn an_audience_of_invalid_entries_is_no_success_in_any_night() {
    let (mirror, world) = (Mirror::new("email_hash"), world(200));
    mirror.export(&world);
    mirror.fault("add,invalid=30");
    let config = mirror.config("");
    for _ in 0..3 {
        let record = night_of(&config);
        assert_eq!(record.exit_code, 3, "{:?}", record.error);
        assert!(record.error.is_some_and(|error| error.contains("for invalid")));
    }
}

#[test]
fn people_stay_as_the_job_says() {
    for (remove, left, opted_out) in
        [("remove = \"opted-out\"", 0, 2), ("remove = \"never\"", 0, 0)]
    {
        let mirror = Mirror::new("email_hash");
        let mut world = world(300);
        mirror.export(&world);
        let config = mirror.config(remove);
        assert_eq!(night_of(&config).exit_code, 0);
        world.opted_out.extend([1, 2]);
        world.customers.remove(&3);
        mirror.export(&world);
        let record = night_of(&config);
        assert_eq!(record.exit_code, 0, "{:?}", record.error);
        let audience = &record.audiences[0];
        assert_eq!((audience.removed_gone, audience.removed_opted_out), (left, opted_out));
        assert_eq!(audience.figures.sets.gone, 1);
        assert_eq!(audience.figures.sets.must_go, 2 - opted_out);
        assert_eq!(mirror.members().len() as u64, 300 - opted_out);
    }
}

#[test]
fn somebody_in_a_batch_without_an_answer_who_leaves_is_taken_out() {
    let mirror = Mirror::new("email_hash");
    let mut world = world(200);
    mirror.export(&world);
    // Every batch takes effect, and none is confirmed.
    mirror.fault("add,when=after,cut");
    let record = night_of(&mirror.config(""));
    assert_eq!(record.exit_code, 6, "{:?}", record.error);
    mirror.sandbox.clear_faults();
    let there = mirror.members();
    assert!(!there.is_empty());
    let is_there = |person: &u64| there.contains(&digest_hex(email(*person).as_bytes()));
    let leaving: Vec<u64> = world.customers.iter().copied().filter(is_there).take(3).collect();
    world.customers.retain(|person| !leaving.contains(person));
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
}

/// By hand and by the job, again and again: the same people make the same part each time.
#[test]
fn somebody_can_leave_and_come_back_any_number_of_times() {
    let mirror = Mirror::new("email_hash");
    let mut world = world(300);
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    for turn in 0..3 {
        world.customers.remove(&7);
        mirror.export(&world);
        mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
        world.customers.insert(7);
        mirror.export(&world);
        mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
        if turn > 0 {
            continue;
        }
        // Somebody takes them out by hand, as it happens with a part of the same bytes, and the next night has them back.
        fs::write(mirror.path("seven.csv"), format!("email\n{}\n", email(7))).unwrap();
        let throng = |args: &[&str]| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_throng"));
            command.args(args).current_dir(mirror.dir.path());
            let output = command.env("THRONG_TOKEN", mirror.sandbox.token()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        throng(&["prepare", "seven.csv", "-t", "email_hash", "-o", "seven"]);
        let (id, endpoint) = (mirror.sandbox.audiences().unwrap()[0].id, mirror.sandbox.endpoint());
        let remove = ["upload", "seven", "--to", "meta", "--remove", "--ad-account", "7"];
        let at = ["--audience", &id.to_string(), "--endpoint", &endpoint, "--state", "state"];
        throng(&[&remove[..], &at].concat());
        assert_eq!(mirror.members().len(), 299);
        mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    }
}

#[test]
fn who_is_to_be_forgotten_leaves_the_audience_and_then_the_state() {
    let mirror = Mirror::new("email_hash");
    let world = world(300);
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    mirror.forget(7);
    // Also if there is no export that night.
    fs::rename(mirror.path("export.csv"), mirror.path("elsewhere")).unwrap();
    assert_eq!(night_of(&mirror.config("")).exit_code, 3);
    let left = digests(world.customers.iter().filter(|person| **person != 7));
    assert_eq!(mirror.members(), left);
    // The state knows nothing of them from then on, though that night failed.
    let forgotten = digest_hex(email(7).as_bytes());
    for run in fs::read_dir(mirror.path("state/parts")).unwrap() {
        for part in fs::read_dir(run.unwrap().path()).unwrap() {
            assert!(!fs::read_to_string(part.unwrap().path()).unwrap().contains(&forgotten));
        }
    }
    fs::rename(mirror.path("elsewhere"), mirror.path("export.csv")).unwrap();
    let record = night_of(&mirror.config(""));
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    assert_eq!(mirror.members(), left);
}

#[test]
fn who_is_to_be_forgotten_leaves_also_if_a_list_of_the_job_is_not_there() {
    let (mirror, world) = (Mirror::new("email_hash"), world(300));
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    for (person, list) in [(7, None), (8, Some("name,town\nAnn,Rome\nBob,Oslo\n"))] {
        mirror.forget(person);
        fs::remove_file(mirror.path("opt_outs.csv")).unwrap_or_default();
        if let Some(text) = list {
            fs::write(mirror.path("opt_outs.csv"), text).unwrap();
        }
        assert_eq!(night_of(&mirror.config("")).exit_code, 3, "{list:?}");
        assert!(!mirror.members().contains(&digest_hex(email(person).as_bytes())), "{list:?}");
    }
    assert_eq!(mirror.members().len(), 298);
}

#[test]
fn a_dry_run_says_who_would_leave_and_takes_nobody_out() {
    let mirror = Mirror::new("email_hash");
    let mut world = world(300);
    mirror.export(&world);
    assert_eq!(night_of(&mirror.config("")).exit_code, 0);
    world.opted_out.insert(1);
    world.customers.remove(&3);
    mirror.export(&world);
    let requests = mirror.sandbox.exchanges().len();
    let record = night_of(&SyncConfig { is_dry_run: true, ..mirror.config("") });
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    assert!(record.to_string().contains("would be taken out"), "{record}");
    assert_eq!(mirror.sandbox.exchanges().len(), requests);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
}

#[test]
fn a_new_audience_in_the_place_of_another_one_is_a_mirror_as_well() {
    let mirror = Mirror::new("email_hash");
    let mut world = world(300);
    mirror.export(&world);
    assert_eq!(night_of(&mirror.config("")).exit_code, 0);
    let first = mirror.sandbox.audiences().unwrap()[0].id;
    world.opted_out.insert(1);
    world.customers.remove(&3);
    mirror.export(&world);
    let replacing = SyncConfig { is_replacing: true, ..mirror.config("") };
    mirror.fault("add,from=2,status=503");
    assert_eq!(night_of(&replacing).exit_code, 7);
    mirror.sandbox.clear_faults();
    let opted_out = digests([&1]);
    for audience in mirror.sandbox.audiences().unwrap() {
        let members: BTreeSet<String> =
            mirror.sandbox.members(audience.id).unwrap().into_iter().collect();
        assert!(members.is_disjoint(&opted_out));
    }
    world.opted_out.insert(2);
    mirror.export(&world);
    let record = night_of(&mirror.config(""));
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    assert_eq!(mirror.members(), digests(world.customers.difference(&world.opted_out)));
    assert_ne!(mirror.sandbox.audiences().unwrap()[0].id, first);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
}

/// Members of all audiences that there are.
fn members_of_all(mirror: &Mirror) -> Vec<BTreeSet<String>> {
    let audiences = mirror.sandbox.audiences().unwrap();
    let members = |id: u64| mirror.sandbox.members(id).unwrap().into_iter().collect();
    audiences.iter().map(|audience| members(audience.id)).collect()
}

#[test]
fn who_opted_out_leaves_a_replaced_audience_that_cannot_be_deleted() {
    let (mirror, mut world) = (Mirror::new("email_hash"), world(200));
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    mirror.fault("delete,code=200,status=403");
    let record = night_of(&SyncConfig { is_replacing: true, ..mirror.config("") });
    assert_eq!(record.exit_code, 5, "{:?}", record.error);
    world.opted_out.extend(0..10);
    mirror.export(&world);
    let truth = mirror.entries(world.customers.difference(&world.opted_out));
    // In the second night there is nobody left to take out, and nobody is told again.
    for removed in [10, 0] {
        let record = night_of(&mirror.config(""));
        assert_eq!(record.exit_code, 5, "{:?}", record.error);
        assert_eq!(record.audiences[0].removed_opted_out, removed);
        assert_eq!(record.must_go_entries(), 0);
        assert_eq!(members_of_all(&mirror), [truth.clone(), truth.clone()]);
    }
    // As long as they are in the old one, they count.
    world.opted_out.extend(10..15);
    mirror.export(&world);
    mirror.fault("remove,from=2,code=368,status=400");
    let record = night_of(&mirror.config(""));
    assert_eq!(record.must_go_entries(), 5, "{:?}", record.error);
    assert_eq!(record.exit_code, 5);
    mirror.sandbox.clear_faults();
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
}

#[test]
fn a_flagged_audience_is_built_anew_though_nobody_can_be_taken_out_of_it() {
    for by_job in [false, true] {
        let (mirror, mut world) = (Mirror::new("email_hash"), world(200));
        mirror.export(&world);
        mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
        mirror.sandbox.set_flagged(mirror.sandbox.audiences().unwrap()[0].id, true);
        world.opted_out.extend([1, 2]);
        mirror.export(&world);
        if by_job {
            let mut config = mirror.config("");
            config.job.audiences[0].replace = job::Replace::WhenOptedOut;
            mirror.assert_is_truth(&night_of(&config), &world);
            continue;
        }
        let record = night_of(&mirror.config(""));
        assert_eq!((record.exit_code, record.must_go_entries()), (5, 2), "{:?}", record.error);
        let replacing = SyncConfig { is_replacing: true, ..mirror.config("") };
        mirror.assert_is_truth(&night_of(&replacing), &world);
    }
}
