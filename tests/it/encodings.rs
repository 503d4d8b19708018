//! The same people in UTF-8 and UTF-16, by whatever way they come; headers in older encodings.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use throng::config::{AudienceSpec, ColumnSelector, Io};
use throng::normalize::UserType;
use throng::prepare::summary::Summary;
use throng::stop::Stop;

use crate::support::{by_name, config, entries, run, suppressing};

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Utf8,
    Little,
    Big,
}

impl Encoding {
    fn of(self, text: &str, has_mark: bool) -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        let text = if has_mark { &marked } else { text };
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Little => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Big => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }
}

fn rows() -> impl Strategy<Value = Vec<(String, String)>> {
    let name =
        prop::sample::select(vec!["Ann", "Zoë", "王小明", "\u{1f600}", "two\nlines", "a;\"b\""]);
    let address = prop_oneof![
        8 => (0_u8..40).prop_map(|n| format!("user.{n}@mail.example.com")),
        1 => Just("zoë@example.com".to_owned()),
        1 => Just("  USER.1@Mail.Example.com\u{a0}".to_owned()),
        1 => Just("no address".to_owned()),
        1 => Just(String::new()),
    ];
    prop::collection::vec((name.prop_map(str::to_owned), address), 4..150)
}

fn table(rows: &[(String, String)], end: &str) -> String {
    let mut text = format!("Näme;E-Mail{end}");
    for (name, address) in rows {
        let name = name.replace('"', "\"\"");
        text.extend(["\"", &name, "\";", address, end]);
    }
    text
}

/// What a run says of an audience, without the name of the file.
fn told(summary: &Summary) -> String {
    let audience = serde_json::to_value(&summary.audiences[0]).unwrap();
    audience.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, ..ProptestConfig::default() })]

    #[test]
    fn utf16_gives_what_utf8_gives(
        members in rows(), opted_out in rows(), crlf: bool, is_list: bool, is_packed: bool,
        chunk_bytes in 40_usize..4000)
    {
        let end = if crlf { "\r\n" } else { "\n" };
        let text = |rows: &[(String, String)]| if is_list {
            rows.iter().flat_map(|(_, address)| [address, end]).collect()
        } else {
            table(rows, end)
        };
        let (members, opted_out) = (text(&members), text(&opted_out));
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let mut first: Option<Result<(String, Vec<String>), String>> = None;
        let ways = [
            (Encoding::Utf8, false), (Encoding::Utf8, true), (Encoding::Little, true),
            (Encoding::Little, false), (Encoding::Big, true), (Encoding::Big, false),
        ];
        for (encoding, has_mark) in ways {
            for (name, text) in [("in.csv", &members), ("list.csv", &opted_out)] {
                let bytes = encoding.of(text, has_mark);
                let packed = if is_packed { zstd::encode_all(&*bytes, 1).unwrap() } else { bytes };
                fs::write(path(name), packed).unwrap();
            }
            let mut config = config(UserType::EmailHash, &[path("in.csv")], &path("out"));
            config = suppressing(config, &path("list.csv"));
            config.resources.chunk_bytes = chunk_bytes;
            config.read.io = if crlf { Io::Auto } else { Io::Read };
            if !is_list {
                config = by_name(config, "e-mail");
            }
            let outcome = run(config).map(|summary| (told(&summary), entries(&path("out"))));
            let outcome = outcome.map_err(|error| error.to_string());
            match &first {
                None => first = Some(outcome),
                Some(first) => prop_assert_eq!(&outcome, first, "{:?} {}", encoding, has_mark),
            }
        }
    }
}

fn email(dir: &Path, bytes: &[u8], column: Option<&str>) -> throng::Result<Summary> {
    let path = dir.join("in.csv");
    fs::write(&path, bytes).unwrap();
    let column = column.map(|name| ColumnSelector::Name(name.to_owned()));
    let mut config = config(UserType::EmailHash, &[path], &dir.join("out"));
    config.audiences = vec![AudienceSpec::new(UserType::EmailHash, column)];
    run(config)
}

#[test]
fn half_a_pair_is_a_reject_at_its_line_and_no_other_value() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = Encoding::Little.of("email\r\nann@example.com\r\nb", true);
    bytes.extend([0x3d, 0xd8]);
    bytes.extend(Encoding::Little.of("ob@example.com\r\ncid@example.com\r\n", false));
    let summary = email(dir.path(), &bytes, None).unwrap();
    let audience = &serde_json::to_value(&summary.audiences[0]).unwrap();
    assert_eq!(entries(&dir.path().join("out")).len(), 2);
    let rejected = &audience["rejects"][0];
    assert_eq!(rejected["reason"], "invalid_utf8", "{audience}");
    assert_eq!((&rejected["count"], &rejected["first_line"]), (&1.into(), &3.into()));
    assert!(summary.notes.iter().any(|note| note.contains("UTF-16")), "{:?}", summary.notes);
}

#[test]
fn text_that_goes_on_in_another_encoding_is_refused_at_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let begin = Encoding::Little.of("ann@example.com\r\nbob@example.com\r\n", true);
    let more = "cid@example.com\r\n".repeat(8);
    for tail in [more.as_bytes(), &Encoding::Big.of(&more, true)] {
        let error = email(dir.path(), &[&begin, tail].concat(), None).unwrap_err().to_string();
        assert!(error.contains("line 3: the text begins as UTF-16"), "{error}");
    }
}

#[test]
fn headers_are_found_in_older_encodings_and_values_are_not_guessed() {
    let dir = tempfile::tempdir().unwrap();
    let rows = b"\n1,ann@example.com,M\xfcller\n2,m\xfcller@example.com,x\n3,bob@example.com,y\n";
    for (header, name) in [
        (&b"id,Stra\xdfe,n"[..], "straße"),
        (b"id,Stra\xa7e,n", "Straße"),
        (b"id,\xcf\xee\xf7\xf2\xe0,n", "почта"),
    ] {
        let summary = email(dir.path(), &[header, rows].concat(), Some(name)).unwrap();
        let figures = &summary.audiences[0].figures;
        assert_eq!((figures.sets.written, figures.rejected), (2, 1), "{name}");
    }
    let error = email(dir.path(), &[b"id,Stra\xdfe,n", &rows[..]].concat(), Some("x"));
    let hint = error.unwrap_err().hint().unwrap().to_owned();
    assert!(hint.contains("`Straße`"), "{hint}");
}

#[test]
fn a_folder_is_read_as_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("out.csv");
    fs::create_dir_all(folder.join("country=DE")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("_SUCCESS", "");
    write("part-0.csv", "email\nann@example.com\n");
    write("country=DE/part-1.csv", "email\nbob@example.com\n");
    write(".part-0.csv.crc", "crc");
    let found = throng::source::expand(dir.path(), "out.csv", false, &Stop::default()).unwrap();
    assert_eq!(found.files.len(), 2);
    let paths: Vec<PathBuf> = found.files.iter().map(|file| file.input.name()).collect();
    let config = config(UserType::EmailHash, &paths, &dir.path().join("out"));
    assert_eq!(run(config).unwrap().audiences[0].figures.sets.written, 2);
    let note = found.note("out.csv".as_ref()).unwrap();
    assert!(note.contains("2 files that are no data"), "{note}");
}

#[test]
fn names_of_countries_are_understood_in_older_encodings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.csv");
    let rows: [&[u8]; 5] = [
        b"T\xe9l\xe9phone;L\xe4nd",
        b"0664 1234567;\xd6sterreich",
        b"0664 1234568;\x85sterreich",
        "0664 1234569;Österreich".as_bytes(),
        b"0151 23456789;Deutschland",
    ];
    fs::write(&path, rows.join(&b'\n')).unwrap();
    let mut config = config(UserType::PhoneHash, &[path], &dir.path().join("out"));
    config = by_name(config, "téléphone");
    config.read.country_column = Some(ColumnSelector::Name("länd".to_owned()));
    let figures = &run(config).unwrap().audiences[0].figures;
    assert_eq!((figures.sets.written, figures.rejected), (4, 0));
}

#[test]
fn the_filter_refuses_utf16_by_its_name() {
    let text = Encoding::Little.of("ann@example.com\n", true);
    let output = assert_cmd::Command::cargo_bin("throng")
        .unwrap()
        .args(["hash", "-t", "email_hash"])
        .write_stdin(text)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("the text is UTF-16"));
}
