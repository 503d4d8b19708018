//! Nights on a platform that can take people out, in which something goes wrong or a guard stops the rest: the audience is
//! the truth, neither more nor less, or as much of it as can be known.

use std::fs;

use throng::sandbox::Change;
use throng::sync::SyncConfig;

use crate::support::Random;
use crate::support::home::email;
use crate::support::mirror::{Mirror, world};
use crate::support::world::{World, change, digests, night_of};

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
fn who_opted_out_by_a_list_that_can_be_read_leaves_though_another_one_cannot() {
    let (mirror, mut world) = (Mirror::new("email_hash"), world(300));
    mirror.export(&world);
    let list = |name: &str, people: &[u64]| {
        let lines: String = people.iter().map(|person| email(*person) + ",x\n").collect();
        fs::write(mirror.path(name), format!("email,key\n{lines}")).unwrap();
    };
    list("calls.csv", &[]);
    list("shops.csv", &[]);
    let three =
        "opt_outs.csv\"\n[[suppress]]\nfiles = \"calls.csv\"\n[[suppress]]\nfiles = \"shops.csv";
    let night = || night_of(&mirror.config_with(three, ""));
    mirror.assert_is_truth(&night(), &world);
    world.opted_out.extend([1, 2]);
    mirror.export(&world);
    list("shops.csv", &[3]);
    mirror.forget(4);
    fs::write(mirror.path("calls.csv"), "name,town\nAnn,Rome\nBob,Oslo\n").unwrap();
    let record = night();
    assert_eq!(record.exit_code, 3, "{:?}", record.error);
    assert!(record.error.is_some_and(|error| error.contains("calls.csv")));
    let of_list: Vec<_> = record.notes.iter().filter(|note| note.contains("a list that")).collect();
    assert!(matches!(&of_list[..], [note] if note.contains("calls.csv")), "{:?}", record.notes);
    let out = [1, 2, 3, 4];
    let left = digests(world.customers.iter().filter(|person| !out.contains(*person)));
    assert_eq!(mirror.members(), left);
}

/// All that the store says of audiences and parts.
fn told_by_store(mirror: &Mirror) -> Vec<String> {
    let db = rusqlite::Connection::open(mirror.path("state/throng.sqlite")).unwrap();
    let of_table = |table: &str| -> Vec<String> {
        let mut rows = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = rows.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let values = (0..columns).map(|at| row.get(at));
            values.collect::<rusqlite::Result<Vec<rusqlite::types::Value>>>()
        };
        let rows = rows.query_map([], row).unwrap();
        rows.map(|row| format!("{table} {:?}", row.unwrap())).collect()
    };
    ["generation", "delivery", "part", "session"].into_iter().flat_map(of_table).collect()
}

#[test]
fn all_again_that_a_guard_stops_gives_up_nothing() {
    for is_being_replaced in [false, true] {
        let (mirror, world) = (Mirror::new("email_hash"), world(300));
        mirror.export(&world);
        mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
        if is_being_replaced {
            mirror.fault("add,from=2,status=503");
            let replacing = SyncConfig { is_replacing: true, ..mirror.config("") };
            assert_eq!(night_of(&replacing).exit_code, 7);
            mirror.sandbox.clear_faults();
        }
        let before = told_by_store(&mirror);
        mirror.export(&World { customers: (0..100).collect(), ..World::default() });
        let full = SyncConfig { is_full: true, ..mirror.config("") };
        let record = night_of(&full);
        assert_eq!(record.guard.map(|guard| guard.name).as_deref(), Some("max_shrink"));
        assert_eq!(told_by_store(&mirror), before);
        mirror.export(&world);
        let record = night_of(&mirror.config(""));
        let again = record.audiences[0].entries_sent;
        assert!(again < 300 && (again == 0) != is_being_replaced, "{again}");
        mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
        // Without the guard everybody is.
        let record = night_of(&SyncConfig { is_full: true, ..mirror.config("") });
        assert_eq!(record.audiences[0].entries_sent, 300);
        mirror.assert_is_truth(&record, &world);
    }
}
