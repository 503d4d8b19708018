//! Uploads that meet everything that can go wrong: the real binary against a sandbox, over real sockets. However it
//! went, in the end there is one audience with exactly the oracle's members, and nothing that was confirmed was sent
//! again.

use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use throng::sandbox::{Fault, Revision, Sandbox, SandboxConfig};

use crate::support::Random;
use crate::support::upload::{Prepared, TOKEN, User, for_each, open_store, said};

/// Starts a sandbox that does these things wrong.
fn sandbox(revision: Revision, faults: &[String]) -> Sandbox {
    let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    let token = TOKEN.to_owned();
    Sandbox::start(SandboxConfig { revision, faults, token, ..SandboxConfig::default() }).unwrap()
}

/// What a fault that strikes the create comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Create {
    /// It is made again in the same run: the first one cannot have taken effect, or did not, as the list says.
    Repeated,
    /// It took effect, and the audience is found by its marker.
    Adopted,
    /// Nothing says that it took effect: a person must decide.
    Undecided,
    /// It depends on how much was sent before the connection was cut.
    Either,
}

/// Everything that a request can meet, and what that means for a create.
const FAULTS: [(&str, Create); 32] = [
    ("when=head,status=429", Create::Repeated),
    ("status=429", Create::Repeated),
    ("status=429,retry_after=1", Create::Repeated),
    ("status=429,retry_date=1", Create::Repeated),
    ("when=after,status=429", Create::Adopted),
    ("when=head,status=500", Create::Repeated),
    ("when=head,status=503,retry_after=1", Create::Repeated),
    ("status=500", Create::Repeated),
    ("status=503", Create::Repeated),
    ("status=503,retry_after=0", Create::Repeated),
    ("when=after,status=500", Create::Adopted),
    ("when=after,status=503,retry_date=1", Create::Adopted),
    ("when=head,cut", Create::Repeated),
    ("cut", Create::Undecided),
    ("when=after,cut", Create::Adopted),
    ("at_byte=0,cut", Create::Repeated),
    ("at_byte=300,cut", Create::Either),
    ("when=head,hang", Create::Undecided),
    ("hang", Create::Undecided),
    ("when=after,hang", Create::Adopted),
    ("html", Create::Undecided),
    ("when=after,html", Create::Adopted),
    ("wrong_json", Create::Undecided),
    ("when=after,wrong_json", Create::Adopted),
    ("truncated", Create::Undecided),
    ("when=after,truncated", Create::Adopted),
    ("no_id", Create::Undecided),
    ("when=after,no_id", Create::Adopted),
    ("when=after,status=204", Create::Adopted),
    ("no_continue", Create::Repeated),
    ("slow=2000", Create::Repeated),
    ("delay=0.2", Create::Repeated),
];

/// A fault at a request.
struct Case {
    revision: Revision,
    faults: Vec<String>,
    /// The exit codes of all runs until it is done; any that are documented if left out.
    codes: Option<Vec<i32>>,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for revision in Revision::ALL {
        for (fault, create) in FAULTS {
            let mut case = |faults: &[String], codes: Option<Vec<i32>>| {
                cases.push(Case { revision, faults: faults.to_vec(), codes });
            };
            let codes = match create {
                Create::Repeated | Create::Adopted => Some(vec![0]),
                Create::Undecided => Some(vec![8, 0]),
                Create::Either => None,
            };
            case(&[format!("create,nth=1,{fault}")], codes);
            for nth in 1..=3 {
                case(&[format!("add,nth={nth},{fault}")], Some(vec![0]));
            }
            let lost = "create,nth=1,when=after,cut".to_owned();
            if !fault.contains("at_byte") && !fault.contains("slow") {
                case(&[lost, format!("list,nth=1,{fault}")], Some(vec![0]));
            }
        }
    }
    cases
}

#[test]
fn whatever_a_request_meets_there_is_one_audience_with_every_member() {
    let prepared = Prepared::new(40, 12);
    assert_eq!(prepared.parts.len(), 4);
    let check = |case: &Case| {
        let sandbox = sandbox(case.revision, &case.faults);
        // Only a server that hangs is to run into the limit, however busy the machine is.
        let hangs = case.faults.iter().any(|fault| fault.contains("hang"));
        let limit = if hangs { "3s" } else { "2m" };
        let user = User::new(&prepared, &["--parallel", "2", "--request-time", limit]);
        let codes = user.upload_until_done(&sandbox);
        assert!(
            case.codes.as_ref().is_none_or(|expected| *expected == codes),
            "ended with {codes:?}"
        );
        user.check_done(&sandbox);
    };
    for_each(&cases(), |case| format!("{:?} {:?}", case.revision, case.faults), check);
}

#[test]
fn retries_that_are_used_up_are_resumed_by_the_same_command() {
    let prepared = Prepared::new(40, 12);
    let mut cases = Vec::new();
    for revision in Revision::ALL {
        for fault in
            ["status=503", "status=429", "cut", "when=after,cut", "html", "when=after,no_id"]
        {
            let faults = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
            for (codes, list) in [
                (vec![6, 0], format!("create,first=2,when=head,status=503 add,nth=1,{fault}")),
                (vec![7, 0], format!("add,first=4,{fault}")),
                (vec![8, 0], format!("create,nth=1,when=after,cut list,first=2,{fault}")),
                (vec![7, 0], format!("create,nth=1,when=after,cut add,first=4,{fault}")),
            ] {
                cases.push(Case { revision, faults: faults(&list), codes: Some(codes) });
            }
        }
    }
    let check = |case: &Case| {
        let sandbox = sandbox(case.revision, &case.faults);
        let user = User::new(&prepared, &["--parallel", "1", "--attempts", "2"]);
        assert_eq!(Some(user.upload_until_done(&sandbox)), case.codes);
        user.check_done(&sandbox);
    };
    for_each(&cases, |case| format!("{:?} {:?}", case.revision, case.faults), check);
}

#[test]
fn an_audience_that_was_just_created_and_is_not_found_yet_is_waited_for() {
    let prepared = Prepared::new(40, 12);
    for revision in Revision::ALL {
        for (attempts, faults, codes) in [
            ("8", "add,first=5,status=404", &[0][..]),
            ("1", "add,nth=1,status=404", &[7, 0]),
            // By now somebody may have deleted it.
            ("1", "add,nth=1,status=503 add,nth=2,status=404", &[7, 2, 0]),
            ("8", "add,nth=1,status=410", &[2, 0]),
        ] {
            let faults: Vec<String> = faults.split(' ').map(str::to_owned).collect();
            let sandbox = sandbox(revision, &faults);
            let user = User::new(&prepared, &["--parallel", "1", "--attempts", attempts]);
            for code in codes {
                let output = user.upload(&sandbox, &[]);
                assert_eq!(output.status.code(), Some(*code), "{faults:?}: {output:?}");
            }
            user.check_done(&sandbox);
        }
    }
}

#[test]
fn an_audience_that_is_late_in_the_list_is_waited_for() {
    let prepared = Prepared::new(20, 12);
    let faults = vec!["create,nth=1,when=after,cut".parse().unwrap()];
    let config = SandboxConfig { faults, fb_id_after: 3, ..SandboxConfig::default() };
    let sandbox = Sandbox::start(config).unwrap();
    let user = User::new(&prepared, &[]);
    assert_eq!(user.upload_until_done(&sandbox), [0]);
    user.check_done(&sandbox);
}

/// Faults that come and go while processes are killed.
fn weather(seed: u64) -> Vec<String> {
    ["create,share=0.2,when=after,cut", "add,share=0.1,cut", "add,share=0.1,when=after,cut"]
        .into_iter()
        .chain([
            "add,share=0.1,status=503",
            "add,share=0.1,when=after,html",
            "list,share=0.2,status=500",
        ])
        .map(|fault| fault.replacen("share", &format!("seed={seed},share"), 1))
        .collect()
}

#[test]
fn sigkill_at_any_time_loses_nothing_and_creates_nothing_twice() {
    const KILLS: usize = 50;
    let prepared = Prepared::new(200, 8);
    let started = Instant::now();
    let (mut random, mut kills, mut rounds) = (Random(0x5EED), 0, 0);
    while kills < KILLS {
        rounds += 1;
        let revision = Revision::ALL[rounds % 2];
        let sandbox = sandbox(revision, &weather(rounds as u64));
        let user = User::new(&prepared, &["--parallel", "3"]);
        // A round has so many kills at most, and then comes to its end.
        for _ in 0..10 {
            let mut child = user.start(&sandbox);
            // So many requests later, or a moment after that, it is killed; unless it is done before.
            let (seen, more) = (sandbox.exchanges().len(), random.below(6));
            let until = Instant::now() + Duration::from_secs(20);
            while sandbox.exchanges().len() < seen + usize::try_from(more).unwrap()
                && child.try_wait().unwrap().is_none()
            {
                assert!(Instant::now() < until, "nothing happens");
                std::thread::sleep(Duration::from_micros(200));
            }
            std::thread::sleep(Duration::from_micros(random.below(8000)));
            child.kill().unwrap();
            if child.wait().unwrap().code().is_some() {
                break;
            }
            kills += 1;
        }
        sandbox.clear_faults();
        user.upload_until_done(&sandbox);
        user.check_done(&sandbox);
        assert!(started.elapsed() < Duration::from_mins(3), "{kills} kills so far");
    }
}

fn terminate(child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
}

/// How a process ended, and how long it took.
fn wait(child: &mut Child) -> (ExitStatus, Duration) {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (status, started.elapsed());
        }
        assert!(started.elapsed() < Duration::from_secs(30), "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn sigterm_ends_a_run_soon_even_if_the_server_hangs() {
    let prepared = Prepared::new(200, 8);
    let hangs =
        ["create,hang", "create,when=after,hang", "create,when=head,hang", "add,from=4,hang"];
    let others =
        ["add,slow=500", "add,from=3,status=503,retry_after=600", "add,delay=0.05", "list,hang"];
    let cases: Vec<(u64, &str)> = (1..).zip(hangs.into_iter().chain(others)).collect();
    let check = |(seed, fault): &(u64, &str)| {
        let revision = Revision::ALL[usize::try_from(seed % 2).unwrap()];
        let mut faults = vec![(*fault).to_owned()];
        if fault.starts_with("list") {
            faults.push("create,when=after,cut".to_owned());
        }
        let sandbox = sandbox(revision, &faults);
        let user = User::new(&prepared, &["--parallel", "4"]);
        let mut child = user.start(&sandbox);
        // Until a request has come in.
        while sandbox.bytes_received() == 0 {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(Random(*seed).below(300)));
        terminate(&child);
        let (status, time) = wait(&mut child);
        assert_eq!(status.code(), Some(143));
        assert!(time < Duration::from_secs(8), "{time:?}");
        let store = open_store(&user.state());
        let ended = store.query_row("SELECT exit_code, message FROM upload", [], |row| {
            Ok((row.get::<_, i32>(0)?, row.get::<_, String>(1)?))
        });
        assert_eq!(ended, Ok((143, "stopped by SIGTERM".to_owned())));
        sandbox.clear_faults();
        user.upload_until_done(&sandbox);
        user.check_done(&sandbox);
    };
    for_each(&cases, |(_, fault)| (*fault).to_owned(), check);
}

#[test]
fn a_time_limit_ends_a_run_even_if_the_server_hangs() {
    let prepared = Prepared::new(40, 12);
    let cases =
        ["create,hang", "create,when=after,hang", "add,from=2,hang", "add,slow=10", "list,hang"];
    let check = |fault: &&str| {
        let lost = fault.starts_with("list").then(|| "create,when=after,cut".to_owned());
        let faults: Vec<String> = lost.into_iter().chain([(*fault).to_owned()]).collect();
        let sandbox = sandbox(Revision::A, &faults);
        let user = User::new(&prepared, &[]);
        let started = Instant::now();
        let ended = user.upload(&sandbox, &["--time-limit", "2s"]);
        assert!(started.elapsed() < Duration::from_secs(7), "{:?}", started.elapsed());
        let code = if fault.starts_with("add") { 7 } else { 8 };
        assert_eq!(ended.status.code(), Some(code), "{}", said(&ended));
        sandbox.clear_faults();
        user.upload_until_done(&sandbox);
        user.check_done(&sandbox);
    };
    for_each(&cases, |fault| (*fault).to_owned(), check);
}

#[test]
fn a_wait_that_the_server_asks_for_holds_for_all_parts() {
    let prepared = Prepared::new(100, 8);
    for fault in ["add,nth=3,status=503,retry_after=1", "add,nth=3,status=429,retry_date=2"] {
        let sandbox = sandbox(Revision::B, &[fault.to_owned()]);
        let user = User::new(&prepared, &["--parallel", "2"]);
        assert_eq!(user.upload_until_done(&sandbox), [0]);
        let exchanges = sandbox.exchanges();
        let refused = exchanges.iter().find(|one| matches!(one.status, Some(429 | 503))).unwrap();
        // What was under way may still come in; nothing begins before the wait is over. A date is in whole seconds.
        let soon = exchanges.iter().filter(|one| {
            let after = one.at.saturating_sub(refused.at);
            !after.is_zero() && after < Duration::from_millis(900)
        });
        assert!(soon.count() <= 2, "{exchanges:?}");
        user.check_done(&sandbox);
    }
}

#[test]
fn many_parts_go_at_once() {
    let prepared = Prepared::new(1000, 2);
    assert_eq!(prepared.parts.len(), 500);
    let sandbox = sandbox(Revision::B, &["add,share=0.05,when=after,cut".to_owned()]);
    let user = User::new(&prepared, &["--parallel", "64"]);
    assert_eq!(user.upload_until_done(&sandbox), [0]);
    user.check_done(&sandbox);
}

#[test]
fn faults_parse() {
    for (fault, _) in FAULTS {
        assert!(fault.parse::<Fault>().is_ok(), "{fault}");
    }
}
