//! Lines of rejects are those that an editor shows: an LF ends a line, a CR LF, and a CR alone, in quotes, too.

use std::fs;

use proptest::prelude::*;
use throng::config::{Format, Io, RejectList};
use throng::normalize::UserType;

use crate::support::{by_name, config, run};

/// Line ends in a text.
fn lines(text: &str) -> usize {
    text.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count()
}

/// Rows, each with whether its address is rejected.
const ROWS: [(&str, bool); 6] = [
    ("a@example.com,1", false),
    ("nobody,2", true),
    ("b@example.com,\"x\ry\"", false),
    ("no@body,\"x\r\ny\nz\"", true),
    ("\"no\rbody\",\"\r\"", true),
    (",", false),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn rejects_stand_where_an_editor_shows_them(
        rows in proptest::collection::vec((0..ROWS.len(), 0_usize..4), 1..25),
        has_one_end: bool, chunk_bytes in 1_usize..90,
        io in prop::sample::select(vec![Io::Auto, Io::Read]),
    ) {
        let mut text = "\"e\rmail\",note\n".to_owned();
        let mut expected = Vec::new();
        for (row, end) in rows {
            let (row, is_rejected) = ROWS[row];
            if is_rejected {
                expected.push(lines(&text) + 1);
            }
            text += row;
            text += ["\n", "\r\n", "\r", "\n\r\n"][if has_one_end { 0 } else { end }];
        }
        text += "c@example.com,3\n";
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in.csv");
        fs::write(&path, &text).unwrap();
        let config = config(UserType::EmailHash, &[path], &dir.path().join("out"));
        let mut config = by_name(config, "e mail");
        config.read.format = Format::Csv;
        config.read.delimiter = Some(b','.into());
        config.read.io = io;
        config.resources.chunk_bytes = chunk_bytes;
        let list = dir.path().join("rejects.csv");
        config.output.rejects = Some(RejectList { path: list.clone(), with_values: false });
        let figures = &run(config).unwrap().audiences[0].figures;
        let listed = fs::read_to_string(list).unwrap();
        let found: Vec<usize> =
            listed.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
        prop_assert_eq!(&found, &expected, "{:?}", text);
        let first = figures.rejects.iter().map(|of| of.first_line).min();
        prop_assert_eq!(first, expected.first().map(|line| *line as u64));
    }
}
