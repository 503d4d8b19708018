//! What people say of rows and cells: which rows are taken, from which columns, and how many values a cell holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, PrimitiveArray,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use throng::Manifest;
use throng::config::{
    AudienceSpec, ColumnSelector, Condition, Format, Header, Input, PrepareConfig, Quotes,
    RejectList, SuppressInput, ValueSeparator,
};
use throng::normalize::{Normalizer, RuleOptions, UserType, Wrapping};

use crate::support::{config, digest_hex, entries, oracle, run};

const SHOP: &str = "id,Email,Accepts Marketing,Country,Backup\n\
    1,ann@example.com,yes,NZ,\n\
    2,bob@example.com,no,NZ,bob@example.org\n\
    3,not an address,Yes,NZ,\n\
    4,cy@example.com, YES ,US,cy@example.org;cy@example.net\n\
    5,dee@example.com,,DE,\n\
    6,nobody,no,DE,\n\
    7,eve@example.com,1.0,DE,eve.example.org\n";

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn config(&self, text: &str, columns: &[&str]) -> PrepareConfig {
        let input = self.write("shop.csv", text);
        let mut config = config(UserType::EmailHash, &[input], &self.out());
        config.audiences = vec![AudienceSpec::new(UserType::EmailHash, selectors(columns))];
        config
    }
}

fn selectors(columns: &[&str]) -> Vec<ColumnSelector> {
    columns.iter().map(|column| column.parse().unwrap()).collect()
}

fn conditions(texts: &[&str]) -> Vec<Condition> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn digests(values: &[&str]) -> Vec<String> {
    let mut digests: Vec<String> =
        values.iter().map(|value| digest_hex(value.as_bytes())).collect();
    digests.sort();
    digests
}

#[test]
fn only_rows_that_fulfil_the_conditions_are_taken() {
    let desk = Desk::new();
    let mut config = desk.config(SHOP, &["email"]);
    config.read.conditions = conditions(&["accepts marketing=yes,1", "country!=us"]);
    let rejects = desk.0.path().join("rejects.csv");
    config.output.rejects = Some(RejectList { path: rejects.clone(), with_values: false });
    let summary = run(config).unwrap();
    assert_eq!(entries(&desk.out()), digests(&["ann@example.com", "eve@example.com"]));
    let figures = &summary.audiences[0].figures;
    assert_eq!((figures.read, figures.rejected, summary.records), (3, 1, 7));
    assert_eq!(figures.rejects[0].first_line, 4);
    let list = fs::read_to_string(rejects).unwrap();
    assert_eq!(list.lines().count(), 2, "{list}");
    let json = serde_json::to_value(&summary).unwrap();
    let dropped = serde_json::json!([
        { "condition": "accepts marketing=yes,1", "rows": 3 },
        { "condition": "country!=us", "rows": 1 },
    ]);
    assert_eq!(json["dropped"], dropped);
    let text = summary.to_string();
    assert!(text.starts_with("rows that --where drops\n  accepts marketing=yes,1"), "{text}");
    let manifest = serde_json::to_value(Manifest::read(&desk.out()).unwrap()).unwrap();
    assert_eq!(manifest["inputs"][0]["dropped"], dropped);
    assert_eq!(manifest["inputs"][0]["records"], 7);
    assert_eq!(manifest["options"]["where"][1], "country!=us");
}

#[test]
fn an_input_that_says_otherwise_who_is_to_be_kept_out_is_told() {
    let desk = Desk::new();
    let first = desk.write("a1.csv", "email,consent\nann@example.com,yes\nbob@example.com,no\n");
    let other = desk.write("a2.csv", "email,consent\ncat@example.com,1\ndan@example.com,0\n");
    let few = desk.write("a3.csv", "email,consent\neve@example.com,yes\n");
    let mut config = config(UserType::EmailHash, &[first, other, few], &desk.out());
    config.read.conditions = conditions(&["consent!=no"]);
    let summary = run(config).unwrap();
    let warnings = summary.warnings.join("\n");
    assert!(
        warnings.contains("a2.csv`: --where `consent!=no` drops none of its rows"),
        "{warnings}"
    );
    assert!(!warnings.contains("a1.csv") && !warnings.contains("a3.csv"), "{warnings}");
}

#[test]
fn conditions_that_do_nothing_or_leave_nothing_are_told() {
    let desk = Desk::new();
    let mut config = desk.config(SHOP, &["email"]);
    config.read.conditions = conditions(&["country!=FR"]);
    let summary = run(config.clone()).unwrap();
    assert_eq!(summary.warnings, ["--where `country!=fr` drops no row"]);
    config.read.conditions = conditions(&["accepts marketing=true", "country=nz"]);
    fs::remove_dir_all(desk.out()).unwrap();
    let error = run(config.clone()).unwrap_err();
    let message =
        "--where drops all rows of the inputs: `accepts marketing=true` 7, `country=nz` 0";
    assert_eq!(error.to_string(), message);
    assert_eq!(error.exit_code(), throng::ExitCode::Input);
    assert!(!desk.out().exists());
    // One of several files may have nobody.
    let other = desk.write("other.csv", "Email,Accepts Marketing,Country\nx@example.com,true,NZ\n");
    config.inputs.push(Input::Path(other));
    let summary = run(config.clone()).unwrap();
    assert_eq!(summary.audiences[0].figures.sets.written, 1);
    assert!(
        summary.notes.iter().any(|note| note.ends_with("shop.csv`: --where drops all its rows"))
    );
    // But not lack the column.
    let lacks = desk.write("lacks.csv", "Email,Country\ny@example.com,NZ\n");
    config.inputs.push(Input::Path(lacks));
    let error = run(config).unwrap_err().to_string();
    assert!(error.contains("lacks.csv") && error.contains("no column is called"), "{error}");
}

#[test]
fn people_who_are_compared_with_are_not_named() {
    let desk = Desk::new();
    let mut config = desk.config(SHOP, &["email"]);
    config.read.conditions = conditions(&["email!=ann@example.com"]);
    let summary = run(config).unwrap();
    let manifest = fs::read_to_string(desk.out().join("manifest.json")).unwrap();
    for text in [summary.to_string(), serde_json::to_string(&summary).unwrap(), manifest] {
        assert!(text.contains("email!=(not shown)") && !text.contains("ann@"), "{text}");
    }
    assert_eq!(summary.dropped[0].rows, 1);
}

#[test]
fn rows_of_a_list_that_do_not_count_hold_nobody_back() {
    let desk = Desk::new();
    let list = "Email,status\nann@example.com,unsubscribed\nbob@example.com,subscribed\n";
    let mut config = desk.config(SHOP, &["email"]);
    let input = Input::Path(desk.write("list.csv", list));
    let suppress =
        |text: &str| SuppressInput { conditions: conditions(&[text]), ..input.clone().into() };
    config.suppress = vec![suppress("status=unsubscribed")];
    let summary = run(config.clone()).unwrap();
    assert_eq!(summary.audiences[0].figures.sets.suppressed, 1);
    assert!(summary.dropped.is_empty());
    let manifest = serde_json::to_value(Manifest::read(&desk.out()).unwrap()).unwrap();
    assert_eq!(manifest["inputs"][0]["dropped"][0]["rows"], 1);
    config.suppress = vec![suppress("status=opted out")];
    let error = run(config).unwrap_err().to_string();
    assert!(error.contains("cannot be relied on: --suppress-where drops all its rows"), "{error}");
}

#[test]
fn several_columns_go_into_one_audience() {
    let desk = Desk::new();
    let config = desk.config(SHOP, &["email", "5"]);
    let summary = run(config).unwrap();
    let figures = &summary.audiences[0].figures;
    let of = |column: &throng::audience::ColumnFigures| {
        (column.column.clone(), column.read, column.blank, column.rejected, column.accepted)
    };
    let columns: Vec<_> = figures.columns.iter().map(of).collect();
    assert_eq!(columns, [("email".to_owned(), 7, 0, 2, 5), ("5".to_owned(), 7, 4, 2, 1)]);
    assert_eq!((figures.read, figures.blank, figures.rejected), (14, 4, 4));
    assert_eq!(figures.sets.written, 6);
    let error = run(desk.config(SHOP, &["email", "2"])).unwrap_err().to_string();
    assert!(error.starts_with("`email` and 2 are the same column of"), "{error}");
    let twice = "Mail,n,Mail\nann@example.com,1,bob@example.com\n,2,cy@example.com\n";
    let summary = run(desk.config(twice, &["1", "3"])).unwrap();
    assert_eq!(
        entries(&desk.out()),
        digests(&["ann@example.com", "bob@example.com", "cy@example.com"])
    );
    assert_eq!(summary.audiences[0].figures.rejected, 0);
}

#[test]
fn columns_that_are_mapped_alike_go_into_one_audience() {
    let desk = Desk::new();
    let input = desk.write("shop.csv", SHOP);
    let mut command = assert_cmd::Command::cargo_bin("throng").unwrap();
    command.arg("prepare").arg(&input).arg("-o").arg(desk.out());
    command.args(["--map", "email=email_hash", "--map", "backup=email_hash", "--split", ";"]);
    command.args(["--map", "id=custom_audience_third_party_id", "--max-rejects", "50%"]);
    command.assert().success();
    let manifest = Manifest::read(&desk.out()).unwrap();
    let written: Vec<u64> = manifest.audiences.iter().map(|of| of.figures.sets.written).collect();
    assert_eq!(written, [8, 7]);
}

#[test]
fn a_cell_that_is_not_there_is_blank() {
    let desk = Desk::new();
    let text = "id,Email,unsub\n1,ann@example.com,\n2,bob@example.com\n3,cy@example.com,yes\n4,dee@example.com,\n";
    let mut config = desk.config(text, &["Email"]);
    config.read.is_ragged = true;
    for (condition, count) in [("unsub=", 3), ("unsub!=yes", 3), ("unsub=yes", 1)] {
        config.read.conditions = vec![condition.parse().unwrap()];
        let figures = &run(config.clone()).unwrap().audiences[0].figures;
        assert_eq!((figures.raw, figures.rejected), (count, 0), "{condition}");
    }
    // Nobody is left out of an opt-out list for what is not there.
    let list = desk.write("list.csv", text);
    let mut suppress = SuppressInput::from(Input::Path(list));
    suppress.conditions = vec!["unsub=yes".parse().unwrap()];
    config.read.conditions.clear();
    config.suppress = vec![suppress];
    let list = &run(config).unwrap().audiences[0].figures.opt_out_lists[0];
    assert_eq!((list.usable, list.rejected), (1, 1));
}

#[test]
fn lines_of_a_cell_are_values_in_a_file_of_one_column() {
    let desk = Desk::new();
    let text = "email\n\"a1@example.com\na2@example.com\"\nb@example.com\n\"c1@example.com\nc2@example.com\"\n";
    for name in ["one.csv", "one.txt"] {
        let input = desk.write(name, text);
        let mut config = config(UserType::EmailHash, &[input], &desk.out());
        config.read.split = std::iter::once("\\n".parse::<ValueSeparator>().unwrap()).collect();
        let figures = &run(config).unwrap().audiences[0].figures;
        assert_eq!((figures.read, figures.raw, figures.rejected), (5, 5, 0), "{name}");
    }
}

#[test]
fn what_is_said_of_csv_is_in_the_manifest_and_refused_where_there_is_none() {
    let desk = Desk::new();
    let mut config = desk.config(SHOP, &["2"]);
    config.read.is_ragged = true;
    config.read.quotes = Some(Quotes::Doubled);
    let mut suppress = SuppressInput::from(Input::Path(desk.write("list.csv", SHOP)));
    suppress.conditions = vec!["country=NZ".parse().unwrap()];
    suppress.column = Some("2".parse().unwrap());
    config.suppress = vec![suppress];
    run(config.clone()).unwrap();
    let options = Manifest::read(&desk.out()).unwrap().options;
    assert_eq!(options["ragged"], true);
    assert_eq!(options["quotes"], "doubled");
    assert_eq!(options["suppress-where"][0], "country=nz");
    assert!(!options.contains_key("skip-rows") && !options.contains_key("no-header"));
    config.suppress.clear();
    config.read.header = Header::Absent;
    config.read.skip_rows = 1;
    run(config.clone()).unwrap();
    let options = Manifest::read(&desk.out()).unwrap().options;
    assert_eq!((&options["skip-rows"], &options["no-header"]), (&1.into(), &true.into()));
    config.read.format = Format::Lines;
    let error = run(config.clone()).unwrap_err();
    assert!(error.to_string().starts_with("--quotes is about CSV"), "{error}");
    config.read.quotes = None;
    let error = run(config).unwrap_err();
    assert!(error.to_string().starts_with("--ragged is about CSV"), "{error}");
}

#[test]
fn a_condition_on_a_column_that_is_not_there_names_those_that_are() {
    let desk = Desk::new();
    let mut config = desk.config("Mail,City\nnone,Linz\nunknown,Graz\n", &["mail"]);
    config.read.conditions = vec!["consent=yes".parse().unwrap()];
    let error = run(config).unwrap_err();
    assert!(error.to_string().contains("no column is called `consent`"), "{error}");
    assert!(error.hint().unwrap().contains("its columns: 1 `Mail`, 2 `City`"), "{error:?}");
}

#[test]
fn cells_are_split_if_that_is_said_and_told_of_else() {
    let desk = Desk::new();
    let text = "name,emails\n\
        a,ann@example.com\n\
        b,bob@example.com; bob@example.org ;\n\
        c,\"cy@example.com\ncy@example.org\"\n\
        d,;\n\
        e,\"{\"\"dee@example.com\"\";\"\"nobody\"\"}\"\n";
    let mut config = desk.config(text, &["emails"]);
    let summary = run(config.clone()).unwrap();
    assert!(
        summary.notes.iter().all(|note| !note.contains("--split")),
        "as many line ends as semicolons: {:?}",
        summary.notes
    );
    config.read.split =
        [";", "\\n"].iter().map(|of| of.parse::<ValueSeparator>().unwrap()).collect();
    let rejects = desk.0.path().join("rejects.csv");
    config.output.rejects = Some(RejectList { path: rejects.clone(), with_values: true });
    let summary = run(config).unwrap();
    let people = [
        "ann@example.com",
        "bob@example.com",
        "bob@example.org",
        "cy@example.com",
        "cy@example.org",
        "dee@example.com",
    ];
    assert_eq!(entries(&desk.out()), digests(&people));
    let figures = &summary.audiences[0].figures;
    assert_eq!((figures.read, figures.blank, figures.rejected), (8, 1, 1));
    let split = figures.split.unwrap();
    assert_eq!((split.cells, split.values), (3, 6));
    // The reject is told by the line of its row.
    assert_eq!(figures.rejects[0].first_line, 7);
    let list = fs::read_to_string(rejects).unwrap();
    assert!(list.contains(",7,") && list.contains("nobody") && !list.contains("dee@"), "{list}");
}

#[test]
fn a_separator_is_proposed_where_most_cells_have_it() {
    let desk = Desk::new();
    let text = "name,emails\na,ann@example.com\nb,bob@example.com;bob@example.org\nc,cy@example.com;cy@example.org\n";
    let mut config = desk.config(text, &["emails"]);
    let summary = run(config.clone()).unwrap();
    let note = "2 cells hold several values in column 2 `emails`: --split ';' takes each of them";
    assert!(summary.notes.iter().any(|of| of.ends_with(note)), "{:?}", summary.notes);
    config.max_rejects = "10%".parse().unwrap();
    let error = run(config).unwrap_err();
    assert_eq!(
        error.hint(),
        Some("these cells hold several values: --split ';' takes each of them")
    );
}

/// Writes columns as Parquet, in row groups of so many rows.
fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>, rows: usize, has_dictionary: bool) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows))
        .set_dictionary_enabled(has_dictionary)
        .build();
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Each condition, on each kind of column, takes the one row that it is about.
#[test]
fn all_kinds_of_columns_are_compared() {
    let desk = Desk::new();
    let path = desk.0.path().join("kinds.parquet");
    let days = |days: &[Option<i32>]| Arc::new(Date32Array::from(days.to_vec()));
    let decimals = Decimal128Array::from(vec![Some(150), Some(200), None]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "email",
            Arc::new(StringArray::from(vec!["a@example.com", "b@example.com", "c@example.com"])),
        ),
        ("text", Arc::new(StringArray::from(vec![Some("Yes"), Some("no"), None]))),
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("int", Arc::new(PrimitiveArray::<Int64Type>::from(vec![Some(1), Some(-7), None]))),
        ("float", Arc::new(Float64Array::from(vec![Some(1.0), Some(0.25), None]))),
        ("day", days(&[Some(20_781), Some(0), None])),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(1_795_485_600_000_000),
                Some(0),
                None,
            ])),
        ),
        ("decimal", Arc::new(decimals.with_precision_and_scale(9, 2).unwrap())),
    ];
    for (has_dictionary, rows) in [(true, 1024), (false, 2)] {
        write_parquet(&path, columns.clone(), rows, has_dictionary);
        for (text, person) in [
            ("text=yes", "a"),
            ("text=no", "b"),
            ("bool=TRUE", "a"),
            ("bool=false", "b"),
            ("bool=1", "a"),
            ("bool=0", "b"),
            ("bool!=0,", "a"),
            ("bool!=true,", "b"),
            ("int=1", "a"),
            ("int=-7", "b"),
            ("float=1", "a"),
            ("float=0.25", "b"),
            ("day=2026-11-24", "a"),
            ("day=1970-01-01", "b"),
            ("at=2026-11-24 02:00:00", "a"),
            ("at=1970-01-01 00:00:00", "b"),
            ("decimal=1.50", "a"),
            ("decimal=2", "b"),
            ("text=", "c"),
            ("bool=", "c"),
            ("int=", "c"),
            ("float=", "c"),
            ("day=", "c"),
            ("at=", "c"),
            ("decimal=", "c"),
        ] {
            let mut config = config(UserType::EmailHash, std::slice::from_ref(&path), &desk.out());
            config.audiences = vec![AudienceSpec::new(UserType::EmailHash, selectors(&["email"]))];
            config.read.conditions = conditions(&[text]);
            let summary = run(config).unwrap();
            assert_eq!(
                entries(&desk.out()),
                digests(&[&format!("{person}@example.com")]),
                "{text}"
            );
            assert_eq!(summary.dropped[0].rows, 2, "{text}");
        }
    }
}

/// A table with a column to compare, two with addresses, and a condition.
#[derive(Clone, Debug)]
struct Case {
    rows: Vec<[String; 4]>,
    /// Column, whether it must not have them, and values.
    conditions: Vec<(usize, bool, Vec<&'static str>)>,
    separators: Vec<&'static str>,
    chunk_bytes: usize,
    threads: usize,
    /// Rows of a row group, and whether there are dictionaries; text if there are none.
    parquet: Option<(usize, bool)>,
    has_reject_list: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let word = || prop::sample::select(vec!["yes", "Yes ", "no", "1", "", "x,y", "äÖ"]);
    let address = || {
        prop_oneof![
            6 => (0..30_u32).prop_map(|person| format!("user{person}@example.com")),
            1 => Just(String::new()),
            1 => Just("nobody".to_owned()),
        ]
    };
    let cell = || {
        prop_oneof![
            4 => address(),
            1 => (address(), address()).prop_map(|(one, other)| format!("{one}; {other}")),
            1 => (address(), address(), address()).prop_map(|(a, b, c)| format!("{a}|{b};{c}")),
        ]
    };
    let row = (word(), word(), cell(), cell())
        .prop_map(|(one, other, first, second)| [one.to_owned(), other.to_owned(), first, second]);
    let values =
        prop::collection::vec(prop::sample::select(vec!["yes", "no", "1", "", "x,y", "Äö"]), 1..3);
    let conditions = prop::collection::vec((0..2_usize, any::<bool>(), values), 0..3);
    let separators = prop::sample::select(vec![vec![], vec![";"], vec![";", "|"]]);
    let parquet = prop::option::of((1_usize..40, any::<bool>()));
    (
        prop::collection::vec(row, 1..60),
        conditions,
        separators,
        prop_oneof![1_usize..200, Just(throng::limits::CHUNK_BYTES)],
        1_usize..5,
        parquet,
        any::<bool>(),
    )
        .prop_map(
            |(rows, conditions, separators, chunk_bytes, threads, parquet, has_reject_list)| Case {
                rows,
                conditions,
                separators,
                chunk_bytes,
                threads,
                parquet,
                has_reject_list,
            },
        )
}

impl Case {
    fn place(&self, dir: &Path) -> PathBuf {
        let names = ["flag", "group", "email", "email2"];
        if let Some((rows, has_dictionary)) = self.parquet {
            let path = dir.join("in.parquet");
            let column = |at: usize| -> ArrayRef {
                // Nothing is null as often as it is empty.
                let cells = self.rows.iter().enumerate().map(|(row, cells)| {
                    Some(&*cells[at]).filter(|cell| !cell.is_empty() || row % 2 == 0)
                });
                Arc::new(cells.collect::<StringArray>())
            };
            let columns = names.iter().enumerate().map(|(at, name)| (*name, column(at)));
            write_parquet(&path, columns.collect(), rows, has_dictionary);
            return path;
        }
        let path = dir.join("in.csv");
        let mut writer = csv::Writer::from_path(&path).unwrap();
        writer.write_record(names).unwrap();
        self.rows.iter().for_each(|row| writer.write_record(row).unwrap());
        writer.flush().unwrap();
        path
    }

    /// The first condition that a row does not fulfil.
    fn drops(&self, row: &[String; 4]) -> Option<usize> {
        self.conditions.iter().position(|(column, is_negated, values)| {
            let cell = row[*column].trim().to_lowercase();
            values.iter().any(|value| value.to_lowercase() == cell) == *is_negated
        })
    }

    fn split<'a>(&self, cell: &'a str) -> Vec<&'a str> {
        let is_separator = |c: char| self.separators.iter().any(|of| of.starts_with(c));
        if !cell.contains(is_separator) {
            return vec![cell];
        }
        let parts: Vec<&str> =
            cell.split(is_separator).map(str::trim).filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { vec![""] } else { parts }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let mut config = config(UserType::EmailHash, &[self.place(dir.path())], &out);
        config.audiences =
            vec![AudienceSpec::new(UserType::EmailHash, selectors(&["email", "email2"]))];
        config.resources.chunk_bytes = self.chunk_bytes;
        config.resources.threads = self.threads;
        config.read.split =
            self.separators.iter().map(|of| of.parse::<ValueSeparator>().unwrap()).collect();
        config.read.conditions = self
            .conditions
            .iter()
            .map(|(column, is_negated, values)| {
                let values = values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>();
                let operator = if *is_negated { "!=" } else { "=" };
                let column = ["flag", "group"][*column];
                format!("{column}{operator}{}", values.join(",")).parse().unwrap()
            })
            .collect();
        if self.has_reject_list {
            let path = dir.path().join("rejects.csv");
            config.output.rejects = Some(RejectList { path, with_values: true });
        }
        let taken: Vec<_> = self.rows.iter().filter(|row| self.drops(row).is_none()).collect();
        let normalizer = Normalizer::new(UserType::EmailHash, RuleOptions::default());
        let of_column = |column: usize| {
            let values = taken.iter().flat_map(|row| self.split(&row[column]));
            let values = values.map(|value| (Ok(value.as_bytes()), None));
            oracle::read(UserType::EmailHash, &normalizer, Wrapping::Field, values)
        };
        let columns = [of_column(2), of_column(3)];
        let summary = run(config);
        if columns.iter().all(|column| column.accepted == 0) {
            prop_assert!(summary.is_err());
            return Ok(());
        }
        let summary = summary.unwrap();
        let set = columns[0].set.union(&columns[1].set).cloned();
        prop_assert_eq!(entries(&out), oracle::in_order(UserType::EmailHash, set));
        let figures = &summary.audiences[0].figures;
        for (found, expected) in figures.columns.iter().zip(&columns) {
            prop_assert_eq!(found.read, expected.read);
            prop_assert_eq!(found.blank, expected.blank);
            prop_assert_eq!(found.rejected, expected.rejected);
            prop_assert_eq!(found.accepted, expected.accepted);
        }
        prop_assert_eq!(figures.read, columns[0].read + columns[1].read);
        for (at, dropped) in summary.dropped.iter().enumerate() {
            let expected = self.rows.iter().filter(|row| self.drops(row) == Some(at)).count();
            prop_assert_eq!(dropped.rows, expected as u64);
        }
        prop_assert_eq!(summary.records, self.rows.len() as u64);
        if self.has_reject_list {
            let list = csv::Reader::from_path(dir.path().join("rejects.csv")).unwrap();
            prop_assert_eq!(list.into_records().count() as u64, figures.rejected);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_said_equals_the_oracle(case in cases()) {
        case.check()?;
    }
}
