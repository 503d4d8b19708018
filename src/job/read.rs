//! From the tables of a job file to a [`Job`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use super::table::{File, INIT_HINT, Table, TableSpec, Value};
use super::{
    CreationSpec, FilePattern, Guards, Job, JobAudience, JobTarget, Replace, ReportPaths, Share,
    SuppressList,
};
use crate::api;
use crate::config::{
    AudienceSpec, ColumnSelector, Format, Header, MaxRejects, OutputOptions, PrepareConfig,
    ReadOptions, RejectList, Resources,
};
use crate::error::{Error, Result};
use crate::limits;
use crate::machine;
use crate::normalize::{Case, Idn, Prehashed, RuleOptions, Vanity};
use crate::notation;
use crate::upload::{Endpoint, PARALLEL, PARALLEL_MAX, REQUEST_TIME, RetryPolicy, TIME_LIMIT};

/// The variable that holds the address of the API if the file does not say it.
const ENDPOINT_VARIABLE: &str = "THRONG_ENDPOINT";

/// All tables that a job file may have, the top of the file first.
pub(super) static SPECS: [&TableSpec; 8] =
    [&TOP, &INPUT, &SUPPRESS, &AUDIENCE, &RULES, &TARGET, &LIMITS, &REPORT];

static TOP: TableSpec = TableSpec {
    name: "",
    keys: &[
        "name", "state", "input", "suppress", "audience", "rules", "target", "limits", "report",
    ],
};

static INPUT: TableSpec = TableSpec {
    name: "[input]",
    keys: &["files", "format", "delimiter", "no-header", "country", "country-column"],
};

static SUPPRESS: TableSpec =
    TableSpec { name: "[[suppress]]", keys: &["files", "user-type", "column", "max-age"] };

static AUDIENCE: TableSpec = TableSpec {
    name: "[[audience]]",
    keys: &[
        "label",
        "user-type",
        "column",
        "name",
        "description",
        "opt-out-link",
        "no-marker",
        "id",
        "replace",
        "max-shrink",
        "max-growth",
        "min-entries",
    ],
};

static RULES: TableSpec =
    TableSpec { name: "[rules]", keys: &["prehashed", "case", "idn", "vanity"] };

static TARGET: TableSpec = TableSpec {
    name: "[target]",
    keys: &[
        "ad-account",
        "endpoint",
        "sandbox",
        "token-file",
        "ca-file",
        "parallel",
        "request-time",
        "time-limit",
        "attempts",
        "retry-wait",
    ],
};

static LIMITS: TableSpec = TableSpec {
    name: "[limits]",
    keys: &[
        "max-rejects",
        "max-shrink",
        "max-growth",
        "min-entries",
        "max-age",
        "memory",
        "threads",
        "tmp-dir",
        "part-lines",
        "part-bytes",
    ],
};

static REPORT: TableSpec = TableSpec { name: "[report]", keys: &["html", "metrics", "rejects"] };

/// Reads a whole job.
pub(super) fn job(file: File<'_>) -> Result<Job> {
    let document = DeTable::parse(file.text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        file.error(&span, format!("not TOML: {}", error.message()), INIT_HINT)
    })?;
    let top = Table::new(file, 0..0, &TOP, document.get_ref())?;
    let name = top.need("name")?.parsed_by(notation::line)?;
    let state_dir = path(&top.need("state")?)?;
    let input = one(&top, "input", &INPUT)?;
    let Some(input) = input else { return Err(lacks(&top, "[input]")) };
    let limits = one(&top, "limits", &LIMITS)?;
    let report = one(&top, "report", &REPORT)?;
    let Some(target) = one(&top, "target", &TARGET)? else { return Err(lacks(&top, "[target]")) };
    let target = job_target(&target)?;
    let guards = limits.as_ref().map_or(Ok(Guards::default()), |t| guards(t, Guards::default()))?;
    let audiences = audiences(&top, guards)?;
    let read = read_options(&input, &audiences)?;
    let max_age = limits.as_ref().and_then(|limits| limits.get("max-age"));
    let max_age = max_age.map(|value| value.parsed_by(notation::time)).transpose()?;
    let suppress = top.tables("suppress", &SUPPRESS)?;
    let suppress: Vec<SuppressList> = suppress
        .iter()
        .map(|table| suppress_list(table, &audiences, read.header))
        .collect::<Result<_>>()?;
    let prepare = PrepareConfig {
        inputs: Vec::new(),
        suppress: Vec::new(),
        against: Vec::new(),
        audiences: audiences.iter().map(|audience| audience.spec.clone()).collect(),
        rules: rules(&top, &input)?,
        max_rejects: max_rejects(limits.as_ref())?,
        output: output(limits.as_ref(), report.as_ref())?,
        resources: resources(limits.as_ref())?,
        read,
    };
    Ok(Job {
        path: file.path.to_owned(),
        name,
        date: file.date,
        inputs: patterns(&input.need("files")?, max_age)?,
        suppress,
        audiences,
        prepare,
        target,
        state_dir,
        report: report_paths(report.as_ref())?,
    })
}

/// The table of a key that there is at most one of.
fn one<'a>(
    top: &Table<'a>,
    key: &'static str,
    spec: &'static TableSpec,
) -> Result<Option<Table<'a>>> {
    Ok(top.tables(key, spec)?.pop())
}

fn lacks(top: &Table<'_>, table: &str) -> Error {
    top.error(format!("the job needs {table}"), INIT_HINT)
}

/// A path, relative to the folder of the job file.
fn path(value: &Value<'_>) -> Result<PathBuf> {
    let text = value.text()?.text;
    if text.is_empty() || text.contains('\0') {
        return Err(value.error(format!("`{}` names no file", value.key), ""));
    }
    if text.starts_with("~/") {
        let message = format!("`{}`: ~ is not known in a job file", value.key);
        return Err(value.error(message, "write ${HOME}"));
    }
    Ok(base(&value.file).join(text))
}

fn dated_path(value: &Value<'_>) -> Result<PathBuf> {
    Ok(base(&value.file).join(value.dated()?.1.text))
}

fn base<'a>(file: &File<'a>) -> &'a Path {
    file.path.parent().unwrap_or(Path::new(""))
}

fn patterns(value: &Value<'_>, max_age: Option<Duration>) -> Result<Vec<FilePattern>> {
    let pattern = |(written, filled, span): (&str, super::fill::Filled, _)| {
        if filled.text == "-" {
            let message = format!("`{}`: a job cannot read standard input", value.key);
            return Err(value.file.error(&span, message, "name a file, or a named pipe"));
        }
        Ok(FilePattern {
            written: written.to_owned(),
            filled: filled.text,
            base: base(&value.file).to_owned(),
            place: value.file.place(&span),
            max_age,
        })
    };
    value.dated_list()?.into_iter().map(pattern).collect()
}

fn read_options(input: &Table<'_>, audiences: &[JobAudience]) -> Result<ReadOptions> {
    #[derive(Clone, Copy, PartialEq)]
    enum Word {
        Auto,
        Lines,
        Csv,
        Tsv,
        Parquet,
    }
    let words = [
        ("auto", Word::Auto),
        ("lines", Word::Lines),
        ("csv", Word::Csv),
        ("tsv", Word::Tsv),
        ("parquet", Word::Parquet),
    ];
    let word = input.get("format").map_or(Ok(Word::Auto), |value| value.choice(&words))?;
    let value = input.get("delimiter");
    let delimiter = value.as_ref().map(|v| v.parsed_by(notation::delimiter)).transpose()?;
    let format = match (word, delimiter, &value) {
        (Word::Lines | Word::Tsv | Word::Parquet, _, Some(value)) => {
            let kind = match word {
                Word::Tsv => "tsv has its own",
                Word::Parquet => "Parquet has no",
                _ => "lines have no",
            };
            return Err(value.error(
                format!("`delimiter`: {kind} delimiter"),
                "leave it out, or write format = \"csv\"",
            ));
        }
        (Word::Lines, ..) => Format::Lines,
        (Word::Parquet, ..) => Format::Parquet,
        (Word::Tsv, ..) => Format::Csv(Some(b'\t')),
        (Word::Auto, None, _) => Format::Auto,
        (_, delimiter, _) => Format::Csv(delimiter),
    };
    let no_header = input.get("no-header");
    let is_absent = no_header.as_ref().map_or(Ok(false), Value::boolean)?;
    let country_column: Option<ColumnSelector> =
        input.get("country-column").map(|value| value.parsed_or_number(str::parse)).transpose()?;
    let columns = audiences.iter().filter_map(|audience| audience.spec.column.as_ref());
    let has_name = columns.chain(&country_column).any(is_name);
    if let (true, Some(value), true) = (is_absent, &no_header, has_name) {
        return Err(value.error(
            "`no-header`: columns cannot be found by name without a header",
            "give the numbers of columns, counted from 1",
        ));
    }
    Ok(ReadOptions {
        format,
        header: if is_absent { Header::Absent } else { Header::Auto },
        country_column,
        ..ReadOptions::default()
    })
}

fn is_name(column: &ColumnSelector) -> bool {
    matches!(column, ColumnSelector::Name(_))
}

fn suppress_list(
    table: &Table<'_>,
    audiences: &[JobAudience],
    header: Header,
) -> Result<SuppressList> {
    let user_type = table.get("user-type");
    let value = user_type.as_ref();
    let user_type = value.map(Value::user_type).transpose()?;
    if let (Some(value), Some(of)) = (value, user_type)
        && audiences.iter().all(|audience| audience.spec.user_type != of)
    {
        let message = format!("`user-type`: no audience of the job holds {of}");
        return Err(value.error(message, "leave it out, or add the audience"));
    }
    let value = table.get("column");
    let column = value.as_ref().map(|value| value.parsed_or_number(str::parse)).transpose()?;
    if let (Some(value), Some(ColumnSelector::Name(_)), Header::Absent) = (&value, &column, header)
    {
        return Err(value.error(
            "`column`: columns cannot be found by name with no-header in [input]",
            "give the column's number, counted from 1",
        ));
    }
    let max_age = table.get("max-age").map(|value| value.parsed_by(notation::time)).transpose()?;
    Ok(SuppressList { files: patterns(&table.need("files")?, max_age)?, user_type, column })
}

fn audiences(top: &Table<'_>, defaults: Guards) -> Result<Vec<JobAudience>> {
    let tables = top.tables("audience", &AUDIENCE)?;
    if tables.is_empty() {
        return Err(lacks(top, "[[audience]]"));
    }
    let mut audiences: Vec<JobAudience> = Vec::new();
    for table in &tables {
        let audience = audience(table, defaults)?;
        for other in &audiences {
            check_differ(table, &audience, other)?;
        }
        audiences.push(audience);
    }
    Ok(audiences)
}

/// Two audiences must not be the same one, in the state directory or with the API.
fn check_differ(table: &Table<'_>, one: &JobAudience, other: &JobAudience) -> Result<()> {
    if one.spec.label == other.spec.label {
        let (label, user_type) = (&one.spec.label, one.spec.user_type);
        if table.get("label").is_none() {
            let message = format!("there is another audience of {user_type} without a label");
            return Err(table.error(message, "tell them apart: label = \"newsletter\""));
        }
        return Err(table.error(format!("there is another audience with the label {label}"), ""));
    }
    if one.id.is_some() && one.id == other.id {
        return Err(table.error("there is another audience with the same `id`", ""));
    }
    let name = |of: &JobAudience| of.creation.as_ref().map(|creation| creation.name.clone());
    if one.spec.user_type == other.spec.user_type && name(one).is_some() && name(one) == name(other)
    {
        let message = "there is another audience with the same `name` and `user-type`";
        return Err(table.error(message, "give each a name of its own"));
    }
    Ok(())
}

fn audience(table: &Table<'_>, defaults: Guards) -> Result<JobAudience> {
    let user_type = table.need("user-type")?.user_type()?;
    let label = table.get("label").map(|value| value.parsed()).transpose()?;
    let column = table.get("column").map(|value| value.parsed_or_number(str::parse)).transpose()?;
    let spec = AudienceSpec::new(user_type, column);
    let spec = match label {
        Some(label) => AudienceSpec { label, ..spec },
        None => spec,
    };
    let id = table.get("id").map(|value| value.parsed_or_number(str::parse)).transpose()?;
    let replace =
        table.get("replace").map_or(Ok(Replace::Never), |value| value.choice(&Replace::CHOICES))?;
    let name = table.get("name");
    if name.is_none() && id.is_none() {
        let message = "[[audience]] needs a `name`, or the `id` of an audience that exists";
        return Err(table.error(message, ""));
    }
    if name.is_none() && replace != Replace::Never {
        let message = "`replace` needs the `name` of the audience that takes the place of `id`";
        return Err(table.error(message, ""));
    }
    let creation = name.map(|name| creation(table, &name)).transpose()?;
    for key in ["description", "opt-out-link", "no-marker"] {
        if let (None, Some(value)) = (&creation, table.get(key)) {
            let message = format!("`{key}` is for an audience that is created, not for `id`");
            let hint = "leave it out, or give the `name` of what may take the place of `id`";
            return Err(value.error(message, hint));
        }
    }
    Ok(JobAudience { spec, id, creation, replace, guards: guards(table, defaults)? })
}

fn creation(table: &Table<'_>, name: &Value<'_>) -> Result<CreationSpec> {
    let line = |key| table.get(key).map(|value: Value<'_>| value.parsed_by(notation::line));
    Ok(CreationSpec {
        name: name.parsed_by(notation::line)?,
        description: line("description").transpose()?,
        opt_out_link: line("opt-out-link").transpose()?,
        has_marker: !table.get("no-marker").map_or(Ok(false), |value| value.boolean())?,
    })
}

/// The guards of a table, where it has its own.
fn guards(table: &Table<'_>, defaults: Guards) -> Result<Guards> {
    let share = |key| table.get(key).map(|value: Value<'_>| value.parsed_or_number(str::parse));
    let max_shrink: Share = share("max-shrink").transpose()?.unwrap_or(defaults.max_shrink);
    if let (true, Some(value)) = (max_shrink > Share(1.0), table.get("max-shrink")) {
        return Err(value.error("`max-shrink` takes at most 100%", ""));
    }
    let min_entries = table.get("min-entries").map(|value| value.number(0..=u64::MAX));
    Ok(Guards {
        max_shrink,
        max_growth: share("max-growth").transpose()?.unwrap_or(defaults.max_growth),
        min_entries: min_entries.transpose()?.unwrap_or(defaults.min_entries),
    })
}

fn rules(top: &Table<'_>, input: &Table<'_>) -> Result<RuleOptions> {
    let country = input.get("country").map(|value| value.parsed()).transpose()?;
    let mut options = RuleOptions { country, ..RuleOptions::default() };
    if let Some(rules) = one(top, "rules", &RULES)? {
        if let Some(value) = rules.get("prehashed") {
            options.prehashed = value.choice(&Prehashed::CHOICES)?;
        }
        if let Some(value) = rules.get("case") {
            options.case = value.choice(&Case::CHOICES)?;
        }
        if let Some(value) = rules.get("idn") {
            options.idn = value.choice(&Idn::CHOICES)?;
        }
        if let Some(value) = rules.get("vanity") {
            options.vanity = value.choice(&Vanity::CHOICES)?;
        }
    }
    Ok(options)
}

fn job_target(table: &Table<'_>) -> Result<JobTarget> {
    let time = |key, default| {
        table.get(key).map_or(Ok(default), |value: Value<'_>| value.parsed_by(notation::time))
    };
    let count = |key, default, most| {
        table.get(key).map_or(Ok(default), |value: Value<'_>| value.number(1..=most))
    };
    let retry = RetryPolicy::default();
    let sandbox = table.get("sandbox");
    for key in ["endpoint", "token-file", "ca-file"] {
        if let (Some(_), Some(value)) = (&sandbox, table.get(key)) {
            let message = format!("`{key}`: a sandbox is reached without it");
            return Err(value.error(message, "leave it out, or leave `sandbox` out"));
        }
    }
    let attempts = count("attempts", u64::from(retry.attempts_max), u64::from(u32::MAX))?;
    let parallel = count("parallel", PARALLEL as u64, PARALLEL_MAX as u64)?;
    Ok(JobTarget {
        endpoint: endpoint(table)?,
        sandbox: sandbox.as_ref().map(path).transpose()?,
        ad_account: table.need("ad-account")?.parsed_or_number(str::parse)?,
        token_file: table.get("token-file").map(|value| path(&value)).transpose()?,
        ca_file: table.get("ca-file").map(|value| path(&value)).transpose()?,
        parallel: usize::try_from(parallel).unwrap_or(PARALLEL),
        retry: RetryPolicy {
            attempts_max: u32::try_from(attempts).unwrap_or(u32::MAX),
            wait_first: time("retry-wait", retry.wait_first)?,
            ..retry
        },
        request_time_max: time("request-time", REQUEST_TIME)?,
        time_max: time("time-limit", TIME_LIMIT)?,
    })
}

fn endpoint(table: &Table<'_>) -> Result<Endpoint> {
    if let Some(value) = table.get("endpoint") {
        return value.parsed();
    }
    let variable = (table.file.env)(ENDPOINT_VARIABLE);
    variable.as_deref().unwrap_or(api::ENDPOINT).parse().map_err(|why: String| {
        Error::usage(format!("the variable {ENDPOINT_VARIABLE} is wrong: {why}"), "")
    })
}

fn max_rejects(limits: Option<&Table<'_>>) -> Result<MaxRejects> {
    let value = limits.and_then(|limits| limits.get("max-rejects"));
    value.map_or(Ok(MaxRejects::DEFAULT), |value| value.parsed_or_number(str::parse))
}

/// Where the parts go is for the engine to decide.
fn output(limits: Option<&Table<'_>>, report: Option<&Table<'_>>) -> Result<OutputOptions> {
    let limit = |key| limits.and_then(|limits| limits.get(key));
    let part_lines = limit("part-lines").map(|value| value.number(1..=u64::MAX)).transpose()?;
    let part_bytes =
        limit("part-bytes").map(|value| value.parsed_or_number(notation::size)).transpose()?;
    let rejects = report.and_then(|report| report.get("rejects"));
    let rejects = rejects.map(|value| dated_path(&value)).transpose()?;
    Ok(OutputOptions {
        dir: PathBuf::new(),
        overwrite: true,
        part_lines: part_lines.unwrap_or(limits::PART_LINES),
        part_bytes,
        rejects: rejects.map(|path| RejectList { path, with_values: false }),
    })
}

fn resources(limits: Option<&Table<'_>>) -> Result<Resources> {
    let limit = |key| limits.and_then(|limits| limits.get(key));
    let threads = limit("threads").map(|value| value.number(1..=limits::THREADS_MAX as u64));
    let threads = threads.transpose()?.and_then(|threads| usize::try_from(threads).ok());
    let memory = limit("memory");
    let memory_bytes =
        memory.as_ref().map(|value| value.parsed_or_number(notation::size)).transpose()?;
    if let (Some(value), Some(bytes)) = (&memory, memory_bytes)
        && bytes < limits::MEMORY_BYTES_MIN
    {
        let least = limits::MEMORY_BYTES_MIN / 1024 / 1024;
        return Err(value.error("`memory` is too little", format!("give at least {least}M")));
    }
    Ok(Resources {
        threads: machine::threads(threads)?,
        memory_bytes: memory_bytes.unwrap_or_else(machine::default_memory_bytes),
        tmp_dir: limit("tmp-dir").map(|value| path(&value)).transpose()?,
        chunk_bytes: limits::CHUNK_BYTES,
        block_bytes: limits::BLOCK_BYTES,
        kernel: crate::hash::Kernel::default(),
    })
}

fn report_paths(report: Option<&Table<'_>>) -> Result<ReportPaths> {
    let value = |key| report.and_then(|report| report.get(key));
    Ok(ReportPaths {
        html: value("html").map(|value| dated_path(&value)).transpose()?,
        metrics: value("metrics").map(|value| path(&value)).transpose()?,
    })
}
