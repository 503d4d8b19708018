//! The repository's own rules.

mod rooms;

use std::fs;
use std::path::{Path, PathBuf};

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

fn files(dir: &str) -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut found = Vec::new();
    files_below(&root, &mut found);
    found
        .into_iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), path))
        .collect()
}

/// All of the code: the package's own, then that of the side crates.
fn sources() -> Vec<(String, PathBuf)> {
    [files("src"), files("crates"), files("python/src")].concat()
}

/// Files that may lift `unsafe_code`: mappings and leases, which no safe crate offers, and instruction sets that not
/// every machine has, with the two places that choose them; what proves that these stay within their memory; and columns of other
/// libraries, which are pointers.
const FENCE: [&str; 14] = [
    "source/mmap.rs",
    "source/lease.rs",
    "source/window.rs",
    "hash/dispatch.rs",
    "hash/x86_avx512.rs",
    "hash/x86_sha_ni.rs",
    "normalize/plain.rs",
    "record/scan.rs",
    "record/strict.rs",
    "dedup/region.rs",
    "emit/hex.rs",
    "emit/seal.rs",
    "guarded.rs",
    "capsule.rs",
];

#[test]
fn unsafe_code_stays_within_its_fence() {
    for (name, path) in sources() {
        let is_fenced = FENCE.contains(&name.as_str());
        let text = fs::read_to_string(path).unwrap();
        assert!(is_fenced || !text.contains("unsafe_code"), "{name} lifts unsafe_code");
    }
}

/// The functions of a file that are compiled for an instruction set: what stands between their signature and the brace
/// that ends them.
fn functions_for_instruction_sets(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[target_feature(").skip(1).map(|rest| {
        let indent = rest.lines().find_map(|line| line.find("fn ").map(|_| indent_of(line)));
        let end = format!("\n{}}}\n", " ".repeat(indent.unwrap_or(0)));
        rest.split(&end).next().unwrap_or(rest)
    })
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether a closure begins in a line of formatted code: its first parameter touches the bar, an operand never does.
fn has_closure(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or(line);
    let begins = |(at, _): (usize, &str)| {
        let before = code[..at].trim_end();
        let is_operand = before.ends_with(|c: char| c.is_alphanumeric() || "_)]}>\"'?".contains(c));
        !is_operand || before.ends_with("move")
    };
    code.match_indices('|').any(|(at, bar)| !code[..at].ends_with('|') && begins((at, bar)))
}

#[test]
fn functions_for_instruction_sets_have_no_closures() {
    for (line, expected) in [
        ("let rows = blocks.each_ref().map(|block| load(block));", true),
        ("let mut walk = |start: usize| start;", true),
        ("run(index, || start);", true),
        ("found.sort_by_key(move |place| *place);", true),
        ("within = a | b || c(d) | e[f]; // not |this|", false),
        ("[] | [b'\\r'] => parity |= parity << 1,", false),
    ] {
        assert_eq!(has_closure(line), expected, "{line}");
    }
    let mut functions = 0;
    for (name, path) in files("src") {
        let text = fs::read_to_string(path).unwrap();
        for function in functions_for_instruction_sets(&text) {
            functions += 1;
            let found = function.lines().find(|line| has_closure(line));
            assert_eq!(
                found, None,
                "{name}: a closure has its function's instruction set, and what calls it from the standard \
                 library has not, so that it is not inlined and every intrinsic in it is a call; use a loop"
            );
        }
    }
    assert!(functions > 20, "only {functions} functions were found");
}

#[test]
fn every_fixture_is_in_its_readme() {
    let readme = fs::read_to_string(crate::support::fixture("README.md")).unwrap();
    for (name, _) in files("fixtures") {
        assert!(
            name == "README.md" || readme.contains(&name),
            "{name} is not in fixtures/README.md"
        );
    }
}

#[test]
fn standard_error_has_one_door() {
    // The progress bar is drawn on terminals only, and never with `--log json`.
    // So is the question whether to delete an audience asked.
    let doors = ["commands/audience.rs", "commands/log.rs", "commands/progress.rs"];
    for (name, path) in sources() {
        let text = fs::read_to_string(path).unwrap();
        let is_door = doors.contains(&name.as_str());
        let writes = [" stderr()", "io::stderr()", "eprint"].iter().any(|call| text.contains(call));
        assert!(is_door || !writes, "{name} writes past commands::log");
    }
}

#[test]
fn every_file_that_names_a_version_names_this_one() {
    let version = env!("CARGO_PKG_VERSION");
    for file in ["README.md", "packaging/Containerfile", "examples/kubernetes/cronjob.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = fs::read_to_string(path).unwrap();
        let named: Vec<&str> = ["throng:", "throng_", "throng-"]
            .iter()
            .flat_map(|name| text.split(name).skip(1))
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            .collect();
        assert!(!named.is_empty(), "{file} names no version");
        for rest in named {
            assert!(rest.starts_with(version), "{file}: {:?}", rest.lines().next());
        }
    }
}
