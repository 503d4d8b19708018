//! Inputs that hold nobody are the same in every form: fine beside others, counted, and an error alone.

use std::fs;
use std::path::{Path, PathBuf};

use throng::config::{Input, PrepareConfig};
use throng::normalize::UserType;
use throng::prepare::summary::Summary;

use crate::support::{by_name, config, entries, fixture, run};

/// Files that hold nobody.
fn empty_files(dir: &Path) -> Vec<PathBuf> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let texts: [(&str, &[u8]); 6] = [
        ("nothing.csv", b""),
        ("header.csv", b"name,email\n"),
        ("header-without-end.csv", b"\xef\xbb\xbfemail;name"),
        ("blank.txt", b"\n\r\n  \n\n"),
        ("utf16.csv", b"\xff\xfee\0m\0a\0i\0l\0\r\0\n\0"),
        ("nothing.csv.gz", &gzip.finish().unwrap()),
    ];
    let write = |(name, text): (&str, &[u8])| {
        fs::write(dir.join(name), text).unwrap();
        dir.join(name)
    };
    texts.into_iter().map(write).chain([fixture("parquet/empty.parquet")]).collect()
}

/// Its name, and what is said of it.
fn said_of(path: &Path) -> (&str, &str) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let said = match name {
        "empty.parquet" => "has no rows",
        "header.csv" | "header-without-end.csv" | "utf16.csv" => "holds a header alone",
        _ => "is empty",
    };
    (name, said)
}

fn rows(dir: &Path) -> PathBuf {
    let path = dir.join("rows.csv");
    fs::write(&path, "email,name\nann@example.com,Ann\nbob@example.com,Bob\n").unwrap();
    path
}

fn outcome(config: PrepareConfig) -> Result<Summary, String> {
    run(config).map_err(|error| error.to_string())
}

#[test]
fn beside_others_they_are_counted_and_alone_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (rows, out) = (rows(dir.path()), dir.path().join("out"));
    let empty = empty_files(dir.path());
    for is_named in [false, true] {
        let of = |inputs: &[PathBuf]| {
            let config = config(UserType::EmailHash, inputs, &out);
            outcome(if is_named { by_name(config, "Email") } else { config })
        };
        for path in &empty {
            let (name, said) = said_of(path);
            let error = of(std::slice::from_ref(path)).unwrap_err();
            assert!(error.contains("the inputs hold no values"), "{name}: {error}");
            assert!(error.ends_with(&format!("{name}` {said}")), "{name}: {error}");
            for inputs in [[path.clone(), rows.clone()], [rows.clone(), path.clone()]] {
                let summary = of(&inputs).unwrap();
                let figures = &summary.audiences[0].figures;
                assert_eq!((figures.read, figures.rejected, figures.blank), (2, 0, 0));
                let of_both = format!("1 of 2 inputs {said}: ");
                let note = summary.notes.iter().find(|note| note.starts_with(&of_both));
                assert!(note.is_some(), "{:?}", summary.notes);
            }
        }
        assert!(of(&empty).unwrap_err().contains("and 6 more are empty"));
        let summary = of(&[&empty[..], std::slice::from_ref(&rows)].concat()).unwrap();
        assert!(summary.notes.iter().any(|note| note.starts_with("7 of 8 inputs are empty")));
        assert_eq!(entries(&out).len(), 2);
    }
}

#[test]
fn a_list_that_is_empty_holds_back_nobody_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (rows, out) = (rows(dir.path()), dir.path().join("out"));
    for list in empty_files(dir.path()) {
        let mut config = config(UserType::EmailHash, std::slice::from_ref(&rows), &out);
        config.suppress.push(Input::Path(list.clone()).into());
        let summary = outcome(config).unwrap();
        assert_eq!(summary.audiences[0].figures.sets.written, 2);
        let note = format!("{}` {}", list.display(), said_of(&list).1);
        assert!(summary.warnings.iter().any(|of| of.contains(&note)), "{:?}", summary.warnings);
    }
}

#[test]
fn a_single_row_is_a_person_unless_something_proves_that_it_is_a_header() {
    let dir = tempfile::tempdir().unwrap();
    let (rows, out) = (rows(dir.path()), dir.path().join("out"));
    let write = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name)
    };
    let written = |inputs: &[PathBuf]| {
        outcome(config(UserType::EmailHash, inputs, &out)).map(|summary| {
            let figures = &summary.audiences[0].figures;
            (figures.sets.written, figures.rejected)
        })
    };
    let one = write("one.csv", "email@example.com,Mail\n");
    assert_eq!(written(std::slice::from_ref(&one)), Ok((1, 0)));
    assert_eq!(written(&[rows.clone(), one]), Ok((3, 0)));
    // Another input has the same header, in another order, which says nothing by itself.
    let columns = write("columns.csv", "kontakt,wer\nann@example.com,Ann\nbob@example.com,Bob\n");
    let alone = write("alone.csv", "Wer,Kontakt\n");
    assert_eq!(written(&[alone.clone(), columns]), Ok((2, 0)));
    assert!(written(&[alone.clone(), rows.clone()]).is_err());
    let columns = write("columns", "kontakt;wer\nann@example.com;Ann\nbob@example.com;Bob\n");
    let line = write("line", "kontakt;wer");
    assert_eq!(written(&[line, columns]), Ok((2, 0)));
    for (list, is_refused) in [
        ("bob@example.com", false),
        ("Bob,bob@example.com", false),
        ("bob(at)example.com,Bob", true),
        ("Bob,Miller", true),
        ("bob.mail.example.com", true),
        ("bobmail[at]example", true),
    ] {
        let list = write("list.csv", list);
        let mut config = config(UserType::EmailHash, std::slice::from_ref(&rows), &out);
        config.suppress.push(Input::Path(list).into());
        let outcome = outcome(config).map(|summary| summary.audiences[0].figures.sets.suppressed);
        assert_eq!(outcome.is_err(), is_refused);
        assert!(is_refused || outcome == Ok(1));
    }
    // A name that was told is in the header, or it is another file.
    let other = write("other.csv", "name,e-mail\n");
    let error = outcome(by_name(config(UserType::EmailHash, &[other, rows], &out), "email"));
    assert!(error.unwrap_err().contains("no column is called `email`"));
    // Names of columns are ids of one's own by their form.
    let ids = write("ids.txt", "customer\n");
    let ids = outcome(config(UserType::CustomAudienceThirdPartyId, &[ids], &out)).unwrap();
    assert_eq!(ids.audiences[0].figures.sets.written, 1);
}

#[test]
fn a_file_that_is_empty_because_it_is_being_written_is_not_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let (rows, out) = (rows(dir.path()), dir.path().join("out"));
    let path = dir.path().join("next.csv");
    let writer = fs::File::create(&path).unwrap();
    let inputs = [rows, path];
    // Where the system does not tell, it cannot be known.
    if let Err(error) = outcome(config(UserType::EmailHash, &inputs, &out)) {
        assert!(error.contains("still has it open for writing"), "{error}");
    }
    drop(writer);
    let summary = outcome(config(UserType::EmailHash, &inputs, &out)).unwrap();
    assert_eq!(summary.audiences[0].figures.sets.written, 2);
}
