//! Stores that earlier versions of throng wrote.

use std::collections::BTreeMap;
use std::fs;

use rusqlite::Connection;

use crate::support::home::{digests, email, emails, first_night, members, stderr, summary};

/// The tables of version 1.
const VERSION_1: &str = include_str!("../../fixtures/store/version_1.sql");

/// What version 1 had of each table.
const TABLES: [(&str, &str); 7] = [
    ("audience", "id, endpoint, ad_account, user_type, name, given_id, label, must_go, must_go_at"),
    (
        "generation",
        "id, audience_id, number, role, state, name, platform_id, fb_id, marker, created_at",
    ),
    ("part", "sha256, entries, bytes, kept_in"),
    ("run", "id, command, version, started_at, options, record"),
    ("delivery", "generation_id, purpose, sha256, state, run_id, file, confirmed_by, confirmed_at"),
    (
        "upload",
        "run_id, generation_id, directory, parts, entries, bytes, started_at, ended_at, exit_code, message",
    ),
    (
        "request",
        "id, run_id, generation_id, call, sha256, marker, may_hold, began_at, ended_at, outcome, status",
    ),
];

/// What there is in a database: of each table and index its columns, in order.
fn layout(db: &Connection) -> BTreeMap<String, Vec<String>> {
    let rows = |sql: &str, name: &str| -> Vec<String> {
        let mut query = db.prepare(sql).unwrap();
        let found = query.query_map([name], |row| row.get(0)).unwrap();
        found.collect::<Result<_, _>>().unwrap()
    };
    let columns =
        "SELECT concat_ws(' ', name, type, \"notnull\", dflt_value, pk) FROM pragma_table_info(?1)";
    let keys = "SELECT concat_ws(' ', \"from\", \"table\", \"to\") FROM pragma_foreign_key_list(?1) ORDER BY 1";
    let indexes = "SELECT sql FROM sqlite_schema WHERE tbl_name = ?1 AND type = 'index' AND sql IS NOT NULL ORDER BY 1";
    let names = rows("SELECT name FROM sqlite_schema WHERE type = ?1 ORDER BY name", "table");
    let of = |name: String| {
        let found = [columns, keys, indexes].into_iter().flat_map(|sql| rows(sql, &name)).collect();
        (name, found)
    };
    names.into_iter().map(of).collect()
}

#[test]
fn a_store_of_version_1_goes_on_where_it_was() {
    let (home, sandbox) = first_night(0);
    home.job(&sandbox, "max-growth = \"900%\"");
    home.write("export.csv", &emails(0..30));
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    let path = home.path("state/throng.sqlite");
    let now = Connection::open(&path).unwrap();
    let (expected, check) = (layout(&now), "SELECT count(*) FROM pragma_foreign_key_check");
    let earlier = home.path("state/earlier.sqlite");
    now.execute("ATTACH ?1 AS earlier", [earlier.to_str().unwrap()]).unwrap();
    Connection::open(&earlier).unwrap().execute_batch(VERSION_1).unwrap();
    for (table, columns) in TABLES {
        let copy = format!("INSERT INTO earlier.{table} ({columns}) SELECT {columns} FROM {table}");
        assert!(now.execute(&copy, []).unwrap() > 0, "{table}");
    }
    drop(now);
    for file in ["throng.sqlite", "throng.sqlite-wal", "throng.sqlite-shm"] {
        let _none = fs::remove_file(home.path("state").join(file));
    }
    fs::rename(&earlier, &path).unwrap();

    // A line that cannot be moved leaves all as it was.
    let db = Connection::open(&path).unwrap();
    db.execute("CREATE TABLE session (id INTEGER)", []).unwrap();
    let (before, requests) = (layout(&db), sandbox.exchanges().len());
    let refused = home.sync(&[]);
    assert_eq!(refused.status.code(), Some(4), "{}", stderr(&refused));
    assert_eq!(layout(&db), before, "half of it is done");
    db.execute("DROP TABLE session", []).unwrap();
    drop(db);

    let night = home.sync(&[]);
    assert_eq!(night.status.code(), Some(0), "{}", stderr(&night));
    assert_eq!(sandbox.exchanges().len(), requests, "nobody is sent again");
    assert_eq!(summary(&night)["audiences"][0]["held_after"], 30);
    let db = Connection::open(&path).unwrap();
    assert_eq!(layout(&db), expected);
    assert_eq!(db.query_row(check, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    let history = summary(&home.throng(&["history", "--state", "state", "--json"]));
    assert_eq!(history["nights"].as_array().unwrap().len(), 2);
    assert_eq!(history["targets"][0]["runs"][0]["purpose"], "add");

    home.write("export.csv", &(emails(0..40) + &email(7)));
    let night = summary(&home.sync(&[]));
    assert_eq!(night["audiences"][0]["entries_sent"], 10);
    assert_eq!(members(&sandbox), digests(0..40));
}
