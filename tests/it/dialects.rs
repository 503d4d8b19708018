//! Files as systems and people write them: what separates fields, where the header is, and what is said of it.

use std::fs;

use tempfile::TempDir;
use throng::Error;
use throng::config::{ColumnSelector, Format, MaxRejects, PrepareConfig};
use throng::normalize::UserType;
use throng::prepare::summary::Summary;

use crate::support::{by_name, config, digest_hex, entries, run, suppressing};

struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn config(&self, user_type: UserType, name: &str, text: &str) -> PrepareConfig {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        let mut config = config(user_type, &[path], &self.0.path().join("out"));
        config.output.overwrite = true;
        config
    }

    fn entries(&self) -> Vec<String> {
        entries(&self.0.path().join("out"))
    }
}

fn digests(values: &[&str]) -> Vec<String> {
    let mut digests: Vec<String> =
        values.iter().map(|value| digest_hex(value.as_bytes())).collect();
    digests.sort();
    digests
}

fn notes(summary: &Summary) -> String {
    summary.notes.join("\n")
}

/// Runs it; everybody is there, and nothing else.
fn has_all(desk: &Desk, what: &str, config: PrepareConfig) -> Summary {
    let summary = run(config).unwrap_or_else(|error| panic!("{what}: {error} {:?}", error.hint()));
    let all = ["a1@example.com", "a2@example.com", "a3@example.com", "a4@example.com"];
    assert_eq!(desk.entries(), digests(&all), "{what}");
    assert_eq!(summary.audiences[0].figures.rejected, 0, "{what}");
    summary
}

/// `row` four times, with a number for N.
fn rows(row: &str) -> String {
    (1..=4).map(|n| row.replace('N', &n.to_string())).collect()
}

#[test]
fn tables_of_systems_are_read() {
    for (what, header, row, column) in [
        ("German Excel", "\u{feff}E-Mail;Umsatz\n", "aN@example.com;1N,50\n", "E-Mail"),
        ("French export", "Nom;Courriel;Date\n", "Doe, N;aN@example.com;24/12/202N\n", "courriel"),
        (
            "Shopify",
            "First Name,Last Name,Email,Tags\n",
            "Ann,Doe,aN@example.com,\"vip, 202N\"\n",
            "Email",
        ),
        (
            "HubSpot",
            "\"Record ID\",\"First Name\",\"Email\",\"Phone Number\"\n",
            "\"N01\",\"Ann, N\",\"aN@example.com\",\"\"\n",
            "email",
        ),
        (
            "Salesforce",
            "\"CONTACT ID\",\"E-MAIL\",\"DESCRIPTION\"\n",
            "\"003N\",\"aN@example.com\",\"said \"\"yes\"\"\nthen left; again\"\n",
            "e-mail",
        ),
        ("SAP", "|Kunde |E-Mail          |\n", "|10N   |aN@example.com  |\n", "E-Mail"),
        (
            "SAP with lines",
            "-----------------------\n|Kunde |E-Mail        |\n",
            "|10N   |aN@example.com|\n",
            "E-Mail",
        ),
        ("pandas", ",email,amount\n", "N,aN@example.com,1.5\n", "email"),
        ("blank columns", "x,,,email,\n", "N,,,aN@example.com,\n", "email"),
        ("a first column without values", "segment,email\n", ",aN@example.com\n", "email"),
        ("trailing delimiter", "id,email,\n", "N,aN@example.com,\n", "email"),
        ("trailing delimiter of rows", "id,email\n", "N,aN@example.com,\n", "email"),
        ("line break", "Name,\"E-mail\naddress\"\n", "Ann,aN@example.com\n", "E-mail address"),
        ("carets", "loyalty^email\n", "L10N^aN@example.com\n", "email"),
        ("units", "loyalty\u{1f}email\n", "L10N\u{1f}aN@example.com\n", "email"),
        ("tildes", "loyalty~email\n", "L10N~aN@example.com\n", "email"),
        ("tabs and commas", "email\ttags\n", "aN@example.com\tvip,new\n", "email"),
    ] {
        for name in ["export.csv", "export.txt"] {
            let desk = Desk::new();
            let text = format!("{header}{}", rows(row));
            has_all(&desk, what, by_name(desk.config(UserType::EmailHash, name, &text), column));
            has_all(&desk, what, desk.config(UserType::EmailHash, name, &text));
        }
    }
}

#[test]
fn titles_above_a_header_are_skipped_and_said() {
    let table = format!("Name,Email,Phone\n{}", rows("Ann,aN@example.com,+49 30 123450N\n"));
    for (what, titles, line) in [
        ("a title", "Customers\n", 2),
        ("a report", "Customers\nMade 2026-11-27 by Reports\n\n", 4),
        ("Excel", "Customers,,\n,,\n", 3),
        ("a comma", "Customers, all\nfrom 2026\n", 3),
        ("filters", "\"Country: DE\nAge: 18\"\n", 3),
    ] {
        let desk = Desk::new();
        let text = format!("{titles}{table}");
        let said = format!("took line {line} for the header: what is above it is skipped");
        let config = desk.config(UserType::EmailHash, "in.csv", &text);
        for config in [config.clone(), by_name(config, "email")] {
            let summary = has_all(&desk, what, config);
            assert!(notes(&summary).contains(&said), "{what}: {}", notes(&summary));
        }
        let mut told = by_name(desk.config(UserType::EmailHash, "in.csv", &text), "email");
        told.read.skip_rows = line - 1;
        let summary = has_all(&desk, what, told);
        assert!(!notes(&summary).contains("skipped"), "{what}: {}", notes(&summary));
    }
}

#[test]
fn a_list_below_a_heading_is_read_by_its_name() {
    let desk = Desk::new();
    let text = format!("Newsletter of 2026\n\nemail\n{}", rows("aN@example.com\n"));
    let summary = has_all(
        &desk,
        "a list",
        by_name(desk.config(UserType::EmailHash, "in.txt", &text), "email"),
    );
    assert!(notes(&summary).contains("took line 3 for the header"), "{}", notes(&summary));
}

#[test]
fn titles_above_a_named_header_may_fill_its_columns() {
    let table = format!("Name,Email,Phone\n{}", rows("Ann,aN@example.com,+49 30 123450N\n"));
    for title in ["Customers,all,\n", "Customers,all,28.11.2026\n", "Report,Customers,x,y\n"] {
        let desk = Desk::new();
        let text = format!("{title}{table}");
        let config = desk.config(UserType::EmailHash, "in.csv", &text);
        let summary = has_all(&desk, title, by_name(config, "email"));
        assert!(notes(&summary).contains("took line 2 for the header"), "{}", notes(&summary));
        // Nobody is skipped in an opt-out list.
        let list = desk.0.path().join("optout.csv");
        fs::write(&list, &text).unwrap();
        let text = format!("Email\n{}", rows("aN@example.com\n"));
        let config = by_name(desk.config(UserType::EmailHash, "in.csv", &text), "email");
        if let Ok(summary) = run(suppressing(config, &list)) {
            assert!(!notes(&summary).contains("for the header"), "{}", notes(&summary));
            assert_eq!(desk.entries(), Vec::<String>::new(), "{title}");
        }
    }
    for title in ["A,a0@example.com,x\n", "A,lost at example 7,x\n", "Ann,x,+49 30 1234567\n"] {
        let desk = Desk::new();
        let config = desk.config(UserType::EmailHash, "in.csv", &format!("{title}{table}"));
        assert!(run(by_name(config, "email")).is_err(), "{title}");
    }
}

/// People above something that is called like the column are no titles.
#[test]
fn nobody_is_skipped_as_a_title() {
    for text in [
        "a1@example.com,x\na2@example.com,\nid,email\n3,a3@example.com\n4,a4@example.com\n",
        "1,a1@example.com,phone\n2,a2@example.com,email\n3,a3@example.com,phone\n",
        "A1\nA2\nA3\nemail\nA4\n",
    ] {
        let desk = Desk::new();
        let config = by_name(desk.config(UserType::EmailHash, "in.csv", text), "email");
        let error = run(config).unwrap_err();
        assert!(error.to_string().contains("no column is called `email`"), "{text}: {error}");
        let hint = error.hint().unwrap_or_default();
        let points_at_it = hint.contains("if it is the header, --skip-rows");
        assert_eq!(points_at_it, !text.contains("a2@example.com,email"), "{text}: {hint}");
    }
    let desk = Desk::new();
    let text = "A1,,\nB,Doe,Jane\nA2,Roe,a2@example.com\nA3,Roe,a3@example.com\n";
    let mut config = desk.config(UserType::CustomAudienceThirdPartyId, "in.csv", text);
    config.audiences[0].columns = vec![ColumnSelector::Number(1)];
    assert_eq!(run(config).unwrap().audiences[0].figures.read, 4);
}

#[test]
fn titles_of_opt_out_lists_are_their_own() {
    let desk = Desk::new();
    let text = format!("Report\n\nid,email\n{}5,b5@example.com\n", rows("N,aN@example.com\n"));
    let mut config = by_name(desk.config(UserType::EmailHash, "in.csv", &text), "email");
    config.read.skip_rows = 2;
    let list = desk.0.path().join("optout.csv");
    // What is skipped in the inputs is somebody here.
    fs::write(&list, "b5@example.com\n").unwrap();
    has_all(&desk, "a list", suppressing(config.clone(), &list));
    fs::write(&list, "All who opted out\n\nid,email\n5,b5@example.com\n6,b6@example.com\n")
        .unwrap();
    has_all(&desk, "a table", suppressing(config.clone(), &list));
    // It need not be cut like the inputs.
    config.read.delimiter = Some(b','.into());
    config.read.format = Format::Csv;
    fs::write(&list, "id;email\n5;b5@example.com\n6;b6@example.com\n").unwrap();
    let summary = has_all(&desk, "semicolons", suppressing(config, &list));
    assert!(
        notes(&summary).contains("its rows are separated by `;`, not by `,`"),
        "{}",
        notes(&summary)
    );
}

#[test]
fn content_goes_before_the_name_and_is_said() {
    let desk = Desk::new();
    let text = format!("id,email\n{}", rows("N,aN@example.com\n"));
    let config = desk.config(UserType::EmailHash, "in.tsv", &text);
    let summary = has_all(&desk, "a .tsv", config);
    assert!(notes(&summary).contains("its name says tabs, its rows are separated by `,`"));
}

fn refusal(config: PrepareConfig) -> String {
    let error = run(config).unwrap_err();
    assert!(matches!(error, Error::Input { .. }), "{error}");
    format!("{error}\nhint: {}", error.hint().unwrap_or_default())
}

#[test]
fn wrong_delimiters_are_told() {
    let desk = Desk::new();
    let text = format!("id;email\n{}", rows("N;aN@example.com\n"));
    let with = |delimiter: u8| {
        let mut config = by_name(desk.config(UserType::EmailHash, "in.csv", &text), "email");
        config.read.format = Format::Csv;
        config.read.delimiter = Some(delimiter.into());
        config
    };
    assert!(refusal(with(b',')).contains("its rows are separated by `;`, not by `,`"));
    assert!(refusal(with(b'\t')).contains("its rows are separated by `;`, not by `\\t`"));
    has_all(&desk, "the right one", with(b';'));
}

#[test]
fn messages_show_how_a_file_was_read() {
    let desk = Desk::new();
    let text = format!("id\temail\tcity\n{}", rows("N\taN@example.com\tOrt\n"));
    let said = refusal(by_name(desk.config(UserType::EmailHash, "in.txt", &text), "mail"));
    for part in [
        "no column is called `mail`: it is read as 3 columns separated by `\\t`",
        "column 2 `email` holds e-mail addresses",
        "its columns: 1 `id`, 2 `email`, 3 `city`",
    ] {
        assert!(said.contains(part), "{said}");
    }
    // Titles do not hide the header from who mistypes a name.
    let text = format!("Report\n\n{text}");
    let said = refusal(by_name(desk.config(UserType::EmailHash, "in.txt", &text), "mail"));
    assert!(said.contains("its columns: 1 `id`, 2 `email`, 3 `city`"), "{said}");
    // A row of a person is never shown.
    let said = refusal(by_name(
        desk.config(UserType::EmailHash, "in.txt", &rows("N\taN@example.com\tOrt\n")),
        "mail",
    ));
    assert!(!said.contains("Ort") && !said.contains("a1@"), "{said}");
}

/// Whole rows must not be uploaded as ids.
#[test]
fn rows_with_separators_are_no_ids() {
    let desk = Desk::new();
    for text in ["A1,x;1\nA2,x\nA3;y\nA4,z,b\nA5\n", "Doe, Ann\nRoe; Bob\nPoe, Cy\nDoe, Di,\nRoe\n"]
    {
        let config = desk.config(UserType::CustomAudienceThirdPartyId, "in.txt", text);
        let said = refusal(config.clone());
        assert!(said.contains("most of its rows hold `,`"), "{said}");
        let mut told = config;
        told.read.format = Format::Lines;
        run(told).unwrap();
    }
}

#[test]
fn headers_that_are_narrower_than_the_rows_are_told() {
    let desk = Desk::new();
    let text = format!("\"email\",\"n\"\n{}", rows("\"N\",\"aN@example.com\",1\n"));
    let said = refusal(by_name(desk.config(UserType::EmailHash, "in.csv", &text), "email"));
    assert!(said.contains("most rows have 3 fields and the header has 2"), "{said}");
}

/// Rows of forty people, some of them with `odd` in place of `usual`.
fn people(header: &str, usual: &str, odd: &str, is_odd: impl Fn(u64) -> bool) -> String {
    let row = |n: u64| if is_odd(n) { odd } else { usual }.replace('N', &n.to_string());
    (1..=40).map(row).fold(format!("{header}\n"), |text, row| text + &row + "\n")
}

/// Of whom an address is written, and how many values were rejected.
fn written(text: &str) -> (usize, u64, String) {
    let desk = Desk::new();
    let config = by_name(desk.config(UserType::EmailHash, "crm.csv", text), "email");
    let summary = run(config).unwrap();
    (desk.entries().len(), summary.audiences[0].figures.rejected, notes(&summary))
}

#[test]
fn line_breaks_in_addresses_make_no_rows() {
    for (header, usual, odd) in [
        (
            "id,note,email",
            "N,ok,aN@example.com",
            "N,\"Main St 5, flat 2\nParis, France\",aN@example.com",
        ),
        (
            "email,address",
            "aN@example.com,x",
            "aN@example.com,\"Acme, Inc\n12 Main St, Apt 4\nParis\"",
        ),
        (
            "id;email;address",
            "N;aN@example.com;x",
            "N;aN@example.com;\"Zone 1; Gate 4\nDock 3; left\"",
        ),
    ] {
        for every in [2, 3, 20] {
            let text = people(header, usual, odd, |n| n % every == 0);
            assert_eq!(written(&text), (40, 0, String::new()), "{header} {every}");
        }
    }
}

#[test]
fn addresses_within_a_quoted_note_do_not_get_out() {
    let odd = "\"Hello,\nplease tell Ann,ann@rival.example\nThanks\",aN@example.com";
    for every in [2, 20] {
        let text = people("note,email", "ok,aN@example.com", odd, |n| n % every == 0);
        let odd = 40 / every;
        let (left, rejected, _) = written(&text);
        assert_eq!((left as u64, rejected), (40 - odd, 3 * odd), "each such row has three lines");
    }
}

#[test]
fn rows_wrapped_in_quotes_stop_an_opt_out_list() {
    let desk = Desk::new();
    let list = desk.0.path().join("list.csv");
    let wrapped = people("id,name", "cN,Kunde N", "\"cN,Kunde N\"", |n| n % 5 == 0);
    fs::write(&list, wrapped).unwrap();
    let members = people("id", "cN", "", |_| false);
    let ids = UserType::CustomAudienceThirdPartyId;
    let mut config = by_name(desk.config(ids, "crm.csv", &members), "id");
    config.max_rejects = MaxRejects::DEFAULT;
    let error = run(suppressing(config, &list)).unwrap_err();
    assert!(error.to_string().contains("row_width 7"), "{error}");
}

#[test]
fn doubled_backslashes_of_databases_are_one_and_told() {
    let desk = Desk::new();
    let text = people("id\tx", "corp\\\\userN\t-", "", |_| false);
    let ids = UserType::CustomAudienceThirdPartyId;
    let summary = run(by_name(desk.config(ids, "copy.tsv", &text), "id")).unwrap();
    assert!(desk.entries().contains(&"corp\\user7".to_owned()), "{:?}", desk.entries());
    assert!(notes(&summary).contains("read as with --quotes escaped"), "{:?}", summary.notes);
}

#[test]
fn what_a_quoted_field_became_moves_nobody() {
    let usual = "N,\"say \"\"hi\"\"\",aN@example.com,x";
    for (odd, lines) in [
        // A quote within: three fields of one, and the last is missing.
        ("\"N, 5\" pipe, Main St\",aN@example.com", 1),
        // The line behind a torn one is as wide as a row.
        ("N,\"a \" b\nx,12\",aN@example.com,y", 2),
        // A delimiter in a row that ends in a blank field.
        ("N,a,b,aN@example.com,", 1),
        // A quote that is never closed, and line ends behind it: the last line is as wide as a row.
        ("N,\"Zone 1\nDock 4\nParis,France,bN@rival.example,aN@example.com", 3),
        ("N,\"Zone 1\nParis,France,bN@rival.example,aN@example.com", 2),
    ] {
        let text = people("id,name,email,note", usual, odd, |n| n == 9);
        let (left, rejected, _) = written(&text);
        assert_eq!((left, rejected), (39, lines), "{odd}");
    }
}

#[test]
fn an_address_of_the_next_column_is_not_taken_where_one_is_missing() {
    let usual = "N,aN@example.com,pN@firm.example,x";
    // The wanted field is lost, and blank ones were added.
    let text = people("id,email,billing,note", usual, "N,pN@firm.example,,x,,", |n| n % 20 == 0);
    let (left, rejected, _) = written(&text);
    assert_eq!((left, rejected), (38, 2));
    // A blank one says nothing where there is one column of them.
    let text = people("id,note,email", "N,x,aN@example.com", "N,x,,,", |n| n % 13 == 0);
    assert_eq!((written(&text).0, written(&text).1), (37, 0));
    // Nor where few have a second address.
    let text = people(
        "id,email,billing,note",
        "N,aN@example.com,,x",
        "N,aN@example.com,pN@firm.example,x,,",
        |n| n % 13 == 0,
    );
    assert_eq!(written(&text).0, 40);
}
