//! The whole pipeline against the oracle, for whatever inputs, roles, tunings and routes proptest thinks of. For a
//! longer search: `PROPTEST_CASES=20000 cargo test --release --test it properties`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use throng::config::{
    AudienceSpec, ColumnSelector, Format, Header, Input, Io, PrepareConfig, RejectList,
    SuppressInput,
};
use throng::dialect::Quotes;
use throng::limits::SLAB_BYTES_MIN;
use throng::normalize::{Normalizer, UserType};

use crate::support::oracle::{self, Outcome};
use crate::support::{config, entries, run, value};

/// How bytes come to throng.
#[derive(Clone, Copy, Debug)]
enum Route {
    Mapped,
    Read,
    Fifo,
    Gzip,
    Zstd,
}

/// How records are written.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Lines,
    /// Delimiter, and the wanted column among so many.
    Csv(u8, usize, usize),
}

#[derive(Clone, Debug)]
struct Tuning {
    chunk_bytes: usize,
    threads: usize,
    memory_bytes: u64,
    block_bytes: usize,
    part_lines: u64,
    route: Route,
}

#[derive(Clone, Debug)]
struct Case {
    user_type: UserType,
    shape: Shape,
    has_bom: bool,
    ends_with_lf: bool,
    crlf: bool,
    /// Two files of members, one of opt-outs, one of known people.
    files: [Vec<String>; 4],
    tuning: Tuning,
}

/// A value of a small population, so that roles and repetitions meet; sometimes dirt, sometimes anything.
fn values(user_type: UserType) -> impl Strategy<Value = String> {
    let person = (0_u64..40).prop_map(move |person| value(user_type, person));
    let digest = (0_u8..6).prop_map(|n| format!("{n:02X}").repeat(32));
    let anything = r#"[a-zA-Z0-9@.+"', ;\\\t\r()\-]{0,24}"#;
    // Ids that are all floats lose their fraction, which the rule of a single value does not know.
    let anything = anything.prop_filter("a float", |text| {
        let trimmed = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        trimmed.contains(|c: char| !c.is_ascii_digit() && !".,".contains(c))
            || !trimmed.contains(['.', ','])
    });
    prop_oneof![
        12 => person.clone(),
        2 => person.clone().prop_map(|value| value.to_uppercase()),
        2 => person.prop_map(|value| format!(" \t\u{a0}{value}\u{200b} ")),
        2 => digest,
        2 => prop::sample::select(vec!["", "null", "N/A", "@", "\u{e9}", "0", "a\u{1}b", "\"", "x\ny"])
            .prop_map(str::to_owned),
        2 => anything,
    ]
}

fn tunings() -> impl Strategy<Value = Tuning> {
    let route = prop::sample::select(vec![
        Route::Mapped,
        Route::Read,
        Route::Fifo,
        Route::Gzip,
        Route::Zstd,
    ]);
    let chunk = prop_oneof![1_usize..40, 40_usize..3000, Just(throng::limits::CHUNK_BYTES)];
    let memory = prop_oneof![1_000_u64..60_000, Just(256 << 20)];
    (chunk, 1_usize..5, memory, 264_usize..2000, 1_u64..60, route).prop_map(
        |(chunk_bytes, threads, memory_bytes, block_bytes, part_lines, route)| Tuning {
            chunk_bytes,
            threads,
            memory_bytes,
            block_bytes,
            part_lines,
            route,
        },
    )
}

fn cases() -> impl Strategy<Value = Case> {
    let user_type = prop::sample::select(UserType::ALL.to_vec());
    let shape = prop_oneof![
        Just(Shape::Lines),
        (prop::sample::select(b",;\t|".to_vec()), 1_usize..4).prop_flat_map(
            |(delimiter, width)| {
                (0..width).prop_map(move |column| Shape::Csv(delimiter, column, width))
            }
        ),
    ];
    let sizes = [1..120_usize, 0..60, 0..30, 0..40];
    user_type.prop_flat_map(move |user_type| {
        let files = sizes.clone().map(|size| prop::collection::vec(values(user_type), size));
        (shape.clone(), any::<[bool; 3]>(), files, tunings()).prop_map(
            move |(shape, [has_bom, ends_with_lf, crlf], files, tuning)| Case {
                user_type,
                shape,
                has_bom,
                ends_with_lf,
                crlf,
                files,
                tuning,
            },
        )
    })
}

/// Cases with so many more people that they do not fit into memory: in each file as many, half of them in the next.
fn crowded_cases() -> impl Strategy<Value = Case> {
    let tuning = (100_000_u64..500_000, 500_usize..50_000);
    (cases(), tuning).prop_map(|(mut case, (memory_bytes, chunk_bytes))| {
        let entry = |person| value(case.user_type, person);
        let entry_bytes = if case.user_type.is_hashed() { 32 } else { entry(0).len() };
        let count = (SLAB_BYTES_MIN * 2 / case.files.len() / entry_bytes) as u64;
        for (at, file) in (0..).zip(&mut case.files) {
            file.extend((0..count).map(|person| entry(1000 + at * count / 2 + person)));
        }
        let part_lines = case.tuning.part_lines * 200;
        case.tuning = Tuning { chunk_bytes, memory_bytes, part_lines, ..case.tuning };
        case
    })
}

impl Case {
    /// A file as it is written to disk, without compression.
    fn text(&self, values: &[String]) -> Vec<u8> {
        let mut text = match self.shape {
            Shape::Lines => {
                let end = if self.crlf { "\r\n" } else { "\n" };
                let line = |value: &String| value.replace('\n', " ") + end;
                values.iter().map(line).collect::<String>().into_bytes()
            }
            Shape::Csv(delimiter, column, width) => self.table(values, delimiter, column, width),
        };
        if !self.ends_with_lf && text.split(|byte| *byte == b'\n').count() > 2 {
            text.truncate(text.len() - if self.crlf { 2 } else { 1 });
        }
        text
    }

    fn table(&self, values: &[String], delimiter: u8, column: usize, width: usize) -> Vec<u8> {
        let terminator =
            if self.crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .terminator(terminator)
            .flexible(true)
            .from_writer(Vec::new());
        let names = (0..width).map(|at| if at == column { "Wanted" } else { "a \"b\",\nc" });
        writer.write_record(names).unwrap();
        for (row, value) in values.iter().enumerate() {
            // Some rows end early, some fields beside the wanted one hold what CSV is feared for.
            let len = if row % 17 == 16 { column.max(1) } else { width };
            let beside = ["x", "say \"hi\"", "two\nlines", "", "a;b,c\td|e"][row % 5];
            let cells = (0..len).map(|at| if at == column { value.as_str() } else { beside });
            writer.write_record(cells).unwrap();
        }
        writer.into_inner().unwrap()
    }

    fn outcome(&self, text: &[u8]) -> Outcome {
        // An input without anything is not read.
        if text.trim_ascii().is_empty() {
            return Outcome::default();
        }
        let normalizer = Normalizer::new(self.user_type, oracle::rules());
        match self.shape {
            Shape::Lines => oracle::read_lines(self.user_type, &normalizer, text),
            Shape::Csv(delimiter, column, _) => {
                oracle::read_csv(self.user_type, &normalizer, text, delimiter, column, None)
            }
        }
    }

    fn config(&self, inputs: &[PathBuf], out: &Path) -> PrepareConfig {
        let mut config = config(self.user_type, inputs, out);
        let tuning = &self.tuning;
        config.rules = oracle::rules();
        config.resources.threads = tuning.threads;
        config.resources.chunk_bytes = tuning.chunk_bytes;
        config.resources.memory_bytes = tuning.memory_bytes;
        config.resources.block_bytes = tuning.block_bytes;
        config.output.part_lines = tuning.part_lines;
        config.read.io = if matches!(tuning.route, Route::Read) { Io::Read } else { Io::Auto };
        let column = match self.shape {
            Shape::Lines => {
                config.read.header = Header::Absent;
                config.read.format = Format::Lines;
                None
            }
            Shape::Csv(delimiter, ..) => {
                config.read.format = Format::Csv;
                config.read.quotes = Some(Quotes::Doubled);
                config.read.delimiter = Some(delimiter.into());
                Some(ColumnSelector::Name("wanted".to_owned()))
            }
        };
        config.audiences = vec![AudienceSpec::new(self.user_type, column)];
        config
    }

    /// Puts a file where throng finds it, by the case's route.
    fn place(&self, dir: &Path, name: &str, text: &[u8]) -> PathBuf {
        let path = dir.join(name);
        let text = if self.has_bom { [b"\xef\xbb\xbf", text].concat() } else { text.to_vec() };
        match self.tuning.route {
            Route::Mapped | Route::Read => fs::write(&path, text).unwrap(),
            Route::Gzip => {
                let member = |text: &[u8]| {
                    let level = flate2::Compression::fast();
                    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                    encoder.write_all(text).unwrap();
                    encoder.finish().unwrap()
                };
                let (one, two) = text.split_at(text.len() / 3);
                fs::write(&path, [member(one), member(two)].concat()).unwrap();
            }
            Route::Zstd => fs::write(&path, zstd::encode_all(&*text, 1).unwrap()).unwrap(),
            Route::Fifo => {
                let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
                assert!(made.success());
                let path = path.clone();
                std::thread::spawn(move || fs::write(path, text).unwrap());
            }
        }
        path
    }

    /// Bytes that were spilled.
    fn check(&self) -> Result<u64, TestCaseError> {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let texts = self.files.each_ref().map(|values| self.text(values));
        let [first, second, opted_out, known] = texts.each_ref().map(|text| self.outcome(text));
        let members: BTreeSet<&String> = first.set.union(&second.set).collect();
        // A list of which nothing or too little can be used stops the run, which is not what is tested here.
        let values = opted_out.read - opted_out.blank;
        // One of a single column is cut by what stands in all its values, whatever was said of the inputs.
        let is_cut = |text: &[u8]| text.iter().any(|byte| b"\t,;|^~".contains(byte));
        let is_list = opted_out.accepted > 0
            && opted_out.rejected * 2 <= values
            && opted_out.refused == 0
            && !(matches!(self.shape, Shape::Csv(_, _, 1)) && is_cut(&texts[2]));
        let mut config = self.config(&[], &out);
        for (name, text) in [("a", &texts[0]), ("b", &texts[1])] {
            config.inputs.push(Input::Path(self.place(dir.path(), name, text)));
        }
        if is_list {
            let input = Input::Path(self.place(dir.path(), "list", &texts[2]));
            let column = config.audiences[0].columns.first().cloned();
            config.suppress.push(SuppressInput { column, ..input.into() });
        }
        if known.accepted > 0 {
            let input = self.place(dir.path(), "earlier", &texts[3]);
            let dir = dir.path().join("known");
            match run(self.config(&[input], &dir)) {
                Err(error) if is_about_delimiter(&error) => return Ok(0),
                done => drop(done.unwrap()),
            }
            config.against.push(dir.into());
        }
        let list = dir.path().join("rejects.csv");
        config.output.rejects = Some(RejectList { path: list.clone(), with_values: false });
        let summary = run(config);
        if first.accepted + second.accepted == 0 {
            prop_assert!(summary.is_err());
            return Ok(0);
        }
        if summary.as_ref().is_err_and(is_about_delimiter) {
            return Ok(0);
        }
        let summary = summary.unwrap();
        let audience = &summary.audiences[0];
        prop_assert_eq!(audience.figures.read, first.read + second.read);
        prop_assert_eq!(audience.figures.blank, first.blank + second.blank);
        prop_assert_eq!(audience.figures.rejected, first.rejected + second.rejected);
        let accepted = first.accepted + second.accepted;
        prop_assert_eq!(audience.figures.raw + audience.figures.prehashed, accepted);
        prop_assert_eq!(audience.figures.duplicates, accepted - members.len() as u64);
        let is_suppressed = |entry: &String| is_list && opted_out.set.contains(entry);
        let left = members.iter().copied().filter(|e| !is_suppressed(e) && !known.set.contains(*e));
        let expected = oracle::in_order(self.user_type, left.cloned());
        prop_assert_eq!(entries(&out), expected);
        let must_go = known.set.iter().filter(|entry| is_suppressed(entry)).count();
        prop_assert_eq!(audience.figures.sets.must_go, must_go as u64);
        let gone = known.set.iter().filter(|entry| !members.contains(entry)).count();
        prop_assert_eq!(audience.figures.sets.gone, gone as u64);
        let suppressed = members.iter().filter(|entry| is_suppressed(entry)).count();
        prop_assert_eq!(audience.figures.sets.suppressed, suppressed as u64);
        let rows = csv::Reader::from_path(list).unwrap().into_records().count() as u64;
        let opted_out = if is_list { opted_out.rejected } else { 0 };
        prop_assert_eq!(rows, audience.figures.rejected + opted_out);
        Ok(summary.spilled_bytes)
    }
}

/// Few values of anything can look as if another delimiter than the one that was said cut them, which is refused.
fn is_about_delimiter(error: &throng::Error) -> bool {
    error.to_string().contains("separated by")
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn pipeline_equals_the_oracle(case in cases()) {
        case.check()?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 16, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn pipeline_that_spills_equals_the_oracle(case in crowded_cases()) {
        prop_assert!(case.check()? > 0, "it does not spill");
    }
}
