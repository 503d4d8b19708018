//! Columns of made-up ids, and what was made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use throng::config::ColumnSelector;
use throng::normalize::UserType;
use throng::prepare::summary::Summary;
use throng::{AudienceSpec, PrepareConfig};

use super::{config, entries, run};

pub(crate) const IDS: UserType = UserType::CustomAudienceThirdPartyId;

pub(crate) struct Made {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) summary: throng::Result<Summary>,
}

impl Made {
    pub(crate) fn entries(&self) -> BTreeSet<String> {
        entries(&self.dir.path().join("out")).into_iter().collect()
    }

    pub(crate) fn rejected(&self) -> BTreeMap<String, u64> {
        let audience = &self.summary.as_ref().unwrap().audiences[0];
        audience.figures.rejects.iter().map(|of| (of.reason.clone(), of.count)).collect()
    }

    pub(crate) fn error(&self) -> (String, String) {
        let error = self.summary.as_ref().expect_err("refused");
        assert!(!self.dir.path().join("out").exists());
        assert_eq!(error.exit_code() as u8, 3, "{error}");
        (error.to_string(), error.hint().unwrap_or_default().to_owned())
    }
}

/// Prepares a column of a table; cells are quoted, so that they may hold anything.
pub(crate) fn prepare(name: &str, cells: &[String], tune: impl FnOnce(&mut PrepareConfig)) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let quoted = |cell: &String| format!("\"{}\",x\n", cell.replace('"', "\"\""));
    let text = format!("{name},other\n{}", cells.iter().map(quoted).collect::<String>());
    let path = dir.path().join("ids.csv");
    fs::write(&path, text).unwrap();
    let mut config = config(IDS, &[path], &dir.path().join("out"));
    config.audiences = vec![AudienceSpec::new(IDS, Some(ColumnSelector::Name(name.to_owned())))];
    tune(&mut config);
    Made { summary: run(config), dir }
}

pub(crate) fn cells<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    values.into_iter().map(str::to_owned).collect()
}

/// Columns of honest ids.
pub(crate) fn honest(kind: usize, number: u64) -> String {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    match kind {
        0 => format!("C{number}"),
        1 => format!("{}", 100_000 + number),
        2 => format!("{number:06}"),
        3 => format!("{spread:016x}{:016x}", spread.rotate_left(17)),
        4 => format!("cust/{number:x}-{:03x}", spread >> 52),
        5 => format!("{:04}-{:06}", 2010 + number % 16, number),
        6 => format!("AB {:04} {}", number, spread % 10),
        7 => format!("{:x}.{:06}", spread >> 40, number + 1),
        _ => format!("K\u{f6}ln-{number}"),
    }
}
