//! Parquet files: the same result as the same rows in CSV, and nothing worse than a message from a file that is damaged or
//! was made to do harm. `tests/interop/parquet_files.py` has every encoding and compression that engines write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use throng::config::{AudienceSpec, ColumnSelector, PrepareConfig, RejectList};
use throng::normalize::UserType;
use throng::prepare::summary::Summary;
use throng::{Error, ExitCode};

use crate::support::{Random, by_name, config, entries, fixture, run, suppressing};

/// The same rows, by different writers, in different encodings.
const FILES: [&str; 4] = ["pyarrow.parquet", "deltas.parquet", "duckdb.parquet", "spark.parquet"];

fn parquet(name: &str) -> PathBuf {
    fixture("parquet").join(name)
}

fn several(input: &Path, dir: &Path) -> PrepareConfig {
    let mut config = config(UserType::EmailHash, &[input.to_owned()], dir);
    let named = |name: &str, user_type, label: &str| AudienceSpec {
        label: label.parse().unwrap(),
        ..AudienceSpec::new(user_type, Some(ColumnSelector::Name(name.to_owned())))
    };
    config.audiences = vec![
        named("email", UserType::EmailHash, "email"),
        named("Phone", UserType::PhoneHash, "phone"),
        named("fbid", UserType::Fbid, "fbid"),
        named("Contact.Email", UserType::EmailHash, "contact"),
        named("email", UserType::EmailHash, "again"),
    ];
    config
}

/// Counts by audience, with the row of each reason's first reject. A header is a line of its own.
fn counts(summary: &Summary, header_lines: u64) -> Vec<String> {
    let mut json = serde_json::to_value(&summary.audiences).unwrap();
    let mut audiences = Vec::new();
    for audience in json.as_array_mut().unwrap() {
        for reject in audience["rejects"].as_array_mut().into_iter().flatten() {
            let line = reject["first_line"].as_u64().unwrap();
            reject["first_line"] = (line - header_lines).into();
            reject["first_source"] = "".into();
        }
        audiences.push(audience.to_string());
    }
    audiences
}

#[test]
fn gives_what_the_same_rows_in_csv_give() {
    let dir = tempfile::tempdir().unwrap();
    for country in [None, Some("country")] {
        let prepare = |input: &Path, header_lines| {
            let out = dir.path().join("out");
            let mut config = several(input, &out);
            config.read.country_column = country.map(|name| ColumnSelector::Name(name.to_owned()));
            let summary = run(config).unwrap();
            (counts(&summary, header_lines), entries(&out))
        };
        let expected = prepare(&parquet("rows.csv"), 1);
        assert!(expected.1.len() > 100, "{}", expected.1.len());
        for file in FILES {
            assert_eq!(prepare(&parquet(file), 0), expected, "{file} {country:?}");
        }
    }
}

#[test]
fn rows_are_persons_as_they_are_in_csv() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("opted-out.txt");
    // An address and a number in different rows; whoever stands beside them is held back by the others of the row.
    fs::write(&list, "+44 20 7946 0001\n020 7946 0005\n").unwrap();
    let prepare = |name: &str, header_lines| {
        let out = dir.path().join("out");
        let mut config = suppressing(several(&parquet(name), &out), &list);
        config.suppress[0].user_type = Some(UserType::PhoneHash);
        config.rules.country = Some("GB".parse().unwrap());
        let summary = run(config).unwrap();
        let unread = summary.links.unwrap().unread;
        ((counts(&summary, header_lines), entries(&out), unread), summary.audiences)
    };
    let (expected, audiences) = prepare("rows.csv", 1);
    let linked: Vec<u64> = audiences.iter().map(|audience| audience.figures.sets.linked).collect();
    assert!(linked.iter().all(|count| *count > 0), "{linked:?}");
    for file in FILES {
        assert_eq!(prepare(file, 0).0, expected, "{file}");
    }
}

#[test]
fn rejects_are_listed_by_row() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("rejects.csv");
    let prepare = |name: &str, header_lines: u64| {
        let mut config = several(&parquet(name), &dir.path().join("out"));
        config.output.rejects = Some(RejectList { path: list.clone(), with_values: true });
        run(config).unwrap();
        let mut reader = csv::Reader::from_path(&list).unwrap();
        let rows = reader.records().map(|row| {
            let row = row.unwrap();
            let line: u64 = row[1].parse().unwrap();
            let column = row[2].split_once(' ').unwrap().1.to_owned();
            (line - header_lines, column, row[4].to_owned(), row[5].to_owned())
        });
        rows.collect::<Vec<_>>()
    };
    let expected = prepare("rows.csv", 1);
    assert!(expected.len() > 3, "{expected:?}");
    for file in FILES {
        assert_eq!(prepare(file, 0), expected, "{file}");
    }
}

#[test]
fn a_column_is_found_by_its_values_and_a_list_of_opt_outs_may_be_parquet() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let prepare = |input: &str, list: &str| {
        let config = by_name(config(UserType::EmailHash, &[parquet(input)], &out), "email");
        run(suppressing(config, &parquet(list))).unwrap();
        entries(&out)
    };
    let config = config(UserType::PhoneHash, &[parquet("spark.parquet")], &out);
    let summary = run(config).unwrap();
    assert_eq!(summary.audiences[0].figures.sets.written, 26);
    // Everybody opted out.
    for (input, list) in [("rows.csv", "duckdb.parquet"), ("pyarrow.parquet", "rows.csv")] {
        assert_eq!(prepare(input, list), [""; 0]);
    }
}

#[test]
fn integers_and_uuids_become_text() {
    let dir = tempfile::tempdir().unwrap();
    for (column, user_type, expected) in [
        ("id32", UserType::Fbid, "2147483649"),
        ("uuid", UserType::MobileAdvertiserId, "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ("digest", UserType::EmailHash, &"ab".repeat(32)),
    ] {
        let config = config(user_type, &[parquet("types.parquet")], &dir.path().join("out"));
        run(by_name(config, column)).unwrap();
        assert_eq!(entries(&dir.path().join("out")), [expected]);
    }
}

fn throng(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_throng")).env_remove("THRONG_LOG").args(args).output().unwrap()
}

#[test]
fn what_cannot_be_read_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let whole = fs::read(parquet("duckdb.parquet")).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let cut_off = file("cut_off", &whole[..whole.len() - 1]);
    let too_short = file("too_short", b"PAR1\0");
    let no_room = file("no_room", b"PAR1\xff\0\0\0PAR1");
    let no_sense = file("no_sense", b"PAR1\x01\0\0\0\x01\0\0\0PAR1");
    let encrypted = [&whole[..whole.len() - 4], b"PARE"].concat();
    let encrypted = file("encrypted", &encrypted);
    let types = parquet("types.parquet");
    for (input, more, message) in [
        (&cut_off, &["-c", "email"][..], "begins like a Parquet file and does not end like one"),
        (&too_short, &[], "begins like a Parquet file and does not end like one"),
        (&no_room, &[], "its metadata would be longer than the file"),
        (&no_sense, &[], "its metadata is damaged"),
        (&encrypted, &[], "it is an encrypted Parquet file"),
        (&parquet("bomb.parquet"), &["--memory", "32M"], "a page takes 67108994 bytes of memory"),
        (&types, &["-c", "list"], "the rows of column `list` hold lists"),
        (&types, &["-c", "float"], "holds decimal or floating-point numbers"),
        (&types, &["-c", "decimal"], "holds decimal or floating-point numbers"),
        (&types, &["-c", "time"], "holds neither text nor whole numbers"),
        (&types, &["-c", "nothing"], "the inputs hold no values"),
        (&types, &["-c", "none"], "no column is called `none`"),
        (&types, &["--format", "csv"], "it is a Parquet file, and another format was given"),
        (&parquet("rows.csv"), &["--format", "parquet"], "it is no Parquet file"),
        (&parquet("empty.parquet"), &["-c", "email"], "the inputs hold no values"),
    ] {
        let args =
            ["prepare", input.to_str().unwrap(), "-t", "email_hash", "-o", out.to_str().unwrap()];
        let refused = throng(&[&args[..], more].concat());
        let text = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(3), "{input:?} {more:?}: {text}");
        assert!(text.contains(message), "{input:?} {more:?}: {text}");
        assert!(!text.contains("example.com") && !out.exists(), "{text}");
    }
    let path = parquet("duckdb.parquet");
    let piped = format!(
        "cat '{}' | '{}' prepare - -t email_hash -o '{}'",
        path.display(),
        env!("CARGO_BIN_EXE_throng"),
        out.display()
    );
    let piped = Command::new("sh").args(["-c", &piped]).output().unwrap();
    assert_eq!(piped.status.code(), Some(3));
    assert!(String::from_utf8(piped.stderr).unwrap().contains("cannot be read from a pipe"));
}

/// A file with a column of two addresses and one of phone numbers as floating-point numbers, of which only the metadata is
/// there. All its numbers take a byte.
fn small(encoding: u8) -> Vec<u8> {
    let values = b"\x0d\0\0\0a@example.com\x0d\0\0\0b@example.com";
    let body = [&b"\x02\0\0\0\x04\x01"[..], values].concat();
    let len = u8::try_from(body.len()).unwrap() * 2;
    let page = [
        &[0x15, 0, 0x15, len, 0x15, len, 0x2c][..],
        &[0x15, 4, 0x15, 2 * encoding, 0x15, 6, 0x15, 6, 0, 0],
        &body,
    ]
    .concat();
    let page_len = u8::try_from(page.len()).unwrap() * 2;
    // A column: its type, no encodings, no compression, two values, then sizes and where the page is.
    let column = |physical: u8, page_len: u8, at: u8| {
        let place = [0x16, page_len, 0x16, page_len, 0x26, at, 0, 0];
        [&[0x26, 0, 0x1c, 0x15, physical, 0x19, 5, 0x25, 0, 0x16, 4][..], &place].concat()
    };
    let metadata = [
        &b"\x15\x02\x19\x3c\x48\x01r\x15\x04\0\x15\x0c\x25\x02\x18\x05email\0\x15\x0a\x25\x02\x18\x05phone\0\x16"[..],
        &[4],
        b"\x19\x1c\x19\x2c",
        &column(12, page_len, 8),
        &column(10, 0, 8),
        &[0x16, 0, 0x16, 4, 0, 0],
    ]
    .concat();
    let metadata_len = u32::try_from(metadata.len()).unwrap().to_le_bytes();
    [&b"PAR1"[..], &page, &metadata, &metadata_len, b"PAR1"].concat()
}

#[test]
fn encodings_and_columns_have_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let (path, out) = (dir.path().join("small"), dir.path().join("out"));
    let prepare = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let summary =
            run(by_name(config(UserType::EmailHash, std::slice::from_ref(&path), &out), "email"));
        summary
            .map(|summary| summary.audiences[0].figures.sets.written)
            .map_err(|error| error.to_string())
    };
    assert_eq!(prepare(&small(0)), Ok(2));
    let wide = [
        &b"\x29\xfc\x92\x4e\x48\x01r\x15\xa2\x9c\x01\0"[..],
        &b"\x15\x0c\x38\0\0".repeat(10_001),
        b"\x16\0\x19\x0c\0",
    ];
    let wide = wide.concat();
    let wide_len = u32::try_from(wide.len()).unwrap().to_le_bytes();
    let wide = [&b"PAR1"[..], &wide, &wide_len, b"PAR1"].concat();
    for (bytes, message) in [
        (small(8), "it has no dictionary"),
        (small(5), "written with the encoding DELTA_BINARY_PACKED of its type"),
        (wide, "it has 10001 columns, more than 10000"),
    ] {
        let refused = prepare(&bytes).unwrap_err();
        assert!(refused.contains(message), "{refused}");
    }
}

#[test]
fn a_list_whose_phone_numbers_cannot_be_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (people, list) = (dir.path().join("people"), dir.path().join("list"));
    fs::write(&people, "mail,tel\nc@example.com,+442070000000\n").unwrap();
    fs::write(&list, small(0)).unwrap();
    let mut config = several(&people, &dir.path().join("out"));
    config.audiences.truncate(2);
    for (audience, name) in config.audiences.iter_mut().zip(["mail", "tel"]) {
        audience.columns = vec![ColumnSelector::Name(name.to_owned())];
    }
    let refused = run(suppressing(config, &list)).unwrap_err().to_string();
    assert!(refused.contains("column `phone` holds decimal or floating-point"), "{refused}");
}

/// Bytes are changed, left out and repeated at random: every such file is read or refused. A panic would fail this, as
/// would memory that is asked for because a file says so.
#[test]
fn a_damaged_file_is_read_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, out) = (dir.path().join("damaged"), dir.path().join("out"));
    let mut random = Random(11);
    let tries = std::env::var("THRONG_PARQUET_TRIES").map_or(60, |tries| tries.parse().unwrap());
    let mut refused = 0;
    for (file, _) in FILES.iter().zip(0..).cycle().take(tries) {
        let mut bytes = fs::read(parquet(file)).unwrap();
        for _ in 0..=random.below(3) {
            // The metadata lies at the end, and decides most.
            let len = bytes.len() as u64;
            let from_end = if random.below(2) == 0 { len.min(600) } else { len };
            let at = usize::try_from(len - 1 - random.below(from_end)).unwrap();
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = [0, 0xff, 0x7f, 0x80][usize::try_from(random.below(4)).unwrap()],
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[at]),
            }
        }
        fs::write(&path, &bytes).unwrap();
        let mut config = several(&path, &out);
        config.resources.memory_bytes = 32 << 20;
        match run(config) {
            Ok(_) => {}
            Err(error @ (Error::Input { .. } | Error::WrongFile { .. } | Error::Usage { .. })) => {
                assert!(!error.to_string().contains("example.com"), "{error}");
                assert!(matches!(error.exit_code(), ExitCode::Input | ExitCode::Usage), "{error}");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > tries / 4, "{refused} of {tries}");
}

#[test]
fn nobody_is_lost_to_a_wrong_number_of_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.parquet");
    let whole = fs::read(parquet("duckdb.parquet")).unwrap();
    let tail = whole.len() - 8;
    let footer_bytes = u32::from_le_bytes(whole[tail..tail + 4].try_into().unwrap());
    let footer = tail - footer_bytes as usize;
    // Sixty as the metadata writes it, behind the type of the number.
    let places = |bytes: &[u8]| {
        let pairs = bytes.windows(2).enumerate().skip(footer);
        pairs.filter(|(_, pair)| *pair == [0x16, 120]).map(|(at, _)| at).collect::<Vec<_>>()
    };
    let with_rows = |rows: u8, places: &[usize]| {
        let mut bytes = whole.clone();
        for at in places {
            bytes[at + 1] = 2 * rows;
        }
        fs::write(&path, bytes).unwrap();
        let config =
            config(UserType::EmailHash, std::slice::from_ref(&path), &dir.path().join("out"));
        run(by_name(config, "email")).map(|summary| summary.audiences[0].figures.read)
    };
    let all = places(&whole);
    assert_eq!(with_rows(60, &all).unwrap(), 60);
    for (rows, places, message) in [
        (58, &all[..], "it has more values than its row group has rows"),
        (62, &all[..], "it has fewer values than its row group has rows"),
        (58, &all[..1], "its metadata is damaged"),
    ] {
        let error = with_rows(rows, places).unwrap_err();
        assert!(error.to_string().contains(message), "{rows}: {error}");
        assert_eq!(error.exit_code(), ExitCode::Input);
    }
}

/// A file with a column of names and one of bytes of which nothing is said, of a fixed number or any.
fn write_bytes(path: &Path, values: &[Vec<u8>], is_fixed: bool, with_dictionary: bool) {
    use parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArrayType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    let column = if is_fixed { "FIXED_LEN_BYTE_ARRAY(32)" } else { "BYTE_ARRAY" };
    let schema = format!("message m {{ REQUIRED BYTE_ARRAY name (UTF8); REQUIRED {column} h; }}");
    let schema = parquet::schema::parser::parse_message_type(&schema).unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(with_dictionary).build();
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema.into(), properties.into()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let names: Vec<ByteArray> = values.iter().map(|_| "somebody".into()).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&names, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let values = values.iter().cloned().map(ByteArray::from);
    if is_fixed {
        let values: Vec<_> = values.map(Into::into).collect();
        column.typed::<FixedLenByteArrayType>().write_batch(&values, None, None).unwrap();
    } else {
        let values: Vec<_> = values.collect();
        column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
    }
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn digests_as_bytes_are_digests_for_hashed_types_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (input, list, out) =
        (dir.path().join("in.parquet"), dir.path().join("list.parquet"), dir.path().join("out"));
    let digest = |n: u32| throng::hash::digest(format!("user.{n}@example.com").as_bytes()).to_vec();
    let digests: Vec<Vec<u8>> = (0..300).map(|n| digest(n % 250)).collect();
    let expected: Vec<String> = (5..250).map(|n| const_hex::encode(digest(n))).collect();
    for (is_fixed, with_dictionary) in [(true, true), (true, false), (false, true), (false, false)]
    {
        write_bytes(&input, &digests, is_fixed, with_dictionary);
        write_bytes(&list, &digests[..5], !is_fixed, with_dictionary);
        for is_named in [true, false] {
            let config =
                suppressing(config(UserType::EmailHash, std::slice::from_ref(&input), &out), &list);
            let summary = run(if is_named { by_name(config, "h") } else { config }).unwrap();
            let figures = &summary.audiences[0].figures;
            assert_eq!((figures.prehashed, figures.raw, figures.rejected), (300, 0, 0));
            let mut sorted = expected.clone();
            sorted.sort();
            assert_eq!(entries(&out), sorted);
        }
        let clear =
            config(UserType::CustomAudienceThirdPartyId, std::slice::from_ref(&input), &out);
        let error = run(by_name(clear, "h")).unwrap_err().to_string();
        assert!(error.contains("invalid_utf8 300"), "{error}");
    }
    // Of another length they are digests that the platform does not take.
    let short: Vec<Vec<u8>> = digests.iter().map(|digest| digest[..16].to_vec()).collect();
    write_bytes(&input, &short, false, true);
    let config = config(UserType::EmailHash, &[input], &out);
    let error = run(by_name(config, "h")).unwrap_err().to_string();
    assert!(error.contains("malformed_hash 300"), "{error}");
}
