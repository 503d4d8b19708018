//! The sandbox over real sockets: each rule of the reference, and each thing that can go wrong.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;
use throng_sandbox::{Exchange, Revision, Sandbox, SandboxConfig, Terms};

use crate::http::{Answer, Request, connect};

const DIGESTS: [&str; 3] = [
    "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
];

fn start(config: SandboxConfig) -> Sandbox {
    Sandbox::start(config).unwrap()
}

fn sandbox() -> Sandbox {
    start(SandboxConfig::default())
}

fn in_revision(revision: Revision) -> Sandbox {
    start(SandboxConfig { revision, ..SandboxConfig::default() })
}

/// The fields of a create that is in order.
fn fields<'a>() -> Vec<(&'a str, &'a str)> {
    vec![
        ("fb_ad_account_id", "7"),
        ("user_type", "fbid"),
        ("name", "Newsletter"),
        ("subtype", "CUSTOM"),
        ("description", "from the CRM"),
        ("opt_out_link", "https://example.com/opt-out"),
        ("file", "1\n2\n3\n"),
    ]
}

fn changed<'a>(name: &'a str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut fields = fields();
    fields.retain(|(own, _)| *own != name);
    fields.extend(value.map(|value| (name, value)));
    fields
}

/// The status of the answer to create.
fn created_status(revision: Revision) -> u16 {
    if revision == Revision::A { 200 } else { 201 }
}

fn list_path(revision: Revision) -> &'static str {
    if revision == Revision::A { "/customaudiences" } else { "/custom_audiences" }
}

fn post(sandbox: &Sandbox, fields: &[(&str, &str)]) -> Request {
    Request::new(sandbox, "POST", "/custom_audiences").form(fields)
}

fn put(sandbox: &Sandbox, id: &str, fields: &[(&str, &str)]) -> Request {
    Request::new(sandbox, "PUT", &format!("/custom_audiences/{id}")).form(fields)
}

fn get(sandbox: &Sandbox, path: &str) -> Answer {
    Request::new(sandbox, "GET", path).answer(sandbox)
}

fn members(sandbox: &Sandbox, id: u64) -> Vec<String> {
    sandbox.members(id).unwrap()
}

/// The log, once it has so many entries. A request that has no answer may get there after its client knows.
fn log(sandbox: &Sandbox, count: usize) -> Vec<Exchange> {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let exchanges = sandbox.exchanges();
        if exchanges.len() >= count || Instant::now() > deadline {
            assert_eq!(exchanges.len(), count, "{exchanges:?}");
            return exchanges;
        }
        std::thread::yield_now();
    }
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn an_audience_from_create_to_delete() {
    for revision in Revision::ALL {
        let sandbox = in_revision(revision);
        let created = post(&sandbox, &fields()).answer(&sandbox);
        assert_eq!(created.status, created_status(revision));
        let fb_id = match revision {
            Revision::A => json!(6_017_382_038_943_u64),
            Revision::B => json!("6017382038943"),
        };
        let audience = &created.json()["fb_custom_audience"];
        assert_eq!((&audience["id"], &audience["fb_id"]), (&json!(59), &fb_id));
        assert_eq!(audience["name"], "Newsletter");
        let more = [("fb_ad_account_id", "7"), ("user_type", "fbid"), ("file", "3\n4")];
        for id in ["59", "6017382038943"] {
            let added = put(&sandbox, id, &more).answer(&sandbox);
            assert_eq!((added.status, &added.json()["fb_custom_audience"]), (200, audience));
        }
        assert_eq!(members(&sandbox, 59), ["1", "2", "3", "4"]);
        let list = get(&sandbox, &format!("{}?fb_ad_account_id=7", list_path(revision)));
        let (listed, count) = match revision {
            Revision::A => (list.json()[0]["name"].clone(), list.json().as_array().map(Vec::len)),
            Revision::B => {
                let list = list.json();
                assert_eq!(list["meta"], json!({ "page": 1, "total": 1 }));
                (
                    list["custom_audiences"][0]["name"].clone(),
                    list["custom_audiences"].as_array().map(Vec::len),
                )
            }
        };
        assert_eq!((listed, count), (json!("Newsletter"), Some(1)));
        let deleted = Request::new(&sandbox, "DELETE", "/custom_audiences/59").answer(&sandbox);
        assert_eq!(deleted.status, if revision == Revision::A { 200 } else { 204 });
        match revision {
            Revision::A => assert_eq!(&deleted.json()["fb_custom_audience"], audience),
            Revision::B => assert_eq!(deleted.body, ""),
        }
        assert!(sandbox.audiences().unwrap().is_empty());
        let added: Vec<u64> = sandbox.exchanges().iter().map(|each| each.members_added).collect();
        assert_eq!(added, [3, 1, 0, 0, 0]);
    }
}

#[test]
fn details_go_by_the_number_of_the_revision() {
    for (revision, path, other_path) in [
        (Revision::A, "/customaudiences/6017382038943", "/custom_audiences/59"),
        (Revision::B, "/custom_audiences/59", "/customaudiences/6017382038943"),
    ] {
        let sandbox = in_revision(revision);
        post(&sandbox, &fields()).answer(&sandbox);
        let details = get(&sandbox, path);
        assert_eq!(details.status, 200);
        if revision == Revision::A {
            assert_eq!(details.json()["id"], "6017382038943");
            assert_eq!(details.json()["account_id"], "7");
            assert_eq!(details.json()["approximate_count"], 3);
        } else {
            assert_eq!(details.json()["fb_custom_audience"]["id"], 59);
        }
        for path in [other_path, "/", "/custom_audiences/../59", "/customaudiences/59"] {
            assert_eq!(code(&get(&sandbox, path)), refused(404, "not_found"), "{path}");
        }
    }
    let sandbox = in_revision(Revision::A);
    let list = get(&sandbox, "/custom_audiences?fb_ad_account_id=7");
    assert_eq!(code(&list), refused(404, "not_found"), "B's list in A");
}

#[test]
fn every_entry_type_is_kept_as_it_came() {
    let digests = DIGESTS.join("\n");
    for (user_type, file) in [
        ("email_hash", digests.as_str()),
        ("phone_hash", &digests),
        ("fbid", "6017382038943\n18446744073709551615"),
        ("custom_audience_third_party_id", "a b,c\n\u{e9}t\u{e9}\n--a-boundary"),
        ("mobile_advertiser_id", "1234567890abcdef\n6d92078a-8246-4ba4-ae5b-76104861e7dc"),
    ] {
        let sandbox = sandbox();
        let mut fields = changed("user_type", Some(user_type));
        fields.retain(|(name, _)| *name != "file");
        // The file comes before the user type, and that after all others.
        fields.insert(0, ("file", file));
        assert_eq!(post(&sandbox, &fields).answer(&sandbox).status, 200, "{user_type}");
        let mut lines: Vec<&str> = file.lines().collect();
        lines.sort_unstable();
        assert_eq!(members(&sandbox, 59), lines);
    }
}

#[test]
fn fields_that_are_missing_or_wrong_are_refused() {
    let too_long = "x".repeat(20_000);
    let line_too_long = "1".repeat(5_000);
    for (name, value) in [
        ("fb_ad_account_id", None),
        ("fb_ad_account_id", Some("x")),
        ("name", None),
        ("name", Some(" ")),
        ("name", Some(too_long.as_str())),
        ("user_type", None),
        ("user_type", Some("nonsense")),
        ("user_type", Some("email_hash")),
        ("subtype", Some("LOOKALIKE")),
        ("opt_out_link", Some("javascript:alert(1)")),
        ("file", None),
        ("file", Some("")),
        ("file", Some("1\nann@example.com\n")),
        ("file", Some(&line_too_long)),
    ] {
        let sandbox = sandbox();
        let answer = post(&sandbox, &changed(name, value)).answer(&sandbox);
        assert_eq!(code(&answer), refused(422, "invalid_field"), "{name} {value:?}");
        assert!(sandbox.audiences().unwrap().is_empty());
        assert!(!answer.body.contains("example.com"), "{}", answer.body);
    }
    let sandbox = sandbox();
    let twice = [fields(), vec![("file", "4\n")]].concat();
    assert_eq!(post(&sandbox, &twice).answer(&sandbox).status, 422);
    let mut no_file = post(&sandbox, &fields());
    let text = String::from_utf8(no_file.body).unwrap();
    no_file.body = text.replace("Content-Type: text/plain", "Content-Type: text/html").into();
    assert_eq!(no_file.answer(&sandbox).status, 422);
}

#[test]
fn add_goes_with_the_audience() {
    for revision in Revision::ALL {
        let sandbox = in_revision(revision);
        post(&sandbox, &fields()).answer(&sandbox);
        let account = ("fb_ad_account_id", "7");
        let missing_type = if revision == Revision::A { 200 } else { 422 };
        for (id, fields, status) in [
            ("59", vec![account, ("file", "4")], missing_type),
            ("59", vec![account, ("user_type", "email_hash"), ("file", "4")], 422),
            ("59", vec![("user_type", "fbid"), ("file", "4")], 422),
            ("59", vec![account, ("user_type", "fbid")], 422),
            ("59", vec![("fb_ad_account_id", "8"), ("user_type", "fbid"), ("file", "4")], 403),
            ("60", vec![account, ("user_type", "fbid"), ("file", "4")], 404),
            ("x", vec![account, ("user_type", "fbid"), ("file", "4")], 404),
        ] {
            let answer = put(&sandbox, id, &fields).answer(&sandbox);
            assert_eq!(answer.status, status, "{revision:?} {id} {fields:?}");
        }
    }
}

#[test]
fn credentials_permission_terms_and_size() {
    let sandbox = start(SandboxConfig {
        ad_account: Some(7),
        body_bytes_max: Some(2000),
        token: "let-me-in".to_owned(),
        ..SandboxConfig::default()
    });
    let create = post(&sandbox, &fields());
    for header in ["Authorization: OAuth wrong", "Authorization: Bearer let-me-in", "X: y"] {
        let answer = create.clone().without("Authorization").with(header).answer(&sandbox);
        assert_eq!(code(&answer), refused(401, "unauthorized"), "{header}");
        assert!(!answer.body.contains("let-me-in"));
    }
    let nowhere = Request::new(&sandbox, "GET", "/nowhere").with("Authorization: OAuth wrong");
    assert_eq!(nowhere.answer(&sandbox).status, 401, "an address is told to nobody");
    let answer = create.clone().with("Accept: text/html").answer(&sandbox);
    assert_eq!(code(&answer), refused(406, "not_acceptable"));
    let answer = create.clone().with("Content-Type: application/json").answer(&sandbox);
    assert_eq!(code(&answer), refused(415, "media_type"));
    let other = post(&sandbox, &changed("fb_ad_account_id", Some("8"))).answer(&sandbox);
    assert_eq!(code(&other), refused(403, "forbidden"));
    let list = get(&sandbox, "/customaudiences?fb_ad_account_id=8");
    assert_eq!(code(&list), refused(403, "forbidden"));
    let large = "1\n".repeat(1000);
    let answer = post(&sandbox, &changed("file", Some(&large))).answer(&sandbox);
    assert_eq!(code(&answer), refused(413, "too_large"));
    assert_eq!(create.answer(&sandbox).status, 200);

    let sandbox = start(SandboxConfig { terms: Terms::NotAccepted, ..SandboxConfig::default() });
    let answer = post(&sandbox, &fields()).answer(&sandbox);
    assert_eq!(code(&answer), refused(400, "terms_not_accepted"));
    assert!(answer.body.contains("Custom Audiences terms"));
}

#[test]
fn a_wrong_token_costs_a_client_that_waits_nothing() {
    let sandbox = sandbox();
    let create = post(&sandbox, &fields()).with("Expect: 100-continue");
    for (request, status, is_asked_for) in
        [(create.clone().with("Authorization: OAuth wrong"), 401, false), (create, 200, true)]
    {
        let mut stream = connect(&sandbox);
        stream.write_all(&request.head()).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        if is_asked_for {
            assert_eq!(&head, b"HTTP/1.1 100");
            stream.write_all(&request.body).unwrap();
        }
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        let all = String::from_utf8_lossy(&head) + rest.as_str();
        assert!(all.contains(&format!("HTTP/1.1 {status}")), "{all}");
        assert!(all.contains("connection: close"), "{all}");
    }
    let log = log(&sandbox, 2);
    assert_eq!((log[0].body_bytes, log[0].status, log[0].expects_continue), (0, Some(401), true));
    assert!(log[1].body_bytes > 0);
}

#[test]
fn an_early_answer_reaches_a_client_that_does_not_wait() {
    let sandbox = sandbox();
    let file = "1\n".repeat(4 << 20);
    let create = post(&sandbox, &changed("file", Some(&file)));
    let answer = create.with("Authorization: OAuth wrong").answer(&sandbox);
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    assert_eq!(log(&sandbox, 1)[0].body_bytes, 0);
    let deadline = Instant::now() + Duration::from_mins(1);
    while sandbox.bytes_received() < 8 << 20 {
        assert!(Instant::now() < deadline, "what is under way is swallowed");
        std::thread::yield_now();
    }
}

#[test]
fn a_connection_serves_many_requests() {
    let sandbox = sandbox();
    let keep = post(&sandbox, &fields()).without("Connection");
    let mut stream = connect(&sandbox);
    for request in [keep.clone(), keep.clone(), keep.with("Connection: close")] {
        stream.write_all(&[request.head(), request.body].concat()).unwrap();
    }
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    assert_eq!(sandbox.audiences().unwrap().len(), 3);
}

#[test]
fn a_body_that_is_not_whole_changes_nothing() {
    let sandbox = sandbox();
    let create = post(&sandbox, &fields());
    let mut cut = create.clone();
    cut.body.truncate(cut.body.len() - 20);
    assert_eq!(code(&cut.answer(&sandbox)), refused(400, "malformed"));
    let mut stream = connect(&sandbox);
    stream.write_all(&[create.head(), create.body[..100].to_vec()].concat()).unwrap();
    drop(stream);
    assert_eq!(log(&sandbox, 2)[1].status, None);
    assert!(sandbox.audiences().unwrap().is_empty());
}

#[test]
fn facebook_takes_its_time_with_a_number() {
    for revision in Revision::ALL {
        let config = SandboxConfig { revision, fb_id_after: 2, ..SandboxConfig::default() };
        let sandbox = start(config);
        let created = post(&sandbox, &fields()).answer(&sandbox);
        assert_eq!(created.json()["fb_custom_audience"]["fb_id"], json!(null));
        let path = format!("{}?fb_ad_account_id=7", list_path(revision));
        let list = get(&sandbox, &path).json();
        match revision {
            Revision::A => assert_eq!(list, json!([])),
            Revision::B => assert_eq!(list["custom_audiences"][0]["fb_id"], json!(null)),
        }
        let list = get(&sandbox, &path).json();
        match revision {
            Revision::A => assert_eq!(list[0]["id"], "6017382038943"),
            Revision::B => assert_eq!(list["custom_audiences"][0]["fb_id"], "6017382038943"),
        }
    }
}

#[test]
fn the_list_is_the_ad_accounts_and_has_pages_in_b() {
    let sandbox = in_revision(Revision::B);
    for account in ["7"; 12].into_iter().chain(["8"]) {
        post(&sandbox, &changed("fb_ad_account_id", Some(account))).answer(&sandbox);
    }
    for (query, count, page) in [("7", 10, 1), ("7&page=2", 2, 2), ("7&page=3", 0, 3), ("8", 1, 1)]
    {
        let list = get(&sandbox, &format!("/custom_audiences?fb_ad_account_id={query}")).json();
        assert_eq!(list["custom_audiences"].as_array().unwrap().len(), count, "{query}");
        let total = if query == "8" { 1 } else { 12 };
        assert_eq!(list["meta"], json!({ "page": page, "total": total }), "{query}");
    }
    for query in ["", "?page=1", "?fb_ad_account_id=x", "?fb_ad_account_id=7&page=0"] {
        let list = get(&sandbox, &format!("/custom_audiences{query}"));
        assert_eq!(code(&list), refused(422, "invalid_field"), "{query}");
    }
}

#[test]
fn a_data_directory_outlives_the_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let config =
        || SandboxConfig { data_dir: Some(dir.path().join("data")), ..SandboxConfig::default() };
    let sandbox = start(config());
    post(&sandbox, &fields()).answer(&sandbox);
    let refused = Sandbox::start(config()).unwrap_err();
    assert!(refused.to_string().contains("sandbox.sqlite"), "{refused}");
    drop(sandbox);
    let sandbox = start(config());
    assert_eq!(members(&sandbox, 59), ["1", "2", "3"]);
    assert_eq!(post(&sandbox, &fields()).answer(&sandbox).json()["fb_custom_audience"]["id"], 60);
}

#[test]
fn many_at_once_do_not_get_in_each_others_way() {
    let sandbox = sandbox();
    post(&sandbox, &fields()).answer(&sandbox);
    std::thread::scope(|scope| {
        for worker in 0..8_u64 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                // Neighbours share half of their members.
                let numbers = (1 + worker * 500)..=(worker * 500 + 1000);
                let lines: Vec<String> = numbers.map(|number| number.to_string()).collect();
                let file = lines.join("\n");
                let fields = [("fb_ad_account_id", "7"), ("file", file.as_str())];
                assert_eq!(put(sandbox, "59", &fields).answer(sandbox).status, 200);
            });
        }
    });
    assert_eq!(members(&sandbox, 59).len(), 4500);
    assert_eq!(sandbox.audiences().unwrap()[0].member_count, 4500);
}
