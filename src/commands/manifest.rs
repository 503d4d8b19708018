//! `throng manifest`: part files that another engine wrote, checked and described.

use serde::Serialize;
use throng::normalize::UserType;
use throng::prepare::engine::{EngineConfig, describe};
use throng::progress::Progress;
use throng::{ExitCode, Result};

use super::{prepare, print_json, progress, say, signals};
use crate::cli::ManifestArgs;

/// What was found, for programs.
#[derive(Serialize)]
struct Described<'a> {
    dir: &'a std::path::Path,
    user_type: UserType,
    entries: u64,
    parts: usize,
    empty_parts_and_markers: usize,
}

pub(crate) fn run(args: ManifestArgs) -> Result<ExitCode> {
    let show = args.show;
    let progress = Progress::default();
    signals::stop_on_signals(&progress.stop)?;
    let config = EngineConfig {
        dir: args.dir,
        user_type: args.user_type,
        overwrite: args.overwrite,
        resources: prepare::resources(args.memory, args.threads, args.tmp_dir)?,
    };
    let view = |elapsed| progress::of_prepare(&progress, elapsed);
    let manifest = progress::shown(show, view, || describe(&config, &progress))?;
    let audience = &manifest.audiences[0];
    let (entries, parts) = (audience.sets.written, audience.parts.len());
    if !show.quiet {
        let s = if parts == 1 { "" } else { "s" };
        say(format_args!("{}: {entries} entries in {parts} part{s}, each once", audience.label));
    }
    if show.json {
        print_json(&Described {
            dir: &config.dir,
            user_type: config.user_type,
            entries,
            parts,
            empty_parts_and_markers: manifest.beside.len(),
        })?;
    }
    Ok(ExitCode::Done)
}
