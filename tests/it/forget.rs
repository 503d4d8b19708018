//! `throng forget`: whoever is forgotten is not uploaded again, and the state directory does not know them any more.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use throng::sandbox::{Platform, Sandbox, SandboxConfig};

use crate::support::digest_hex;
use crate::support::home::{
    Home, digests, email, emails, first_night, members, output_for, stderr, summary,
};
use crate::support::upload::TOKEN;
use crate::who::asked;

fn forget(home: &Home, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.args(["forget", "-t", "email_hash", "--json", "--state"]).arg(home.path("state"));
    output_for(command.args(args), input)
}

/// Forgets people; nothing that is said names them.
#[track_caller]
fn forgotten(home: &Home, args: &[&str], people: &[u64]) -> Value {
    let input: String = people.iter().map(|person| email(*person) + "\n").collect();
    let ended = forget(home, args, &input);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &stderr(&ended);
    for person in people {
        assert!(!said.contains(&email(*person)), "{said}");
        assert!(!said.contains(&digest_hex(email(*person).as_bytes())), "{said}");
    }
    summary(&ended)
}

#[track_caller]
fn night(home: &Home, people: impl IntoIterator<Item = u64>, args: &[&str]) -> Value {
    home.write("export.csv", &emails(people));
    let ended = home.sync(args);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    summary(&ended)
}

/// Files of the state directory that hold the digest of a person.
fn files_with(home: &Home, person: u64) -> Vec<String> {
    let digest = digest_hex(email(person).as_bytes());
    let bytes = const_hex::decode(&digest).unwrap();
    let has = |text: &[u8]| {
        text.windows(64).any(|window| window == digest.as_bytes())
            || text.windows(32).any(|window| window == bytes)
    };
    let state = home.path("state");
    let files = home.files().into_iter().filter(|path| path.starts_with(&state));
    let with_it = files.filter(|path| has(&fs::read(path).unwrap()));
    with_it.map(|path| path.strip_prefix(&state).unwrap().to_str().unwrap().to_owned()).collect()
}

const LIST: &str = "forgotten/email_hash.txt";

fn requests(sandbox: &Sandbox) -> usize {
    sandbox.exchanges().len()
}

#[test]
fn who_is_forgotten_is_held_back_and_known_as_long_as_an_audience_has_them() {
    let (home, sandbox) = first_night(0);
    night(&home, 0..30, &[]);
    let said = forgotten(&home, &[], &[3, 17, 50]);
    assert_eq!((&said["listed"], &said["purged"]), (&json!(3), &json!(0)));
    assert_eq!(said["waiting"], json!([1, 2]), "the third was never uploaded");
    assert_eq!(said["list"], home.path("state").join(LIST).to_str().unwrap());
    assert_eq!(files_with(&home, 50), [LIST]);
    assert_eq!(files_with(&home, 3).len(), 2);

    // They are in the export still.
    let said = night(&home, 0..60, &[]);
    assert_eq!(said["audiences"][0]["must_go"], 2);
    assert_eq!(
        (&said["warnings"], &said["opt_out_lists"].as_array().unwrap().len()),
        (&json!([]), &1)
    );
    assert_eq!(members(&sandbox), digests((0..60).filter(|person| *person != 50)));
    // A night without anybody of them is as any other.
    let said = night(&home, 100..150, &["--max-shrink", "100%"]);
    assert_eq!(said["warnings"], json!([]));
    assert_eq!(forgotten(&home, &[], &[3])["listed"], 0);

    // Once the audience is built anew, nobody needs them.
    night(&home, 0..60, &["--replace"]);
    let people: BTreeSet<u64> = (0..60).filter(|person| ![3, 17, 50].contains(person)).collect();
    assert_eq!(members(&sandbox), digests(people));
    for person in [3, 17, 50] {
        assert_eq!(files_with(&home, person), [LIST], "{person}");
    }
    let answers = asked(&home.path("state"), "email_hash", &[], &(email(3) + "\n" + &email(4)));
    let found = |line: usize| answers["lines"][line]["found"].as_array().unwrap().len();
    assert_eq!((found(0), found(1)), (0, 1));
}

#[test]
fn at_once_nothing_but_the_list_has_them_and_all_others_are_known_still() {
    let (home, sandbox) = first_night(0);
    night(&home, 0..33, &[]);
    home.write("opt_outs.txt", &(email(5) + "\n"));
    night(&home, 0..45, &[]);
    assert!(files_with(&home, 5).iter().any(|file| file.starts_with("lists/")), "must go");
    let said = forgotten(&home, &["--at-once"], &[5, 7, 40]);
    assert_eq!((&said["waiting"], &said["purged"]), (&json!([]), &json!(4)));
    for person in [5, 7, 40] {
        assert_eq!(files_with(&home, person), [LIST], "{person}");
    }
    let others: Vec<u64> = (0..45).filter(|person| ![5, 7, 40].contains(person)).collect();
    let input: String = others.iter().map(|person| email(*person) + "\n").collect();
    let answers = asked(&home.path("state"), "email_hash", &[], &input);
    let lines = answers["lines"].as_array().unwrap();
    assert!(lines.iter().all(|line| line["found"][0]["standing"] == "in"), "{answers}");

    // Nobody is sent again, neither they nor anybody else.
    let before = requests(&sandbox);
    let said = night(&home, 0..45, &[]);
    assert_eq!(requests(&sandbox), before, "{said}");
    assert_eq!(members(&sandbox), digests(0..45), "the platform cannot take them out");
    let said = night(&home, 0..46, &[]);
    assert_eq!(said["audiences"][0]["entries_sent"], 1);
    let history = home.throng(&["history", "--state", "state", "--json"]);
    assert_eq!(summary(&history)["targets"][0]["is_unfinished"], false);
}

#[test]
fn a_part_of_which_nobody_is_left_goes() {
    let (home, sandbox) = first_night(0);
    night(&home, 0..1, &[]);
    night(&home, 0..2, &[]);
    assert_eq!(home.list("state/parts").len(), 2);
    forgotten(&home, &["--at-once"], &[1]);
    assert_eq!(home.list("state/parts"), ["000001"]);
    let before = requests(&sandbox);
    night(&home, 0..2, &[]);
    assert_eq!(requests(&sandbox), before);
}

#[test]
fn it_waits_for_nobody_and_touches_nothing_that_is_damaged() {
    let (home, _sandbox) = first_night(0);
    night(&home, 0..25, &[]);
    let lock = fs::File::options().append(true).open(home.path("state/lock")).unwrap();
    lock.lock().unwrap();
    let ended = forget(&home, &[], &email(3));
    assert_eq!(ended.status.code(), Some(6), "{}", stderr(&ended));
    drop(lock);
    assert!(!home.path("state").join(LIST).exists());

    let part = home.path("state/parts/000001").join(&home.list("state/parts/000001")[0]);
    let text = fs::read_to_string(&part).unwrap();
    let other = digest_hex(b"somebody else");
    let mut lines: Vec<&str> = text.lines().collect();
    let first = lines[0].to_owned();
    *lines.last_mut().unwrap() = &other;
    fs::write(&part, lines.join("\n") + "\n").unwrap();
    let ended = forget(&home, &["--at-once"], &first);
    assert_eq!(ended.status.code(), Some(3), "{}", stderr(&ended));
    assert!(home.path("state").join(LIST).exists(), "they are held back all the same");
    fs::write(&part, &text).unwrap();
    let ended = forget(&home, &["--at-once"], "");
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let left: Vec<bool> = home
        .list("state/parts/000001")
        .iter()
        .map(|name| {
            fs::read_to_string(home.path("state/parts/000001").join(name)).unwrap().contains(&first)
        })
        .collect();
    assert!(!left.contains(&true), "{left:?}");
}

#[test]
fn where_a_platform_can_the_next_night_takes_them_out_and_forgets_them() {
    let config = SandboxConfig {
        platform: Platform::Meta,
        token: TOKEN.to_owned(),
        ..SandboxConfig::default()
    };
    let sandbox = Sandbox::start(config).unwrap();
    let home = Home::new();
    home.write("opt_outs.txt", "");
    home.job_with(&sandbox, "max-growth = \"900%\"", |job| {
        job.replace("ad-account = 7", "ad-account = 7\nplatform = \"meta\"")
    });
    night(&home, 0..30, &[]);
    assert_eq!(members(&sandbox), digests(0..30));
    assert_eq!(forgotten(&home, &[], &[3, 17, 50])["waiting"], json!([1, 2]));
    // It cannot be done in the first night.
    sandbox.push_fault("remove,code=2".parse().unwrap());
    home.write("export.csv", &emails(0..60));
    assert_ne!(home.sync(&[]).status.code(), Some(0));
    assert!(files_with(&home, 3).len() > 1, "they must go still");
    sandbox.clear_faults();
    let said = night(&home, 0..60, &[]);
    assert_eq!(said["audiences"][0]["must_go"], 0, "{said}");
    let people: BTreeSet<u64> = (0..60).filter(|person| ![3, 17, 50].contains(person)).collect();
    assert_eq!(members(&sandbox), digests(people));
    for person in [3, 17, 50] {
        assert_eq!(files_with(&home, person), [LIST], "{person}");
    }
}

#[test]
fn runs_and_lists_past_their_retention_go_and_audiences_stay_known() {
    let (home, sandbox) = first_night(0);
    home.job_with(&sandbox, "max-growth = \"900%\"", |job| format!("retention = \"90d\"\n{job}"));
    for people in [10, 10, 20, 20] {
        night(&home, 0..people, &[]);
    }
    // The first three are long ago, and the third was the last one that sent anything.
    let db = rusqlite::Connection::open(home.path("state/throng.sqlite")).unwrap();
    let age = 100 * 24 * 3_600_000_i64;
    db.execute("UPDATE run SET started_at = started_at - ?1 WHERE id < 4", [age]).unwrap();
    home.make_dir("state/lists");
    home.write("state/lists/another-gone.txt", &(digest_hex(b"x") + "\n"));
    let list = fs::File::options().append(true).open(home.path("state/lists/another-gone.txt"));
    let long_ago = SystemTime::now() - Duration::from_hours(100 * 24);
    list.unwrap().set_modified(long_ago).unwrap();
    let before = requests(&sandbox);
    night(&home, 0..20, &[]);
    let history = summary(&home.throng(&["history", "--state", "state", "--json"]));
    let nights: Vec<i64> = history["nights"]
        .as_array()
        .unwrap()
        .iter()
        .map(|night| night["run"].as_i64().unwrap())
        .collect();
    assert_eq!(nights, [5, 4]);
    assert_eq!(history["targets"][0]["is_unfinished"], false);
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM run WHERE id = 2"), 0, "nothing names it");
    assert_eq!(count("SELECT count(*) FROM request WHERE run_id < 4"), 0);
    assert!(!home.path("state/lists/another-gone.txt").exists());
    // Since when people are in is known still, and nobody is sent again.
    let answers = asked(&home.path("state"), "email_hash", &[], &(email(3) + "\n" + &email(13)));
    let run = |line: usize| answers["lines"][line]["found"][0]["run"].clone();
    assert_eq!((run(0), run(1)), (json!(1), json!(3)));
    night(&home, 0..20, &[]);
    assert_eq!(requests(&sandbox), before);
    assert_eq!(members(&sandbox), digests(0..20));
}

#[test]
fn the_list_is_read_as_it_was_written_whatever_the_job_says() {
    for (ids, options) in [("DE|1001\nFR;1002\na,b\next\n", ""), ("ext\n", "delimiter = \";\"\n")] {
        let (home, sandbox) = first_night(0);
        home.job_with(&sandbox, "max-shrink = \"100%\"\nmin-opt-out-members = 0", |job| {
            let job = job
                .replace(
                    "[[suppress]]\nfiles = [\"opt_outs.txt\"]\nuser-type = \"email_hash\"\n",
                    "[rules]\nids = \"any\"\n",
                )
                .replace("email_hash", "custom_audience_third_party_id")
                .replace("\"email\"", "\"ext\"");
            job.replace("[input]\n", &format!("[input]\n{options}"))
        });
        home.write("export.csv", "ext\n\"DE|1001\"\n\"FR;1002\"\n\"a,b\"\n\"ext\"\nc\nd\n");
        let args = ["-t", "custom_audience_third_party_id", "--case", "keep", "--ids", "any"];
        fs::create_dir_all(home.path("state")).unwrap();
        drop(throng::store::Store::open(&home.path("state")).unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.arg("forget").args(args).arg("--state").arg(home.path("state"));
        let ended = output_for(&mut command, ids);
        assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
        let ended = home.sync(&[]);
        assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
        assert!(!stderr(&ended).contains("first row"), "{}", stderr(&ended));
        let forgotten: Vec<&str> = ids.lines().collect();
        let all = ["DE|1001", "FR;1002", "a,b", "ext", "c", "d"];
        let left = all.iter().filter(|id| !forgotten.contains(*id)).map(|id| id.to_lowercase());
        assert_eq!(members(&sandbox), left.collect::<BTreeSet<String>>());
    }
}

#[test]
fn lines_that_could_not_be_read_and_a_state_that_is_not_there_are_told() {
    let (home, _sandbox) = first_night(0);
    let nowhere = forget(&home, &[], &email(3));
    assert_eq!(nowhere.status.code(), Some(2), "{}", stderr(&nowhere));
    assert!(stderr(&nowhere).contains("nothing is remembered in"), "{}", stderr(&nowhere));
    assert!(!home.path("state").exists());
    night(&home, 0..25, &[]);
    let ended = forget(&home, &[], &format!("not an email\n{}\nFoo\n", email(3)));
    assert_eq!(ended.status.code(), Some(3), "{}", stderr(&ended));
    let said = "2 of 3 lines could not be read: these people are NOT forgotten";
    assert!(stderr(&ended).contains(said), "{}", stderr(&ended));
    assert_eq!(summary(&ended)["listed"], 1);
    let ended = forget(&home, &[], "");
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("the input is empty"), "{}", stderr(&ended));
}
