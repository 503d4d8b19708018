//! Uploads to Meta: the real binary against the sandbox that speaks it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use throng::config::{AudienceSpec, OutputOptions};
use throng::normalize::{Case, UserType};
use throng::sandbox::{Fault, Platform, Sandbox, SandboxConfig, Terms};

use crate::support::upload::{TOKEN, for_each, said};
use crate::support::{config, digest_hex, run};

/// The secret of the app in these tests. It must be nowhere.
const SECRET: &str = "canary-secret-3164";

/// Someone who uploads to Meta.
struct Rig {
    home: tempfile::TempDir,
    sandbox: Sandbox,
}

fn sandbox(more: SandboxConfig) -> Sandbox {
    let token = TOKEN.to_owned();
    Sandbox::start(SandboxConfig { platform: Platform::Meta, token, ..more }).unwrap()
}

fn email(person: u64) -> String {
    format!("person.{person}@example.com")
}

fn digests(people: impl IntoIterator<Item = u64>) -> BTreeSet<String> {
    people.into_iter().map(|person| digest_hex(email(person).as_bytes())).collect()
}

impl Rig {
    fn new(more: SandboxConfig) -> Self {
        Self { home: tempfile::tempdir().unwrap(), sandbox: sandbox(more) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A directory of these people, in parts of so many.
    fn prepare(&self, name: &str, people: impl IntoIterator<Item = u64>, part_lines: u64) {
        let input = self.path(&format!("{name}.csv"));
        let mut text = String::from("email\n");
        for person in people {
            writeln!(text, "{}", email(person)).unwrap();
        }
        fs::write(&input, text).unwrap();
        let mut config = config(UserType::EmailHash, &[input], &self.path(name));
        config.output.part_lines = part_lines;
        run(config).unwrap();
    }

    /// A directory of ids in clear.
    fn prepare_ids(&self, user_type: UserType, ids: &str, case: Case) {
        let input = self.path("ids.txt");
        fs::write(&input, ids).unwrap();
        let mut config = config(user_type, &[input], &self.path("out"));
        config.rules.case = case;
        config.audiences = vec![AudienceSpec::new(user_type, None)];
        config.output = OutputOptions { overwrite: true, ..config.output };
        run(config).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.args(args).args(["--to", "meta", "--endpoint", &self.sandbox.endpoint()]);
        command.current_dir(self.home.path()).stdin(Stdio::null()).env_clear();
        command.env("THRONG_TOKEN", TOKEN).env("THRONG_STATE", self.path("state"));
        command
    }

    fn throng(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn upload(&self, more: &[&str]) -> Output {
        let create =
            ["upload", "out", "--create", "News", "--ad-account", "7", "--retry-wait", "1ms"];
        self.throng(&[&create, more].concat())
    }

    /// Adds a directory to the only audience, or takes it out.
    fn change(&self, dir: &str, more: &[&str]) -> Output {
        let id = self.id();
        let to = ["upload", dir, "--audience", &id, "--ad-account", "7", "--retry-wait", "1ms"];
        self.throng(&[&to, more].concat())
    }

    fn id(&self) -> String {
        self.sandbox.audiences().unwrap()[0].id.to_string()
    }

    #[track_caller]
    fn members(&self) -> BTreeSet<String> {
        let audiences = self.sandbox.audiences().unwrap();
        assert_eq!(audiences.len(), 1, "audiences");
        self.sandbox.members(audiences[0].id).unwrap().into_iter().collect()
    }

    /// Requests that carried entries and were answered with success.
    fn batches(&self) -> usize {
        let is_batch = |path: &str| path.split('?').next().unwrap_or_default().ends_with("/users");
        let exchanges = self.sandbox.exchanges();
        exchanges.iter().filter(|one| is_batch(&one.path) && one.status == Some(200)).count()
    }
}

#[track_caller]
fn check_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    for secret in [TOKEN, SECRET] {
        assert!(!said(output).contains(secret));
    }
}

#[test]
fn an_audience_is_created_and_filled_in_batches_once() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..25_000, 12_000);
    let plan = rig.upload(&["--dry-run"]);
    check_code(&plan, 0);
    assert!(said(&plan).contains("2 in batches"), "{}", said(&plan));
    let output = rig.upload(&["--json"]);
    check_code(&output, 0);
    assert_eq!(rig.members(), digests(0..25_000));
    // Two of each full part, one of the last.
    assert_eq!(rig.batches(), 5);
    let audience = &rig.sandbox.audiences().unwrap()[0];
    assert_eq!(audience.name, "News");
    assert!(said(&output).contains(r#""entries_invalid":0,"warnings":[]"#), "{}", said(&output));
    let again = rig.upload(&[]);
    check_code(&again, 0);
    assert!(said(&again).contains("0 of 3 parts sent"), "{}", said(&again));
    assert_eq!(rig.batches(), 5);
}

#[test]
fn people_are_taken_out_by_hand_and_can_come_back() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..300, 200);
    rig.prepare("left", 100..250, 1000);
    check_code(&rig.upload(&[]), 0);
    let plan = rig.change("left", &["--remove", "--dry-run"]);
    assert!(said(&plan).contains("take out of audience"), "{}", said(&plan));
    let output = rig.change("left", &["--remove"]);
    check_code(&output, 0);
    assert!(said(&output).contains("has none of 150 entries"), "{}", said(&output));
    assert_eq!(rig.members(), digests((0..100).chain(250..300)));
    let batches = rig.batches();
    check_code(&rig.change("left", &["--remove"]), 0);
    assert_eq!(rig.batches(), batches, "nothing is removed again");
    // What was confirmed before is not relied upon: it may hold the same people.
    check_code(&rig.upload(&[]), 0);
    assert_eq!(rig.members(), digests(0..300));
    check_code(&rig.change("left", &["--remove"]), 0);
    assert_eq!(rig.members(), digests((0..100).chain(250..300)));
}

#[test]
fn whatever_a_batch_meets_everybody_is_in_once_it_is_done() {
    let faults = [
        "status=500",
        "status=503,when=after",
        "code=2",
        "code=1,when=after",
        "code=2650,subcode=1870147",
        "code=100,transient",
        "cut",
        "cut,when=after",
        "html,when=after",
        "wrong_json,when=after",
        "truncated,when=after",
        "no_id,when=after",
    ];
    let calls = ["create", "add", "add,nth=2", "add,nth=3"];
    let cases: Vec<String> = faults
        .iter()
        .flat_map(|fault| {
            calls.map(|call| {
                let which = if call.contains("nth") { "" } else { ",first=1" };
                format!("{call}{which},{fault}")
            })
        })
        .collect();
    for_each(&cases, Clone::clone, |fault| {
        let rig = Rig::new(SandboxConfig::default());
        rig.prepare("out", 0..25_000, 25_000);
        rig.sandbox.push_fault(fault.parse().unwrap());
        let mut output = rig.upload(&[]);
        if fault == "create,first=1,cut" {
            // Nobody can tell; the next run looks once more, and creates it.
            check_code(&output, 8);
            output = rig.upload(&[]);
        }
        check_code(&output, 0);
        assert_eq!(rig.members(), digests(0..25_000));
    });
}

#[test]
fn whatever_a_removal_meets_nobody_is_left_once_it_is_done() {
    let faults =
        ["status=500", "code=2,when=after", "cut", "cut,when=after", "wrong_json,when=after"];
    for_each(&faults, ToString::to_string, |fault| {
        let rig = Rig::new(SandboxConfig::default());
        rig.prepare("out", 0..12_000, 12_000);
        check_code(&rig.upload(&[]), 0);
        for nth in [1, 2] {
            rig.sandbox.push_fault(format!("remove,nth={nth},{fault}").parse().unwrap());
        }
        check_code(&rig.change("out", &["--remove"]), 0);
        assert!(rig.members().is_empty());
    });
}

#[test]
fn an_upload_goes_on_with_the_batch_at_which_it_ended() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..45_000, 45_000);
    rig.sandbox.push_fault("add,nth=3,code=190".parse().unwrap());
    let output = rig.upload(&[]);
    check_code(&output, 5);
    assert!(said(&output).contains("THRONG_TOKEN"), "{}", said(&output));
    assert_eq!(rig.batches(), 2);
    check_code(&rig.upload(&[]), 0);
    assert_eq!(rig.batches(), 5, "none is sent again");
    assert_eq!(rig.members(), digests(0..45_000));
}

#[test]
fn a_session_that_has_ended_is_begun_anew() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..25_000, 25_000);
    rig.sandbox.push_fault("add,nth=2,code=190".parse().unwrap());
    check_code(&rig.upload(&[]), 5);
    rig.sandbox.advance(std::time::Duration::from_hours(3));
    check_code(&rig.upload(&[]), 0);
    assert_eq!(rig.members(), digests(0..25_000));
}

#[test]
fn a_batch_that_is_refused_within_a_session_is_tried_as_the_first_of_another_one() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..45_000, 45_000);
    rig.sandbox.push_fault("add,nth=3,code=100".parse().unwrap());
    check_code(&rig.upload(&[]), 0);
    assert_eq!(rig.members(), digests(0..45_000));
    // It is the batch that is bad.
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..45_000, 45_000);
    rig.sandbox.push_fault("add,from=3,code=100".parse().unwrap());
    let output = rig.upload(&[]);
    check_code(&output, 3);
    assert!(said(&output).contains("does not accept"), "{}", said(&output));
    assert_eq!(rig.members().len(), 20_000);
}

#[test]
fn what_a_person_must_mend_ends_the_run_and_says_how() {
    for (fault, code, words) in [
        ("add,code=190", 5, "expired or was revoked"),
        ("add,code=200", 5, "ads_management"),
        ("add,code=294", 5, "ads_management"),
        ("create,code=100,subcode=1870034", 5, "accept them at"),
        ("create,code=100,subcode=33", 5, "check --ad-account"),
        ("add,code=100,subcode=1713230", 5, "Audience Manager"),
        ("add,code=368", 5, "blocked"),
        ("add,from=2,code=100,subcode=33", 2, "--create-again"),
        ("add,code=100", 3, "does not accept"),
    ] {
        let rig = Rig::new(SandboxConfig::default());
        rig.prepare("out", 0..20_500, 20_500);
        rig.sandbox.push_fault(fault.parse().unwrap());
        let output = rig.upload(&["--attempts", "2"]);
        check_code(&output, code);
        assert!(said(&output).contains(words), "{fault}: {}", said(&output));
    }
    let rig = Rig::new(SandboxConfig { terms: Terms::NotAccepted, ..SandboxConfig::default() });
    rig.prepare("out", 0..10, 10);
    check_code(&rig.upload(&[]), 5);
}

#[test]
fn a_flagged_audience_is_told_of() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..200, 200);
    check_code(&rig.upload(&[]), 0);
    let id: u64 = rig.id().parse().unwrap();
    rig.sandbox.set_flagged(id, true);
    rig.prepare("more", 0..300, 300);
    let output = rig.change("more", &[]);
    check_code(&output, 5);
    assert!(said(&output).contains("the audience is flagged"), "{}", said(&output));
    let list = rig.throng(&["audience", "list", "--ad-account", "7"]);
    assert!(said(&list).contains("flagged"), "{}", said(&list));
}

#[test]
fn limits_that_are_reached_end_a_run_that_may_not_wait_so_long() {
    let more = SandboxConfig { calls_per_hour: Some(4), ..SandboxConfig::default() };
    let rig = Rig::new(more);
    rig.prepare("out", 0..60_000, 60_000);
    let output = rig.upload(&["--time-limit", "20s"]);
    check_code(&output, 7);
    let batches = rig.batches();
    assert!((1..4).contains(&batches), "{batches}: {}", said(&output));
    rig.sandbox.advance(std::time::Duration::from_hours(1));
    check_code(&rig.upload(&["--time-limit", "20s"]), 0);
    assert_eq!(rig.members(), digests(0..60_000));
}

#[test]
fn a_refusal_because_of_limits_is_waited_for_as_long_as_it_says() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..200, 200);
    rig.sandbox.push_fault("add,code=80003,subcode=2446079,regain_access=7".parse().unwrap());
    let output = rig.upload(&["--time-limit", "60s"]);
    check_code(&output, 6);
    assert!(said(&output).contains("it asks to wait 420 s"), "{}", said(&output));
}

#[test]
fn entries_that_are_taken_for_none_are_counted_and_too_many_of_them_are_an_error() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..12_000, 12_000);
    rig.sandbox.push_fault("add,first=1,invalid=7".parse().unwrap());
    let output = rig.upload(&[]);
    check_code(&output, 0);
    let told = "the platform takes 7 of 12,000 entries for invalid";
    assert!(said(&output).contains(told), "{}", said(&output));

    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..12_000, 12_000);
    rig.sandbox.push_fault("add,first=1,invalid=5000".parse().unwrap());
    for _ in 0..3 {
        // It does not become a success by being run again.
        let output = rig.upload(&[]);
        check_code(&output, 3);
        assert!(said(&output).contains("5000 of 1"), "{}", said(&output));
        for person in 0..12_000 {
            if person % 1000 == 0 {
                assert!(!said(&output).contains(&digest_hex(email(person).as_bytes())));
            }
        }
    }
}

#[test]
fn few_entries_are_told_of() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..99, 100);
    let output = rig.upload(&[]);
    check_code(&output, 0);
    assert!(said(&output).contains("fewer than 100 entries"), "{}", said(&output));
}

#[test]
fn a_create_without_an_answer_is_found_by_its_marker() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..200, 200);
    rig.sandbox.push_fault("create,cut,when=after".parse().unwrap());
    rig.sandbox.push_fault("list,first=2,status=500".parse().unwrap());
    check_code(&rig.upload(&[]), 0);
    assert_eq!(rig.members(), digests(0..200));
}

#[test]
fn an_app_that_wants_a_proof_gets_it_and_the_secret_is_nowhere() {
    let more = SandboxConfig { app_secret: Some(SECRET.to_owned()), ..SandboxConfig::default() };
    let rig = Rig::new(more);
    rig.prepare("out", 0..200, 200);
    let output = rig.upload(&[]);
    check_code(&output, 5);
    assert!(said(&output).contains("THRONG_APP_SECRET"), "{}", said(&output));
    let args = ["upload", "out", "--create", "News", "--ad-account", "7"];
    let output = rig.command(&args).env("THRONG_APP_SECRET", SECRET).output().unwrap();
    check_code(&output, 0);
    assert_eq!(rig.members(), digests(0..200));
    let wrong = rig
        .command(&["audience", "list", "--ad-account", "7"])
        .env("THRONG_APP_SECRET", "x")
        .output();
    check_code(&wrong.unwrap(), 5);
    for file in fs::read_dir(rig.path("state")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(SECRET) && !text.contains(TOKEN));
    }
}

#[test]
fn a_directory_that_does_not_fit_is_not_uploaded() {
    let rig = Rig::new(SandboxConfig::default());
    let third_party = UserType::CustomAudienceThirdPartyId;
    rig.prepare_ids(third_party, "Ann-17\nBob-18\n", Case::Auto);
    let output = rig.upload(&[]);
    check_code(&output, 2);
    assert!(said(&output).contains("--for meta"), "{}", said(&output));
    rig.prepare_ids(UserType::Fbid, "1234567\n", Case::Auto);
    check_code(&rig.upload(&[]), 2);
    let device = "38400000-8cf0-11bd-b23e-10b96e40000d\n";
    rig.prepare_ids(
        UserType::MobileAdvertiserId,
        &format!("{device}0123456789abcdef\n"),
        Case::Auto,
    );
    let output = rig.upload(&[]);
    check_code(&output, 3);
    assert!(said(&output).contains("Android ids"), "{}", said(&output));
    assert!(rig.sandbox.exchanges().is_empty(), "nothing was asked");
    rig.prepare_ids(UserType::MobileAdvertiserId, device, Case::Auto);
    check_code(&rig.upload(&[]), 0);
    assert_eq!(rig.members(), BTreeSet::from([device.trim().to_owned()]));
}

#[test]
fn what_is_prepared_for_it_keeps_letter_case_and_has_no_android_ids() {
    let rig = Rig::new(SandboxConfig::default());
    fs::write(rig.path("ids.txt"), "Ann-17\nann-17\nBob-18\n").unwrap();
    let prepare = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.args(["prepare", "--for", "meta", "--overwrite", "-o", "out"]).args(args);
        command.current_dir(rig.home.path()).output().unwrap()
    };
    let third_party = ["ids.txt", "-t", "custom_audience_third_party_id"];
    check_code(&prepare(&[&third_party[..], &["--case", "lower"]].concat()), 2);
    check_code(&prepare(&third_party), 0);
    check_code(&rig.upload(&[]), 0);
    let expected = ["Ann-17", "Bob-18", "ann-17"].map(str::to_owned);
    assert_eq!(rig.members(), BTreeSet::from(expected));
    let devices = "38400000-8cf0-11bd-b23e-10b96e40000d\n0123456789abcdef\n";
    fs::write(rig.path("devices.txt"), devices).unwrap();
    let output =
        prepare(&["devices.txt", "-t", "mobile_advertiser_id", "--max-rejects", "1", "--json"]);
    check_code(&output, 0);
    assert!(said(&output).contains(r#""reason":"android_id""#), "{}", said(&output));
}

#[test]
fn other_calls_reach_it_as_well() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..200, 200);
    check_code(&rig.upload(&["--customer-file-source", "partner-provided-only"]), 0);
    let id = rig.id();
    let list = rig.throng(&["audience", "list", "--ad-account", "7", "--json"]);
    check_code(&list, 0);
    assert!(said(&list).contains(&format!("\"id\":\"{id}\"")), "{}", said(&list));
    let show = rig.throng(&["audience", "show", &id]);
    assert!(said(&show).contains("[throng "), "{}", said(&show));
    check_code(&rig.throng(&["audience", "delete", &id, "--yes"]), 0);
    assert!(rig.sandbox.audiences().unwrap().is_empty());
    check_code(&rig.throng(&["audience", "delete", &id, "--yes"]), 2);
    // A create of the same name then makes a new one.
    check_code(&rig.upload(&[]), 0);
    assert_eq!(rig.members(), digests(0..200));
}

#[test]
fn the_command_that_deletes_an_audience_names_the_platform() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..300, 200);
    check_code(&rig.upload(&[]), 0);
    let output = rig.upload(&["--create-again"]);
    check_code(&output, 2);
    let command = format!("throng audience delete {} --to meta", rig.id());
    assert!(said(&output).contains(&command), "{}", said(&output));
}

#[test]
fn nobody_is_taken_out_of_an_audience_that_is_not_known() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..300, 200);
    for more in [&["--remove"][..], &["--remove", "--dry-run"], &["--remove", "--create-again"]] {
        let output = rig.upload(more);
        check_code(&output, 2);
        assert!(said(&output).contains("no audience `News` is known"), "{}", said(&output));
    }
    assert_eq!(rig.sandbox.exchanges().len(), 0);
    check_code(&rig.upload(&[]), 0);
    check_code(&rig.upload(&["--remove"]), 0);
    assert_eq!(rig.members(), digests([]));
}

#[test]
fn other_people_than_it_was_created_from_are_taken_out_by_number() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..300, 200);
    check_code(&rig.upload(&[]), 0);
    rig.prepare("left", 0..10, 200);
    let remove = ["upload", "left", "--create", "News", "--ad-account", "7", "--remove"];
    let output = rig.throng(&remove);
    check_code(&output, 2);
    let hint = format!("take these out of it by its number: --audience {} --remove", rig.id());
    assert!(said(&output).contains(&hint), "{}", said(&output));
    check_code(&rig.change("left", &["--remove"]), 0);
    assert_eq!(rig.members(), digests(10..300));
}

/// As if it came from a proxy that mixes answers up: nobody knows what became of the batch.
#[test]
fn an_answer_about_another_session_confirms_nothing() {
    let rig = Rig::new(SandboxConfig::default());
    rig.prepare("out", 0..300, 300);
    check_code(&rig.upload(&[]), 0);
    rig.prepare("more", 300..400, 200);
    let body = format!(
        r#"{{"audience_id": "{}", "session_id": "77", "num_received": 100, "num_invalid_entries": 0}}"#,
        rig.id()
    );
    let script =
        format!("[[fault]]\nadd = true\nwhen = \"after\"\nstatus = 200\nbody = '{body}'\n");
    for fault in Fault::script(&script).unwrap() {
        rig.sandbox.push_fault(fault);
    }
    let output = rig.change("more", &["--attempts", "2"]);
    check_code(&output, 6);
    assert!(said(&output).contains("another session"), "{}", said(&output));
    rig.sandbox.clear_faults();
    let batches = rig.batches();
    check_code(&rig.change("more", &[]), 0);
    assert_eq!(rig.batches(), batches + 1, "it is sent again");
    assert_eq!(rig.members(), digests(0..400));
}
