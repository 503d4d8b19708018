//! What the person on call sees: history, the audience commands, exit codes.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use throng::sandbox::{Revision, Sandbox, SandboxConfig, Terms};

use crate::support::upload::{Prepared, TOKEN, User, said};

fn sandbox(revision: Revision, faults: &[&str]) -> Sandbox {
    let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    let token = TOKEN.to_owned();
    Sandbox::start(SandboxConfig { revision, faults, token, ..SandboxConfig::default() }).unwrap()
}

/// `throng` in the user's home, told by the environment where API, state and token are.
fn throng(user: &User<'_>, sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command
        .args(args)
        .current_dir(user.home.path())
        .env("THRONG_ENDPOINT", sandbox.endpoint())
        .env("THRONG_STATE", "state of mine")
        .env("THRONG_TOKEN", TOKEN)
        .stdin(Stdio::null());
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The text with what differs from run to run replaced.
fn normalized(text: &str, user: &User<'_>, sandbox: &Sandbox) -> String {
    let is_date = |line: &str| line.starts_with("  20") && line.contains(" UTC");
    let lines = text.lines().map(|line| {
        if is_date(line) {
            format!("  <date>{}", &line[line.find(" UTC").unwrap() + 4..])
        } else if let Some(command) = line.strip_prefix("  go on with: ") {
            let until = command.find(" --create").unwrap();
            format!("  go on with: {} ...", &command[..until])
        } else {
            line.to_owned()
        }
    });
    lines
        .collect::<Vec<_>>()
        .join("\n")
        .replace(&sandbox.endpoint(), "<endpoint>")
        .replace(env!("CARGO_BIN_EXE_throng"), "<throng>")
        .replace(user.home.path().to_str().unwrap(), "<home>")
}

#[test]
fn history_has_the_unfinished_first_with_a_command_that_works_when_it_is_pasted() {
    let prepared = Prepared::new(40, 12);
    let sandbox = sandbox(Revision::A, &[]);
    let user = User::new(&prepared, &[]);
    std::os::unix::fs::symlink(prepared.out(), user.home.path().join("it's out")).unwrap();
    let name = r#"Ann's "News" $HOME `x` \ *"#;
    let upload = |name: &str, more: &[&str]| {
        let args =
            ["upload", "it's out", "--create", name, "--ad-account", "7", "--retry-wait", "1ms"];
        throng(&user, &sandbox, &[&args[..], more].concat()).output().unwrap()
    };
    sandbox.push_fault("add,from=2,status=503".parse().unwrap());
    let failed = upload(name, &["--attempts", "1", "--parallel", "1"]);
    assert_eq!(failed.status.code(), Some(7), "{}", said(&failed));
    sandbox.clear_faults();
    assert_eq!(upload("Later", &[]).status.code(), Some(0));
    let history = throng(&user, &sandbox, &["history"]).output().unwrap();
    let history = stdout(&history);
    let entries = sandbox.audiences().unwrap()[0].member_count;
    let expected = format!(
        "unfinished: {name} (audience 59), custom_audience_third_party_id of ad account 7 at <endpoint>
  2 of 4 parts confirmed, {entries} entries in all
  <date>  exit code 7: 40 entries in 4 parts, 3 requests, 1 failed
    failed to add a part: the server cannot at the moment (status 503): this fault was asked for; 2 of 4 parts are confirmed
  go on with: cd <home> && <throng> upload --endpoint <endpoint> --state 'state of mine' \"it's out\" ...
Later (audience 60), custom_audience_third_party_id of ad account 7 at <endpoint>
  4 of 4 parts confirmed, 40 entries in all
  <date>  done: 40 entries in 4 parts, 4 requests, 0 failed"
    );
    assert_eq!(normalized(&history, &user, &sandbox), expected);
    // In another shell, where nothing is set but the token.
    let command = history.lines().find_map(|line| line.strip_prefix("  go on with: ")).unwrap();
    let mut shell = Command::new("sh");
    let pasted =
        shell.args(["-c", command]).env_clear().env("THRONG_TOKEN", TOKEN).output().unwrap();
    assert_eq!(pasted.status.code(), Some(0), "{}", said(&pasted));
    let audiences = sandbox.audiences().unwrap();
    assert_eq!((audiences.len(), &audiences[0].name[..]), (2, name));
    assert!(audiences.iter().all(|audience| audience.member_count == 40));
    let history = throng(&user, &sandbox, &["history"]).output().unwrap();
    assert!(!stdout(&history).contains("unfinished"), "{}", stdout(&history));
    let json = throng(&user, &sandbox, &["history", "--json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let runs = &json["targets"][0]["runs"];
    assert_eq!((&runs[0]["exit_code"], &runs[1]["exit_code"]), (&0.into(), &7.into()), "{json}");
}

#[test]
fn history_tells_what_goes_on_from_what_was_killed() {
    let prepared = Prepared::new(40, 12);
    let (out, sandbox) = (prepared.out(), sandbox(Revision::B, &["add,from=2,hang"]));
    let user = User::new(&prepared, &[]);
    let args = ["upload", out.to_str().unwrap(), "--create", "News", "--ad-account", "7", "-q"];
    let mut child = throng(&user, &sandbox, &args).spawn().unwrap();
    let history = || stdout(&throng(&user, &sandbox, &["history"]).output().unwrap());
    let until = Instant::now() + Duration::from_secs(30);
    while !history().contains("2 of 4 parts confirmed") {
        assert!(Instant::now() < until, "{}", history());
    }
    let going_on = history();
    assert!(going_on.starts_with("going on: News (audience 59)"), "{going_on}");
    assert!(going_on.contains("  going on: 40 entries in 4 parts"), "{going_on}");
    assert!(!going_on.contains("go on with"), "{going_on}");
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = history();
    assert!(killed.starts_with("unfinished: News (audience 59)"), "{killed}");
    assert!(
        killed
            .contains("  killed: 40 entries in 4 parts, 4 requests, 0 failed, 2 without an answer"),
        "{killed}"
    );
    assert!(killed.contains("go on with: "), "{killed}");
}

#[test]
fn history_of_an_undecided_create_says_so() {
    let prepared = Prepared::new(10, 12);
    let sandbox = sandbox(Revision::A, &["create,cut"]);
    let user = User::new(&prepared, &[]);
    let out = prepared.out();
    let args = [
        "upload",
        out.to_str().unwrap(),
        "--create",
        "News",
        "--ad-account",
        "7",
        "--retry-wait",
        "1ms",
    ];
    let decide =
        |more: &[&str]| throng(&user, &sandbox, &[&args[..], more].concat()).output().unwrap();
    assert_eq!(decide(&[]).status.code(), Some(8));
    let history = stdout(&throng(&user, &sandbox, &["history"]).output().unwrap());
    assert!(history.contains("it is not known whether it was created"), "{history}");
    // What a person has decided is not decided again by the command.
    sandbox.clear_faults();
    sandbox.push_fault("create,when=head,status=503".parse().unwrap());
    assert_eq!(decide(&["--create-again", "--attempts", "1"]).status.code(), Some(6));
    let history = stdout(&throng(&user, &sandbox, &["history"]).output().unwrap());
    assert!(history.contains("go on with") && !history.contains("--create-again"), "{history}");
}

/// The number that details go by, the list, and a line of the details.
fn expected(revision: Revision) -> (&'static str, [&'static str; 3], &'static str) {
    match revision {
        Revision::A => (
            "6017382038943",
            [
                "        id       Facebook's id        people  status                name",
                "         -       6017382038943            40  Normal                News",
                "         -       6017382038944            40  Normal                Les \u{e9}t\u{e9}s \"2026\"",
            ],
            "approximate_count   40",
        ),
        Revision::B => (
            "59",
            [
                "        id       Facebook's id        people  status                name",
                "        59       6017382038943             -  -                     News",
                "        60       6017382038944             -  -                     Les \u{e9}t\u{e9}s \"2026\"",
            ],
            "opt_out_link        https://example.com/out",
        ),
    }
}

#[test]
fn audiences_are_listed_shown_and_deleted() {
    let prepared = Prepared::new(40, 12);
    for revision in Revision::ALL {
        let sandbox = sandbox(revision, &[]);
        let user = User::new(&prepared, &[]);
        let out = prepared.out();
        let create = |name: &str| {
            let args = [
                "upload",
                out.to_str().unwrap(),
                "--create",
                name,
                "--ad-account",
                "7",
                "--no-marker",
            ];
            let link = ["--description", "of the CRM", "--opt-out-link", "https://example.com/out"];
            let done = throng(&user, &sandbox, &[&args[..], &link].concat()).output().unwrap();
            assert_eq!(done.status.code(), Some(0), "{}", said(&done));
        };
        create("News");
        create("Les \u{e9}t\u{e9}s \"2026\"");
        let audience = |args: &[&str]| {
            throng(&user, &sandbox, &[&["audience"], args].concat()).output().unwrap()
        };
        let list = audience(&["list", "--ad-account", "7"]);
        let (shown_id, table, shown) = expected(revision);
        assert_eq!(stdout(&list).lines().collect::<Vec<_>>(), table);
        let json = audience(&["list", "--ad-account", "7", "--json"]);
        let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(json.as_array().map(Vec::len), Some(2));
        assert_eq!(json[1]["fb_id"], "6017382038944");
        assert_eq!(stdout(&audience(&["list", "--ad-account", "8"])).lines().count(), 1);
        let details = stdout(&audience(&["show", shown_id]));
        assert!(details.contains(shown), "{details}");
        assert!(details.contains("description         of the CRM\n"), "{details}");
        assert_eq!(details.contains(" UTC\n"), revision == Revision::A, "{details}");
        for args in [&["show", "77"][..], &["delete", "77", "--yes"]] {
            let missing = audience(args);
            assert_eq!(missing.status.code(), Some(2));
            assert!(said(&missing).contains("there is no such audience"), "{}", said(&missing));
            assert!(said(&missing).contains("throng audience list"), "{}", said(&missing));
        }
        let unsure = audience(&["delete", "59"]);
        assert_eq!(unsure.status.code(), Some(2));
        assert_eq!(
            said(&unsure),
            "error: deleting audience 59, `News` cannot be undone, and nobody is there to ask\nhint: say --yes\n"
        );
        assert_eq!(sandbox.audiences().unwrap().len(), 2);
        // Deleted by either number, the name is free again.
        let deleted = audience(&[
            "delete",
            if revision == Revision::A { "6017382038943" } else { "59" },
            "--yes",
        ]);
        assert_eq!(deleted.status.code(), Some(0), "{}", said(&deleted));
        assert!(said(&deleted).contains("`News` is deleted"), "{}", said(&deleted));
        create("News");
        let ids: Vec<String> =
            sandbox.audiences().unwrap().iter().map(|audience| audience.id.to_string()).collect();
        assert_eq!(ids, ["60", "61"]);
    }
}

#[test]
fn delete_asks_a_person_and_takes_no_for_an_answer() {
    let prepared = Prepared::new(10, 12);
    let sandbox = sandbox(Revision::B, &[]);
    let user = User::new(&prepared, &[]);
    assert_eq!(user.upload(&sandbox, &[]).status.code(), Some(0));
    let ask = |answer: &str| {
        let program = env!("CARGO_BIN_EXE_throng");
        let command = format!("{program} audience delete 59");
        let mut script = Command::new("script");
        script.args(["-qec", &command, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        script.env("THRONG_ENDPOINT", sandbox.endpoint()).env("THRONG_TOKEN", TOKEN);
        let mut child = script.env("THRONG_STATE", user.state()).spawn().ok()?;
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), answer.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Some(said(&output))
    };
    for answer in ["n\n", "\n", "yeah\n"] {
        let Some(said) = ask(answer) else {
            println!("skipped: no `script` to make a terminal");
            return;
        };
        assert!(
            said.contains("Delete audience 59, `News`? Nothing brings it back. [y/N]"),
            "{said}"
        );
        assert!(said.contains("nothing was deleted"), "{said}");
        assert_eq!(sandbox.audiences().unwrap().len(), 1);
    }
    assert!(ask("y\n").unwrap().contains("audience 59, `News` is deleted"));
    assert_eq!(sandbox.audiences().unwrap().len(), 0);
}

#[test]
fn an_audience_that_is_being_uploaded_to_is_not_deleted() {
    let prepared = Prepared::new(40, 12);
    let sandbox = sandbox(Revision::A, &["add,hang"]);
    let user = User::new(&prepared, &[]);
    let mut child = user.start(&sandbox);
    let until = Instant::now() + Duration::from_secs(30);
    let delete = || {
        let mut command = throng(&user, &sandbox, &["audience", "delete", "59", "--yes"]);
        command.env("THRONG_STATE", user.state()).output().unwrap()
    };
    while sandbox.audiences().unwrap().is_empty() || user.attempts().len() < 2 {
        assert!(Instant::now() < until, "nothing happens");
        std::thread::sleep(Duration::from_millis(5));
    }
    let refused = delete();
    assert_eq!(refused.status.code(), Some(6), "{}", said(&refused));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(delete().status.code(), Some(0));
}

/// A situation and how `throng upload` ends in it.
struct Situation {
    name: &'static str,
    config: SandboxConfig,
    args: &'static [&'static str],
    token: &'static str,
    code: i32,
    message: &'static str,
    hint: &'static str,
}

fn situation(
    name: &'static str,
    code: i32,
    message: &'static str,
    hint: &'static str,
) -> Situation {
    let config = SandboxConfig { token: TOKEN.to_owned(), ..SandboxConfig::default() };
    Situation { name, config, args: &[], token: TOKEN, code, message, hint }
}

impl Situation {
    fn with(mut self, change: impl FnOnce(&mut SandboxConfig)) -> Self {
        change(&mut self.config);
        self
    }

    fn faults(self, faults: &[&str]) -> Self {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        self.with(|config| config.faults = faults)
    }

    fn args(self, args: &'static [&'static str]) -> Self {
        Self { args, ..self }
    }
}

fn situations_of_the_command() -> Vec<Situation> {
    vec![
        situation(
            "done",
            0,
            "audience 59 (Facebook's number 6017382038943) has all 40 entries",
            "",
        ),
        situation("dry run", 0, "4 parts, 40 entries", "").args(&["--dry-run"]),
        situation("unknown flag", 2, "unexpected argument", "--help").args(&["--nonsense"]),
        situation("name of two lines", 2, "expected one line of text", "")
            .args(&["--description", "a\nb"]),
        situation("no number", 2, "expected a number", "").args(&["--adopt", "59a"]),
        situation("no such type", 2, "holds no fbid", "").args(&["-t", "fbid"]),
        situation("too large", 3, "the part is too large for the API (status 413)", "--part-bytes")
            .with(|config| config.body_bytes_max = Some(500)),
        situation(
            "field",
            3,
            "does not accept a field or the file (status 422): opt_out_link is no link",
            "own words",
        )
        .args(&["--opt-out-link", "nowhere"]),
    ]
}

fn situations_of_account_and_api() -> Vec<Situation> {
    vec![
        situation(
            "token",
            5,
            "refuses the token, or it may not do this (status 401)",
            "THRONG_TOKEN",
        )
        .with(|config| "another".clone_into(&mut config.token)),
        situation(
            "other account",
            5,
            "(status 403): no permission for this ad account",
            "ad account",
        )
        .with(|config| config.ad_account = Some(8)),
        situation(
            "terms",
            5,
            "has not accepted the Custom Audiences terms (status 400)",
            "Ads Manager",
        )
        .with(|config| config.terms = Terms::NotAccepted),
        situation(
            "busy",
            6,
            "(status 503): this fault was asked for; nothing is confirmed yet",
            "again later",
        )
        .faults(&["create,when=head,status=503"]),
        situation("rate limit", 6, "too many requests (status 429)", "again later")
            .faults(&["create,when=head,status=429"]),
        situation("asked to wait for long", 6, "it asks to wait 86400 s", "again later")
            .faults(&["create,when=head,status=429,retry_after=86400"]),
        situation("partly", 7, "1 of 4 parts are confirmed", "run the same command again")
            .faults(&["add,status=500"]),
        situation(
            "partly, by nonsense",
            7,
            "not what the API's contract says (status 200)",
            "run the same command again",
        )
        .faults(&["add,html"]),
        situation(
            "unknown",
            8,
            "it is not known whether `News` was created",
            "--adopt ID; if not, with --create-again",
        )
        .faults(&["create,cut"]),
        situation(
            "unknown, and no list",
            8,
            "it is not known whether `News` was created",
            "it asks the list again",
        )
        .faults(&["create,cut", "list,status=500"]),
        situation(
            "unknown, and no permission to list",
            8,
            "it is not known whether `News` was created",
            "--adopt ID; if not",
        )
        .faults(&["create,cut", "list,status=403"]),
    ]
}

#[test]
fn exit_codes_are_those_of_the_table() {
    let prepared = Prepared::new(40, 12);
    let situations = situations_of_the_command().into_iter().chain(situations_of_account_and_api());
    for Situation { name, config, args, token, code, message, hint } in situations {
        let user = User::new(&prepared, &["--attempts", "2", "--parallel", "1"]);
        let sandbox = Sandbox::start(config).unwrap();
        let output = user.command(&sandbox, args).env("THRONG_TOKEN", token).output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        assert!(said.contains(message), "{name}: {said}");
        let told = said.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or(&said);
        assert!(told.contains(hint), "{name}: {said}");
        let is_error = said.lines().any(|line| line.starts_with("error: "));
        assert_eq!(is_error, code != 0, "{name}: {said}");
    }
}

#[test]
fn exit_codes_without_an_api_are_those_of_the_table() {
    let prepared = Prepared::new(40, 12);
    let damaged = Prepared::new(41, 12);
    fs::write(damaged.out().join("manifest.json"), "{}").unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{free}");
    let user = |prepared| User::new(prepared, &["--attempts", "1"]);
    let (user, of_damaged) = (user(&prepared), user(&damaged));
    let ends = |command: &mut Command, code: i32, message: &str| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(message), "{}", said(&output));
    };
    ends(&mut user.command_to(&endpoint, &[]), 6, "the API cannot be reached");
    let mut no_token = user.command_to(&endpoint, &[]);
    ends(no_token.env_remove("THRONG_TOKEN"), 2, "there is no token for the API");
    ends(&mut of_damaged.command_to(&endpoint, &[]), 3, "it is not a manifest of throng");
    let mut plain = user.command_to("http://api.example.com", &[]);
    ends(&mut plain, 2, "http:// would show the token on the way: use https://");
    fs::remove_dir_all(user.state()).unwrap();
    fs::write(user.state(), "").unwrap();
    ends(&mut user.command_to(&endpoint, &[]), 4, "failed to create the state directory");
}

#[test]
fn sigint_is_130() {
    let prepared = Prepared::new(40, 12);
    let sandbox = sandbox(Revision::A, &["add,hang"]);
    let user = User::new(&prepared, &[]);
    let mut child = user.start(&sandbox);
    let until = Instant::now() + Duration::from_secs(30);
    while sandbox.audiences().unwrap().is_empty() {
        assert!(Instant::now() < until, "nothing happens");
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
