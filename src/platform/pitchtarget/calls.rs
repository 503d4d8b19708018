//! The calls of the Audiences API, and what its refusals mean.

use super::{
    CREATE_PATH, CustomAudience, ENDPOINT, FacebookAudience, Form, ListPage, ListedAudience,
    MultipartBody, Revision,
};
use crate::platform::transport::{Body, Request, boundary};
use crate::platform::{
    Accepted, Audience, Call, Capabilities, Entries, Failure, FailureKind, Id, NewAudience,
    Outcome, Recipient, Refusal, Reply, Transport,
};

/// Most pages of a list that are asked for.
const PAGES_MAX: u64 = 10_000;

/// What it can do.
pub(in crate::platform) const CAPABILITIES: Capabilities = Capabilities {
    endpoint: ENDPOINT,
    can_remove: false,
    creates_with_entries: true,
    batch_entries_max: None,
    usable_entries_min: None,
    takes_app_secret: false,
    keeps_connections: false,
    authorization: "OAuth",
    headers: &[],
};

/// Makes an audience of a part.
pub(in crate::platform) fn create(
    wire: &dyn Transport,
    new: &NewAudience,
    entries: Option<Entries<'_>>,
) -> Outcome<Accepted> {
    let form = Form::create(
        new.ad_account.as_str(),
        &new.name,
        new.user_type,
        new.description.as_deref(),
        new.opt_out_link.as_deref(),
    );
    let Some(entries) = entries else {
        let why = "an audience is created by its first part".to_owned();
        return Err(Failure::new(Call::Create, FailureKind::Refused, why));
    };
    send(wire, (Call::Create, "POST"), CREATE_PATH.to_owned(), &form, entries)
}

/// Adds a part to an audience.
pub(in crate::platform) fn add(
    wire: &dyn Transport,
    to: &Recipient,
    entries: Entries<'_>,
) -> Outcome<Accepted> {
    let form = Form::add(to.ad_account.as_str(), to.user_type);
    send(wire, (Call::Add, "PUT"), path_of(&to.audience), &form, entries)
}

/// That nobody can be taken out of an audience.
pub(in crate::platform) fn cannot_remove() -> Failure {
    let why = "it cannot take anybody out of an audience".to_owned();
    Failure { was_sent: false, ..Failure::new(Call::Remove, FailureKind::Refused, why) }
}

fn send(
    wire: &dyn Transport,
    (call, method): (Call, &'static str),
    path: String,
    form: &Form,
    entries: Entries<'_>,
) -> Outcome<Accepted> {
    let boundary = boundary().map_err(|error| Failure {
        was_sent: false,
        ..Failure::new(call, FailureKind::Refused, error.to_string())
    })?;
    let mut body = form.body(entries.lines, entries.file, entries.bytes, &boundary);
    let request =
        Request { call, method, path, body: Some(&mut body), asks_first: true, ad_account: None };
    let reply = wire.send(request)?;
    let CustomAudience { id, fb_id, user_type, .. } = reply.read(CustomAudience::from_json)?;
    Ok(Accepted { fb_id, user_type, ..Accepted::of(id) })
}

fn path_of(id: &Id) -> String {
    format!("{CREATE_PATH}/{id}")
}

/// All audiences of an ad account. Which revision the server follows is found out.
pub(in crate::platform) fn list(wire: &dyn Transport, ad_account: &Id) -> Outcome<Vec<Audience>> {
    let path =
        |revision: Revision| format!("{}?fb_ad_account_id={ad_account}", revision.list_path());
    match get(wire, Call::List, path(Revision::A)) {
        Err(failure) if failure.kind == FailureKind::NotFound => {}
        reply => {
            let audiences = reply?.read(ListPage::from_json)?.audiences;
            return Ok(audiences.into_iter().map(Audience::from).collect());
        }
    }
    let mut audiences = Vec::new();
    for page in 1..=PAGES_MAX {
        let reply = get(wire, Call::List, format!("{}&page={page}", path(Revision::B)))?;
        let ListPage { audiences: found, total } = reply.read(ListPage::from_json)?;
        let is_last = found.is_empty();
        audiences.extend(found.into_iter().map(Audience::from));
        if is_last || total.is_none_or(|total| audiences.len() as u64 >= total) {
            break;
        }
    }
    Ok(audiences)
}

/// One audience: by Facebook's number in revision A, by the vendor's in revision B.
pub(in crate::platform) fn details(wire: &dyn Transport, id: &Id) -> Outcome<Audience> {
    let path = |revision: Revision| format!("{}/{id}", revision.list_path());
    let reply = match get(wire, Call::Details, path(Revision::A)) {
        Err(failure) if failure.kind == FailureKind::NotFound => {
            get(wire, Call::Details, path(Revision::B))?
        }
        reply => reply?,
    };
    reply.read(ListedAudience::from_json).map(Audience::from)
}

/// Deletes an audience.
pub(in crate::platform) fn delete(wire: &dyn Transport, id: &Id) -> Outcome<()> {
    wire.send(Request::bare(Call::Delete, "DELETE", path_of(id))).map(drop)
}

fn get(wire: &dyn Transport, call: Call, path: String) -> Outcome<Reply> {
    wire.send(Request::bare(call, "GET", path))
}

/// What a status means. The contract says nothing of errors, so these are the usual meanings; that the terms are not
/// accepted is told by the text alone.
pub(in crate::platform) fn refusal(reply: &Reply, said: &str) -> Option<Refusal> {
    if reply.is_success() {
        return None;
    }
    let said = said.to_ascii_lowercase();
    if reply.is_client_error() && said.contains("terms") && said.contains("custom audience") {
        return Some(FailureKind::Terms.into());
    }
    let kind = match reply.status {
        401 | 403 => FailureKind::Credentials,
        404 | 410 => FailureKind::NotFound,
        413 => FailureKind::TooLarge,
        400 | 422 => FailureKind::BadField,
        429 => FailureKind::RateLimited,
        408 | 425 | 500..=599 => FailureKind::Busy,
        407 => FailureKind::Unreachable,
        _ => FailureKind::Refused,
    };
    Some(kind.into())
}

impl<R: std::io::Read> Body for MultipartBody<R> {
    fn content_type(&self) -> &str {
        self.content_type()
    }

    fn content_length(&self) -> u64 {
        self.content_length()
    }

    fn is_complete(&self) -> bool {
        self.is_complete()
    }
}

impl From<ListedAudience> for Audience {
    fn from(listed: ListedAudience) -> Self {
        match listed {
            ListedAudience::Facebook(FacebookAudience {
                id,
                name,
                description,
                approximate_count,
                status,
                run_status,
                subtype,
                time_updated,
                ..
            }) => Self {
                id: None,
                fb_id: Some(id),
                name,
                description,
                approximate_count,
                status,
                run_status,
                subtype,
                opt_out_link: None,
                time_updated,
            },
            ListedAudience::Vendor(CustomAudience {
                id,
                fb_id,
                name,
                description,
                opt_out_link,
                subtype,
                ..
            }) => Self {
                id: Some(id),
                fb_id,
                name,
                description,
                subtype,
                opt_out_link,
                ..Self::default()
            },
        }
    }
}
