//! A rejected identifier is not used, but the person whom it names may have opted out by it: the rest of that row must not be
//! used either.

use std::fmt::Write as _;
use std::fs;

use tempfile::TempDir;
use throng::config::{AudienceSpec, ColumnSelector, Input, ListDigest, SuppressInput};
use throng::normalize::UserType;
use throng::prepare::summary::Summary;

use crate::support::{config, digest_hex, run};

use UserType::{CustomAudienceThirdPartyId, EmailHash, MobileAdvertiserId, PhoneHash};

/// Runs over a table of ids (or whatever `user_type` is) and addresses with a list of the former.
fn by_row(user_type: UserType, ids: &[String], list: &str) -> Summary {
    let dir = tempfile::tempdir().unwrap();
    run_in(
        &dir,
        user_type,
        ids,
        SuppressInput { user_type: Some(user_type), ..listed(&dir, list).into() },
    )
}

fn listed(dir: &TempDir, list: &str) -> Input {
    let path = dir.path().join("list.txt");
    fs::write(&path, list).unwrap();
    Input::Path(path)
}

fn run_in(dir: &TempDir, user_type: UserType, ids: &[String], list: SuppressInput) -> Summary {
    let path = dir.path().join("in.csv");
    let mut table = "key,mail\n".to_owned();
    for (row, id) in ids.iter().enumerate() {
        let id = id.replace('"', "\"\"");
        writeln!(table, "\"{id}\",m{row}@mail.example").unwrap();
    }
    fs::write(&path, table).unwrap();
    let mut config = config(EmailHash, &[path], &dir.path().join("out"));
    let column = |name: &str| Some(ColumnSelector::Name(name.to_owned()));
    let mail = AudienceSpec {
        label: "mail".parse().unwrap(),
        ..AudienceSpec::new(EmailHash, column("mail"))
    };
    config.audiences = vec![AudienceSpec::new(user_type, column("key")), mail];
    config.suppress.push(list);
    run(config).unwrap()
}

/// How many addresses are held back because of their row, and rows of which nobody knows.
fn linked(summary: &Summary) -> (u64, u64) {
    (summary.audiences[1].figures.sets.linked, summary.links.unwrap().unread)
}

/// Ids among which a few others are too few to be usual.
fn among(usual: impl Fn(u64) -> String, others: &[&str]) -> Vec<String> {
    let mut ids: Vec<String> = (0..100).map(usual).collect();
    ids.extend(others.iter().map(|id| (*id).to_owned()));
    ids
}

#[test]
fn the_row_of_an_id_that_a_spreadsheet_damaged_is_held_back() {
    let number = |n: u64| format!("{}", 200_000 + n);
    let ids = among(number, &["100311.0", "100,312", "\u{ff11}00313", "100314.5", "1.2E+05"]);
    let list = "100311\n100312\n100313\n100314\n100315\n";
    let summary = by_row(CustomAudienceThirdPartyId, &ids, list);
    assert_eq!(summary.audiences[0].figures.rejected, 5);
    assert_eq!(linked(&summary).0, 3);
    // The list could have it as it is written, but for the one whose digits are lost.
    assert_eq!(linked(&summary).1, 1);
    let notes = summary.notes.join("\n");
    assert!(notes.contains("1 row has a rejected identifier that cannot be read"), "{notes}");
}

#[test]
fn the_row_of_an_id_with_the_wrong_look_is_held_back() {
    let code = |n: u64| format!("K{n}-{}", n * 7);
    let ids = among(code, &["0171 2345670", "ann lee", "K7"]);
    let summary = by_row(CustomAudienceThirdPartyId, &ids, "ANN LEE\n0171 2345670\n");
    assert_eq!(linked(&summary), (2, 0));
}

#[test]
fn the_row_of_a_cell_with_several_addresses_is_held_back_by_each() {
    let address = |n: u64| format!("user.{n}@a.example");
    let others =
        ["x@a.example; ann@a.example", "Bob <bob@a.example>", "cy@a.example, dan", "n/a", "eve"];
    let summary =
        by_row(EmailHash, &among(address, &others), "ann@a.example\nbob@a.example\n@x.example\n");
    assert_eq!(linked(&summary), (2, 1));
    let others = ["zoe@x.example, zoe@y.example"];
    let summary = by_row(EmailHash, &among(address, &others), "@x.example\n");
    assert_eq!(linked(&summary), (1, 0));
    let dir = tempfile::tempdir().unwrap();
    let older: String = (0..3)
        .map(|n| {
            let mut out = Vec::new();
            ListDigest::Md5
                .append(["ann@a.example", "bob@a.example", "q@q.example"][n].as_bytes(), &mut out);
            const_hex::encode(out) + "\n"
        })
        .collect();
    let input = SuppressInput {
        user_type: Some(EmailHash),
        digest: Some(ListDigest::Md5),
        ..listed(&dir, &older).into()
    };
    let others = ["x@a.example; ann@a.example", "<bob@a.example>"];
    assert_eq!(linked(&run_in(&dir, EmailHash, &among(address, &others), input)), (2, 0));
}

#[test]
fn the_row_of_a_damaged_number_or_digest_is_held_back() {
    let number = |n: u64| format!("+4420794{n:05}");
    let digest = digest_hex(b"442079460013");
    let others =
        [&*format!("sha256:{digest}"), "+44 20 7946 0014 / +44 20 7946 0015", "020 7946 0016", "?"];
    let list = "+442079460013\n+442079460015\n+442079460016\n";
    let summary = by_row(PhoneHash, &among(number, &others), list);
    assert_eq!(linked(&summary), (2, 1));
    let device = |n: u64| format!("01234567-89ab-cdef-0123-{n:012x}");
    let others = ["{11234567-89AB-CDEF-0123-456789ABCDEF}", "00000000-0000-0000-0000-000000000000"];
    let list = "11234567-89ab-cdef-0123-456789abcdef\n";
    assert_eq!(linked(&by_row(MobileAdvertiserId, &among(device, &others), list)), (1, 0));
}
