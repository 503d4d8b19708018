//! Rooms are the folders and files of `src`. This is who may use whom, who touches files and the network, and where
//! bounds stand.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::files;

/// Rooms that everybody may use: they know nothing of what throng does. Each may use those before it.
const GROUND: [&str; 21] = [
    "limits",
    "role",
    "user_type",
    "reason",
    "trim",
    "encoding",
    "dialect",
    "notation",
    "written",
    "max_rejects",
    "mutex",
    "buffers",
    "quote",
    "utc",
    "figures",
    "error",
    "stop",
    "progress",
    "machine",
    "ordered",
    "lanes",
];

/// The rooms above, in the order of the data's way, each with those that it may use beside the ground. All of these stand
/// before it, so that there is no circle.
const ROOMS: &[(&str, &[&str])] = &[
    ("disk", &[]),
    ("hash", &[]),
    ("normalize", &["hash"]),
    ("entries", &["hash"]),
    ("audience", &["entries"]),
    ("config", &["hash", "normalize"]),
    ("net", &[]),
    ("object", &["config", "net"]),
    // The stages do not know each other.
    ("source", &["config", "hash", "object"]),
    ("record", &["config", "hash"]),
    ("dedup", &["disk", "entries", "hash"]),
    ("emit", &["audience", "config", "disk", "entries", "hash"]),
    // They are joined here.
    (
        "prepare",
        &[
            "audience",
            "config",
            "dedup",
            "disk",
            "emit",
            "entries",
            "hash",
            "normalize",
            "record",
            "source",
        ],
    ),
    ("filter", &["hash", "normalize", "record"]),
    ("platform", &[]),
    ("store", &["disk", "platform"]),
    ("who", &["disk", "emit", "hash", "normalize", "store"]),
    ("forget", &["audience", "config", "disk", "hash", "normalize", "store", "who"]),
    ("upload", &["config", "disk", "emit", "net", "platform", "store"]),
    (
        "job",
        &["config", "disk", "emit", "hash", "normalize", "platform", "source", "store", "upload"],
    ),
    (
        "sync",
        &[
            "audience",
            "config",
            "disk",
            "emit",
            "forget",
            "job",
            "normalize",
            "platform",
            "prepare",
            "store",
            "upload",
        ],
    ),
    ("report", &["audience", "entries", "sync"]),
];

/// The command: it uses the library as any program does, and each of its rooms those before it.
const COMMAND: [&str; 5] = ["cli", "commands", "command", "call", "main"];

/// Rooms of the tests alone, and the library's door.
const BESIDE: [&str; 3] = ["fuzz", "guarded", "lib"];

/// Files that may open, make, move and remove files.
const FILES: &[&str] = &[
    "disk/",
    "source/",
    "store/",
    "dedup/spill.rs",
    "emit/manifest.rs",
    "emit/verify.rs",
    "forget/",
    "job/",
    "machine.rs",
    "net/authorities.rs",
    "object/profile.rs",
    "prepare/check.rs",
    "sync/",
    "upload/endpoint.rs",
    "commands/manual.rs",
    "commands/sandbox.rs",
    "commands/upload.rs",
];

/// What such a file calls.
const FILE_CALLS: [&str; 8] = [
    "File::open(",
    "File::create",
    "OpenOptions",
    "DirBuilder",
    "fs::re",
    "fs::write",
    "tempfile::",
    ".read_dir(",
];

/// Rooms that may use the network.
const NETWORK: [&str; 3] = ["net/", "object/", "upload/"];

const NETWORK_CALLS: [&str; 2] = ["std::net", "ureq::"];

/// Where a `_BYTES_MAX` is a fact of a format or a standard, and no bound that somebody chose.
const FACTS: &[&str] = &[
    "normalize/",
    "user_type.rs",
    "trim.rs",
    "source/parquet/",
    "hash/mod.rs",
    "dedup/mod.rs",
    "prepare/columns.rs",
    "job/mod.rs",
    "commands/sandbox.rs",
];

/// A source file's text without comments and without what follows the head of its tests.
fn code_of(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let without_comment = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    text[..end].lines().map(without_comment).collect::<Vec<_>>().join("\n")
}

/// The room that a file is in.
fn room_of(file: &str) -> &str {
    file.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// The modules that a file is below: 1 for what stands in the crate's root.
fn depth_of(file: &str) -> usize {
    file.split('/').count() - usize::from(file.ends_with("/mod.rs"))
}

/// The first names of what follows a path: of `{a::b, c}` both `a` and `c`.
fn first_names(rest: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let word = |text: &str| text.chars().take_while(|c| is_word(*c)).collect::<String>();
    let Some(list) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let (mut names, mut depth, mut begins) = (Vec::new(), 0, true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            _ if begins && is_word(c) => {
                names.push(word(&list[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

/// The names that a file takes from the root of the crate, or of the library if it belongs to the command.
fn imports(file: &str, code: &str) -> Vec<String> {
    let is_command = COMMAND.contains(&room_of(file));
    let roots: &[&str] = if is_command { &["throng::", "crate::"] } else { &["crate::"] };
    let up = "super::".repeat(depth_of(file));
    let mut names = Vec::new();
    for root in roots.iter().copied().chain([&*up]) {
        for (at, _) in code.match_indices(root) {
            let is_longer =
                code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c));
            // Within a file's own modules `super` is the file.
            let rest = &code[at + root.len()..];
            if !is_longer && !rest.starts_with("super::") {
                names.extend(first_names(rest));
            }
        }
    }
    names
}

/// Says why a room may not use another; `None` if it may.
fn refusal(from: &str, to: &str) -> Option<String> {
    let ground = |room: &str| GROUND.iter().position(|of| *of == room);
    let refused = |why: &str| Some(format!("{from} uses {to}, {why}"));
    if from == to || BESIDE.contains(&from) {
        return None;
    }
    if let Some(command) = COMMAND.iter().position(|room| *room == from) {
        let other = COMMAND.iter().position(|room| *room == to);
        return match other {
            Some(other) if other > command => refused("which stands above it"),
            _ => None,
        };
    }
    match (ground(from), ground(to), ROOMS.iter().find(|(room, _)| *room == from)) {
        (Some(from), Some(to), _) if to < from => None,
        (Some(_), _, _) => refused("and is below it"),
        (None, Some(_), Some(_)) => None,
        (None, None, Some((_, uses))) if uses.contains(&to) => None,
        (None, _, Some(_)) => refused("which is not in its row of the table"),
        (None, _, None) => refused("and is not in the table"),
    }
}

fn sources() -> Vec<(String, String)> {
    let sources = files("src").into_iter().filter(|(name, _)| {
        let is_code = Path::new(name).extension().is_some_and(|of| of == "rs");
        is_code && !name.ends_with("tests.rs") && !BESIDE.contains(&room_of(name))
    });
    sources.map(|(name, path)| (name, code_of(&fs::read_to_string(path).unwrap()))).collect()
}

/// Whether a file is one of these, or in one of these folders.
fn is_in(file: &str, places: &[&str]) -> bool {
    places.iter().any(|place| file == *place || place.ends_with('/') && file.starts_with(place))
}

#[test]
fn every_room_stands_above_those_that_it_may_use() {
    let mut below: HashSet<&str> = GROUND.into();
    for (room, uses) in ROOMS {
        for of in *uses {
            assert!(below.contains(of), "{room} may use {of}, which does not stand before it");
            assert!(!GROUND.contains(of), "everybody may use {of}");
        }
        assert!(below.insert(room), "{room} stands there twice");
    }
}

/// So `lib.rs` is the diagram.
#[test]
fn modules_are_declared_in_the_order_of_the_table() {
    let lib = code_of(include_str!("../../../src/lib.rs"));
    let declared = lib.lines().filter_map(|line| {
        let name = line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?;
        (!BESIDE.contains(&name)).then_some(name)
    });
    let declared: Vec<&str> = declared.collect();
    let table = GROUND.into_iter().chain(ROOMS.iter().map(|(room, _)| *room)).chain(COMMAND);
    let table: Vec<&str> = table.filter(|room| declared.contains(room)).collect();
    assert_eq!(declared, table);
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let mut seen = 0;
    let mut refused = Vec::new();
    for (file, code) in sources() {
        for name in imports(&file, &code) {
            // What the door hands on, a program may use. The library goes to where it is.
            let is_handed_on = name.starts_with(|c: char| c.is_uppercase());
            if is_handed_on && COMMAND.contains(&room_of(&file)) {
                continue;
            }
            seen += 1;
            let why = if is_handed_on {
                Some(format!("{name} is taken from the door"))
            } else {
                refusal(room_of(&file), &name)
            };
            refused.extend(why.map(|why| format!("{file}: {why}")));
        }
    }
    assert!(seen > 400, "{seen} imports were found");
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn files_and_the_network_are_touched_where_it_says_so() {
    for (calls, places, least) in
        [(&FILE_CALLS[..], FILES, 12), (&NETWORK_CALLS[..], &NETWORK[..], 3)]
    {
        let calling = sources().into_iter().filter_map(|(file, code)| {
            calls.iter().any(|call| code.contains(call)).then_some(file)
        });
        let calling: Vec<String> = calling.collect();
        assert!(calling.len() >= least, "{calling:?}");
        let others: Vec<_> = calling.iter().filter(|file| !is_in(file, places)).collect();
        assert!(others.is_empty(), "{others:?} call one of {calls:?}");
    }
}

#[test]
fn bounds_stand_in_limits_and_queues_have_one() {
    let mut seen = 0;
    for (file, code) in sources() {
        for line in code.lines().filter(|line| line.contains("const ")) {
            let is_bound = line.contains("_BYTES_MAX:");
            seen += usize::from(is_bound && file == "limits.rs");
            assert!(
                !is_bound || file == "limits.rs" || is_in(&file, FACTS),
                "{file}: `{line}` belongs into limits.rs"
            );
        }
        for queue in ["unbounded(", "mpsc::channel("] {
            assert!(!code.contains(queue), "{file} has a queue without a bound");
        }
    }
    assert!(seen >= 8, "{seen} bounds were found in limits.rs");
}

/// What is said of `crate::` paths in a small file.
fn said(file: &str, text: &str) -> Vec<String> {
    let names = imports(file, &code_of(text));
    names.iter().filter_map(|name| refusal(room_of(file), name)).collect()
}

#[test]
fn a_wrong_arrow_is_found_wherever_it_is_written() {
    for text in [
        "use crate::prepare::Prepare;",
        "use crate::{error::Result, prepare::{self, Prepare}};",
        "use crate::{\n    error::Result,\n    prepare,\n};",
        "fn f() {\n    crate::prepare::run();\n}",
        "use super::prepare::Prepare;",
    ] {
        assert_eq!(
            said("record/mod.rs", text),
            ["record uses prepare, which is not in its row of the table"],
            "{text}"
        );
    }
    for text in [
        "use crate::error::{Error, Result};",
        "use crate::hash::Kernel;",
        "// use crate::prepare::Prepare;",
        "use self::prepare::Prepare;",
        "use super::super::error::Error;",
        "#[cfg(test)]\nmod tests {\n    use crate::prepare::Prepare;\n}",
    ] {
        assert!(said("record/csv.rs", text).is_empty(), "{text}");
    }
    assert_eq!(said("record/csv.rs", "use super::super::emit::Parts;").len(), 1);
    assert_eq!(
        said("stop.rs", "use crate::machine::pool;"),
        ["stop uses machine, and is below it"]
    );
    assert_eq!(
        said("new.rs", "use crate::hash::Kernel;"),
        ["new uses hash, and is not in the table"]
    );
    assert_eq!(
        said("cli/mod.rs", "use crate::commands::log;\nuse throng::emit::Manifest;"),
        ["cli uses commands, which stands above it"]
    );
}
