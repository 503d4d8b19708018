//! Answers that are no success though their status says so: the client must understand none of them.

use throng::api::{CustomAudience, ListPage, ListedAudience};
use throng::sandbox::{Revision, Sandbox, SandboxConfig};

use crate::support::http::Request;

const FIELDS: [(&str, &str); 4] =
    [("fb_ad_account_id", "7"), ("user_type", "fbid"), ("name", "x"), ("file", "1\n2\n")];

fn create(sandbox: &Sandbox) -> Request {
    Request::new(sandbox, "POST", "/custom_audiences").form(&FIELDS)
}

/// Whether any of the readers for the call's answer takes it.
fn is_understood(call: &str, body: &[u8]) -> bool {
    match call {
        "list" => ListPage::from_json(body).is_ok(),
        "details" => ListedAudience::from_json(body).is_ok(),
        _ => CustomAudience::from_json(body).is_ok(),
    }
}

fn request(sandbox: &Sandbox, revision: Revision, call: &str) -> Request {
    let (list, details) = match revision {
        Revision::A => ("/customaudiences", "/customaudiences/6017382038943"),
        Revision::B => ("/custom_audiences", "/custom_audiences/59"),
    };
    let list = format!("{list}?fb_ad_account_id=7");
    match call {
        "create" => create(sandbox),
        "add" => Request::new(sandbox, "PUT", "/custom_audiences/59").form(&FIELDS),
        "list" => Request::new(sandbox, "GET", &list),
        "details" => Request::new(sandbox, "GET", details),
        "delete" => Request::new(sandbox, "DELETE", "/custom_audiences/59"),
        _ => panic!("no call"),
    }
}

#[test]
fn success_with_nonsense_is_understood_by_nobody() {
    for revision in Revision::ALL {
        for call in ["create", "add", "list", "details", "delete"] {
            for nonsense in ["html", "wrong_json", "truncated", "no_id"] {
                for when in ["head", "before", "after"] {
                    nonsense_is_not_understood(revision, call, nonsense, when);
                }
            }
        }
    }
}

fn nonsense_is_not_understood(revision: Revision, call: &str, nonsense: &str, when: &str) {
    let sandbox = Sandbox::start(SandboxConfig { revision, ..SandboxConfig::default() }).unwrap();
    create(&sandbox).answer(&sandbox);
    let fault = format!("{call},{nonsense},when={when}");
    sandbox.push_fault(fault.parse().unwrap());
    let answer = request(&sandbox, revision, call).answer(&sandbox);
    assert!((200..300).contains(&answer.status), "{fault}: {answer:?}");
    assert!(!is_understood(call, answer.body.as_bytes()), "{fault}: {answer:?}");
    let expected = match (call, when) {
        ("create", "after") => 2,
        ("delete", "after") => 0,
        _ => 1,
    };
    assert_eq!(sandbox.audiences().unwrap().len(), expected, "{fault}");
}
