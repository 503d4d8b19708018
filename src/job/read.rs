//! From the tables of a job file to a [`Job`].

use std::path::PathBuf;

use super::document::{Document, INIT_HINT};
use super::file::{AudienceTable, InputTable, JobFile, ReportTable, TargetTable};
use super::{
    CreationSpec, Guards, Job, JobAudience, JobTarget, Remove, Replace, ReportPaths, known, sources,
};
use crate::config::{
    AudienceSpec, ColumnSelector, Condition, Format, GuardOptions, Header, Limits, Line,
    MaxRejects, OutputOptions, PrepareConfig, ReadOptions, RejectList, SendOptions, Share,
};
use crate::error::{Error, Result};
use crate::normalize::RuleOptions;
use crate::platform::Platform;
use crate::upload::{Endpoint, RetryPolicy};

/// The variable that holds the address of the API if the file does not say it.
const ENDPOINT_VARIABLE: &str = "THRONG_ENDPOINT";

/// Decides what a file says. `env` looks up the variables that stand for what it does not say.
pub(super) fn job(document: &Document<'_>, env: super::fill::Env<'_>) -> Result<Job> {
    let JobFile {
        name,
        state,
        suppress_by,
        retention,
        input,
        suppress,
        audience,
        rules,
        target,
        upload,
        guards,
        limits,
        report,
    } = document.read()?;
    let all_guards = Guards::default().overridden(&guards);
    check_shrink(document, "guards.max-shrink", all_guards.max_shrink)?;
    let audiences = audiences(document, audience, all_guards)?;
    check_types(document, &audiences, target.platform)?;
    let rules = rules_for(document, rules, target.platform)?;
    let read = read_options(document, &input, &audiences)?;
    let suppress = sources::lists(document, suppress, &audiences, (read.header, &guards))?;
    let reports = report_paths(document, &report)?;
    let tmp_dir = limits.tmp_dir.as_ref().and_then(|dir| dir.to_str());
    let tmp_dir = tmp_dir.map(|dir| document.path("limits.tmp-dir", dir)).transpose()?;
    let limits = Limits { tmp_dir, ..limits };
    let rejects = report.rejects.map(|path| document.path("report.rejects", &path)).transpose()?;
    let prepare = PrepareConfig {
        inputs: Vec::new(),
        suppress: Vec::new(),
        suppress_by,
        against: Vec::new(),
        lists_alone: false,
        unconfirmed_can_be_gone: false,
        audiences: audiences.iter().map(|audience| audience.spec.clone()).collect(),
        rules,
        max_rejects: guards.max_rejects.unwrap_or(MaxRejects::DEFAULT),
        // Where the parts go is for the engine to decide.
        output: OutputOptions {
            dir: PathBuf::new(),
            overwrite: true,
            part_lines: limits.part_lines.get(),
            part_bytes: limits.part_bytes.map(|size| size.0),
            rejects: rejects.map(|path| RejectList { path, with_values: false }),
        },
        resources: limits.resources(),
        read,
        notes: Vec::new(),
    };
    let max_age = guards.max_age.map(|age| age.0);
    Ok(Job {
        path: document.path.to_owned(),
        name: name.0,
        date: document.date,
        inputs: sources::inputs(document, input, max_age)?,
        suppress,
        audiences,
        prepare,
        target: job_target(document, target, &upload, env)?,
        state_dir: document.path("state", &state)?,
        retention: retention.map(|time| time.0),
        report: reports,
    })
}

fn read_options(
    document: &Document<'_>,
    input: &InputTable,
    audiences: &[JobAudience],
) -> Result<ReadOptions> {
    let read = ReadOptions::new(input.format, input.delimiter).map_err(|why| {
        document.wrong("input.delimiter", why, "leave it out, or write format = \"csv\"")
    })?;
    if matches!(input.format, Format::Lines | Format::Parquet) {
        let told = [("input.quotes", input.quotes.is_some()), ("input.ragged", input.ragged)];
        if let Some((key, _)) = told.into_iter().find(|(_, is_told)| *is_told) {
            let why = "it is about CSV, and `format` says that the inputs are none";
            return Err(document.wrong(key, why, "leave one of them out"));
        }
    }
    let columns = audiences.iter().flat_map(|audience| &audience.spec.columns);
    let compared = input.conditions.0.iter().map(Condition::column);
    if input.no_header && columns.chain(&input.country_column).chain(compared).any(is_name) {
        let why = "columns cannot be found by name without a header";
        let hint = "give the numbers of columns, counted from 1";
        return Err(document.wrong("input.no-header", why, hint));
    }
    Ok(ReadOptions {
        skip_rows: input.skip_rows,
        quotes: input.quotes,
        is_ragged: input.ragged,
        header: if input.no_header { Header::Absent } else { Header::Auto },
        country_column: input.country_column.clone(),
        conditions: input.conditions.0.clone(),
        split: input.split.0.iter().cloned().collect(),
        ..read
    })
}

/// True for a column that is found by its name.
pub(super) fn is_name(column: &ColumnSelector) -> bool {
    matches!(column, ColumnSelector::Name(_))
}

fn audiences(
    document: &Document<'_>,
    tables: Vec<AudienceTable>,
    defaults: Guards,
) -> Result<Vec<JobAudience>> {
    if tables.is_empty() {
        return Err(document.error("", known::needs("", "audience"), INIT_HINT));
    }
    let mut audiences: Vec<JobAudience> = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let key = format!("audience.{index}");
        let has_label = table.label.is_some();
        let audience = audience(document, &key, table, defaults)?;
        for other in &audiences {
            if let Some((message, hint)) = likeness(&audience, other, has_label) {
                return Err(document.error(&key, message, hint));
            }
        }
        audiences.push(audience);
    }
    Ok(audiences)
}

/// In what two audiences are the same one, in the state directory or with the API; and what to do.
fn likeness(
    one: &JobAudience,
    other: &JobAudience,
    has_label: bool,
) -> Option<(String, &'static str)> {
    let AudienceSpec { label, user_type, .. } = &one.spec;
    let name = |of: &JobAudience| of.creation.as_ref().map(|creation| creation.name.clone());
    if *label == other.spec.label && has_label {
        Some((format!("there is another audience with the label {label}"), ""))
    } else if *label == other.spec.label {
        let message = format!("there is another audience of {user_type} without a label");
        Some((message, "tell them apart: label = \"newsletter\""))
    } else if one.id.is_some() && one.id == other.id {
        Some(("there is another audience with the same `id`".to_owned(), ""))
    } else if *user_type == other.spec.user_type && name(one).is_some() && name(one) == name(other)
    {
        let message = "there is another audience with the same `name` and `user-type`";
        Some((message.to_owned(), "give each a name of its own"))
    } else {
        None
    }
}

fn audience(
    document: &Document<'_>,
    key: &str,
    table: AudienceTable,
    defaults: Guards,
) -> Result<JobAudience> {
    let AudienceTable { label, user_type, column, id, replace, .. } = table;
    if table.name.is_none() && id.is_none() {
        let message = "[[audience]] needs a `name`, or the `id` of an audience that exists";
        return Err(document.error(key, message, ""));
    }
    if table.name.is_none() && replace != Replace::Never {
        let message = "`replace` needs the `name` of the audience that takes the place of `id`";
        return Err(document.error(key, message, ""));
    }
    if table.name.is_none() {
        for of in ["description", "opt-out-link", "no-marker"] {
            let of_creation = format!("{key}.{of}");
            if document.get(&of_creation).is_some() {
                let message = format!("`{of}` is for an audience that is created, not for `id`");
                let hint = "leave it out, or give the `name` of what may take the place of `id`";
                return Err(document.error(&of_creation, message, hint));
            }
        }
    }
    let text = |line: Option<Line>| line.map(|line| line.0);
    let creation = table.name.map(|name| CreationSpec {
        name: name.0,
        description: text(table.description),
        opt_out_link: text(table.opt_out_link),
        has_marker: !table.no_marker.unwrap_or_default(),
    });
    let guards = defaults.overridden(&GuardOptions {
        max_shrink: table.max_shrink,
        max_growth: table.max_growth,
        min_entries: table.min_entries,
        ..GuardOptions::default()
    });
    check_shrink(document, &format!("{key}.max-shrink"), guards.max_shrink)?;
    let label = label.unwrap_or_else(|| user_type.into());
    let spec = AudienceSpec { label, user_type, columns: column.0 };
    Ok(JobAudience { spec, id, creation, replace, guards })
}

fn check_shrink(document: &Document<'_>, key: &str, share: Share) -> Result<()> {
    if share > Share(1.0) {
        return Err(document.wrong(key, "expected at most 100%", ""));
    }
    Ok(())
}

fn job_target(
    document: &Document<'_>,
    table: TargetTable,
    upload: &SendOptions,
    env: super::fill::Env<'_>,
) -> Result<JobTarget> {
    for key in
        ["endpoint", "token-file", "app-secret-file", "ca-file"].map(|key| format!("target.{key}"))
    {
        let key = &*key;
        if table.sandbox.is_some() && document.get(key).is_some() {
            let hint = "leave it out, or leave `sandbox` out";
            return Err(document.wrong(key, "a sandbox is reached without it", hint));
        }
    }
    let path = |key: &str, path: Option<String>| {
        path.map(|path| document.path(&format!("target.{key}"), &path)).transpose()
    };
    Ok(JobTarget {
        platform: table.platform,
        endpoint: table.endpoint.map_or_else(|| endpoint_of(table.platform, env), Ok)?,
        app_secret_file: path("app-secret-file", table.app_secret_file)?,
        customer_file_source: table.customer_file_source,
        remove: remove(document, table.remove, table.platform)?,
        sandbox: path("sandbox", table.sandbox)?,
        ad_account: table.ad_account,
        token_file: path("token-file", table.token_file)?,
        ca_file: path("ca-file", table.ca_file)?,
        parallel: upload.parallel.to_usize(),
        retry: RetryPolicy::from(upload),
        request_time_max: table.request_time.0,
        time_max: upload.time_limit.0,
    })
}

/// The address that the environment says, or that of the platform.
fn endpoint_of(platform: Platform, env: super::fill::Env<'_>) -> Result<Endpoint> {
    let Some(variable) = env(ENDPOINT_VARIABLE) else { return Ok(Endpoint::of(platform)) };
    variable.parse().map_err(|why: String| {
        Error::usage(format!("the variable {ENDPOINT_VARIABLE} is wrong: {why}"), "")
    })
}

/// The rules of the values, as the platform asks for.
fn rules_for(
    document: &Document<'_>,
    rules: RuleOptions,
    platform: Platform,
) -> Result<RuleOptions> {
    let wanted = platform.rules();
    rules
        .for_platform(wanted.keeps_case, wanted.refuses_android_ids)
        .map_err(|why| document.wrong("rules.case", why, "leave it out, or write case = \"keep\""))
}

/// Who is taken out of audiences, where the platform can.
fn remove(document: &Document<'_>, remove: Option<Remove>, platform: Platform) -> Result<Remove> {
    let can_remove = platform.capabilities().can_remove;
    match remove {
        None if can_remove => Ok(Remove::Gone),
        None => Ok(Remove::Never),
        Some(remove) if can_remove || remove == Remove::Never => Ok(remove),
        Some(_) => {
            let why = format!("{} cannot take anybody out of an audience", platform.name());
            let hint = "leave it out; `replace` in [[audience]] builds a new one";
            Err(document.wrong("target.remove", why, hint))
        }
    }
}

/// Refuses audiences of types that the platform does not take.
fn check_types(
    document: &Document<'_>,
    audiences: &[JobAudience],
    platform: Platform,
) -> Result<()> {
    for (index, audience) in audiences.iter().enumerate() {
        let user_type = audience.spec.user_type;
        if platform.type_name(user_type).is_none() {
            let why = format!("{} does not take {user_type}", platform.name());
            let hint = "email_hash matches the same people";
            return Err(document.wrong(&format!("audience.{index}.user-type"), why, hint));
        }
    }
    Ok(())
}

fn report_paths(document: &Document<'_>, report: &ReportTable) -> Result<ReportPaths> {
    let path = |key: &str, path: &Option<String>| {
        path.as_ref().map(|path| document.path(&format!("report.{key}"), path)).transpose()
    };
    Ok(ReportPaths {
        html: path("html", &report.html)?,
        metrics: path("metrics", &report.metrics)?,
    })
}
