//! A month of nights: after each one the sandbox's audience is what a naive oracle says it must be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use throng::sandbox::fault::Fault;
use throng::sandbox::{Sandbox, SandboxConfig};
use throng::sync::{SyncConfig, SyncRecord};

use crate::support::home::email;
use crate::support::world::{self, Lines, World, change, digests, night_of};
use crate::support::{Random, digest_hex};

struct Job {
    dir: tempfile::TempDir,
    sandbox: Sandbox,
}

impl Job {
    fn new() -> Self {
        let config = SandboxConfig { keeps_deliveries: true, ..SandboxConfig::default() };
        let sandbox = Sandbox::start(config).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), sandbox }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the night's export and opt-out list, with repeated people, other spellings and dirt.
    fn export(&self, world: &World, seed: u64) {
        let mut random = Random(seed | 1);
        let mut text = String::from("id,email\n");
        for person in &world.customers {
            let email = email(*person);
            let email = if random.below(5) == 0 { email.to_uppercase() } else { email };
            writeln!(text, "{person},{email}").unwrap();
            if random.below(9) == 0 {
                writeln!(text, "{person}, {email} \n{person},").unwrap();
            }
        }
        fs::write(self.path("export.csv"), text).unwrap();
        let opted_out: String =
            world.opted_out.iter().map(|person| email(*person) + "\n").collect();
        fs::write(self.path("opt_outs.txt"), opted_out).unwrap();
    }

    /// The run of a job file that says this of `replace`.
    fn config(&self, replace: &str) -> SyncConfig {
        let audience =
            format!("user-type = \"email_hash\"\ncolumn = \"email\"\nreplace = \"{replace}\"");
        let lines = Lines {
            opt_outs: "opt_outs.txt",
            audience: &audience,
            target: "",
            upload: "parallel = 2",
            guards: "",
        };
        world::job(self.dir.path(), &self.sandbox, &lines)
    }

    fn members(&self) -> BTreeSet<String> {
        world::members(&self.sandbox)
    }
}

/// What goes wrong in a night.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    HalfWrittenExport,
    WrongColumn,
    /// A request that takes effect, and whose answer is lost.
    LostAnswer,
    ServerDown,
}

impl Trouble {
    fn of(night: u64) -> Self {
        match night % 6 {
            2 => Self::HalfWrittenExport,
            3 => Self::WrongColumn,
            4 => Self::LostAnswer,
            5 => Self::ServerDown,
            _ => Self::None,
        }
    }

    fn make(self, job: &Job) {
        let export = job.path("export.csv");
        let text = fs::read_to_string(&export).unwrap();
        let fault = |fault: &str| job.sandbox.push_fault(fault.parse::<Fault>().unwrap());
        match self {
            Self::None => {}
            Self::HalfWrittenExport => fs::write(export, &text[..text.len() / 2]).unwrap(),
            Self::WrongColumn => fs::write(export, text.replace("id,email", "email,id")).unwrap(),
            Self::LostAnswer => fault("add,nth=1,when=after,cut"),
            Self::ServerDown => fault("status=503"),
        }
    }
}

#[track_caller]
fn assert_done(job: &Job, record: &SyncRecord, world: &World, uploaded: &BTreeSet<u64>) {
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    assert_eq!(job.members(), digests(uploaded));
    let audience = &record.audiences[0];
    assert_eq!(audience.held_after, uploaded.len() as u64);
    assert_eq!(audience.entries_sent, audience.figures.sets.written);
    let must_go = digests(uploaded.intersection(&world.opted_out));
    assert_eq!(audience.figures.sets.must_go, must_go.len() as u64);
    let list = audience.must_go_list.as_ref().map(|list| fs::read_to_string(list).unwrap());
    let listed: BTreeSet<String> = list.unwrap_or_default().lines().map(str::to_owned).collect();
    assert_eq!(listed, must_go);
}

#[test]
fn thirty_nights_end_as_the_oracle_says() {
    let job = Job::new();
    let mut random = Random(20_261_124);
    let mut world = World { customers: (0..400).collect(), opted_out: (0..5).collect() };
    let mut next_person = 400;
    // Everybody who was a customer, and had not opted out, on a night that came to its end.
    let mut uploaded: BTreeSet<u64> = BTreeSet::new();
    let mut outcomes: BTreeMap<u8, usize> = BTreeMap::new();
    let mut sent: Vec<String> = Vec::new();
    for night in 0..30 {
        change(&mut world, &mut next_person, &mut random);
        job.export(&world, night);
        let trouble = Trouble::of(night);
        trouble.make(&job);
        let (before, deliveries) = (job.members(), job.sandbox.deliveries().len());
        let record = night_of(&job.config("never"));
        job.sandbox.clear_faults();
        // Every request that took effect, whatever the night came to.
        let opted_out = digests(&world.opted_out);
        for delivery in &job.sandbox.deliveries()[deliveries..] {
            let is_wrong = |entry: &String| opted_out.contains(entry);
            assert!(!delivery.entries.iter().any(is_wrong), "night {night}: {trouble:?}");
            sent.extend(delivery.entries.iter().cloned());
        }
        *outcomes.entry(record.exit_code).or_default() += 1;
        let error = record.error.as_deref().unwrap_or_default();
        match trouble {
            Trouble::None | Trouble::LostAnswer => {
                uploaded.extend(world.customers.difference(&world.opted_out));
                assert_done(&job, &record, &world, &uploaded);
            }
            Trouble::HalfWrittenExport => {
                assert_eq!(record.exit_code, 3, "{error}");
                assert_eq!(record.guard.unwrap().name, "max_shrink", "{error}");
                assert_eq!(job.members(), before);
            }
            Trouble::WrongColumn => {
                assert_eq!(record.exit_code, 3, "{error}");
                assert!(error.contains("wrong file?"), "{error}");
                assert_eq!(job.members(), before);
            }
            Trouble::ServerDown => {
                assert!(matches!(record.exit_code, 6 | 7), "{} {error}", record.exit_code);
                assert_eq!(job.members(), before);
            }
        }
    }
    assert_eq!((outcomes[&0], outcomes[&3]), (15, 10), "{outcomes:?}");
    // In five nights the answer to a part of at most 40 was lost; nobody else was sent again.
    let different: BTreeSet<&String> = sent.iter().collect();
    assert_eq!(different.len(), uploaded.len());
    assert!(sent.len() - different.len() <= 5 * 40, "{} sent again", sent.len() - different.len());
}

#[test]
fn a_create_without_an_answer_is_found_out_about_the_next_night() {
    let job = Job::new();
    let mut world = World { customers: (0..200).collect(), opted_out: BTreeSet::new() };
    job.export(&world, 1);
    let config = job.config("never");
    for fault in ["create,when=after,cut", "list,status=503"] {
        job.sandbox.push_fault(fault.parse().unwrap());
    }
    let record = night_of(&config);
    assert_eq!(record.exit_code, 8, "{:?}", record.error);
    job.sandbox.clear_faults();
    let first_part = job.members();
    assert_eq!(first_part.len(), 40);
    // Somebody of the first part, and somebody of the others, opts out before the next night.
    let in_first = |person: &u64| first_part.contains(&digest_hex(email(*person).as_bytes()));
    let early = world.customers.iter().copied().find(in_first).unwrap();
    let late = world.customers.iter().copied().find(|person| !in_first(person)).unwrap();
    world.opted_out.extend([early, late]);
    world.customers.insert(200);
    job.export(&world, 2);
    let record = night_of(&config);
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    assert_eq!(record.audiences[0].figures.sets.must_go, 1);
    let mut expected = digests(world.customers.difference(&world.opted_out));
    expected.extend(digests([&early]));
    assert_eq!(job.members(), expected);
}

#[test]
fn somebody_in_a_part_without_an_answer_who_opts_out_must_go() {
    let job = Job::new();
    let mut world = World { customers: (0..200).collect(), opted_out: BTreeSet::new() };
    job.export(&world, 1);
    let config = job.config("never");
    // Every part takes effect, and only the first one is confirmed.
    job.sandbox.push_fault("add,when=after,cut".parse().unwrap());
    let record = night_of(&config);
    assert_eq!(record.exit_code, 7, "{:?}", record.error);
    job.sandbox.clear_faults();
    let there = job.members();
    assert!(there.len() > 40 && there.len() as u64 > record.audiences[0].held_after);
    world.opted_out.extend(world.customers.iter().copied().filter(|person| person % 3 == 0));
    job.export(&world, 2);
    let record = night_of(&config);
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    let must_go: BTreeSet<String> =
        digests(&world.opted_out).intersection(&there).cloned().collect();
    assert_eq!(record.audiences[0].figures.sets.must_go, must_go.len() as u64);
    let list = fs::read_to_string(record.audiences[0].must_go_list.as_ref().unwrap()).unwrap();
    assert_eq!(list.lines().map(str::to_owned).collect::<BTreeSet<_>>(), must_go);
    // They are known of until the audience is built anew.
    assert_eq!(night_of(&config).audiences[0].figures.sets.must_go, must_go.len() as u64);
    let record = night_of(&SyncConfig { is_replacing: true, ..config.clone() });
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    assert_eq!(job.members(), digests(world.customers.difference(&world.opted_out)));
    assert_eq!(night_of(&config).audiences[0].figures.sets.must_go, 0);
}

#[test]
fn opted_out_people_leave_with_the_audience_that_is_replaced() {
    let job = Job::new();
    let mut world = World { customers: (0..300).collect(), opted_out: BTreeSet::new() };
    job.export(&world, 1);
    let config = job.config("when-opted-out");
    assert_eq!(night_of(&config).exit_code, 0);
    let first = job.sandbox.audiences().unwrap()[0].id;
    world.opted_out.extend([7, 8, 9]);
    world.customers.extend(300..310);
    job.export(&world, 2);
    // The replacement is cut off at any of its requests, and then finished by the next runs.
    for (fault, code) in [
        ("create,status=429", 6),
        ("add,from=3,status=503", 7),
        ("delete,status=503", 7),
        ("create,nth=1,when=after,cut", 0),
    ] {
        job.sandbox.push_fault(fault.parse::<Fault>().unwrap());
        let record = night_of(&config);
        job.sandbox.clear_faults();
        assert_eq!(record.exit_code, code, "{fault}: {:?}", record.error);
    }
    let wanted = digests(world.customers.difference(&world.opted_out));
    assert_eq!(job.members(), wanted);
    assert_ne!(job.sandbox.audiences().unwrap()[0].id, first);
    let quiet = night_of(&config);
    assert_eq!(
        (
            quiet.exit_code,
            quiet.audiences[0].figures.sets.must_go,
            quiet.audiences[0].figures.sets.written
        ),
        (0, 0, 0)
    );
    assert_eq!(job.members(), wanted);
}

#[test]
fn a_dry_run_changes_nothing() {
    let job = Job::new();
    let world = World { customers: (0..100).collect(), opted_out: BTreeSet::new() };
    job.export(&world, 1);
    let mut config = job.config("never");
    config.is_dry_run = true;
    let record = night_of(&config);
    assert_eq!((record.exit_code, record.audiences[0].figures.sets.written), (0, 100));
    assert!(job.members().is_empty());
    config.is_dry_run = false;
    let record = night_of(&config);
    assert_eq!(
        (record.exit_code, record.run, record.audiences[0].action.as_str()),
        (0, 1, "create")
    );
    assert_eq!(job.members().len(), 100);
}

#[test]
fn an_audience_that_was_deleted_is_created_again_and_a_lost_store_is_not_guessed_about() {
    let job = Job::new();
    let world = World { customers: (0..100).collect(), opted_out: BTreeSet::new() };
    job.export(&world, 1);
    let config = job.config("never");
    assert_eq!(night_of(&config).exit_code, 0);
    let id = throng::api::Id::from(job.sandbox.audiences().unwrap()[0].id);
    config.client.delete(&id).unwrap();
    let store = throng::store::Store::open(&job.path("state")).unwrap();
    store.forget(&job.sandbox.endpoint(), &id).unwrap();
    drop(store);
    let record = night_of(&config);
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    assert!(record.notes.iter().any(|note| note.contains("was deleted")), "{:?}", record.notes);
    assert_eq!(job.members().len(), 100);
    for file in fs::read_dir(job.path("state")).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("throng.sqlite") {
            fs::remove_file(path).unwrap();
        }
    }
    let record = night_of(&config);
    assert_eq!(record.exit_code, 4, "{:?}", record.error);
    assert_eq!(job.sandbox.audiences().unwrap().len(), 1);
}

#[test]
fn a_damaged_state_is_refused_and_rebuilt_by_a_full_upload() {
    let job = Job::new();
    let world = World { customers: (0..100).collect(), opted_out: BTreeSet::new() };
    job.export(&world, 1);
    let mut config = job.config("never");
    assert_eq!(night_of(&config).exit_code, 0);
    let part = fs::read_dir(job.path("state/parts/000001")).unwrap().next().unwrap().unwrap();
    let part = part.path();
    let mut bytes = fs::read(&part).unwrap();
    bytes[3] ^= 1;
    fs::write(&part, bytes).unwrap();
    let record = night_of(&config);
    assert_eq!(record.exit_code, 3, "{:?}", record.error);
    assert!(record.error.unwrap().contains("SHA-256 differs"));
    config.is_full = true;
    let record = night_of(&config);
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    config.is_full = false;
    let record = night_of(&config);
    assert_eq!(
        (
            record.exit_code,
            record.audiences[0].figures.sets.known,
            record.audiences[0].figures.sets.written
        ),
        (0, 100, 0)
    );
    assert_eq!(job.members().len(), 100);
}
