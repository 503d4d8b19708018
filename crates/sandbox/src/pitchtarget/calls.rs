//! The calls of the API, once a request is there as a whole.

use axum::body::Body;
use axum::extract::Query;
use axum::http::{Response, StatusCode, Uri};
use serde::Deserialize;
use serde_json::Value;

use super::form::ReceivedForm;
use super::refusal::Refusal;
use super::wire::{self, Revision};
use crate::answer::json_response;
use crate::fault::Call;
use crate::service::{Service, lock};
use crate::store::{Audience, Key, Store, number};

/// An answer, and what it did to members.
pub(super) struct Done {
    pub(super) response: Response<Body>,
    pub(super) members_added: u64,
}

/// Carries out a call.
pub(super) fn perform(
    service: &Service,
    call: Call,
    uri: &Uri,
    form: Option<ReceivedForm>,
) -> Result<Done, Refusal> {
    let revision = service.config.revision;
    let (response, members_added) = match (call, form) {
        (Call::Create, Some(form)) => {
            let (body, added) = create(service, form)?;
            (json_response(revision.created_status(), &body), added)
        }
        (Call::Add, Some(form)) => {
            let (body, added) = add(service, uri, form)?;
            (json_response(200, &body), added)
        }
        (Call::List, _) => (json_response(200, &list(service, uri)?), 0),
        (Call::Details, _) => (json_response(200, &details(service, uri)?), 0),
        (Call::Delete, _) => (delete(service, uri)?, 0),
        (Call::Create | Call::Add, None) => return Err(Refusal::field("`file` is missing")),
        (Call::Remove | Call::Replace, _) => return Err(Refusal::not_found()),
    };
    Ok(Done { response, members_added })
}

fn create(service: &Service, form: ReceivedForm) -> Result<(Value, u64), Refusal> {
    let new = form.new_audience(service.config.fb_id_after)?;
    check_account(service, new.ad_account)?;
    let mut store = lock(&service.store);
    let (audience, added) = store.create_with(&new, form.into_file()?)?;
    Ok((told(&store, &audience, service.config.revision)?, added))
}

fn add(service: &Service, uri: &Uri, form: ReceivedForm) -> Result<(Value, u64), Refusal> {
    let revision = service.config.revision;
    let (ad_account, user_type) = (form.ad_account()?, form.user_type()?);
    check_account(service, ad_account)?;
    let mut store = lock(&service.store);
    let audience = find(&store, Key::Any(id(uri)?))?;
    if audience.ad_account != ad_account {
        return Err(Refusal::forbidden());
    }
    match user_type {
        Some(user_type) if Some(user_type) != audience.user_type => {
            return Err(Refusal::field("`user_type` is not the audience's"));
        }
        None if revision == Revision::B => return Err(Refusal::field("`user_type` is missing")),
        _ => {}
    }
    let (audience, added) = store.add_lines(&audience, form.into_file()?)?;
    Ok((told(&store, &audience, revision)?, added))
}

#[derive(Deserialize)]
struct ListQuery {
    fb_ad_account_id: Option<u64>,
    page: Option<usize>,
}

fn list(service: &Service, uri: &Uri) -> Result<Value, Refusal> {
    let query = Query::<ListQuery>::try_from_uri(uri)
        .map_err(|_| Refusal::field("`fb_ad_account_id` and `page` must be numbers"))?;
    let ad_account =
        query.fb_ad_account_id.ok_or_else(|| Refusal::field("`fb_ad_account_id` is missing"))?;
    check_account(service, ad_account)?;
    let store = lock(&service.store);
    let audiences = store.audiences(Some(ad_account))?;
    store.told(&audiences)?;
    Ok(match service.config.revision {
        Revision::A => {
            audiences.iter().filter(|audience| audience.has_fb_id()).map(wire::facebook).collect()
        }
        Revision::B => {
            let page = query.page.unwrap_or(1);
            if page == 0 {
                return Err(Refusal::field("`page` counts from 1"));
            }
            wire::page(&audiences, page)
        }
    })
}

fn details(service: &Service, uri: &Uri) -> Result<Value, Refusal> {
    let id = id(uri)?;
    let store = lock(&service.store);
    match service.config.revision {
        Revision::A => {
            let audience = find(&store, Key::Facebook(id))?;
            store.told(std::slice::from_ref(&audience))?;
            if !audience.has_fb_id() {
                return Err(Refusal::not_found());
            }
            Ok(wire::facebook(&audience))
        }
        Revision::B => told(&store, &find(&store, Key::Vendor(id))?, Revision::B),
    }
}

fn delete(service: &Service, uri: &Uri) -> Result<Response<Body>, Refusal> {
    let mut store = lock(&service.store);
    let audience = find(&store, Key::Any(id(uri)?))?;
    check_account(service, audience.ad_account)?;
    store.delete(audience.id)?;
    Ok(match service.config.revision {
        Revision::A => json_response(200, &wire::vendor(&audience, Revision::A)),
        Revision::B => {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
    })
}

/// Refuses a path whose number is no audience's, neither by the vendor nor by Facebook.
pub(super) fn find_by_either(service: &Service, uri: &Uri) -> Result<(), Refusal> {
    find(&lock(&service.store), Key::Any(id(uri)?)).map(|_| ())
}

fn find(store: &Store, key: Key) -> Result<Audience, Refusal> {
    store.audience(key)?.ok_or_else(|| Refusal::new(404, "not_found", "there is no such audience"))
}

/// The last part of the path.
fn id(uri: &Uri) -> Result<u64, Refusal> {
    let last = uri.path().rsplit('/').next().unwrap_or_default();
    number(last).ok_or_else(Refusal::not_found)
}

fn check_account(service: &Service, ad_account: u64) -> Result<(), Refusal> {
    match service.config.ad_account {
        Some(own) if own != ad_account => Err(Refusal::forbidden()),
        _ => Ok(()),
    }
}

fn told(store: &Store, audience: &Audience, revision: Revision) -> Result<Value, Refusal> {
    store.told(std::slice::from_ref(audience))?;
    Ok(wire::vendor(audience, revision))
}
