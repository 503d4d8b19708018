//! `throng audience`: the other calls of the API.

use std::io::{BufRead, IsTerminal};

use jiff::Timestamp;
use throng::platform::Id;
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

fn list(client: &Client, ad_account: &Id, json: bool) -> Result<ExitCode> {
    let audiences = client.list(ad_account).map_err(|failure| failure.into_error(None))?;
    if json {
        print_json(&audiences)?;
        return Ok(ExitCode::Done);
    }
    print(format_args!(
        "{:>10}  {:>18}  {:>12}  {:<20}  name\n",
        "id", "Facebook's id", "people", "status"
    ))?;
    for audience in &audiences {
        let count = audience.approximate_count.map_or_else(|| "-".to_owned(), |n| n.to_string());
        print(format_args!(
            "{:>10}  {:>18}  {count:>12}  {:<20}  {}\n",
            audience.id.as_ref().map_or("-", Id::as_str),
            audience.fb_id.as_ref().map_or("-", Id::as_str),
            printable(audience.status.as_deref().unwrap_or("-")),
            printable(&audience.name),
        ))?;
    }
    Ok(ExitCode::Done)
}

fn show(client: &Client, id: &Id, json: bool) -> Result<ExitCode> {
    let audience = client.details(id).map_err(|failure| failure.into_error(None))?;
    if json {
        print_json(&audience)?;
        return Ok(ExitCode::Done);
    }
    let fields = serde_json::to_value(&audience)
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
    client.details(id).ok().map(|audience| audience.name)
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
