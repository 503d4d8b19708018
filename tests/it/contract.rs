//! The samples in `fixtures/api` hold both sides: what throng reads and sends, and what the sandbox takes and answers.

use std::collections::BTreeSet;
use std::fs;

#[cfg(feature = "sandbox")]
use serde_json::Value;
use throng::api::{CustomAudience, FacebookAudience, Form, Id, ListPage, ListedAudience, Revision};
use throng::normalize::UserType;

use crate::support::fixture;

const ID: u64 = 59;
const FB_ID: u64 = 6_017_382_038_943;
const REVISIONS: [Revision; 2] = [Revision::A, Revision::B];

fn folder(revision: Revision) -> &'static str {
    match revision {
        Revision::A => "a",
        Revision::B => "b",
    }
}

fn sample(revision: Revision, name: &str) -> Vec<u8> {
    let path = fixture("api").join(folder(revision)).join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[cfg(feature = "sandbox")]
fn json_sample(revision: Revision, name: &str) -> Value {
    serde_json::from_slice(&sample(revision, name)).unwrap()
}

/// The audience that the samples are about, as the vendor has it.
fn vendor(revision: Revision) -> CustomAudience {
    CustomAudience {
        id: ID.into(),
        name: "Newsletter \u{e9}t\u{e9}".to_owned(),
        description: Some("Everybody who has ordered".to_owned()),
        opt_out_link: Some("https://www.example.com/opt-out?a=1&b=2".to_owned()),
        user_type: (revision == Revision::A).then(|| "email_hash".to_owned()),
        subtype: (revision == Revision::B).then(|| "CUSTOM".to_owned()),
        fb_id: Some(FB_ID.into()),
    }
}

/// The same, as Facebook has it.
fn facebook() -> FacebookAudience {
    FacebookAudience {
        id: FB_ID.into(),
        account_id: Some(1_284_726.into()),
        name: vendor(Revision::A).name,
        description: vendor(Revision::A).description,
        approximate_count: Some(4),
        status: Some("Normal".to_owned()),
        run_status: Some("Normal".to_owned()),
        subtype: Some("CUSTOM".to_owned()),
        time_updated: Some(1_409_041_246),
    }
}

#[test]
fn answers_with_one_audience() {
    for revision in REVISIONS {
        let pending = CustomAudience { fb_id: None, ..vendor(revision) };
        let mut samples = vec![
            ("create.json", vendor(revision)),
            ("create_pending.json", pending),
            ("add.json", vendor(revision)),
        ];
        if revision == Revision::A {
            samples.push(("delete.json", vendor(revision)));
        }
        for (name, audience) in samples {
            let read = CustomAudience::from_json(&sample(revision, name));
            assert_eq!(read.as_ref(), Ok(&audience), "{revision:?} {name}");
        }
    }
}

#[test]
fn answers_to_details() {
    let read = ListedAudience::from_json(&sample(Revision::A, "details.json")).unwrap();
    assert_eq!(read, ListedAudience::Facebook(facebook()));
    let read = ListedAudience::from_json(&sample(Revision::B, "details.json")).unwrap();
    assert_eq!(read, ListedAudience::Vendor(vendor(Revision::B)));
}

#[test]
fn answers_to_list() {
    let page = ListPage::from_json(&sample(Revision::A, "list.json")).unwrap();
    assert_eq!(page.audiences, [ListedAudience::Facebook(facebook())]);
    assert_eq!(page.total, None);

    let page = ListPage::from_json(&sample(Revision::B, "list.json")).unwrap();
    assert_eq!(page.audiences, [ListedAudience::Vendor(vendor(Revision::B))]);
    assert_eq!(page.total, Some(1));
}

#[test]
fn lookalikes_and_bare_audiences_are_read() {
    let page = ListPage::from_json(&sample(Revision::A, "list_lookalike.json")).unwrap();
    let [ListedAudience::Facebook(lookalike), ListedAudience::Facebook(bare)] =
        page.audiences.as_slice()
    else {
        panic!("two of Facebook's: {page:?}")
    };
    assert_eq!(lookalike.id, Id::from(6_017_382_039_101));
    assert_eq!(lookalike.approximate_count, Some(1_500_000));
    assert_eq!(lookalike.subtype.as_deref(), Some("LOOKALIKE"));
    assert_eq!((bare.name.as_str(), bare.account_id.as_ref()), ("Of another tool", None));

    let page = ListPage::from_json(&sample(Revision::B, "list_lookalike.json")).unwrap();
    let ids: Vec<_> = page.audiences.iter().map(|each| (each.id(), each.fb_id())).collect();
    assert_eq!(ids[0], (Some(&Id::from(60)), None));
    assert_eq!(ids[1], (Some(&Id::from(58)), Some(&Id::from(6_017_382_038_901))));
    assert_eq!(page.total, Some(12));
}

/// The parts of a request's form.
fn parts(request: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8(request.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let boundary = head.split_once("boundary=").unwrap().1.lines().next().unwrap();
    let delimiter = format!("--{boundary}");
    let parts = body.split(&delimiter).map(|part| part.trim_matches(['\r', '\n', '-']));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// What throng sends instead of a sample.
fn sent(form: &Form, file: &[u8]) -> BTreeSet<String> {
    use std::io::Read;
    let mut body = form.body(file, "email_hash-00001.txt", file.len() as u64, "xyz");
    let mut bytes = format!("{}\r\n\r\n", body.content_type()).into_bytes();
    body.read_to_end(&mut bytes).unwrap();
    parts(&bytes)
}

#[test]
fn forms_hold_all_that_either_revision_asks_for() {
    for revision in REVISIONS {
        let vendor = vendor(revision);
        let create = Form::create(
            "1284726",
            &vendor.name,
            UserType::EmailHash,
            vendor.description.as_deref(),
            vendor.opt_out_link.as_deref(),
        );
        for (name, form) in
            [("create.http", create), ("add.http", Form::add("1284726", UserType::EmailHash))]
        {
            let sample = parts(&sample(revision, name));
            let file = sample.iter().find(|part| part.contains("text/plain")).unwrap();
            let (_, file) = file.split_once("\r\n\r\n").unwrap();
            let sent = sent(&form, file.as_bytes());
            assert!(sample.is_subset(&sent), "{revision:?} {name}: {sample:?} {sent:?}");
        }
    }
}

/// What differs from one time to the next.
#[cfg(feature = "sandbox")]
fn without_time(mut answer: Value) -> Value {
    let objects = match &mut answer {
        Value::Array(audiences) => audiences.iter_mut().collect(),
        other => vec![other],
    };
    for object in objects {
        if let Some(time) = object.get_mut("time_updated") {
            *time = Value::Null;
        }
    }
    answer
}

/// A sandbox of the revision that the samples are of.
#[cfg(feature = "sandbox")]
fn sandbox(revision: Revision, fb_id_after: u32) -> throng::sandbox::Sandbox {
    use throng::sandbox::{Revision as Followed, Sandbox, SandboxConfig};

    let revision = match revision {
        Revision::A => Followed::A,
        Revision::B => Followed::B,
    };
    Sandbox::start(SandboxConfig { revision, fb_id_after, ..Default::default() }).unwrap()
}

#[cfg(feature = "sandbox")]
#[test]
fn the_sandbox_takes_the_requests_and_gives_the_answers() {
    for (revision, created, deleted) in [(Revision::A, 200, 200), (Revision::B, 201, 204)] {
        let sandbox = sandbox(revision, 0);
        for (call, status) in [
            ("create", created),
            ("add", 200),
            ("list", 200),
            ("details", 200),
            ("delete", deleted),
        ] {
            let request = sample(revision, &format!("{call}.http"));
            let answer = crate::support::http::exchange(&sandbox, &request).unwrap();
            assert_eq!(answer.status, status, "{revision:?} {call}: {answer:?}");
            if status == 204 {
                assert_eq!(answer.body, "");
                continue;
            }
            let expected = without_time(json_sample(revision, &format!("{call}.json")));
            assert_eq!(without_time(answer.json()), expected, "{revision:?} {call}");
        }
        let added: Vec<u64> = sandbox.exchanges().iter().map(|each| each.members_added).collect();
        assert_eq!(added, [3, 1, 0, 0, 0]);
    }
}

#[cfg(feature = "sandbox")]
#[test]
fn the_sandbox_says_null_while_facebook_has_not_answered() {
    for revision in REVISIONS {
        let sandbox = sandbox(revision, 1);
        let request = sample(revision, "create.http");
        let answer = crate::support::http::exchange(&sandbox, &request).unwrap();
        assert_eq!(answer.json(), json_sample(revision, "create_pending.json"));
    }
}
