//! The calls of the Marketing API.

use serde_json::{Map, Value};

use super::payload::{self, Form};
use super::{VERSION, usage};
use crate::platform::transport::{ContractError, Request};
use crate::platform::{
    Accepted, Audience, Call, Entries, Failure, FailureKind, Id, NewAudience, Outcome, Recipient,
    Transport,
};

/// What is asked of an audience.
const FIELDS: &str = "id,name,description,subtype,approximate_count_lower_bound,\
     approximate_count_upper_bound,delivery_status,operation_status,time_updated";

/// Audiences of a page.
const PAGE: u32 = 100;

/// Most pages of a list that are asked for.
const PAGES_MAX: u32 = 10_000;

/// `operation_status` of an audience that is flagged.
const FLAGGED: u64 = 471;

/// Creates an audience, which is empty.
pub(in crate::platform) fn create(wire: &dyn Transport, new: &NewAudience) -> Outcome<Accepted> {
    let call = Call::Create;
    let mut form = form(call)?
        .field("name", &new.name)
        .field("subtype", "CUSTOM")
        .field("customer_file_source", new.customer_file_source.wire_name());
    for (name, value) in [("description", &new.description), ("opt_out_link", &new.opt_out_link)] {
        form = value.iter().fold(form, |form, value| form.field(name, value));
    }
    let mut form = form.end();
    let path = format!("/{VERSION}/act_{}/customaudiences", new.ad_account);
    let request = Request {
        call,
        method: "POST",
        path,
        body: Some(&mut form),
        asks_first: false,
        ad_account: Some(new.ad_account.clone()),
    };
    let id = wire.send(request)?.read(|body| {
        let object = object(body)?;
        id(&object, "id").ok_or(ContractError("an audience without `id`"))
    })?;
    Ok(Accepted::of(id))
}

/// Adds a batch to an audience.
pub(in crate::platform) fn add(
    wire: &dyn Transport,
    to: &Recipient,
    entries: Entries<'_>,
) -> Outcome<Accepted> {
    change(wire, (Call::Add, "POST"), to, entries)
}

/// Removes a batch from an audience.
pub(in crate::platform) fn remove(
    wire: &dyn Transport,
    from: &Recipient,
    entries: Entries<'_>,
) -> Outcome<Accepted> {
    change(wire, (Call::Remove, "DELETE"), from, entries)
}

fn change(
    wire: &dyn Transport,
    (call, method): (Call, &'static str),
    recipient: &Recipient,
    mut entries: Entries<'_>,
) -> Outcome<Accepted> {
    let unsent = |why: &str| Failure {
        was_sent: false,
        ..Failure::new(call, FailureKind::Refused, why.to_owned())
    };
    let Some(schema) = super::type_name(recipient.user_type) else {
        return Err(unsent("it does not take entries of this type"));
    };
    let (sent, session) = (entries.count, entries.place.map(|place| place.session));
    let mut form = form(call)?;
    if let Some(place) = &entries.place {
        form = form.field("session", &payload::session(place));
    }
    let form = form.payload(recipient.user_type, schema, &mut entries);
    let mut form = form.map_err(|error| wire.unreadable(call, &error))?.end();
    let path = format!("/{VERSION}/{}/users", recipient.audience);
    let request = Request {
        call,
        method,
        path,
        body: Some(&mut form),
        asks_first: false,
        ad_account: Some(recipient.ad_account.clone()),
    };
    let reply = wire.send(request)?;
    let mut accepted = reply.read(|body| accepted(body, sent, session))?;
    accepted.limits = usage::limits(&reply);
    Ok(accepted)
}

/// The answer to a batch of so many entries, of a session if there is one. It tells of these or of the whole session, so
/// never of fewer, and never of another session.
fn accepted(body: &[u8], sent: u64, session: Option<i64>) -> Result<Accepted, ContractError> {
    let object = object(body)?;
    let number = |name: &str| object.get(name).and_then(Value::as_u64);
    let audience = id(&object, "audience_id").ok_or(ContractError("no `audience_id`"))?;
    let received = number("num_received").ok_or(ContractError("no `num_received`"))?;
    let invalid = number("num_invalid_entries").ok_or(ContractError("no `num_invalid_entries`"))?;
    let told = object.get("session_id").filter(|told| !told.is_null());
    let is_same = |told: &Value| match (told, session) {
        (_, None) => true,
        (Value::String(told), Some(session)) => *told == session.to_string(),
        (told, Some(session)) => told.as_i64() == Some(session),
    };
    if told.is_some_and(|told| !is_same(told)) {
        return Err(ContractError("another session than that of the request in `session_id`"));
    }
    if received < sent {
        return Err(ContractError("fewer entries than were sent in `num_received`"));
    }
    Ok(Accepted { received, invalid, ..Accepted::of(audience) })
}

/// All audiences of an ad account.
pub(in crate::platform) fn list(wire: &dyn Transport, ad_account: &Id) -> Outcome<Vec<Audience>> {
    let account = || Some(ad_account.clone());
    let first = format!("/{VERSION}/act_{ad_account}/customaudiences?fields={FIELDS}&limit={PAGE}");
    let mut audiences = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let path = match &after {
            Some(after) => format!("{first}&after={}", escaped(after)),
            None => first.clone(),
        };
        let request = Request { ad_account: account(), ..Request::bare(Call::List, "GET", path) };
        let (found, next) = wire.send(request)?.read(page)?;
        audiences.extend(found);
        if next.is_none() || next == after {
            break;
        }
        after = next;
    }
    Ok(audiences)
}

/// A page of a list, and the cursor of the next one, if there is one.
fn page(body: &[u8]) -> Result<(Vec<Audience>, Option<String>), ContractError> {
    let object = object(body)?;
    let data = object.get("data").and_then(Value::as_array).ok_or(ContractError("no `data`"))?;
    let audiences = data.iter().map(audience).collect::<Result<_, _>>()?;
    let paging = object.get("paging");
    let has_next = paging.and_then(|paging| paging.get("next")).is_some_and(Value::is_string);
    let after = paging.and_then(|paging| paging.pointer("/cursors/after"));
    let after = after.and_then(Value::as_str).map(str::to_owned);
    match (has_next, after) {
        (true, None) => Err(ContractError("a next page without a cursor")),
        (true, after) => Ok((audiences, after)),
        (false, _) => Ok((audiences, None)),
    }
}

/// One audience.
pub(in crate::platform) fn details(wire: &dyn Transport, id: &Id) -> Outcome<Audience> {
    let path = format!("/{VERSION}/{id}?fields={FIELDS}");
    let reply = wire.send(Request::bare(Call::Details, "GET", path))?;
    reply
        .read(|body| audience(&serde_json::from_slice(body).map_err(|_| ContractError("no JSON"))?))
}

/// Deletes an audience.
pub(in crate::platform) fn delete(wire: &dyn Transport, id: &Id) -> Outcome<()> {
    let request = Request::bare(Call::Delete, "DELETE", format!("/{VERSION}/{id}"));
    wire.send(request)?.read(|body| match object(body)?.get("success") {
        Some(Value::Bool(true)) => Ok(()),
        _ => Err(ContractError("no `success`")),
    })
}

fn form(call: Call) -> Outcome<Form> {
    Form::new().map_err(|error| Failure {
        was_sent: false,
        ..Failure::new(call, FailureKind::Refused, error.to_string())
    })
}

fn object(body: &[u8]) -> Result<Map<String, Value>, ContractError> {
    serde_json::from_slice(body).map_err(|_| ContractError("no JSON object"))
}

fn id(object: &Map<String, Value>, name: &str) -> Option<Id> {
    Id::from_json(object.get(name)?)
}

/// An audience; what is not asked of it or of another type is as good as missing.
fn audience(value: &Value) -> Result<Audience, ContractError> {
    let object = value.as_object().ok_or(ContractError("an audience that is no object"))?;
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let status = |name: &str| {
        let description = object.get(name)?.get("description")?.as_str()?;
        Some(description.to_owned())
    };
    let operation = object.get("operation_status");
    let code = operation.and_then(|of| of.get("code")).and_then(Value::as_u64);
    let flagged = (code == Some(FLAGGED)).then(|| "flagged: appeal in Audience Manager".to_owned());
    Ok(Audience {
        id: Some(id(object, "id").ok_or(ContractError("an audience without `id`"))?),
        fb_id: None,
        name: text("name").unwrap_or_default(),
        description: text("description"),
        // -1 if it is not known.
        approximate_count: object.get("approximate_count_lower_bound").and_then(Value::as_u64),
        status: flagged.or_else(|| status("delivery_status")),
        run_status: status("operation_status"),
        subtype: text("subtype"),
        opt_out_link: None,
        time_updated: object.get("time_updated").and_then(Value::as_i64),
    })
}

/// A cursor within an address.
fn escaped(cursor: &str) -> String {
    let byte = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    cursor.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;

    use super::*;
    use crate::platform::{CustomerFileSource, Place, Reply};
    use crate::user_type::UserType;

    /// A server that answers one after the other, and remembers what it was asked.
    #[derive(Default)]
    struct Scripted {
        answers: RefCell<Vec<&'static str>>,
        asked: RefCell<Vec<(String, String)>>,
    }

    impl Transport for Scripted {
        fn send(&self, request: Request<'_>) -> Outcome<Reply> {
            let mut text = String::new();
            if let Some(body) = request.body {
                body.read_to_string(&mut text).expect("text");
            }
            self.asked.borrow_mut().push((format!("{} {}", request.method, request.path), text));
            let body = self.answers.borrow_mut().remove(0).as_bytes().to_vec();
            Ok(Reply {
                call: request.call,
                status: 200,
                body,
                headers: Vec::new(),
                ad_account: None,
            })
        }

        fn unreadable(&self, call: Call, error: &io::Error) -> Failure {
            Failure::new(call, FailureKind::PartChanged, error.to_string())
        }
    }

    fn scripted(answers: &[&'static str]) -> Scripted {
        Scripted { answers: RefCell::new(answers.to_vec()), asked: RefCell::default() }
    }

    #[test]
    fn requests_are_those_of_the_reference() {
        let wire = scripted(&[
            r#"{"id": "6017382038943"}"#,
            r#"{"audience_id": "6017382038943", "session_id": "9", "num_received": 2, "num_invalid_entries": 1}"#,
            r#"{"audience_id": 6017382038943, "session_id": 9, "num_received": 2, "num_invalid_entries": 0}"#,
            r#"{"success": true}"#,
        ]);
        let new = NewAudience {
            ad_account: 7.into(),
            user_type: UserType::PhoneHash,
            name: "News".to_owned(),
            description: Some("d".to_owned()),
            opt_out_link: None,
            customer_file_source: CustomerFileSource::default(),
        };
        let created = create(&wire, &new).expect("creates");
        let to = Recipient {
            audience: created.id.clone(),
            ad_account: 7.into(),
            user_type: UserType::PhoneHash,
        };
        let place = Some(Place { session: 9, number: 1, is_last: true, total: 2 });
        let mut invalid = Vec::new();
        for change in [add, remove] {
            let mut lines = &b"aa\nbb\n"[..];
            let entries = Entries { file: "x", bytes: 6, count: 2, lines: &mut lines, place };
            invalid.push(change(&wire, &to, entries).expect("takes them").invalid);
        }
        assert_eq!(invalid, [1, 0]);
        delete(&wire, &created.id).expect("deletes");
        let asked = wire.asked.borrow();
        let lines: Vec<&str> = asked.iter().map(|(line, _)| &**line).collect();
        assert_eq!(
            lines,
            [
                "POST /v25.0/act_7/customaudiences",
                "POST /v25.0/6017382038943/users",
                "DELETE /v25.0/6017382038943/users",
                "DELETE /v25.0/6017382038943",
            ]
        );
        for said in ["\"name\"\r\n\r\nNews\r\n", "CUSTOM", "USER_PROVIDED_ONLY", "\r\n\r\nd\r\n"] {
            assert!(asked[0].1.contains(said), "{said}: {}", asked[0].1);
        }
        for (_, body) in &asked[1..3] {
            assert!(body.contains(r#"{"schema":"PHONE_SHA256","data":["aa","bb"]}"#), "{body}");
            assert!(body.contains("\"batch_seq\":1"), "{body}");
        }
    }

    #[test]
    fn a_list_is_followed_by_its_cursors() {
        let wire = scripted(&[
            r#"{"data": [{"id": "1", "name": "a", "operation_status": {"code": 471, "description": "x"}}],
                "paging": {"cursors": {"after": "A=/"}, "next": "https://graph.facebook.com/x"}}"#,
            r#"{"data": [{"id": "2", "description": "[throng 1]", "approximate_count_lower_bound": -1}],
                "paging": {"cursors": {"after": "B"}}}"#,
        ]);
        let audiences = list(&wire, &7.into()).expect("lists");
        assert_eq!(audiences.len(), 2);
        assert!(audiences[0].status.as_deref().is_some_and(|status| status.contains("flagged")));
        assert_eq!(audiences[1].approximate_count, None);
        assert!(wire.asked.borrow()[1].0.ends_with("&after=A%3D%2F"));
        let endless = scripted(&[r#"{"data": [], "paging": {"next": "x"}}"#]);
        assert_eq!(list(&endless, &7.into()).expect_err("fails").kind, FailureKind::Nonsense);
    }

    #[test]
    fn an_answer_without_what_is_needed_is_no_success() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"audience_id": "1"}"#,
            r#"{"audience_id": "x", "num_received": 1}"#,
        ] {
            assert!(accepted(body.as_bytes(), 0, None).is_err(), "{body}");
            assert!(page(body.as_bytes()).is_err(), "{body}");
        }
        let short = br#"{"audience_id": "1", "num_received": 1, "num_invalid_entries": 0}"#;
        assert!(accepted(short, 1, None).is_ok() && accepted(short, 2, None).is_err());
        for (told, is_ok) in [
            ("9", true),
            ("\"9\"", true),
            ("8", false),
            ("\"8\"", false),
            ("[]", false),
            ("null", true),
        ] {
            let body = format!(
                r#"{{"audience_id": "1", "session_id": {told}, "num_received": 1, "num_invalid_entries": 0}}"#
            );
            assert_eq!(accepted(body.as_bytes(), 1, Some(9)).is_ok(), is_ok, "{told}");
        }
        for body in ["", "{}", r#"{"success": false}"#] {
            let deleted =
                delete(&scripted(&[Box::leak(body.to_owned().into_boxed_str())]), &1.into());
            assert_eq!(deleted.expect_err("fails").kind, FailureKind::Nonsense, "{body}");
        }
    }

    #[test]
    fn users_of_facebook_are_not_taken() {
        let to = Recipient { audience: 1.into(), ad_account: 7.into(), user_type: UserType::Fbid };
        let entries =
            Entries { file: "x", bytes: 0, count: 0, lines: &mut io::empty(), place: None };
        let refused = add(&scripted(&[]), &to, entries).expect_err("refuses");
        assert!(!refused.was_sent);
    }
}
