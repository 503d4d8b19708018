//! Samples as systems write them, and what they are cut by.

use proptest::prelude::*;

use super::*;

fn found(sample: &str, name: &str) -> Detected {
    detect(sample.as_bytes(), true, Path::new(name), &ReadOptions::default())
}

/// What a sample is cut by, as it is typed; `lines` if it is a list.
fn delimiter(sample: &str, name: &str) -> String {
    match found(sample, name).dialect.framing {
        Framing::Csv(csv) => csv.separator.to_string(),
        Framing::Lines => "lines".to_owned(),
        Framing::Columns => "columns".to_owned(),
    }
}

#[test]
fn finds_delimiters_by_content_and_name() {
    assert_eq!(delimiter("id;email\n1;a@b.co\n", "x.csv"), ";");
    assert_eq!(delimiter("id,email\n1,a@b.co\n", "x.txt"), ",");
    assert_eq!(delimiter("id|email\n1|a@b.co\n", "x"), "|");
    assert_eq!(delimiter("email\na@b.co\n", "x.csv.gz"), ",");
    assert_eq!(delimiter("email\na@b.co\n", "x.tsv"), "\\t");
    assert_eq!(delimiter("a@b.co\nc@d.co\n", "x.txt"), "lines");
    let few = "a@b.co\n\"Doe, J\" c@d.co\ne@f.co\ng@h.co\ni@j.co\n";
    assert_eq!(delimiter(few, "x.txt"), "lines");
    let framing = found("a@b.co\rc@d.co\r", "x.txt").dialect.framing;
    assert_eq!(framing, Framing::Lines);
}

/// Headers and rows of systems, each row written for three people.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of systems")]
fn tables_of_systems_are_cut_where_they_mean_it() {
    for (what, header, row, expected) in [
        ("decimal comma", "E-Mail;Umsatz\n", "annN@example.com;1N,50\n", ";"),
        ("decimal comma, no header", "", "annN@example.com;1N,50\n", ";"),
        ("decimal comma of ids", "Kunde;Umsatz;Rabatt\n", "K1N;1N,50;3,00\n", ";"),
        ("decimal comma of ids, no header", "", "K1N;1N,50\n", ";"),
        ("tags", "email,tags\n", "annN@example.com,\"vip;202N\"\n", ","),
        ("tags, no header", "", "annN@example.com,\"vip;202N\"\n", ","),
        ("tags of ids, no header", "", "A10N,\"vip;202N\"\n", ","),
        ("tags of ids, unquoted", "id,tags\n", "A10N,vip;202N\n", ","),
        ("names in quotes", "name;email\n", "\"Doe, AN\";annN@example.com\n", ";"),
        ("names without quotes", "name;email\n", "Doe, AN;annN@example.com\n", ";"),
        (
            "names and streets",
            "Name;Anschrift;E-Mail\n",
            "Doe, AN;Weg N, Ort, Land;annN@example.com\n",
            ";",
        ),
        ("tabs and commas", "email\ttags\n", "annN@example.com\tvip,new\n", "\\t"),
        ("tabs and commas of ids", "id\ttags\n", "A10N\tvip,new\n", "\\t"),
        ("carets", "id^name^email\n", "L10N^Ann N^annN@example.com\n", "^"),
        ("carets of ids", "id^name\n", "L10N^Ann\n", "^"),
        ("tildes", "id~email\n", "L10N~annN@example.com\n", "~"),
        ("Hive", "", "10N\u{1}annN@example.com\u{1}DE\n", "\\x01"),
        ("pairs", "id||email||city\n", "10N||annN@example.com||\n", "||"),
        ("three", "id~|~email\n", "10N~|~annN@example.com\n", "~|~"),
        ("colons", "id::email\n", "10N::annN@example.com\n", "::"),
        ("one colon", "id:email\n", "10N:annN@example.com\n", ":"),
        ("SAP", "|Kunde |E-Mail             |\n", "|10N   |annN@example.com   |\n", "|"),
        ("psql", " id | email \n----+-------\n", " N | annN@example.com\n", "|"),
        ("pandas", ",email,amount\n", "N,annN@example.com,1.5\n", ","),
        (
            "Excel's titles",
            "Customers,,\n,,\nName,Email,Phone\n",
            "AnnN,annN@example.com,+49301234N\n",
            ",",
        ),
        (
            "titles",
            "Customers\nMade 2026-11-27, by a server\n\nName;Email\n",
            "AnnN;annN@example.com\n",
            ";",
        ),
        ("trailing delimiter", "id,email,\n", "N,annN@example.com,\n", ","),
        ("lists in a cell", "id,emails\n", "N,annN@example.com;bobN@example.com\n", ","),
        (
            "JSON in a cell",
            "id,email,more\n",
            "N,annN@example.com,\"{\"\"a\"\":[1,2],\"\"b\"\":2}\"\n",
            ",",
        ),
        ("times", "email;seen\n", "annN@example.com;2026-11-27 10:00:0N\n", ";"),
        (
            "a note with addresses",
            "id;email;note\n",
            "N;annN@example.com;was bobN@example.com, 2024\n",
            ";",
        ),
        (
            "header in quotes",
            "\"id\",\"e-mail\",\"city, country\"\n",
            "\"N\",\"annN@example.com\",\"Ort, DE\"\n",
            ",",
        ),
        ("R's row names", "\"email\",\"n\"\n", "\"N\",\"annN@example.com\",1\n", ","),
        ("blank columns", ";;E-Mail;\n", ";;annN@example.com;\n", ";"),
        ("a first column without values", "segment,email\n", ",annN@example.com\n", ","),
        ("spaces before quotes", "id, name, email\n", "N, \"Doe, J\", annN@example.com\n", ","),
        ("backslashes", "id,size,email\n", "N,\"6\\\" N\",annN@example.com\n", ","),
        ("phones with commas beside", "name;phone\n", "Doe, AN;+49 30 123456N\n", ";"),
        ("dates and sums", "Kunde;Datum;Betrag\n", "K10N;24.12.202N;1.00N,00\n", ";"),
        ("digests", "sha256|source\n", "d41d8cd98f00b204e9800998ecf8427eN|web,app\n", "|"),
        (
            "a comma in the title",
            "Export, all; made 2026\nname;email\n",
            "AnnN;annN@example.com\n",
            ";",
        ),
        ("section signs", "id\u{a6}email\n", "N\u{a6}annN@example.com\n", "\u{a6}"),
        (
            "MySQL",
            "+----+------+\n| id | email |\n+----+------+\n",
            "| N | annN@example.com |\n",
            "|",
        ),
        ("slashes", "", "DE/annN@example.com\n", "/"),
        ("display names", "id,contact\n", "N,Ann <annN@example.com>\n", ","),
    ] {
        let rows: String = ["1", "2", "3"].map(|n| row.replace('N', n)).concat();
        let text = format!("{header}{rows}");
        assert_eq!(delimiter(&text, "export.txt"), expected, "{what}");
        assert_eq!(delimiter(&text, "export.csv"), expected, "{what}");
        assert_eq!(delimiter(&text.replace('\n', "\r\n"), "x"), expected, "{what}");
    }
}

#[test]
fn what_stands_between_values_is_no_delimiter() {
    let with = |sample: &str, name: &str, split: &str| {
        let split = [split.parse().unwrap()].into_iter().collect();
        let read = ReadOptions { split, ..ReadOptions::default() };
        match detect(sample.as_bytes(), true, Path::new(name), &read).dialect.framing {
            Framing::Csv(csv) => csv.separator.to_string(),
            framing => format!("{framing:?}"),
        }
    };
    let rows = "ann@example.com;bob@example.com\ncy@example.com;di@example.com\n";
    assert_eq!(delimiter(rows, "x.txt"), ";");
    assert_eq!(with(rows, "x.txt", ";"), "Lines");
    assert_eq!(with(rows, "x.csv", ";"), ",");
    assert_eq!(with(&format!("emails\n{rows}"), "x.csv", ";"), ",");
    assert_eq!(with(&rows.replace(';', ","), "x.csv", ","), "Lines");
    let quoted = "id,emails\n1,\"ann@example.com, bob@example.com\"\n2,cy@example.com\n";
    assert_eq!(with(quoted, "x.csv", ","), ",");
}

#[test]
fn lists_stay_lists() {
    for line in [
        "Doe, AnN <annN@example.com>\n",
        "\"Doe, AnN\" <annN@example.com>\n",
        "AnN Doe <annN@example.com>\n",
        "shop:10N\n",
        "urn:uuid:0000-N\n",
        "annN@example.com\n",
        "annN@example.com;\n",
        "+49 30 123456N\n",
        "https://example.com/?a=N&b=2\n",
        "d41d8cd9-8f00-b204-e980-0998ecf8427N\n",
    ] {
        let text: String = ["1", "2", "3"].map(|n| line.replace('N', n)).concat();
        let expected = if line.ends_with(";\n") { ";" } else { "lines" };
        assert_eq!(delimiter(&text, "x.txt"), expected, "{line}");
    }
}

#[test]
fn what_is_remarkable_about_a_delimiter_is_said() {
    let rows = "id,email\n1,a@b.co\n2,c@d.co\n";
    assert_eq!(found(rows, "x.csv").note, None);
    assert_eq!(found(&rows.replace(',', ";"), "x.csv").note, None);
    assert_eq!(found(&rows.replace(',', "\t"), "x.tab").note, None);
    let said = found(rows, "x.tsv").note.unwrap();
    assert_eq!(said, "its name says tabs, its rows are separated by `,`");
    let said = found(&rows.replace(',', "^"), "x.csv").note.unwrap();
    assert_eq!(said, "its rows are separated by `^`");
}

#[test]
fn line_that_names_the_delimiter_is_no_record() {
    for text in ["sep=;\nid;email\n1;a@b.co\n", "\"SEP=;\"\r\nid;email\r\n1;a@b.co\r\n"] {
        let own = |format, delimiter| ReadOptions { format, delimiter, ..ReadOptions::default() };
        let semicolon = Separator::from(b';');
        for read in [
            own(Format::Auto, None),
            own(Format::Csv, None),
            own(Format::Csv, Some(semicolon)),
            ReadOptions { skip_rows: 1, ..ReadOptions::default() },
        ] {
            let Detected { dialect, table, .. } =
                detect(text.as_bytes(), true, Path::new("x.txt"), &read);
            assert_eq!(dialect.framing, Framing::Csv(Csv::new(semicolon)));
            assert_eq!(table.find("email"), [1]);
            assert!(text[table.first_row..].starts_with("id;"));
            assert!(text[table.second_row..].starts_with("1;"));
        }
    }
    for text in ["sep=x\n", "sep=\"\n", "sep=;;\n", "sep=;", "Sep = ;\n"] {
        assert_eq!(found(text, "x").table.first_row, 0);
    }
}

#[test]
fn second_row_is_where_the_header_ends() {
    assert_eq!(found("id,email\r\n1,a@b.co\r\n", "x.csv").table.second_row, 10);
    assert_eq!(found("email\na@b.co", "x").table.second_row, 6);
    assert_eq!(found("email", "x.csv").table.second_row, 5);
}

#[test]
fn rows_at_the_top_are_left_out() {
    let text = "Report\n\nid,email\n1,a@b.co\n";
    let skip = |rows| {
        let read = ReadOptions { skip_rows: rows, ..ReadOptions::default() };
        detect(text.as_bytes(), true, Path::new("x.csv"), &read).table
    };
    assert!(text[skip(2).first_row..].starts_with("id,"));
    assert!(text[skip(3).first_row..].starts_with("1,"));
    assert!(skip(9).rows.is_empty());
    let mut table = skip(0);
    table.drop_titles(1);
    assert_eq!(table.find("EMAIL"), [1]);
    assert!(text[table.first_row..].starts_with("id,"));
    assert!(text[table.second_row..].starts_with("1,"));
}

#[test]
fn headers_with_line_breaks_are_found() {
    let table = found("Name,\"E-mail\r\n address\"\nAnn,a@b.co\n", "x.csv").table;
    assert_eq!(table.find("e-mail address"), [1]);
    assert_eq!(table.header(1).unwrap(), "E-mail address");
}

#[test]
fn meaning_of_quotes_is_found_however_far_down() {
    let quotes = |text: &str| match found(text, "x.csv").dialect.framing {
        Framing::Csv(csv) => csv.quotes,
        _ => panic!("a table"),
    };
    let plain = "7,large,ann@example.com\n".repeat(400);
    let with = |row: &str| format!("id,size,email\n{plain}{row}{plain}");
    assert_eq!(quotes(&with("")), Quotes::Doubled);
    assert_eq!(quotes(&with("8,\"6\"\" pipe\",bob@example.com\n")), Quotes::Doubled);
    assert_eq!(quotes(&with("8,\"C:\\tmp\\\",bob@example.com\n")), Quotes::Doubled);
    assert_eq!(quotes(&with("8,5\" pipe,bob@example.com\n")), Quotes::Doubled);
    assert_eq!(quotes(&with("8,\"6\\\" pipe\",bob@example.com\n")), Quotes::Backslash);
    assert_eq!(quotes(&with("8,\"6\\\"\",bob@example.com\n")), Quotes::Backslash);
    assert_eq!(
        quotes(&with("8,\"{\\\"a\\\":1,\\\"b\\\":2}\",bob@example.com\n")),
        Quotes::Backslash
    );
    let tabs = with("8,\"Bob\" Roe,bob@example.com\n").replace(',', "\t");
    assert_eq!(quotes(&tabs), Quotes::None);
    let tabs = with("8\tl\\\tm\tbob@example.com\n").replace(',', "\t");
    assert_eq!(quotes(&tabs), Quotes::Escaped);
}

#[test]
fn torn_rows_and_totals_change_nothing() {
    let rows = "1;ann@example.com;x\n2;bob@example.com;y\n";
    let text = format!("id;email;n\n{rows}Total: 2\nMade by Reports, 2026\n");
    assert_eq!(delimiter(&text, "x.txt"), ";");
    let text = format!("id;email;n\n{rows}3;cy@example.com\n4;di@example.com;a;b\n");
    assert_eq!(delimiter(&text, "x.txt"), ";");
}

/// What a column of a generated table holds.
#[derive(Clone, Copy, Debug)]
enum Of {
    Address,
    Id,
    Name,
    Sum,
    Tags,
    Day,
    Phone,
    Json,
    Sparse,
}

impl Of {
    fn value(self, n: usize) -> String {
        match self {
            Self::Address => format!("ann{n}@example.com"),
            Self::Id => format!("K{}", 1000 + n),
            Self::Name => format!("Doe, Ann {n}"),
            Self::Sum => format!("{n},5{}", n % 10),
            Self::Tags => format!("vip;{}|new", 2020 + n % 7),
            Self::Day => format!("2{}.11.2026", n % 10),
            Self::Phone => format!("+49 30 {}", 100_000 + n),
            Self::Json => format!("{{\"a\": [{n}, 2], \"b\": \"x;y\"}}"),
            Self::Sparse if n.is_multiple_of(3) => "x".to_owned(),
            Self::Sparse => String::new(),
        }
    }
}

/// Columns of a table, with or without one of addresses.
fn columns() -> impl Strategy<Value = (Vec<Of>, bool)> {
    use Of::{Address, Day, Id, Json, Name, Phone, Sparse, Sum, Tags};
    let others = prop_oneof![
        Just(Id),
        Just(Name),
        Just(Sum),
        Just(Tags),
        Just(Day),
        Just(Phone),
        Just(Json),
        Just(Sparse)
    ];
    let place = any::<prop::sample::Index>();
    (proptest::collection::vec(others, 2..6), place, any::<bool>()).prop_map(
        |(mut of, at, has_addresses)| {
            if has_addresses {
                let at = at.index(of.len());
                of[at] = Address;
            }
            (of, has_addresses)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A table is cut by what its writer separated it by, whatever its values hold.
    #[test]
    fn tables_are_cut_by_what_their_writer_meant(
        separator in prop::sample::select(vec![
            ",", ";", "\t", "|", "^", "~", "\u{1}", "||", "~|~", "::",
        ]),
        (columns, has_addresses) in columns(),
        rows in 2_usize..40,
        always_quotes: bool,
        may_lack_header: bool,
        titles in 0_usize..3,
    ) {
        // Without either nothing is certain: `K1,vip;2026` can be two columns in two ways.
        let has_header = !(has_addresses && may_lack_header);
        let quoted = |text: &str| {
            let needs_quotes = text.contains(separator) || text.contains(['"', '\n']);
            if always_quotes || needs_quotes {
                format!("\"{}\"", text.replace('"', "\"\""))
            } else {
                text.to_owned()
            }
        };
        let line = |cells: Vec<String>| cells.join(separator) + "\n";
        let mut text = String::new();
        if has_header {
            text += &"A report, made 2026\n".repeat(titles);
            text += &line((0..columns.len()).map(|at| quoted(&format!("column {at}"))).collect());
        }
        for n in 0..rows {
            text += &line(columns.iter().map(|of| quoted(&of.value(n))).collect());
        }
        // Colons without identifiers, below a title with a comma: two rows do not say enough.
        prop_assume!(has_addresses || separator != "::");
        let separator = Separator::new(separator.as_bytes()).unwrap();
        prop_assert_eq!(delimiter(&text, "x.txt"), separator.to_string(), "{}", text);
    }
}
