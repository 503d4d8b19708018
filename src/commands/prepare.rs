//! `throng prepare`: from exports to upload files.

use std::path::{Path, PathBuf};

use throng::config::{
    AudienceSpec, ColumnSelector, Command, Condition, Header, Input, ListDigest, Location,
    OutputOptions, PrepareConfig, ReadOptions, RejectList, Resources, SuppressInput,
};
use throng::normalize::UserType;
use throng::prepare::Prepare;
use throng::progress::Progress;
use throng::quote::Quoted;
use throng::source::{self, ExpandError};
use throng::stop::Stop;
use throng::{Error, ExitCode, Result};

use super::{Event, print_json, progress, say, signals, tell};
use crate::cli::PrepareArgs;

pub(crate) fn run(args: PrepareArgs) -> Result<ExitCode> {
    let show = args.show;
    let progress = Progress::default();
    signals::stop_on_signals(&progress.stop)?;
    let prepare = Prepare::plan(decide(args, &progress.stop)?, &progress)?;
    let noted = prepare.notes().len();
    if !show.quiet {
        print_notes(prepare.notes());
    }
    let view = |elapsed| progress::of_prepare(&progress, elapsed);
    let summary = progress::shown(show, view, || prepare.run(&progress))?;
    if !show.quiet {
        print_notes(&summary.notes[noted..]);
        summary.warnings.iter().for_each(|warning| say(Event::Warning, warning));
        tell(Event::Summary, &summary, &summary);
    }
    if show.json {
        print_json(&summary)?;
    }
    Ok(ExitCode::Done)
}

fn print_notes(notes: &[String]) {
    for note in notes {
        say(Event::Note, note);
    }
}

pub(crate) fn decide(args: PrepareArgs, stop: &Stop) -> Result<PrepareConfig> {
    let wanted = args.platform.rules();
    let rules = args.rules.for_platform(wanted.keeps_case, wanted.refuses_android_ids);
    let rules = rules.map_err(|why| Error::usage(why, "leave --case or --for out"))?;
    let audiences = match args.user_type {
        Some(user_type) => vec![AudienceSpec::new(user_type, args.column)],
        None => merged(args.map),
    };
    let read = ReadOptions::new(args.format, args.delimiter)
        .map_err(|why| Error::usage(why, "leave --delimiter or --format out"))?;
    let mut notes = Vec::new();
    let mut inputs = inputs(&args.inputs, args.complete, &mut notes, stop)?;
    let commands = args.from.iter().zip(1..);
    let command = |(text, number): (&String, usize)| Command::of_members(text, number);
    inputs.extend(commands.map(command).map(Input::Command));
    let mut lists = Vec::new();
    for text in &args.suppress {
        let column = args.suppress_column.as_ref();
        lists.extend(suppress(text, column, &args.suppress_where, &mut notes, stop)?);
    }
    Ok(PrepareConfig {
        inputs,
        suppress: lists,
        notes,
        suppress_by: args.suppress_by,
        against: args.against.into_iter().map(Into::into).collect(),
        lists_alone: false,
        unconfirmed_can_be_gone: false,
        audiences,
        rules,
        read: ReadOptions {
            skip_rows: args.skip_rows,
            quotes: args.quotes,
            is_ragged: args.ragged,
            header: if args.no_header { Header::Absent } else { Header::Auto },
            country_column: args.country_column,
            conditions: args.conditions,
            split: args.split.into_iter().collect(),
            io: args.io,
            ..read
        },
        max_rejects: args.max_rejects,
        output: OutputOptions {
            dir: args.output,
            overwrite: args.overwrite,
            part_lines: args.limits.part_lines.get(),
            part_bytes: args.limits.part_bytes.map(|size| size.0),
            rejects: args
                .rejects
                .map(|path| RejectList { path, with_values: args.rejects_with_values }),
        },
        resources: Resources { kernel: args.kernel.unwrap_or_default(), ..args.limits.resources() },
    })
}

/// One audience of all columns that are mapped to one type under one label.
fn merged(specs: Vec<AudienceSpec>) -> Vec<AudienceSpec> {
    let mut audiences: Vec<AudienceSpec> = Vec::new();
    for spec in specs {
        let is_same =
            |of: &&mut AudienceSpec| of.label == spec.label && of.user_type == spec.user_type;
        match audiences.iter_mut().find(is_same) {
            Some(audience) => audience.columns.extend(spec.columns),
            None => audiences.push(spec),
        }
    }
    audiences
}

/// `FILE`, `TYPE=FILE`, `DIGEST=FILE` or `TYPE:DIGEST=FILE`. A file whose name begins like that is written
/// `./email_hash=...`.
fn suppress(
    text: &str,
    column: Option<&ColumnSelector>,
    conditions: &[Condition],
    notes: &mut Vec<String>,
    stop: &Stop,
) -> Result<Vec<SuppressInput>> {
    let known = text.split_once('=').and_then(|(name, path)| {
        let (user_type, digest) = match name.split_once(':') {
            Some((user_type, digest)) => (Some(user_type), Some(digest)),
            None if name.parse::<ListDigest>().is_ok() => (None, Some(name)),
            None => (Some(name), None),
        };
        let user_type = user_type.map(str::parse::<UserType>).transpose().ok()?;
        let digest = digest.map(str::parse::<ListDigest>).transpose().ok()?;
        Some((user_type, digest, path))
    });
    let (user_type, digest, path) = known.unwrap_or((None, None, text));
    let inputs = inputs(&[PathBuf::from(path)], false, notes, stop)?;
    let name = (inputs.len() > 1).then(|| Location::shown(path).display().to_string());
    let list = |input| SuppressInput {
        input,
        user_type,
        digest,
        column: column.cloned(),
        list: name.clone(),
        conditions: conditions.to_vec(),
    };
    Ok(inputs.into_iter().map(list).collect())
}

/// Expands globs and folders; a file that exists is taken as it is. Adds notes on what was left out.
fn inputs(
    paths: &[PathBuf],
    is_complete: bool,
    notes: &mut Vec<String>,
    stop: &Stop,
) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in paths {
        match path.to_str() {
            Some("-") => inputs.push(Input::Stdin),
            Some(text) => inputs.extend(expand(text, is_complete, notes, stop)?),
            None => inputs.push(Input::Path(path.clone())),
        }
    }
    Ok(inputs)
}

fn expand(
    pattern: &str,
    is_complete: bool,
    notes: &mut Vec<String>,
    stop: &Stop,
) -> Result<impl Iterator<Item = Input>> {
    let path = &*Location::shown(pattern);
    let expanded =
        source::expand(Path::new(""), pattern, is_complete, stop).map_err(|error| match error {
            ExpandError::NoGlob(why) => {
                Error::usage(format!("{} is no valid glob: {why}", Quoted(path)), "")
            }
            ExpandError::Unreadable(path, error) => Error::reading("search", &path, error),
            ExpandError::NoFiles(message, hint) => Error::input(path, message, hint),
            ExpandError::Failed(error) => error,
        })?;
    notes.extend(expanded.note(path));
    Ok(expanded.files.into_iter().map(|file| file.input))
}
