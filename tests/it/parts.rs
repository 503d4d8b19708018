//! Inputs in parts, which are read side by side: whatever they are packed in and however many threads read them, the
//! files, the summary, the reject list and the errors are those of one part after the other.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use throng::config::{Format, Header, Input, PrepareConfig, RejectList};
use throng::limits::{MEMORY_BYTES_MIN, SAMPLE_BYTES};
use throng::normalize::UserType;
use throng::prepare::Prepare;
use throng::prepare::summary::Summary;
use throng::progress::Progress;
use throng::{Error, ExitCode};

use crate::support::{by_name, config, lines, run, suppressing};

#[derive(Clone, Copy, Debug)]
enum Pack {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Pack {
    const ALL: [Self; 5] = [Self::Plain, Self::Gzip, Self::Zstd, Self::Bzip2, Self::Xz];

    fn pack(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => text.to_vec(),
            Self::Gzip => gzip(text),
            Self::Zstd => zstd::encode_all(text, 1).unwrap(),
            Self::Bzip2 => {
                let level = bzip2::Compression::fast();
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), level);
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            Self::Xz => liblzma::encode_all(text, 0).unwrap(),
        }
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[derive(Clone, Debug)]
struct Part {
    pack: Pack,
    rows: usize,
    seed: u64,
}

impl Part {
    fn text(&self, is_csv: bool) -> String {
        let lines = lines(UserType::EmailHash, self.rows, self.seed);
        if !is_csv {
            return lines;
        }
        let row = |(n, line): (usize, &str)| {
            let beside = ["x", "\"two\nlines\"", "\"say \"\"hi\"\"\"", ""][n % 4];
            format!("{n},\"{}\",{beside}\n", line.trim_matches(['\r', '"']).replace('"', "\"\""))
        };
        let rows = lines.split('\n').enumerate().map(row);
        format!("id,email,\"a\nb\"\n{}", rows.collect::<String>())
    }
}

#[derive(Clone, Debug)]
struct Case {
    is_csv: bool,
    members: Vec<Part>,
    /// Of opt-outs.
    list: Vec<Part>,
    chunk_bytes: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    let pack = prop::sample::select(Pack::ALL.to_vec());
    let rows = prop_oneof![1 => Just(0_usize), 6 => 1..150_usize];
    let part = (pack, rows, any::<u64>()).prop_map(|(pack, rows, seed)| Part { pack, rows, seed });
    let members = prop::collection::vec(part.clone(), 1..14);
    let list = prop::collection::vec(part, 0..4);
    (any::<bool>(), members, list, 20_usize..4000).prop_map(
        |(is_csv, members, list, chunk_bytes)| Case { is_csv, members, list, chunk_bytes },
    )
}

/// What a person sees of a run.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// The files, the manifest among them.
    files: Vec<(String, Vec<u8>)>,
    summary: Result<String, (ExitCode, String)>,
    rejects: Option<String>,
}

impl Outcome {
    fn of(config: PrepareConfig) -> Self {
        let (out, list) = (config.output.dir.clone(), config.output.rejects.clone().unwrap().path);
        let summary = run(config).map(told).map_err(|error| (error.exit_code(), all_of(&error)));
        let outcome = Self { files: files(&out), summary, rejects: fs::read_to_string(&list).ok() };
        if out.exists() {
            fs::remove_dir_all(&out).unwrap();
        }
        if list.exists() {
            fs::remove_file(&list).unwrap();
        }
        outcome
    }
}

fn all_of(error: &Error) -> String {
    format!("{error}\n{:?}", error.hint())
}

/// A summary without what no two runs have in common.
fn told(summary: Summary) -> String {
    let (seconds, records_per_second) = (0.0, 0.0);
    let (peak_memory_bytes, spilled_bytes) = (None, 0);
    let summary =
        Summary { seconds, records_per_second, peak_memory_bytes, spilled_bytes, ..summary };
    serde_json::to_string_pretty(&summary).unwrap()
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

impl Case {
    fn place(&self, dir: &Path) -> [Vec<PathBuf>; 2] {
        [("member", &self.members), ("list", &self.list)].map(|(name, parts)| {
            let place = |(n, part): (usize, &Part)| {
                let path = dir.join(format!("{name}-{n}"));
                fs::write(&path, part.pack.pack(part.text(self.is_csv).as_bytes())).unwrap();
                path
            };
            parts.iter().enumerate().map(place).collect()
        })
    }

    fn config(&self, dir: &Path, [members, list]: [&[PathBuf]; 2]) -> PrepareConfig {
        let mut config = config(UserType::EmailHash, members, &dir.join("out"));
        if self.is_csv {
            config = by_name(config, "email");
            config.read.format = Format::Csv;
        } else {
            config.read.format = Format::Lines;
            config.read.header = Header::Absent;
        }
        for path in list {
            config = suppressing(config, path);
            let suppress = config.suppress.last_mut().unwrap();
            suppress.list = Some("opt-outs".to_owned());
            suppress.column = config.audiences[0].columns.first().cloned();
        }
        let path = dir.join("rejects.csv");
        config.output.rejects = Some(RejectList { path, with_values: true });
        config.output.part_lines = 100;
        config.resources.chunk_bytes = self.chunk_bytes;
        config
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let dir = tempfile::tempdir().unwrap();
        let [members, list] = self.place(dir.path());
        let of = |threads, memory_bytes, members: &[PathBuf], list: &[PathBuf]| {
            let mut config = self.config(dir.path(), [members, list]);
            config.resources.threads = threads;
            config.resources.memory_bytes = memory_bytes;
            Outcome::of(config)
        };
        let one = of(1, 256 << 20, &members, &list);
        for (threads, memory_bytes) in
            [(2, MEMORY_BYTES_MIN), (2, 8 << 30), (8, 256 << 20), (8, 8 << 30)]
        {
            let side_by_side = of(threads, memory_bytes, &members, &list);
            prop_assert_eq!(&side_by_side, &one, "{} threads, {}", threads, memory_bytes);
        }
        // Each part for itself has the same rejects.
        let has_rows = |part: &Part| part.rows > 0;
        if let Some(rejects) = one.rejects
            && list.is_empty()
            && self.members.iter().all(has_rows)
        {
            let rows = |list: &str| list.split_once('\n').unwrap().1.to_owned();
            let of_part = |path: &PathBuf| {
                let outcome = of(1, 256 << 20, std::slice::from_ref(path), &[]);
                rows(&outcome.rejects.unwrap())
            };
            prop_assert_eq!(rows(&rejects), members.iter().map(of_part).collect::<String>());
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn parts_side_by_side_are_as_one_after_the_other(case in cases()) {
        case.check()?;
    }
}

/// Addresses that are longer than what is looked at before anything is read, every tenth of them broken.
fn long_text(part: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for n in 0.. {
        if text.len() > SAMPLE_BYTES * 3 {
            break;
        }
        let at = if n % 10 == 9 { "(at)" } else { "@" };
        writeln!(text, "person.{part}.{n}{at}mail.example").unwrap();
    }
    text
}

fn config_of_long(dir: &Path, parts: &[PathBuf], threads: usize) -> PrepareConfig {
    let mut config = config(UserType::EmailHash, parts, &dir.join("out"));
    let path = dir.join("rejects.csv");
    config.output.rejects = Some(RejectList { path, with_values: true });
    config.resources.threads = threads;
    config.resources.chunk_bytes = 30_000;
    config.resources.memory_bytes = 1 << 30;
    config
}

/// Damage behind what is looked at before anything is read.
#[derive(Clone, Copy, Debug)]
enum Damage {
    EndsTooEarly,
    WrongSum,
    AnotherEncoding,
}

impl Damage {
    fn of(self, part: usize) -> Vec<u8> {
        let text = long_text(part);
        match self {
            Self::EndsTooEarly => {
                let packed = gzip(&text);
                packed[..packed.len() * 9 / 10].to_vec()
            }
            Self::WrongSum => {
                let mut packed = gzip(&text);
                let at = packed.len() - 7;
                packed[at] ^= 1;
                packed
            }
            Self::AnotherEncoding => {
                let wide = |text: &str| -> Vec<u8> {
                    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
                };
                let start = wide(&format!("\u{feff}{}", String::from_utf8(text).unwrap()));
                [start, b"one.more@mail.example\n".repeat(20)].concat()
            }
        }
    }
}

#[test]
fn the_first_part_with_an_error_is_told_whoever_found_it() {
    use Damage::{AnotherEncoding, EndsTooEarly, WrongSum};
    let dir = tempfile::tempdir().unwrap();
    let parts: Vec<PathBuf> = (0..7).map(|n| dir.path().join(format!("part-{n}"))).collect();
    let place = |n: usize, bytes: &[u8]| fs::write(&parts[n], bytes).unwrap();
    (0..parts.len()).for_each(|n| place(n, &gzip(&long_text(n))));
    let whole = Outcome::of(config_of_long(dir.path(), &parts, 1));
    assert!(whole.summary.is_ok(), "{:?}", whole.summary);
    // More than an input keeps in memory while it waits.
    assert!(whole.rejects.as_ref().unwrap().len() > parts.len() * 128 * 1024);
    for threads in [2, 3, 8] {
        let again = Outcome::of(config_of_long(dir.path(), &parts, threads));
        assert!(again == whole, "{threads} threads");
    }
    for damaged in [
        vec![(3, EndsTooEarly)],
        vec![(1, WrongSum), (3, EndsTooEarly)],
        vec![(0, AnotherEncoding), (1, EndsTooEarly)],
        vec![(2, EndsTooEarly), (3, AnotherEncoding), (6, WrongSum)],
        vec![(6, WrongSum)],
    ] {
        for (part, damage) in &damaged {
            place(*part, &damage.of(*part));
        }
        let one = Outcome::of(config_of_long(dir.path(), &parts, 1));
        let (code, said) = one.summary.as_ref().unwrap_err();
        assert_eq!(*code, ExitCode::Input, "{said}");
        assert!(said.contains(&format!("part-{}", damaged[0].0)), "{damaged:?}: {said}");
        assert!(one.files.is_empty() && one.rejects.is_none(), "{damaged:?}");
        for threads in [2, 3, 8, 8] {
            let again = Outcome::of(config_of_long(dir.path(), &parts, threads));
            assert_eq!(again, one, "{damaged:?}, {threads} threads");
        }
        for (part, _) in &damaged {
            place(*part, &gzip(&long_text(*part)));
        }
    }
    let left = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, parts.len());
}

#[test]
fn the_first_input_that_cannot_be_planned_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let parts: Vec<PathBuf> = (0..80).map(|n| dir.path().join(format!("part-{n:02}"))).collect();
    let header_alone = b"id,email,\"a\nb\"\n";
    let (table, zipped) = (b"id,email,\"a\nb\"\n1,a@mail.example,x\n", gzip(&gzip(b"a")));
    for (n, part) in parts.iter().enumerate() {
        // A header alone is one because others have it, those before it and those behind.
        fs::write(part, if n % 7 == 3 { &header_alone[..] } else { table }).unwrap();
    }
    let of = |threads| {
        let mut config = config(UserType::EmailHash, &parts, &dir.path().join("out"));
        config.resources.threads = threads;
        let path = dir.path().join("rejects.csv");
        config.output.rejects = Some(RejectList { path, with_values: false });
        Outcome::of(config)
    };
    let one = of(1);
    assert!(one.summary.is_ok(), "{:?}", one.summary);
    for threads in [2, 8] {
        assert_eq!(of(threads), one);
    }
    for broken in [[78, 79], [40, 70], [1, 2], [0, 79]] {
        for n in &broken {
            fs::write(&parts[*n], &zipped).unwrap();
        }
        for threads in [1, 2, 8] {
            let said = of(threads).summary.unwrap_err().1;
            assert!(
                said.contains(&format!("part-{:02}`: it is compressed twice", broken[0])),
                "{said}"
            );
        }
        for n in &broken {
            fs::write(&parts[*n], table).unwrap();
        }
    }
}

#[test]
fn a_run_that_is_stopped_while_parts_are_read_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let parts: Vec<PathBuf> = (0..12).map(|n| dir.path().join(format!("part-{n}"))).collect();
    parts.iter().enumerate().for_each(|(n, part)| fs::write(part, gzip(&long_text(n))).unwrap());
    let progress = Progress::default();
    let mut config = config_of_long(dir.path(), &parts, 4);
    config.inputs.push(Input::Path(parts[0].clone()));
    let planned = Prepare::plan(config, &progress).unwrap();
    let stop = progress.stop.clone();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            while progress.bytes_read.load(std::sync::atomic::Ordering::Relaxed) < 200_000 {
                std::thread::sleep(Duration::from_millis(1));
            }
            stop.request(15);
        });
        planned.run(&progress).unwrap_err()
    });
    assert!(matches!(error, Error::Stopped { signal: 15 }), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), parts.len());
}
