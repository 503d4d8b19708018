//! A person is more than one identifier: whoever opted out by one of a row is held back by all of it, and so is everybody
//! whose rows share one of these.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use throng::config::{
    AudienceSpec, ColumnSelector, Input, ListDigest, PrepareConfig, SuppressBy, SuppressInput,
};
use throng::entries::Counts;
use throng::limits::SLAB_BYTES_MIN;
use throng::normalize::{Case, RuleOptions, UserType};
use throng::prepare::summary::Summary;

use crate::support::{config, digest_hex, entries, oracle, run, value};

const COLUMNS: [(&str, UserType); 3] = [
    ("mail", UserType::EmailHash),
    ("phone", UserType::PhoneHash),
    ("loyalty", UserType::CustomAudienceThirdPartyId),
];

/// An identifier: its column, and the person that it was made of.
type Identifier = (usize, u64);

/// A row: for each column a person, or nobody.
type Row = [Option<u64>; 3];

#[derive(Clone, Debug)]
struct Pass {
    files: [Vec<Row>; 2],
    opted_out: [BTreeSet<u64>; 2],
    known: Vec<Row>,
    by: SuppressBy,
    /// The digest of the list of addresses, if it is one of digests.
    digest: Option<ListDigest>,
    chunk_bytes: usize,
    threads: usize,
    memory_bytes: u64,
}

fn rows(size: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Row>> {
    let person = prop_oneof![3 => (0_u64..150).prop_map(Some), 2 => Just(None)];
    let row = [person.clone(), person.clone(), person].prop_map(|row| row);
    prop::collection::vec(row, size)
}

fn cases() -> impl Strategy<Value = Pass> {
    let opted_out = || prop::collection::btree_set(0_u64..200, 1..8);
    let by = prop_oneof![4 => Just(SuppressBy::Person), 1 => Just(SuppressBy::Identifier)];
    let chunk = prop_oneof![1_usize..60, 60_usize..3000, Just(throng::limits::CHUNK_BYTES)];
    let memory = prop_oneof![1_000_u64..60_000, Just(256 << 20)];
    let digest = prop::sample::select(vec![None, Some(ListDigest::Md5), Some(ListDigest::Sha1)]);
    let tuning = ((by, digest), chunk, 1_usize..5, memory);
    let files = [rows(1..120), rows(0..80)];
    (files, [opted_out(), opted_out()], rows(0..60), tuning).prop_map(
        |(files, opted_out, known, ((by, digest), chunk_bytes, threads, memory_bytes))| Pass {
            files,
            opted_out,
            known,
            by,
            digest,
            chunk_bytes,
            threads,
            memory_bytes,
        },
    )
}

/// A cell as exports have it: some values come as digests.
fn cell(column: usize, person: u64, row: usize) -> String {
    let value = value(COLUMNS[column].1, person);
    match COLUMNS[column].1 {
        UserType::EmailHash if row % 5 == 4 => digest_hex(value.as_bytes()).to_uppercase(),
        UserType::EmailHash if row % 5 == 3 => format!(" {} ", value.to_uppercase()),
        UserType::PhoneHash if row % 5 == 2 => digest_hex(&value.as_bytes()[1..]),
        _ => value,
    }
}

fn older_hex(digest: ListDigest, value: &str) -> String {
    let mut out = Vec::new();
    digest.append(value.as_bytes(), &mut out);
    const_hex::encode(out)
}

/// What stands in an upload file.
fn entry((column, person): Identifier) -> String {
    let value = value(COLUMNS[column].1, person);
    match COLUMNS[column].1 {
        UserType::EmailHash => digest_hex(value.as_bytes()),
        UserType::PhoneHash => digest_hex(&value.as_bytes()[1..]),
        _ => value,
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from("mail,phone,loyalty\n");
    for (index, row) in rows.iter().enumerate() {
        let cell = |(column, person): (usize, &Option<u64>)| {
            person.map_or_else(String::new, |person| cell(column, person, index))
        };
        text += &row.iter().enumerate().map(cell).collect::<Vec<_>>().join(",");
        text.push('\n');
    }
    text
}

fn audiences() -> Vec<AudienceSpec> {
    let audience = |(column, user_type): (&str, UserType)| {
        AudienceSpec::new(user_type, Some(ColumnSelector::Name(column.to_owned())))
    };
    COLUMNS.into_iter().map(audience).collect()
}

fn identifiers(row: &Row) -> Vec<Identifier> {
    row.iter().enumerate().filter_map(|(column, of)| of.map(|person| (column, person))).collect()
}

/// The entries of one of several audiences.
fn entries_of(dir: &Path, audience: &AudienceSpec) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let number = name.strip_prefix(&format!("{}-", audience.label));
        if number.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            found.extend(fs::read_to_string(path).unwrap().lines().map(str::to_owned));
        }
    }
    found
}

impl Pass {
    fn config(&self, inputs: &[PathBuf], out: &Path) -> PrepareConfig {
        let mut config = config(UserType::EmailHash, inputs, out);
        config.audiences = audiences();
        config.rules = RuleOptions { case: Case::Keep, ..oracle::rules() };
        config.suppress_by = self.by;
        config.resources.chunk_bytes = self.chunk_bytes;
        config.resources.threads = self.threads;
        config.resources.memory_bytes = self.memory_bytes;
        config
    }

    fn run(&self, dir: &Path) -> Summary {
        let place = |name: &str, text: String| {
            let path = dir.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let inputs: Vec<PathBuf> = ["a.csv", "b.csv"]
            .into_iter()
            .zip(&self.files)
            .map(|(name, rows)| place(name, table(rows)))
            .collect();
        let mut config = self.config(&inputs, &dir.join("out"));
        for (column, persons) in self.opted_out.iter().enumerate() {
            let user_type = COLUMNS[column].1;
            let digest = self.digest.filter(|_| column == 0);
            let line = |person: &u64| {
                let value = value(user_type, *person);
                digest.map_or(value.clone(), |digest| older_hex(digest, &value)) + "\n"
            };
            let lines: Vec<String> = persons.iter().map(line).collect();
            let input = Input::Path(place(&format!("list{column}.txt"), lines.concat()));
            let user_type = Some(user_type);
            config.suppress.push(SuppressInput { user_type, digest, ..input.into() });
        }
        if self.known.iter().any(|row| row.iter().all(Option::is_some)) {
            let known = dir.join("known");
            run(self.config(&[place("known.csv", table(&self.known))], &known)).unwrap();
            config.against.push(known.into());
        }
        run(config).unwrap()
    }

    fn check(&self) -> Result<u64, TestCaseError> {
        let dir = tempfile::tempdir().unwrap();
        let has_values =
            |column: usize| self.files.iter().flatten().any(|row| row[column].is_some());
        if !(0..3).all(has_values) {
            return Ok(0);
        }
        let summary = self.run(dir.path());
        let rows: Vec<Vec<Identifier>> = self.files.iter().flatten().map(identifiers).collect();
        let opted_out: HashSet<Identifier> = self
            .opted_out
            .iter()
            .enumerate()
            .flat_map(|(column, persons)| persons.iter().map(move |person| (column, *person)))
            .collect();
        // Of a digest nobody knows the other digests.
        let is_raw = |person: u64| {
            let is_it = |(index, row): (usize, &Row)| index % 5 != 4 && row[0] == Some(person);
            self.files.iter().any(|rows| rows.iter().enumerate().any(is_it))
        };
        let is_found = |it: &Identifier| self.digest.is_none() || it.0 != 0 || is_raw(it.1);
        let opted_out: HashSet<Identifier> = opted_out.into_iter().filter(is_found).collect();
        let held_back = match self.by {
            SuppressBy::Person => oracle::held_back(&rows, &opted_out),
            SuppressBy::Identifier => opted_out.clone(),
        };
        let has_known = self.known.iter().any(|row| row.iter().all(Option::is_some));
        let known: HashSet<Identifier> =
            self.known.iter().filter(|_| has_known).flat_map(identifiers).collect();
        let members: HashSet<Identifier> = rows.iter().flatten().copied().collect();
        for (column, audience) in audiences().iter().enumerate() {
            let count = |of: &dyn Fn(&Identifier) -> bool| {
                let all: HashSet<&Identifier> = members.union(&known).collect();
                all.into_iter().filter(|it| it.0 == column && of(it)).count() as u64
            };
            let is_member = |it: &Identifier| members.contains(it);
            let is_held = |it: &Identifier| held_back.contains(it);
            let is_listed = |it: &Identifier| opted_out.contains(it);
            let is_written = |it: &Identifier| is_member(it) && !is_held(it) && !known.contains(it);
            let expected = Counts {
                members: count(&is_member),
                suppressed: count(&|it| is_member(it) && is_listed(it)),
                linked: count(&|it| is_member(it) && is_held(it) && !is_listed(it)),
                known: count(&|it| is_member(it) && !is_held(it) && known.contains(it)),
                gone: count(&|it| !is_member(it)),
                must_go: count(&|it| known.contains(it) && is_held(it)),
                written: count(&is_written),
            };
            prop_assert_eq!(&summary.audiences[column].figures.sets, &expected);
            let of_column = members.iter().copied().filter(|it| it.0 == column);
            let written: BTreeSet<String> = of_column.filter(is_written).map(entry).collect();
            prop_assert_eq!(entries_of(&dir.path().join("out"), audience), written);
        }
        Ok(summary.spilled_bytes)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 2, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn those_who_are_held_back_are_those_that_the_oracle_reaches(case in cases()) {
        case.check()?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 32, max_shrink_iters: 50, ..ProptestConfig::default() })]

    /// So many rows that links and entries do not fit into memory, or not even groups of rows.
    #[test]
    fn they_are_the_same_where_links_are_spilled(case in cases(), shift in 1_u64..50, times in 1_u64..=2) {
        let count = (SLAB_BYTES_MIN / 32) as u64 * times;
        let mut case = Pass { memory_bytes: 400_000, chunk_bytes: 20_000, ..case };
        // Pairs of strangers, and a chain of a few who share what is theirs.
        case.files[0].extend((0..count).map(|n| [Some(1000 + n), Some(1000 + n), None]));
        case.files[1].extend((0..40).map(|n| [None, Some(1000 + n * shift), Some(1000 + n)]));
        case.files[1].extend((0..40).map(|n| [Some(1000 + (n + 1) * shift), None, Some(1000 + n)]));
        case.opted_out[0].insert(1000 + shift * 20);
        prop_assert!(case.check()? > 0, "it does not spill");
    }
}

/// A run with these lists over a table, in which both the mail and the phone are read.
fn held_back(table: &str, lists: &[(&str, UserType)], by: SuppressBy) -> (Vec<u64>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.csv");
    fs::write(&path, table).unwrap();
    let out = dir.path().join("out");
    let mut config = config(UserType::EmailHash, &[path], &out);
    config.audiences = audiences()[..2].to_vec();
    config.suppress_by = by;
    for (index, (text, user_type)) in lists.iter().enumerate() {
        let list = dir.path().join(format!("list{index}"));
        fs::write(&list, text).unwrap();
        let user_type = Some(*user_type);
        config.suppress.push(SuppressInput { user_type, ..Input::Path(list).into() });
    }
    let summary = run(config).unwrap();
    let figures = summary.audiences.iter().map(|audience| audience.figures.sets);
    (figures.flat_map(|sets| [sets.suppressed, sets.linked, sets.written]).collect(), entries(&out))
}

const FAMILY: &str = "mail,phone
ann@example.com,+442079460011
old.ann@example.com,+442079460011
old.ann@example.com,+442079460012
cy@example.com,+442079460013
";

#[test]
fn whoever_opted_out_by_mail_is_not_reached_by_phone_either() {
    let list = [("ANN@example.com\n", UserType::EmailHash)];
    let (counts, left) = held_back(FAMILY, &list, SuppressBy::Person);
    assert_eq!(counts, [1, 1, 1, 0, 2, 1]);
    assert_eq!(left, [digest_hex(b"cy@example.com"), digest_hex(b"442079460013")]);
    let (counts, _) = held_back(FAMILY, &list, SuppressBy::Identifier);
    assert_eq!(counts, [1, 0, 2, 0, 0, 3]);
    let phones = [("+44 20 7946 0012\n", UserType::PhoneHash)];
    assert_eq!(held_back(FAMILY, &phones, SuppressBy::Person).0, [0, 2, 1, 1, 1, 1]);
}

/// A table in which each row shares something with the one before it, and with nobody else, and one row more.
fn chain(rows: u64) -> String {
    let row = |n: u64| {
        let (mail, phone) = (n.div_ceil(2), n / 2);
        format!("m{mail}@example.com,+4420794{phone:05}\n")
    };
    let rows = (0..rows).map(row).chain(["cy@example.com,+442089460013\n".to_owned()]);
    ["mail,phone\n".to_owned()].into_iter().chain(rows).collect()
}

#[test]
fn a_chain_is_followed_to_its_end() {
    let list = [("m0@example.com\n", UserType::EmailHash)];
    let (counts, left) = held_back(&chain(400), &list, SuppressBy::Person);
    assert_eq!(counts, [1, 200, 1, 0, 200, 1]);
    assert_eq!(left.len(), 2);
}

/// However long a chain is, all links are gone through once, unless memory has no room for that.
#[test]
fn the_length_of_a_chain_costs_no_time() {
    for (rows, memory_bytes, passes) in [(20_000, 256 << 20, 1..2), (16_000, 1 << 16, 3..20_000)] {
        let dir = tempfile::tempdir().unwrap();
        let (path, list) = (dir.path().join("in.csv"), dir.path().join("list"));
        // In the second one few rows are linked by a chain.
        let chained = if memory_bytes == 1 << 16 { 40 } else { rows };
        let pair = |n: u64| format!("other{n}@example.com,+44208{n:07}\n");
        let others: String = (0..rows - chained).map(pair).collect();
        fs::write(&path, chain(chained) + &others).unwrap();
        fs::write(&list, format!("m{}@example.com\n", chained / 4)).unwrap();
        let mut config = config(UserType::EmailHash, &[path], &dir.path().join("out"));
        config.audiences = audiences()[..2].to_vec();
        config.resources.memory_bytes = memory_bytes;
        let input = Input::Path(list);
        config
            .suppress
            .push(SuppressInput { user_type: Some(UserType::EmailHash), ..input.into() });
        let summary = run(config).unwrap();
        let links = summary.links.unwrap();
        assert_eq!(u64::from(links.rows), rows + 1);
        assert!(passes.contains(&links.passes), "{links:?}");
        let written = summary.audiences[0].figures.sets.written;
        assert_eq!(written, rows - chained + 1);
    }
}

/// A run over a table of addresses with a list of digests; `text` stands for the list.
fn by_digest(text: &str, digest: Option<ListDigest>) -> throng::Result<(Summary, Vec<String>)> {
    let dir = tempfile::tempdir().unwrap();
    let (path, list) = (dir.path().join("in.csv"), dir.path().join("list.csv"));
    let ready = digest_hex(b"di@example.com");
    fs::write(&path, format!("mail\n Ann@Example.com\nbob@example.com\n{ready}\n")).unwrap();
    fs::write(&list, text).unwrap();
    let out = dir.path().join("out");
    let mut config = config(UserType::EmailHash, &[path], &out);
    let input = Input::Path(list);
    config.suppress = vec![SuppressInput { digest, ..input.into() }];
    run(config).map(|summary| (summary, entries(&out)))
}

#[test]
fn lists_of_older_digests_hold_back_the_normalised_values() {
    let dates = |digest, value| format!("{},2026-01-01\n", older_hex(digest, value).to_uppercase());
    for digest in ListDigest::ALL {
        let list = ["ann@example.com", "di@example.com", "cy@example.com"];
        let list = list.map(|value| dates(digest, value)).concat();
        for head in ["", "Address,since\n"] {
            let (summary, left) = by_digest(&(head.to_owned() + &list), Some(digest)).unwrap();
            let figures = &summary.audiences[0].figures;
            assert_eq!((figures.sets.suppressed, figures.suppression_read), (1, 3));
            let [list] = &figures.opt_out_lists[..] else { unreachable!("there is one list") };
            assert_eq!((list.usable, list.members), (3, Some(1)));
            assert_eq!(summary.audiences.len(), 1);
            let mut expected = [digest_hex(b"bob@example.com"), digest_hex(b"di@example.com")];
            expected.sort();
            assert_eq!(left, expected);
            let said = format!(
                "1 of the values for email_hash came as SHA-256 and cannot be held against {digest}"
            );
            assert!(summary.notes.iter().any(|note| note.contains(&said)), "{:?}", summary.notes);
        }
    }
}

#[test]
fn lists_of_digests_that_are_not_said_to_be_such_are_refused() {
    let line =
        |digest| move |person: u64| older_hex(digest, &value(UserType::EmailHash, person)) + "\n";
    let md5: String = (0..9).map(line(ListDigest::Md5)).collect();
    let sha1: String = (0..9).map(line(ListDigest::Sha1)).collect();
    for list in [&md5, &sha1] {
        let error = by_digest(list, None).unwrap_err();
        assert_eq!(error.exit_code(), throng::ExitCode::Input);
        assert!(
            error.hint().unwrap_or_default().contains("md5=FILE"),
            "{error}: {:?}",
            error.hint()
        );
    }
    for (list, digest) in [(&sha1, ListDigest::Md5), (&md5, ListDigest::Sha1)] {
        assert!(by_digest(list, Some(digest)).is_err());
    }
    assert!(by_digest("ann@example.com\nbob@example.com\n", Some(ListDigest::Md5)).is_err());
}

/// The shop's own number stands where customers gave none, and it opted out.
#[test]
fn a_placeholder_that_holds_many_back_is_said() {
    let row = |n: u64| format!("m{n}@example.com,+442079460013\n");
    let table: String = ["mail,phone\n".to_owned()].into_iter().chain((0..300).map(row)).collect();
    let dir = tempfile::tempdir().unwrap();
    let (path, list) = (dir.path().join("in.csv"), dir.path().join("list"));
    fs::write(&path, table).unwrap();
    fs::write(&list, "+44 20 7946 0013\n").unwrap();
    let mut config = config(UserType::EmailHash, &[path], &dir.path().join("out"));
    config.audiences = audiences()[..2].to_vec();
    let input = Input::Path(list);
    let user_type = Some(UserType::PhoneHash);
    config.suppress.push(SuppressInput { user_type, ..input.into() });
    let mut by_identifier = config.clone();
    let notes = run(config).unwrap().notes.join("\n");
    assert!(notes.contains("300 of 300 members of email_hash are held back because"), "{notes}");
    by_identifier.suppress_by = SuppressBy::Identifier;
    assert!(!run(by_identifier).unwrap().notes.join("\n").contains("because another identifier"));
}
