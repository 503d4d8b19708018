//! From which columns values are taken, and how many a cell holds.

use std::fs;

use throng::Manifest;
use throng::config::{RejectList, ValueSeparator};
use throng::normalize::UserType;

use crate::support::shop::{Desk, SHOP, digests};
use crate::support::{config, entries, run};

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
