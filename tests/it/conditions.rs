//! Which rows are taken: conditions on their columns, of inputs and of opt-out lists.

use std::fs;
use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, PrimitiveArray,
    StringArray, TimestampMicrosecondArray,
};
use throng::Manifest;
use throng::config::{AudienceSpec, Format, Header, Input, Quotes, RejectList, SuppressInput};
use throng::normalize::UserType;

use crate::support::shop::{Desk, SHOP, conditions, digests, selectors, write_parquet};
use crate::support::{config, entries, run};

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
