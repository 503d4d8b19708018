//! The calls, once a request is there as a whole.

use std::time::Duration;

use serde_json::{Value, json};

use super::Asked;
use super::params::Params;
use super::payload::{Payload, Session};
use super::refusal::GraphError;
use super::usage::Reading;
use super::wire;
use crate::config::{SESSION_LIFE, Terms};
use crate::fault::Call;
use crate::service::{Service, lock};
use crate::store::{Batch, Change, Changed, MetaAudience, NewMetaAudience, Times, number};

/// Nodes on a page, if the request does not say.
const PAGE: u64 = 25;

/// Most nodes on a page.
const PAGE_MAX: u64 = 5000;

/// An answer, and what it did to members.
pub(super) struct Done {
    pub(super) body: Value,
    pub(super) changed: Changed,
}

impl From<Value> for Done {
    fn from(body: Value) -> Self {
        Self { body, changed: Changed::default() }
    }
}

/// Carries out a call; and how its ad account stands, if it is known.
pub(super) fn perform(
    service: &Service,
    asked: &Asked,
    params: &Params,
) -> (Option<Reading>, Result<Done, GraphError>) {
    let (account, audience) = match subject(service, asked) {
        Ok(subject) => subject,
        Err(refused) => return (None, Err(refused)),
    };
    let reading = lock(&service.usage).call(account, service.clock.elapsed());
    if reading.regain_access.is_some() {
        return (Some(reading), Err(GraphError::of(80_003, Some(2_446_079))));
    }
    let done = match (asked.call, audience) {
        (Call::Create, _) => create(service, account, params).map(Done::from),
        (Call::List, _) => list(service, asked, account, params).map(Done::from),
        (_, None) => Err(GraphError::no_object(&asked.method)),
        (Call::Details, Some(audience)) => details(&audience, params).map(Done::from),
        (Call::Delete, Some(audience)) => delete(service, &audience).map(Done::from),
        (Call::Add, Some(audience)) => batch(service, asked, &audience, params, Change::Add),
        (Call::Remove, Some(audience)) => batch(service, asked, &audience, params, Change::Remove),
        (Call::Replace, Some(audience)) => {
            batch(service, asked, &audience, params, Change::Replace)
        }
    };
    (Some(reading), done)
}

/// The ad account that a request is about, and the audience.
fn subject(service: &Service, asked: &Asked) -> Result<(u64, Option<MetaAudience>), GraphError> {
    let no_object = || GraphError::no_object(&asked.method);
    let is_allowed = |account| service.config.ad_account.is_none_or(|own| own == account);
    if let Some(account) = asked.node.strip_prefix("act_") {
        let account = number(account).ok_or_else(no_object)?;
        if !is_allowed(account) {
            return Err(GraphError::of(200, None));
        }
        return Ok((account, None));
    }
    let id = number(&asked.node).ok_or_else(no_object)?;
    let audience = lock(&service.store).meta_audience(id, times(service))?;
    let audience = audience.filter(|found| is_allowed(found.audience.ad_account));
    let audience = audience.ok_or_else(no_object)?;
    Ok((audience.audience.ad_account, Some(audience)))
}

fn times(service: &Service) -> Times {
    let millis = |time: Duration| time.as_millis().try_into().unwrap_or(i64::MAX);
    Times {
        now: service.clock.unix_millis(),
        session_life: millis(SESSION_LIFE),
        replacement: millis(service.config.replace_time),
    }
}

fn create(service: &Service, ad_account: u64, params: &Params) -> Result<Value, GraphError> {
    if service.config.terms == Terms::NotAccepted {
        return Err(GraphError::terms());
    }
    let name = params.required("name")?;
    if params.required("subtype")? != "CUSTOM" {
        return Err(GraphError::parameter("the sandbox knows the subtype CUSTOM alone"));
    }
    let customer_file_source = params.required("customer_file_source")?;
    let sources = ["USER_PROVIDED_ONLY", "PARTNER_PROVIDED_ONLY", "BOTH_USER_AND_PARTNER_PROVIDED"];
    if !sources.contains(&customer_file_source.as_str()) {
        let message =
            format!("Param customer_file_source must be one of {{{}}}", sources.join(", "));
        return Err(GraphError::parameter(message));
    }
    let opt_out_link = params.text("opt_out_link");
    let is_link = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    if opt_out_link.as_deref().is_some_and(|text| !is_link(text)) {
        return Err(GraphError::parameter("Param opt_out_link must be a valid URL"));
    }
    let description = params.text("description");
    let new = NewMetaAudience { ad_account, name, description, opt_out_link, customer_file_source };
    let id = lock(&service.store).create_empty(&new, service.clock.unix_millis())?;
    Ok(json!({ "id": id.to_string() }))
}

fn list(
    service: &Service,
    asked: &Asked,
    account: u64,
    params: &Params,
) -> Result<Value, GraphError> {
    let fields = params.names("fields");
    wire::check_fields(&fields)?;
    let limit = match params.text("limit") {
        None => PAGE,
        Some(text) => number(&text)
            .filter(|limit| (1..=PAGE_MAX).contains(limit))
            .ok_or_else(|| GraphError::parameter(format!("limit must be from 1 to {PAGE_MAX}")))?,
    };
    let after = params.text("after").map(|cursor| read_cursor(&cursor)).transpose()?;
    let store = lock(&service.store);
    let mut ids = store.page(account, after, limit + 1)?;
    let has_more = ids.len() as u64 > limit;
    ids.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut data = Vec::new();
    for id in &ids {
        if let Some(audience) = store.meta_audience(*id, times(service))? {
            data.push(wire::node(&audience, &fields));
        }
    }
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
        return Ok(json!({ "data": [] }));
    };
    let mut paging = json!({ "cursors": { "before": cursor(*first), "after": cursor(*last) } });
    if has_more {
        paging["next"] = json!(next(service, asked, &fields, limit, &cursor(*last)));
    }
    Ok(json!({ "data": data, "paging": paging }))
}

/// The address of the next page. It holds the token, as Meta's does, so nobody may log it.
fn next(service: &Service, asked: &Asked, fields: &[String], limit: u64, after: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("access_token", &service.config.token);
    query.append_pair("fields", &fields.join(","));
    query.append_pair("limit", &limit.to_string());
    query.append_pair("after", after);
    let version = asked.version.as_deref().unwrap_or(super::VERSION);
    format!("http://{}/{version}/{}/customaudiences?{}", asked.host, asked.node, query.finish())
}

/// A number as a cursor, which nobody is to read anything into.
fn cursor(id: u64) -> String {
    format!("QVFI{}ZD", const_hex::encode(id.to_be_bytes()))
}

fn read_cursor(cursor: &str) -> Result<u64, GraphError> {
    let hex = cursor.strip_prefix("QVFI").and_then(|rest| rest.strip_suffix("ZD"));
    let bytes = hex.and_then(|hex| const_hex::decode_to_array(hex).ok());
    let id = bytes.map(u64::from_be_bytes);
    id.filter(|id| i64::try_from(*id).is_ok())
        .ok_or_else(|| GraphError::parameter("Invalid cursor values"))
}

fn details(audience: &MetaAudience, params: &Params) -> Result<Value, GraphError> {
    let fields = params.names("fields");
    wire::check_fields(&fields)?;
    Ok(wire::node(audience, &fields))
}

fn delete(service: &Service, audience: &MetaAudience) -> Result<Value, GraphError> {
    lock(&service.store).delete(audience.audience.id)?;
    Ok(json!({ "success": true }))
}

fn batch(
    service: &Service,
    asked: &Asked,
    audience: &MetaAudience,
    params: &Params,
    change: Change,
) -> Result<Done, GraphError> {
    let payload: Payload = params.object("payload")?;
    let session: Option<Session> = params.optional_object("session")?;
    let place = session.map(Session::place).transpose()?;
    if place.is_none() && change == Change::Replace {
        return Err(GraphError::parameter("The parameter session is required"));
    }
    let entries = payload.entries(asked.spoilt)?;
    let now = times(service);
    let batch = Batch {
        change,
        user_type: entries.user_type,
        entries: entries.valid.iter().map(String::as_str).collect(),
        place,
    };
    let changed = lock(&service.store).receive(&audience.audience, &batch, now)?;
    // A request without a session is one of its own.
    let session = place.map_or_else(|| now.now.unsigned_abs(), |place| place.session);
    Ok(Done { body: entries.answer(audience.audience.id, session), changed })
}
