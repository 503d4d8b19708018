//! Which column and which first row: nobody gets lost, nobody is left out of an opt-out list in silence, and no person's
//! row is shown as a header.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use throng::Error;
use throng::config::{AudienceSpec, ColumnSelector, Format, Input, PrepareConfig, SuppressInput};
use throng::normalize::{Case, Prehashed, UserType};
use throng::prepare::Prepare;
use throng::prepare::summary::Summary;
use throng::progress::Progress;

use crate::support::{by_name, config, entries, run, suppressing};

const BOB: &str = "bob@example.com";

struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn config(&self, user_type: UserType, text: &str) -> PrepareConfig {
        config(user_type, &[self.write("in.csv", text)], &self.out())
    }

    fn count(&self, config: PrepareConfig) -> (u64, usize) {
        let summary = run(config).unwrap();
        (summary.audiences[0].figures.read, entries(&self.out()).len())
    }
}

fn by_number(mut config: PrepareConfig, columns: &[(usize, UserType)]) -> PrepareConfig {
    config.audiences = columns
        .iter()
        .map(|(number, user_type)| {
            AudienceSpec::new(*user_type, Some(ColumnSelector::Number(*number)))
        })
        .collect();
    config
}

fn notes(summary: &Summary) -> String {
    summary.notes.join("\n")
}

fn plan(config: PrepareConfig) -> throng::Result<Prepare> {
    Prepare::plan(config, &Progress::default())
}

fn hint(config: PrepareConfig) -> String {
    plan(config).unwrap_err().hint().unwrap_or_default().to_owned()
}

#[test]
fn first_person_without_the_wanted_value_is_no_header() {
    let desk = Desk::new();
    let text = "n/a,+442079460011\nann@example.com,+442079460012\nbob@example.com,+442079460013\n";
    let config = desk.config(UserType::EmailHash, text);
    let config = by_number(config, &[(1, UserType::EmailHash), (2, UserType::PhoneHash)]);
    let summary = run(config).unwrap();
    assert_eq!(summary.audiences[0].figures.read, 3);
    assert_eq!(summary.audiences[1].figures.sets.written, 3);
    assert!(notes(&summary).contains("took the first row for data"), "{}", notes(&summary));
}

#[test]
fn first_person_beside_identifiers_is_no_header() {
    let desk = Desk::new();
    let ids = by_number(
        desk.config(
            UserType::EmailHash,
            "C-17,unknown\nC-18,ann@example.com\nC-19,bob@example.com\n",
        ),
        &[(1, UserType::CustomAudienceThirdPartyId)],
    );
    assert_eq!(desk.count(ids), (3, 3));
    let numbered = by_number(
        desk.config(
            UserType::EmailHash,
            "17,Ann,x\n18,Bob,ann@example.com\n19,Cy,bob@example.com\n",
        ),
        &[(1, UserType::Fbid)],
    );
    assert_eq!(desk.count(numbered), (3, 3));
}

#[test]
fn header_is_told_by_its_cells_and_said_so() {
    let desk = Desk::new();
    for (user_type, column, text) in [
        (UserType::EmailHash, 2, "Customer,Mail\n17,ann@example.com\n18,bob@example.com\n"),
        (
            UserType::CustomAudienceThirdPartyId,
            1,
            "Customer,Mail\nC17,ann@example.com\nC18,bob@example.com\n",
        ),
        (UserType::PhoneHash, 1, "Phone 1,\n+442079460011,\n+442079460012,\n"),
    ] {
        let config = by_number(desk.config(user_type, text), &[(column, user_type)]);
        let summary = run(config).unwrap();
        assert_eq!(summary.audiences[0].figures.read, 2, "{user_type}");
        assert!(notes(&summary).contains("took the first row for a header"), "{user_type}");
    }
}

#[test]
fn named_country_column_makes_the_first_row_a_header() {
    let desk = Desk::new();
    let text = "number,land\n020 7946 0018,GB\n(201) 555-0123,us\n";
    let mut config = by_number(desk.config(UserType::PhoneHash, text), &[(1, UserType::PhoneHash)]);
    config.read.country_column = Some(ColumnSelector::Name(" LAND ".to_owned()));
    assert_eq!(desk.count(config), (2, 2));
}

#[test]
fn no_cell_of_a_person_is_shown_as_a_header() {
    let desk = Desk::new();
    for first in
        ["17,Ann Secret,n/a", "x,Ann Secret,ann@example.com", "x,Ann Secret,+44 20 7946 0018"]
    {
        let text = format!("{first}\n18,Bob,b@example.com\n19,Cy,c@example.com\n");
        let config = by_name(desk.config(UserType::EmailHash, &text), "nope");
        let hint = hint(config);
        assert!(!hint.contains("Secret") && !hint.contains("n/a"), "{hint}");
        assert!(hint.contains("column 3 holds e-mail addresses"), "{hint}");
    }
}

#[test]
fn two_columns_of_one_name_are_a_question() {
    let desk = Desk::new();
    let text = "Email,email\nann@example.com,bob@example.com\n";
    let error = plan(by_name(desk.config(UserType::EmailHash, text), "email")).unwrap_err();
    assert!(error.to_string().contains("columns 1, 2 of"), "{error}");
    assert!(matches!(error, Error::Usage { .. }));
}

fn two_audiences(desk: &Desk) -> PrepareConfig {
    let text = "email,phone\nann@example.com,+442079460018\nbob@example.com,+442079460019\n";
    let mut config = desk.config(UserType::EmailHash, text);
    config.audiences = [("email", UserType::EmailHash), ("phone", UserType::PhoneHash)]
        .map(|(name, user_type)| {
            AudienceSpec::new(user_type, Some(ColumnSelector::Name(name.to_owned())))
        })
        .to_vec();
    config
}

#[test]
fn opt_out_list_that_can_be_meant_in_two_ways_stops_the_run() {
    let desk = Desk::new();
    let list =
        desk.write("out.csv", "mail_a,mail_b,tel\nann@example.com,bob@example.com,+442079460018\n");
    let error = plan(suppressing(two_audiences(&desk), &list)).unwrap_err();
    assert!(error.to_string().contains("more than one column"), "{error}");
    assert_eq!(error.hint(), Some("choose one with --suppress-column"));
}

#[test]
fn opt_out_list_serves_every_audience_that_it_has_a_column_for() {
    let desk = Desk::new();
    let both = desk.write("both.csv", "tel;e-mail\n+44 20 7946 0018;\n;bob@example.com\n");
    let summary = run(suppressing(two_audiences(&desk), &both)).unwrap();
    assert_eq!(
        summary.audiences.iter().map(|a| a.figures.sets.suppressed).collect::<Vec<_>>(),
        [1, 1]
    );
    let one = desk.write("one.csv", "id;e-mail\nx;ann@example.com\ny;bob@example.com\n");
    let summary = run(suppressing(two_audiences(&desk), &one)).unwrap();
    assert_eq!(
        summary.audiences.iter().map(|a| a.figures.sets.suppressed).collect::<Vec<_>>(),
        [2, 0]
    );
    let warning = "no column holds phone_hash: nobody is held back there";
    let warnings = summary.warnings.join("\n");
    assert!(warnings.contains(warning), "{warnings}");
}

#[test]
fn digests_alone_do_not_say_which_audience_opted_out() {
    let desk = Desk::new();
    let list = desk.write("out.txt", &format!("{}\n", "ab".repeat(32)));
    let mut config = suppressing(two_audiences(&desk), &list);
    let error = plan(config.clone()).unwrap_err();
    assert_eq!(error.hint(), Some("say which: --suppress TYPE=FILE"));
    config.suppress[0].user_type = Some(UserType::PhoneHash);
    run(config).unwrap();
}

#[test]
fn damaged_opt_out_list_stops_the_run() {
    let desk = Desk::new();
    for text in ["ann@example\nbob\ncy@example.com\n", "\"ann@example.com,x\n", ""] {
        let list = desk.write("out.csv", text);
        let config = suppressing(desk.config(UserType::EmailHash, "ann@example.com\n"), &list);
        let result = run(config);
        assert_eq!(result.is_err(), !text.is_empty(), "{text}");
        assert_eq!(desk.out().exists(), text.is_empty(), "{text}");
    }
}

#[test]
fn mostly_empty_columns_are_found() {
    let desk = Desk::new();
    let nulls = "x,NULL,\ny,NULL,\nz,n/a,\n".repeat(20);
    let text = format!("name,contact,note\n{nulls}q,ann@example.com,\nr,bob@example.com,\n");
    let mut config = desk.config(UserType::EmailHash, &text);
    let list = desk.write("list.txt", "ann@example.com\nnull\ncy@example.com\nnull\n");
    config.suppress.push(Input::Path(list).into());
    let summary = run(config).unwrap();
    assert_eq!(
        (summary.audiences[0].figures.read, summary.audiences[0].figures.sets.written),
        (62, 1)
    );
}

#[test]
fn opt_outs_and_earlier_results_are_read_whatever_prehashed_says() {
    let desk = Desk::new();
    let digest = const_hex::encode(throng::hash::digest(BOB.as_bytes()));
    let digests = format!("{digest}\n{}\n", "ab".repeat(32));
    let raw_list = desk.write("raw.txt", "bob@example.com\n");
    let mut config = desk.config(UserType::EmailHash, &digests);
    config.rules.prehashed = Prehashed::Always;
    let summary = run(suppressing(config, &raw_list)).unwrap();
    assert_eq!(
        (summary.audiences[0].figures.sets.suppressed, summary.audiences[0].figures.sets.written),
        (1, 1)
    );

    let known = desk.0.path().join("known");
    let mut earlier = desk.config(UserType::EmailHash, "bob@example.com\n");
    earlier.rules.prehashed = Prehashed::Never;
    earlier.output.dir.clone_from(&known);
    run(earlier.clone()).unwrap();
    let mut config = desk.config(UserType::EmailHash, "ann@example.com\nbob@example.com\n");
    config.rules.prehashed = Prehashed::Never;
    config.against.push(known.into());
    let digest_list = desk.write("digests.txt", &digests);
    let summary = run(suppressing(config, &digest_list)).unwrap();
    assert_eq!(
        (summary.audiences[0].figures.sets.must_go, summary.audiences[0].figures.sets.written),
        (1, 1)
    );
}

#[test]
fn earlier_result_is_taken_as_it_stands_and_other_rules_are_told() {
    let desk = Desk::new();
    let known = desk.0.path().join("known");
    let mut earlier = desk.config(UserType::CustomAudienceThirdPartyId, "Aa\nbb\n");
    earlier.rules.case = Case::Keep;
    earlier.output.dir.clone_from(&known);
    run(earlier).unwrap();
    let mut config = desk.config(UserType::CustomAudienceThirdPartyId, "Aa\nbb\n");
    config.against.push(known.into());
    let summary = run(config).unwrap();
    // `aa` is another entry than the `Aa` that was uploaded.
    assert_eq!(
        (summary.audiences[0].figures.sets.known, summary.audiences[0].figures.sets.gone),
        (1, 1)
    );
    assert!(notes(&summary).contains("prepared with another --case"), "{}", notes(&summary));
}

#[test]
fn mixed_columns_and_useless_files_are_told() {
    let desk = Desk::new();
    let mut config =
        desk.config(UserType::EmailHash, &format!("ann@example.com\n{}\n", "ab".repeat(32)));
    let useless: Vec<PathBuf> =
        (0..3).map(|n| desk.write(&format!("{n}.txt"), "no address\nneither\n")).collect();
    config.inputs.extend(useless.into_iter().map(Input::Path));
    let summary = run(config).unwrap();
    let notes = notes(&summary);
    assert!(notes.contains("column 1 mixes raw values and digests for email_hash"), "{notes}");
    assert!(
        notes.contains("0.txt` and 2 more: nothing in it can be used as email_hash"),
        "{notes}"
    );
}

#[test]
fn suppression_list_needs_an_audience() {
    let desk = Desk::new();
    let mut config = desk.config(UserType::EmailHash, "ann@example.com\n");
    let input = Input::Path(Path::new("x").to_owned());
    config.suppress.push(SuppressInput { user_type: Some(UserType::Fbid), ..input.into() });
    assert!(matches!(plan(config), Err(Error::Usage { .. })));
}

/// A table whose columns begin to be filled behind the rows that are looked at.
fn filled_late(header: &str, early: &str, late: &str) -> String {
    format!("{header}\n{}{}", format!("{early}\n").repeat(300), format!("{late}\n").repeat(300))
}

#[test]
fn column_that_is_filled_late_is_not_passed_over() {
    let desk = Desk::new();
    let (one, other) = ("cy@example.com", "ann@example.com");
    for (header, early, late) in [
        ("email,referred_by", format!(",{one}"), format!("{other},{one}")),
        ("referrer_mail,email", format!("{one},NULL"), format!("{one},{other}")),
        ("email,referred_by", format!("unknown,{one}"), format!("{other},{one}")),
        // Nothing says what a list without a header holds.
        ("cy@example.com,", format!("{one},"), format!("{one},{other}")),
        ("contact,courriel", format!("{one},"), format!("{one},{other}")),
    ] {
        let list = desk.write("out.csv", &filled_late(header, &early, &late));
        let text = "ann@example.com\nbob@example.com\n";
        let mut config = suppressing(desk.config(UserType::EmailHash, text), &list);
        let error = plan(config.clone()).unwrap_err();
        assert!(error.to_string().contains("(blank in the first rows)"), "{header}: {error}");
        assert_eq!(error.hint(), Some("choose one with --suppress-column"), "{header}");
        let number = if late.starts_with(other) { 1 } else { 2 };
        config.suppress[0].column = Some(ColumnSelector::Number(number));
        assert_eq!(run(config).unwrap().audiences[0].figures.sets.suppressed, 1, "{header}");
        fs::remove_dir_all(desk.out()).unwrap();
    }
    // The same holds of inputs: the referrers are no customers.
    let (early, late) = (format!("{one},"), format!("{one},{other}"));
    let text = filled_late("referrer_mail,email", &early, &late);
    let input = desk.write("input.csv", &text);
    let mut config = desk.config(UserType::EmailHash, "");
    config.inputs = vec![Input::Path(input)];
    let error = plan(config).unwrap_err();
    assert!(error.to_string().contains("more than one column"), "{error}");
}

#[test]
fn column_that_is_called_what_it_holds_needs_no_choice() {
    let desk = Desk::new();
    for (header, early) in [
        ("E-mail address,email_status", "ann@example.com,"),
        ("work_email,note", "ann@example.com,"),
        ("contact,", "ann@example.com,"),
    ] {
        let list = desk.write("out.csv", &filled_late(header, early, early));
        let text = "ann@example.com\nbob@example.com\n";
        let config = suppressing(desk.config(UserType::EmailHash, text), &list);
        assert_eq!(run(config).unwrap().audiences[0].figures.sets.suppressed, 1, "{header}");
        fs::remove_dir_all(desk.out()).unwrap();
    }
    // Words within words say nothing, and a column of different people is what a list is about.
    for (header, behind) in [
        ("customer_email,email_bounced_at", ""),
        ("E-Mail-Adresse,Mailing-Datum", ""),
        ("subscriber,comment", ""),
        ("bob@example.com,", ""),
        ("bob@example.com,,x", ",x"),
    ] {
        let rows = (0..300).map(|n| format!("person.{n}@example.com,{behind}\n"));
        let text = format!("{header}\nann@example.com,{behind}\n{}", rows.collect::<String>());
        let list = desk.write("out.csv", &text);
        let text = "ann@example.com\ncy@example.com\n";
        let config = suppressing(desk.config(UserType::EmailHash, text), &list);
        assert_eq!(run(config).unwrap().audiences[0].figures.sets.suppressed, 1, "{header}");
        fs::remove_dir_all(desk.out()).unwrap();
    }
    // A column that is called like numbers by accident serves no audience of numbers.
    let late = "bob@example.com,2026-11-24";
    let list = desk.write("out.csv", &filled_late("email,cancelled_at", "bob@example.com,", late));
    let summary = run(suppressing(two_audiences(&desk), &list)).unwrap();
    assert_eq!(
        summary.audiences.iter().map(|a| a.figures.sets.suppressed).collect::<Vec<_>>(),
        [1, 0]
    );
    fs::remove_dir_all(desk.out()).unwrap();
    // So does one that few of the list's people have.
    let late = ",+442079460018";
    let list = desk.write("out.csv", &filled_late("e-mail,phone", "bob@example.com,", late));
    let summary = run(suppressing(two_audiences(&desk), &list)).unwrap();
    assert_eq!(
        summary.audiences.iter().map(|a| a.figures.sets.suppressed).collect::<Vec<_>>(),
        [1, 1]
    );
}

#[test]
fn opt_out_list_with_rows_and_without_values_stops_the_run() {
    let desk = Desk::new();
    let text = "email,contact\n,ann (at) example.com\n,bob (at) example.com\n";
    let list = desk.write("out.csv", text);
    let input = "email,name\nann@example.com,Ann\n";
    let config = suppressing(by_name(desk.config(UserType::EmailHash, input), "email"), &list);
    let error = run(config.clone()).unwrap_err();
    assert!(error.to_string().contains("`email` is blank in all its rows"), "{error}");
    let mut told = config;
    told.suppress[0].column = Some(ColumnSelector::Name("email".to_owned()));
    assert_eq!(run(told).unwrap().audiences[0].figures.sets.suppressed, 0);
}

#[test]
fn numbers_that_are_no_facebook_ids_are_not_taken_for_them() {
    let desk = Desk::new();
    let plan_of = |text: &str| {
        let input = desk.write("input.csv", text);
        let mut config = desk.config(UserType::Fbid, "");
        config.inputs = vec![Input::Path(input)];
        plan(config)
    };
    for text in [
        "phone\n447700900123\n447700900124\n",
        "name, phone\nAnn,    447700900123\nBob,    447700900124\n",
        "name, created\nAnn, 20240115123456\nBob, 20240115123457\n",
        "name,card_number\nAnn,4111111111111111\nBob,4111111111111112\n",
        "imei,name\n490154203237518,Ann\n490154203237519,Bob\n",
        "id,name\n1,Ann\n2,Bob\n",
    ] {
        let error = plan_of(text).unwrap_err();
        assert!(error.to_string().contains("may hold other numbers"), "{text}: {error}");
        assert!(error.hint().unwrap().contains("with --column"), "{text}");
    }
    for text in [
        "100004512345678\n1234\n",
        "id\n1234\n",
        "null\n1234\n",
        "friends\n1234\n",
        "name, id\nAnn, 100004512345678\n",
        "id,name\n100004512345678,Ann\nNULL,Bob\n\\N,Cy\n",
        "100004512345678;2026-11-24\n",
        "fb-id,name\n1234,Ann\n",
        "meta_id,name\n1234,Ann\n",
    ] {
        assert!(plan_of(text).is_ok(), "{text}");
    }
}

#[test]
fn a_table_may_have_json_in_it_if_its_format_is_said() {
    let desk = Desk::new();
    let input = desk.write("input.csv", "{\"a\": 1}\tann@example.com\n");
    let mut config = desk.config(UserType::EmailHash, "");
    config.inputs = vec![Input::Path(input)];
    assert!(plan(config.clone()).unwrap_err().to_string().contains("JSON"));
    config.read.format = Format::Tsv;
    assert_eq!(run(config).unwrap().audiences[0].figures.raw, 1);
}
