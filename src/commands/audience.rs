//! `throng audience`: the other calls of the API.

use std::io::{BufRead, IsTerminal};

use jiff::Timestamp;
use serde::Serialize;
use throng::api::{Id, ListedAudience};
use throng::quote::OneLine;
use throng::upload::{Client, FailureKind};
use throng::{Error, ExitCode, Result};

use super::{Event, api, ask, print, print_json, say};
use crate::cli::{AudienceCommand, StateArgs};

pub(crate) fn run(command: AudienceCommand) -> Result<ExitCode> {
    match command {
        AudienceCommand::List { ad_account, api, json } => {
            list(&api::client(&api)?, &ad_account, json)
        }
        AudienceCommand::Show { id, api, json } => show(&api::client(&api)?, &id, json),
        AudienceCommand::Delete { id, yes, api, state } => {
            delete(&api::client(&api)?, &id, yes, &state)
        }
    }
}

/// An audience as programs get it.
#[derive(Serialize)]
struct Shown<'a> {
    /// The vendor's number; revision A does not tell it.
    id: Option<&'a str>,
    fb_id: Option<&'a str>,
    name: &'a str,
    description: Option<&'a str>,
    approximate_count: Option<u64>,
    status: Option<&'a str>,
    run_status: Option<&'a str>,
    subtype: Option<&'a str>,
    opt_out_link: Option<&'a str>,
    time_updated: Option<i64>,
}

impl<'a> Shown<'a> {
    fn of(audience: &'a ListedAudience) -> Self {
        let common = Self {
            id: audience.id().map(Id::as_str),
            fb_id: audience.fb_id().map(Id::as_str),
            name: audience.name(),
            description: audience.description(),
            approximate_count: None,
            status: None,
            run_status: None,
            subtype: None,
            opt_out_link: None,
            time_updated: None,
        };
        match audience {
            ListedAudience::Facebook(audience) => Self {
                approximate_count: audience.approximate_count,
                status: audience.status.as_deref(),
                run_status: audience.run_status.as_deref(),
                subtype: audience.subtype.as_deref(),
                time_updated: audience.time_updated,
                ..common
            },
            ListedAudience::Vendor(audience) => Self {
                subtype: audience.subtype.as_deref(),
                opt_out_link: audience.opt_out_link.as_deref(),
                ..common
            },
        }
    }
}

fn list(client: &Client, ad_account: &Id, json: bool) -> Result<ExitCode> {
    let audiences = client.list(ad_account).map_err(|failure| failure.into_error(None))?;
    let shown: Vec<Shown<'_>> = audiences.iter().map(Shown::of).collect();
    if json {
        print_json(&shown)?;
        return Ok(ExitCode::Done);
    }
    print(format_args!(
        "{:>10}  {:>18}  {:>12}  {:<20}  name\n",
        "id", "Facebook's id", "people", "status"
    ))?;
    for audience in &shown {
        let count = audience.approximate_count.map_or_else(|| "-".to_owned(), |n| n.to_string());
        print(format_args!(
            "{:>10}  {:>18}  {count:>12}  {:<20}  {}\n",
            audience.id.unwrap_or("-"),
            audience.fb_id.unwrap_or("-"),
            printable(audience.status.unwrap_or("-")),
            printable(audience.name),
        ))?;
    }
    Ok(ExitCode::Done)
}

fn show(client: &Client, id: &Id, json: bool) -> Result<ExitCode> {
    let audience = client.details(id).map_err(|failure| failure.into_error(None))?;
    let shown = Shown::of(&audience);
    if json {
        print_json(&shown)?;
        return Ok(ExitCode::Done);
    }
    let fields = serde_json::to_value(&shown)
        .map_err(|_| Error::Internal("an audience cannot be written as JSON"))?;
    for (name, value) in fields.as_object().into_iter().flatten() {
        let value = match value {
            serde_json::Value::Number(seconds) if name == "time_updated" => {
                let at = seconds.as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok());
                at.map_or_else(|| seconds.to_string(), super::history::date)
            }
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => printable(text),
            other => other.to_string(),
        };
        print(format_args!("{name:<20}{value}\n"))?;
    }
    Ok(ExitCode::Done)
}

fn delete(client: &Client, id: &Id, is_sure: bool, state: &StateArgs) -> Result<ExitCode> {
    // First, so that a state directory that cannot be used is found out before anything is done.
    let store = api::store(state)?;
    let target = store.find(client.known_as(), id)?;
    let busy = || {
        Error::api(
            ExitCode::Temporary,
            "a throng is uploading to this audience",
            "wait until it has finished, or stop it",
        )
    };
    let lock = target.as_ref().map(|target| store.lock(target)).transpose()?;
    if matches!(lock, Some(None)) {
        return Err(busy());
    }
    let name = target.and_then(|target| target.name).or_else(|| name_of(client, id));
    let audience = match name {
        Some(name) => format!("audience {id}, `{}`", printable(&name)),
        None => format!("audience {id}"),
    };
    if !is_sure && !confirmed(&audience)? {
        say(Event::Message, "nothing was deleted");
        return Ok(ExitCode::Done);
    }
    let deleted = client.delete(id);
    let is_gone = matches!(&deleted, Err(failure) if failure.kind == FailureKind::NotFound);
    if deleted.is_ok() || is_gone {
        // A create of the same name then makes a new one.
        store.forget(client.known_as(), id)?;
    }
    deleted.map_err(|failure| failure.into_error(None))?;
    say(Event::Message, format_args!("{audience} is deleted"));
    Ok(ExitCode::Done)
}

/// The name of an audience that throng has not created, where the API tells it by this number.
fn name_of(client: &Client, id: &Id) -> Option<String> {
    client.details(id).ok().map(|audience| audience.name().to_owned())
}

fn confirmed(audience: &str) -> Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Error::usage(
            format!("deleting {audience} cannot be undone, and nobody is there to ask"),
            "say --yes",
        ));
    }
    ask(format_args!("Delete {audience}? Nothing brings it back. [y/N]"));
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A server's text on one line.
fn printable(text: &str) -> String {
    OneLine(text).to_string()
}
