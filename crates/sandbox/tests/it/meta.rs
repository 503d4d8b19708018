//! The sandbox as Meta, over real sockets: each rule of the reference, and each thing that can go wrong.

use std::time::Duration;

use serde_json::{Value, json};
use throng_sandbox::{Change, Platform, Sandbox, SandboxConfig, Terms};

use crate::http::{Answer, Request};

const DIGESTS: [&str; 4] = [
    "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

const FIRST: u64 = 120_210_000_000_000_059;

fn config() -> SandboxConfig {
    SandboxConfig { platform: Platform::Meta, keeps_deliveries: true, ..SandboxConfig::default() }
}

fn start(config: SandboxConfig) -> Sandbox {
    Sandbox::start(config).unwrap()
}

fn request(sandbox: &Sandbox, method: &str, path: &str, body: &Value) -> Request {
    let bearer = format!("Authorization: Bearer {}", sandbox.token());
    let mut request = Request::new(sandbox, method, &format!("/v25.0/{path}")).with(&bearer);
    if !body.is_null() {
        request.body = body.to_string().into();
        request = request.with("Content-Type: application/json");
    }
    request
}

fn ask(sandbox: &Sandbox, method: &str, path: &str, body: &Value) -> Answer {
    request(sandbox, method, path, body).answer(sandbox)
}

fn fields() -> Value {
    json!({
        "name": "Newsletter",
        "description": "from the CRM",
        "subtype": "CUSTOM",
        "customer_file_source": "USER_PROVIDED_ONLY",
        "opt_out_link": "https://example.com/opt-out",
    })
}

fn create(sandbox: &Sandbox) -> u64 {
    let created = ask(sandbox, "POST", "act_7/customaudiences", &fields());
    assert_eq!(created.status, 200, "{created:?}");
    created.json()["id"].as_str().unwrap().parse().unwrap()
}

fn batch(data: &[&str]) -> Value {
    json!({ "payload": { "schema": "EMAIL_SHA256", "data": data } })
}

fn in_session(data: &[&str], session: u64, seq: u64, is_last: bool) -> Value {
    let mut body = batch(data);
    body["session"] = json!({
        "session_id": session,
        "batch_seq": seq,
        "last_batch_flag": is_last,
        "estimated_num_total": 3,
    });
    body
}

fn add(sandbox: &Sandbox, body: &Value) -> Answer {
    ask(sandbox, "POST", &format!("{FIRST}/users"), body)
}

/// The code and subcode of an error; zeros if it is none.
fn code(answer: &Answer) -> (u64, u64) {
    let error = &answer.json()["error"];
    (error["code"].as_u64().unwrap_or(0), error["error_subcode"].as_u64().unwrap_or(0))
}

fn members(sandbox: &Sandbox) -> Vec<String> {
    sandbox.members(FIRST).unwrap()
}

#[test]
fn an_audience_from_create_to_delete() {
    let sandbox = start(config());
    assert_eq!(create(&sandbox), FIRST);
    let path = format!("{FIRST}/users");
    let added = ask(&sandbox, "POST", &path, &in_session(&DIGESTS[..2], 5, 1, false));
    assert_eq!(
        added.json(),
        json!({
            "audience_id": FIRST.to_string(),
            "session_id": "5",
            "num_received": 2,
            "num_invalid_entries": 0,
            "invalid_entry_samples": {},
        })
    );
    ask(&sandbox, "POST", &path, &in_session(&DIGESTS[2..3], 5, 2, true));
    assert_eq!(members(&sandbox), DIGESTS[..3]);
    let removed = ask(&sandbox, "DELETE", &path, &in_session(&DIGESTS[1..], 6, 1, true));
    assert_eq!((removed.status, removed.json()["num_received"].as_u64()), (200, Some(3)));
    assert_eq!(members(&sandbox), DIGESTS[..1]);
    let fields = "id,name,description,subtype,approximate_count_lower_bound,delivery_status,operation_status";
    let details = ask(&sandbox, "GET", &format!("{FIRST}?fields={fields}"), &json!(null));
    assert_eq!(
        details.json(),
        json!({
            "id": FIRST.to_string(),
            "name": "Newsletter",
            "description": "from the CRM",
            "subtype": "CUSTOM",
            "approximate_count_lower_bound": 1000,
            "delivery_status": { "code": 300, "description": "This audience is too small to be used." },
            "operation_status": { "code": 200, "description": "Normal" },
        })
    );
    let deleted = ask(&sandbox, "DELETE", &FIRST.to_string(), &json!(null));
    assert_eq!(deleted.json(), json!({ "success": true }));
    assert_eq!(code(&ask(&sandbox, "GET", &FIRST.to_string(), &json!(null))), (100, 33));
    assert!(sandbox.audiences().unwrap().is_empty());
    let changes: Vec<(Change, usize)> =
        sandbox.deliveries().iter().map(|each| (each.change, each.entries.len())).collect();
    assert_eq!(changes, [(Change::Add, 2), (Change::Add, 1), (Change::Remove, 3)]);
    let counts: Vec<(u64, u64)> =
        sandbox.exchanges().iter().map(|each| (each.members_added, each.members_removed)).collect();
    assert_eq!(counts[..4], [(0, 0), (2, 0), (1, 0), (0, 2)]);
}

#[test]
fn json_form_multipart_and_query_say_the_same() {
    let sandbox = start(config());
    let form = "name=A+b&subtype=CUSTOM&customer_file_source=USER_PROVIDED_ONLY";
    let plain = request(&sandbox, "POST", "act_7/customaudiences", &json!(null));
    let mut of_form = plain.clone().with("Content-Type: application/x-www-form-urlencoded");
    of_form.body = form.into();
    let multipart = plain.clone().form(&[
        ("name", "A b"),
        ("subtype", "CUSTOM"),
        ("customer_file_source", "USER_PROVIDED_ONLY"),
    ]);
    let mut of_query = plain;
    of_query.line = format!("POST /act_7/customaudiences?{form} HTTP/1.1");
    for request in [of_form, multipart, of_query] {
        assert_eq!(request.answer(&sandbox).status, 200, "{request:?}");
    }
    let names: Vec<String> =
        sandbox.audiences().unwrap().into_iter().map(|audience| audience.name).collect();
    assert_eq!(names, ["A b", "A b", "A b"]);
    let payload = json!({ "schema": "EMAIL_SHA256", "data": DIGESTS }).to_string();
    let mut add = request(&sandbox, "POST", &format!("{FIRST}/users"), &json!(null));
    add = add.form(&[("payload", &payload), ("access_token", sandbox.token())]);
    assert_eq!(add.without("Authorization").answer(&sandbox).status, 200, "a token in the body");
    assert_eq!(members(&sandbox), DIGESTS);
}

#[test]
fn tokens_and_proofs_are_checked_and_are_not_in_the_log() {
    let sandbox = start(SandboxConfig { app_secret: Some("the-secret".to_owned()), ..config() });
    // HMAC-SHA-256 of `sandbox-token` with `the-secret`, of Python's hmac.
    let proof = "ed46e65e1f425eeb1d3c58eac9eeff5475a8bc447218fb2179b648cf56e24b53";
    let path = |query: &str| format!("GET /v25.0/act_7/customaudiences?{query} HTTP/1.1");
    let plain = Request::new(&sandbox, "GET", "/").without("Authorization");
    for (token, proof, expected) in [
        (None, None, (104, 0)),
        (Some("wrong"), Some(proof), (190, 0)),
        (Some(sandbox.token()), None, (100, 0)),
        (Some(sandbox.token()), Some("ab"), (100, 0)),
        (Some(sandbox.token()), Some(proof), (0, 0)),
    ] {
        let proof = proof.map(|proof| format!("appsecret_proof={proof}")).unwrap_or_default();
        let mut in_query = plain.clone();
        let query = token.map(|token| format!("&access_token={token}")).unwrap_or_default();
        in_query.line = path(&format!("{proof}{query}"));
        let mut in_head = plain.clone();
        in_head.line = path(&proof);
        if let Some(token) = token {
            in_head = in_head.with(&format!("Authorization: Bearer {token}"));
        }
        for request in [in_query, in_head] {
            let answer = request.answer(&sandbox);
            assert_eq!(code(&answer), expected, "{answer:?}");
            assert!(!answer.body.contains("wrong"));
        }
    }
    for exchange in sandbox.exchanges() {
        for word in [sandbox.token(), "wrong", &proof[..8]] {
            assert!(!exchange.path.contains(word), "{}", exchange.path);
        }
        assert!(exchange.path.starts_with("/v25.0/act_7/customaudiences"), "{}", exchange.path);
    }
}

#[test]
fn versions_nodes_and_edges() {
    let sandbox = start(SandboxConfig { ad_account: Some(7), ..config() });
    create(&sandbox);
    for (method, path, expected) in [
        ("GET", "/v25.0/act_7/customaudiences", (0, 0)),
        ("GET", "/act_7/customaudiences", (0, 0)),
        ("GET", "/v21.0/act_7/customaudiences", (2635, 0)),
        ("GET", "/v99.0/act_7/customaudiences", (2500, 0)),
        ("GET", "/v25/act_7/customaudiences", (2500, 0)),
        ("GET", "/v25.0/act_8/customaudiences", (200, 0)),
        ("GET", "/v25.0/act_x/customaudiences", (100, 33)),
        ("GET", "/v25.0/act_7/campaigns", (100, 33)),
        ("GET", "/v25.0/7/customaudiences", (100, 33)),
        ("GET", "/v25.0/1", (100, 33)),
        ("GET", "/", (100, 33)),
        ("POST", "/v25.0/120210000000000059", (100, 33)),
        ("GET", "/v25.0/120210000000000059/", (0, 0)),
        ("GET", "/v25.0/120210000000000059?fields=name,nonsense", (100, 0)),
        ("GET", "/v25.0/act_7/customaudiences?limit=0", (100, 0)),
        ("GET", "/v25.0/act_7/customaudiences?limit=5001", (100, 0)),
        ("GET", "/v25.0/act_7/customaudiences?after=x", (100, 0)),
    ] {
        let bearer = format!("Authorization: Bearer {}", sandbox.token());
        let answer = Request::new(&sandbox, method, path).with(&bearer).answer(&sandbox);
        assert_eq!(code(&answer), expected, "{method} {path}: {answer:?}");
    }
}

#[test]
fn create_needs_its_fields_and_accepted_terms() {
    let sandbox = start(config());
    for (name, value) in [
        ("name", json!(null)),
        ("name", json!(" ")),
        ("subtype", json!(null)),
        ("subtype", json!("LOOKALIKE")),
        ("customer_file_source", json!(null)),
        ("customer_file_source", json!("BOUGHT")),
        ("opt_out_link", json!("javascript:alert(1)")),
    ] {
        let mut body = fields();
        body[name] = value;
        let answer = ask(&sandbox, "POST", "act_7/customaudiences", &body);
        assert_eq!((answer.status, code(&answer)), (400, (100, 0)), "{body}");
    }
    assert!(sandbox.audiences().unwrap().is_empty());
    let sandbox = start(SandboxConfig { terms: Terms::NotAccepted, ..config() });
    let answer = ask(&sandbox, "POST", "act_7/customaudiences", &fields());
    assert_eq!(code(&answer), (100, 1_870_034));
    assert!(answer.json()["error"]["error_user_msg"].as_str().unwrap().contains("terms"));
}

#[test]
fn lists_have_pages() {
    let sandbox = start(config());
    let ids: Vec<u64> = (0..7).map(|_| create(&sandbox)).collect();
    let (mut seen, mut after) = (Vec::new(), String::new());
    let mut pages = 0;
    loop {
        let path = format!("act_7/customaudiences?fields=name&limit=3{after}");
        let page = ask(&sandbox, "GET", &path, &json!(null)).json();
        for node in page["data"].as_array().unwrap() {
            assert_eq!(node["name"], "Newsletter");
            seen.push(node["id"].as_str().unwrap().parse::<u64>().unwrap());
        }
        pages += 1;
        let Some(next) = page["paging"]["next"].as_str() else { break };
        let cursor = page["paging"]["cursors"]["after"].as_str().unwrap();
        assert!(next.starts_with("http://") && next.contains(cursor), "{next}");
        after = format!("&after={cursor}");
        // The next page begins behind what was seen, whatever is made or deleted meanwhile.
        create(&sandbox);
    }
    seen.reverse();
    assert_eq!((seen, pages), (ids, 3));
    let empty = ask(&sandbox, "GET", "act_8/customaudiences", &json!(null));
    assert_eq!(empty.json(), json!({ "data": [] }));
}

#[test]
fn entries_that_are_none_are_counted_and_the_others_are_taken() {
    let sandbox = start(config());
    create(&sandbox);
    let upper = DIGESTS[0].to_uppercase();
    let answer = add(&sandbox, &batch(&[DIGESTS[1], &upper, "ann@example.com", DIGESTS[2]]));
    assert_eq!(answer.json()["num_received"], 4);
    assert_eq!(answer.json()["num_invalid_entries"], 2);
    assert_eq!(
        answer.json()["invalid_entry_samples"],
        json!({ "1": upper, "2": "ann@example.com" })
    );
    assert_eq!(members(&sandbox), DIGESTS[1..3]);
    let other = json!({ "payload": { "schema": "PHONE_SHA256", "data": [DIGESTS[0]] } });
    assert_eq!(code(&add(&sandbox, &other)), (100, 0), "one type of identifiers");
    let many: Vec<&str> = std::iter::repeat_n(DIGESTS[3], 10_001).collect();
    for (body, name) in [
        (batch(&many), "too many"),
        (batch(&[]), "none"),
        (json!({}), "no payload"),
        (json!({ "payload": "nonsense" }), "no JSON"),
    ] {
        let answer = add(&sandbox, &body);
        assert_eq!((answer.status, code(&answer)), (400, (100, 0)), "{name}");
    }
    assert_eq!(add(&sandbox, &batch(&many[..10_000])).status, 200);
    assert_eq!(members(&sandbox), DIGESTS[1..]);
}

#[test]
fn a_session_is_a_row_of_batches() {
    let sandbox = start(config());
    create(&sandbox);
    create(&sandbox);
    let broken = (100, 1_870_158);
    let one = |index: usize| &DIGESTS[index..=index];
    assert_eq!(code(&add(&sandbox, &in_session(one(0), 5, 2, false))), broken, "no first batch");
    assert_eq!(code(&add(&sandbox, &in_session(one(0), 5, 1, false))), (0, 0));
    assert_eq!(code(&add(&sandbox, &in_session(one(0), 5, 1, false))), (0, 0), "again");
    assert_eq!(code(&add(&sandbox, &in_session(one(1), 5, 3, false))), broken, "a gap");
    assert_eq!(code(&add(&sandbox, &in_session(one(3), 5, 1, false))), (0, 0));
    assert_eq!(members(&sandbox), one(0), "a batch that was received is not carried out again");
    let other = format!("{}/users", FIRST + 1);
    let elsewhere = ask(&sandbox, "POST", &other, &in_session(one(0), 5, 2, false));
    assert_eq!(code(&elsewhere), broken, "another audience");
    let removal =
        ask(&sandbox, "DELETE", &format!("{FIRST}/users"), &in_session(one(0), 5, 2, true));
    assert_eq!(code(&removal), broken, "another kind of change");
    assert_eq!(code(&add(&sandbox, &in_session(one(1), 5, 2, true))), (0, 0));
    assert_eq!(code(&add(&sandbox, &in_session(one(1), 5, 2, true))), (0, 0), "the last again");
    assert_eq!(code(&add(&sandbox, &in_session(one(2), 5, 3, true))), broken, "after the last");
    assert_eq!(members(&sandbox), DIGESTS[..2]);

    assert_eq!(code(&add(&sandbox, &in_session(one(2), 6, 1, false))), (0, 0));
    sandbox.advance(Duration::from_mins(91));
    assert_eq!(code(&add(&sandbox, &in_session(one(3), 6, 2, true))), broken, "too late");
    assert_eq!(members(&sandbox), DIGESTS[..3], "what was received before stays");
}

#[test]
fn a_replacement_takes_the_place_of_all_members_at_once() {
    let sandbox = start(SandboxConfig { replace_time: Duration::from_hours(1), ..config() });
    create(&sandbox);
    add(&sandbox, &batch(&DIGESTS[..2]));
    let path = format!("{FIRST}/usersreplace");
    let replace = |body: &Value| ask(&sandbox, "POST", &path, body);
    assert_eq!(code(&replace(&batch(&DIGESTS[2..]))), (100, 0), "a session is needed");
    assert_eq!(code(&replace(&in_session(&DIGESTS[1..2], 8, 1, false))), (0, 0));
    assert_eq!(members(&sandbox), DIGESTS[..2], "nothing happens before the last batch");
    let busy = (2650, 1_870_147);
    assert_eq!(code(&add(&sandbox, &batch(&DIGESTS[3..]))), busy);
    assert_eq!(code(&replace(&in_session(&DIGESTS[1..2], 9, 1, false))), busy);
    assert_eq!(code(&replace(&in_session(&DIGESTS[2..], 8, 2, true))), (0, 0));
    assert_eq!(members(&sandbox), DIGESTS[1..]);
    assert_eq!(code(&replace(&in_session(&DIGESTS[2..], 8, 2, true))), (0, 0), "the last again");
    assert_eq!(code(&add(&sandbox, &batch(&DIGESTS[..1]))), busy, "it takes a while");
    let status = |sandbox: &Sandbox| {
        let path = format!("{FIRST}?fields=operation_status");
        ask(sandbox, "GET", &path, &json!(null)).json()["operation_status"]["code"].clone()
    };
    assert_eq!(status(&sandbox), 300);
    sandbox.advance(Duration::from_hours(1));
    assert_eq!(status(&sandbox), 200);
    assert_eq!(code(&add(&sandbox, &batch(&DIGESTS[..1]))), (0, 0));
    assert_eq!(members(&sandbox), DIGESTS);

    // One that does not end in time leaves everything as it was.
    assert_eq!(code(&replace(&in_session(&DIGESTS[..1], 10, 1, false))), (0, 0));
    sandbox.advance(Duration::from_mins(91));
    assert_eq!(code(&replace(&in_session(&DIGESTS[1..2], 10, 2, true))), (100, 1_870_158));
    assert_eq!(code(&add(&sandbox, &batch(&DIGESTS[..1]))), (0, 0), "it is free again");
    assert_eq!(code(&replace(&in_session(&DIGESTS[3..], 11, 1, true))), (0, 0));
    assert_eq!(members(&sandbox), DIGESTS[3..], "nothing of the broken one");
}

#[test]
fn calls_are_counted_and_refused_at_the_limit() {
    let sandbox = start(SandboxConfig { calls_per_hour: Some(4), ..config() });
    create(&sandbox);
    let usage = |answer: &Answer| {
        let header = answer.header("x-business-use-case-usage").unwrap();
        let usage: Value = serde_json::from_str(header).unwrap();
        usage["7"][0].clone()
    };
    for percent in [50, 75, 100] {
        let answer = add(&sandbox, &batch(&DIGESTS[..1]));
        assert_eq!((answer.status, usage(&answer)["call_count"].as_u64()), (200, Some(percent)));
    }
    let refused = add(&sandbox, &batch(&DIGESTS[1..]));
    assert_eq!(code(&refused), (80_003, 2_446_079));
    assert_eq!(usage(&refused)["type"], "custom_audience");
    let minutes = usage(&refused)["estimated_time_to_regain_access"].as_u64().unwrap();
    assert!((59..=60).contains(&minutes), "{minutes}");
    assert_eq!(members(&sandbox), DIGESTS[..1], "it is really refused");
    sandbox.advance(Duration::from_mins(minutes));
    assert_eq!(usage(&add(&sandbox, &batch(&DIGESTS[1..])))["call_count"], 25);
}

#[test]
fn a_flagged_audience_does_not_change() {
    let sandbox = start(SandboxConfig { flagged: vec![FIRST], ..config() });
    create(&sandbox);
    let answer = add(&sandbox, &batch(&DIGESTS));
    assert_eq!((answer.status, code(&answer)), (400, (100, 1_713_230)));
    let details = ask(&sandbox, "GET", &format!("{FIRST}?fields=operation_status"), &json!(null));
    assert_eq!(details.json()["operation_status"]["code"], 471);
    sandbox.set_flagged(FIRST, false);
    assert_eq!(add(&sandbox, &batch(&DIGESTS)).status, 200);
}

#[test]
fn faults_answer_as_meta_does() {
    let sandbox = start(config());
    create(&sandbox);
    for (fault, status, codes, is_transient) in [
        ("code=1", 500, (1, 0), true),
        ("code=2,status=200", 200, (2, 0), true),
        ("code=4", 403, (4, 0), false),
        ("code=17,subcode=2446079", 400, (17, 2_446_079), false),
        ("code=190", 400, (190, 0), false),
        ("code=200", 403, (200, 0), false),
        ("code=368,transient", 400, (368, 0), true),
        ("code=2655", 400, (2655, 0), false),
        ("status=503", 503, (2, 0), true),
        ("status=429", 429, (4, 0), false),
    ] {
        sandbox.push_fault(format!("add,{fault}").parse().unwrap());
        let answer = add(&sandbox, &batch(&DIGESTS));
        assert_eq!((answer.status, code(&answer)), (status, codes), "{fault}");
        assert_eq!(answer.json()["error"]["is_transient"] == true, is_transient, "{fault}");
        sandbox.clear_faults();
    }
    assert!(members(&sandbox).is_empty());
    sandbox.push_fault("add,code=80003,regain_access=7".parse().unwrap());
    let usage = add(&sandbox, &batch(&DIGESTS));
    let usage = usage.header("x-business-use-case-usage").unwrap();
    assert!(usage.contains(r#""estimated_time_to_regain_access":7"#), "{usage}");
    sandbox.clear_faults();
    sandbox.push_fault("add,nth=1,invalid=3".parse().unwrap());
    assert_eq!(add(&sandbox, &batch(&DIGESTS)).json()["num_invalid_entries"], 3);
    assert_eq!(members(&sandbox), DIGESTS[3..]);
    sandbox.push_fault("remove,when=after,cut".parse().unwrap());
    let removal = request(&sandbox, "DELETE", &format!("{FIRST}/users"), &batch(&DIGESTS));
    assert!(removal.send(&sandbox).is_none());
    assert!(members(&sandbox).is_empty(), "the effect is there");
    sandbox.push_fault("replace,html".parse().unwrap());
    let body = in_session(&DIGESTS, 3, 1, true);
    assert!(ask(&sandbox, "POST", &format!("{FIRST}/usersreplace"), &body).body.contains("html"));
}

#[test]
fn audiences_members_and_sessions_outlive_the_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let kept = || SandboxConfig { data_dir: Some(dir.path().to_owned()), ..config() };
    let sandbox = start(kept());
    create(&sandbox);
    add(&sandbox, &in_session(&DIGESTS[..1], 5, 1, false));
    drop(sandbox);
    let first = SandboxConfig { platform: Platform::PitchTarget, ..kept() };
    assert!(start(first).audiences().unwrap().is_empty(), "each platform has its own");
    let sandbox = start(kept());
    assert_eq!(code(&add(&sandbox, &in_session(&DIGESTS[1..2], 5, 2, true))), (0, 0));
    assert_eq!(members(&sandbox), DIGESTS[..2]);
    assert_eq!(create(&sandbox), FIRST + 1);
}
