//! Opt-out lists that hold something else than they seem to: several values where one is read, patterns, numbers in another
//! notation. Whoever is not held back by one is named, and not forgotten.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use throng::config::{ColumnSelector, Input, SuppressInput};
use throng::normalize::UserType;
use throng::prepare::summary::Summary;

use crate::support::{config, run};

use UserType::{CustomAudienceThirdPartyId, EmailHash, PhoneHash};

const MEMBERS: &str = "ann@a.example\nbob@a.example\ncy@a.example\ndan@a.example\n";

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

    fn run(
        &self,
        user_type: UserType,
        members: &str,
        lists: &[(&str, Option<ColumnSelector>)],
    ) -> throng::Result<Summary> {
        let input = self.write("in.txt", members);
        let mut config = config(user_type, &[input], &self.0.path().join("out"));
        for (index, (text, column)) in lists.iter().enumerate() {
            let input = Input::Path(self.write(&format!("list-{index}.txt"), text));
            config.suppress.push(SuppressInput { column: column.clone(), ..input.into() });
        }
        run(config)
    }
}

fn warnings(summary: &Summary) -> String {
    summary.warnings.join("\n")
}

fn ids(count: u64, id: impl Fn(u64) -> String) -> String {
    (0..count).map(|n| id(n) + "\n").collect()
}

#[test]
fn every_address_of_a_line_is_held_back_whatever_column_was_told() {
    let first = || Some(ColumnSelector::Number(1));
    for list in [
        "ann@a.example; bob@a.example\ncy@a.example; zoe@b.example\n",
        "ann@a.example, bob@a.example\ncy@a.example, zoe@b.example\n",
        "ann@a.example|bob@a.example\ncy@a.example|\n",
        "ann@a.example;bob@a.example;cy@a.example\n",
    ] {
        let summary = Desk::new().run(EmailHash, MEMBERS, &[(list, first())]).unwrap();
        assert_eq!(summary.audiences[0].figures.sets.suppressed, 3, "{list}");
    }
    // A second column that has a name may be about somebody else: it is named.
    let list = "mail;agent\nann@a.example;bob@a.example\ncy@a.example;dan@a.example\n";
    for column in [first(), Some(ColumnSelector::Name("mail".to_owned()))] {
        let summary = Desk::new().run(EmailHash, MEMBERS, &[(list, column)]).unwrap();
        assert_eq!(summary.audiences[0].figures.sets.suppressed, 2);
        let notes = summary.notes.join("\n");
        assert!(notes.contains("column 2 `agent` holds values for email_hash as well"), "{notes}");
    }
    let list = "+49 30 901820; +49 30 901821\n+49 30 901822; +49 30 901823\n";
    let members = "+4930901820\n+4930901821\n+4930901823\n+4930901824\n";
    let summary = Desk::new().run(PhoneHash, members, &[(list, first())]).unwrap();
    assert_eq!(summary.audiences[0].figures.sets.suppressed, 3);
    // Dates are no numbers of the same form.
    let list = "+4930901820;20260101\n+4930901824;20260102\n";
    let summary = Desk::new().run(PhoneHash, members, &[(list, first())]).unwrap();
    assert_eq!(summary.audiences[0].figures.opt_out_lists[0].usable, 2);
}

#[test]
fn several_addresses_of_members_are_named_if_one_is_read() {
    let desk = Desk::new();
    let input = desk.write("in.csv", "ann@a.example; bob@a.example\ncy@a.example; dan@a.example\n");
    let mut config = config(EmailHash, &[input], &desk.0.path().join("out"));
    config.audiences[0].columns = vec![ColumnSelector::Number(1)];
    let summary = run(config.clone()).unwrap();
    assert_eq!(summary.audiences[0].figures.sets.written, 2);
    let notes = summary.notes.join("\n");
    assert!(notes.contains("column 2 holds values for email_hash as well"), "{notes}");
    config.audiences[0].columns.push(ColumnSelector::Number(2));
    let summary = run(config).unwrap();
    assert!(!summary.notes.join("\n").contains("as well"), "{:?}", summary.notes);
}

#[test]
fn patterns_and_what_else_cannot_be_read_are_named() {
    let usual = ids(20, |n| format!("user{n}@b.example"));
    let list = usual + "p*@a.example\np%@a.example\nann@a.example\nbroken@\nnull\n";
    let summary = Desk::new().run(EmailHash, MEMBERS, &[(&list, None)]).unwrap();
    let of = &summary.audiences[0].figures.opt_out_lists[0];
    assert_eq!((of.usable, of.rejected, of.members), (21, 4, Some(1)));
    let warnings = warnings(&summary);
    for said in
        ["3 values of the opt-out list `", "cannot be read", "wildcard 2 (first at `", "line 21)"]
    {
        assert!(warnings.contains(said), "{said}: {warnings}");
    }
    assert!(!warnings.contains("null_word"), "{warnings}");
}

#[test]
fn numbers_in_another_notation_hold_nobody_back_in_silence() {
    let members = ids(300, |n| format!("{}", 100_200 + n));
    let hit = ids(20, |n| format!("{}", 100_200 + n));
    let third = CustomAudienceThirdPartyId;
    let desk = Desk::new();
    // A few of them are counted, and many stop the run.
    for odd in ["100.274\n", "100,274\n", "\u{ff11}\u{ff10}\u{ff10}\u{ff12}\u{ff17}\u{ff14}\n"] {
        let summary = desk.run(third, &members, &[(&(hit.clone() + odd), None)]).unwrap();
        assert_eq!(summary.audiences[0].figures.opt_out_lists[0].rejected, 1, "{odd}");
        assert!(warnings(&summary).contains("1 value of the opt-out list"), "{odd}");
    }
    let grouped = ids(20, |n| format!("100.{}", 220 + n));
    assert!(desk.run(third, &members, &[(&hit, None), (&grouped, None)]).is_err());
    // Others are told, whatever other lists hold back, and if a few of their own do.
    let wide = |n: u64| {
        (100_220 + n)
            .to_string()
            .chars()
            .map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap())
            .collect()
    };
    for (odd, said) in [
        (ids(20, wide), "digits of another script"),
        (ids(20, |n| format!("KD{n}")), "ids with letters"),
        (ids(20, |n| format!("KD{n}")) + "100270\n", "1 of 21 in the opt-out list"),
        (ids(20, |n| format!("00{n}")) + "100271\n", "numbers that begin with 0"),
    ] {
        let summary = desk.run(third, &members, &[(&hit, None), (&odd, None)]).unwrap();
        assert!(warnings(&summary).contains(said), "{said}: {}", warnings(&summary));
    }
    let summary = desk.run(third, &members, &[(&hit, None)]).unwrap();
    assert_eq!(warnings(&summary), "");
}

#[test]
fn zeros_that_a_list_lost_are_told_however_many_are_members() {
    let members = ids(300, |n| format!("{:06}", 90_000 + n * 100));
    let list = ids(200, |n| format!("{}", 90_000 + n * 100));
    let summary = Desk::new().run(CustomAudienceThirdPartyId, &members, &[(&list, None)]).unwrap();
    assert_eq!(summary.audiences[0].figures.opt_out_lists[0].members, Some(100));
    let warnings = warnings(&summary);
    assert!(warnings.contains("with zeros in front: were these lost?"), "{warnings}");
    let list = ids(200, |n| format!("{:06}", 90_000 + n * 100));
    let summary = Desk::new().run(CustomAudienceThirdPartyId, &members, &[(&list, None)]).unwrap();
    assert!(summary.warnings.is_empty());
}

#[test]
fn several_ids_of_a_line_are_named() {
    let first = || Some(ColumnSelector::Number(1));
    let members = ids(9, |n| format!("{}", 100_200 + n));
    let list = "100201; 100202\n100203; 100204\n";
    let summary =
        Desk::new().run(CustomAudienceThirdPartyId, &members, &[(list, first())]).unwrap();
    let notes = summary.notes.join("\n");
    assert!(notes.contains("column 2 holds values for"), "{notes}");
}

#[test]
fn lists_beyond_those_that_are_told_apart_are_not_silent() {
    let lists: Vec<String> = (0..70).map(|n| format!("user{n}@a.example\n")).collect();
    let given: Vec<(&str, Option<ColumnSelector>)> = lists.iter().map(|of| (&**of, None)).collect();
    // Nobody is on any of the last ones, so that nobody is on each.
    let summary = Desk::new().run(EmailHash, &lists[..60].concat(), &given).unwrap();
    let idle = summary.warnings.iter().filter(|of| of.contains("is a member, while other lists"));
    assert_eq!(idle.count(), 10);
    let summary = Desk::new().run(EmailHash, &lists.concat(), &given).unwrap();
    let warnings = warnings(&summary);
    assert!(warnings.contains("7 opt-out lists from the 64th on are not told apart"), "{warnings}");
}
