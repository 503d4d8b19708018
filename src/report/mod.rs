//! Reports of runs for people and programs: a page, the history as a page, metrics.
//!
//! ```text
//! page      one run, with the last ones before it                -> one HTML file, for a person
//! history   runs across days, of one job or several              -> one HTML file, for a person
//! metrics   the last run                                         -> Prometheus text, for the node exporter
//! ```
//!
//! The pages are of one file: no script, no picture, no font, nothing is fetched; a content security policy in them
//! says so to the browser. They hold counts, times, paths, names and reasons, never a value, and every text is escaped.
//! Figures are counted in Rust; the templates place them.

mod funnel;
mod history;
mod metrics;
mod outcome;
mod page;
mod runs;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior, escape_formatter};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::figures;

pub use self::history::render_history;
pub use self::metrics::metrics;
pub use self::page::render;

const TEMPLATES: [(&str, &str); 6] = [
    ("page.html", include_str!("page.html")),
    ("history.html", include_str!("history.html")),
    ("frame.html", include_str!("frame.html")),
    ("audience.html", include_str!("audience.html")),
    ("runs.html", include_str!("runs.html")),
    ("style.css", include_str!("style.css")),
];

/// Fills a template. Its name ends in `.html`, so everything in it is escaped.
fn fill(template: &str, page: &impl Serialize) -> Result<String> {
    let failed = |_: minijinja::Error| Error::Internal("a report cannot be drawn");
    environment()
        .and_then(|env| env.get_template(template)?.render(Value::from(Serde(page))))
        .map_err(failed)
}

fn environment() -> std::result::Result<Environment<'static>, minijinja::Error> {
    let mut env = Environment::new();
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() => {
            escape_formatter(out, state, &Value::from(figures::visible(text)))
        }
        _ => escape_formatter(out, state, value),
    });
    env.add_filter("count", figures::count);
    env.add_filter("bytes", figures::bytes);
    env.add_filter("duration", figures::duration);
    env.add_filter("percent", figures::percent);
    env.add_filter("moment", figures::moment);
    env.add_filter("iso", |millis: i64| crate::utc::Utc(millis).to_string());
    env.add_filter("age", |millis: i64, now: i64| figures::age(now.saturating_sub(millis)));
    env.add_filter("segments", segments);
    for (name, source) in TEMPLATES {
        env.add_template(name, source)?;
    }
    Ok(env)
}

/// A text cut at its backticks: what stands between them is code, that is every second piece.
fn segments(text: &str) -> Vec<String> {
    text.split('`').map(str::to_owned).collect()
}
