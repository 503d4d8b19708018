//! Inputs in buckets and on web servers, on the real binary: the same bytes as from disk, whatever the network does; what
//! is not read, and what is said.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::support::bucket::Fault;
use crate::support::desk::{Desk, ends, rows};
use crate::support::fixture;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Files of every form, with how they are read.
fn forms() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    let email: &[&str] = &["-t", "email_hash", "-c", "email"];
    let lines: Vec<u8> = rows(20_000, 1)
        .split(|b| *b == b'\n')
        .filter_map(|row| row.split(|b| *b == b',').nth(1))
        .collect::<Vec<_>>()
        .join(&b'\n');
    let csv = rows(120_000, 2);
    let utf16: Vec<u8> = String::from_utf8(rows(2000, 3))
        .unwrap()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let members = [gzip(&csv[..csv.len() / 2]), gzip(&csv[csv.len() / 2..])].concat();
    let parquet = fs::read(fixture("parquet/spark.parquet")).unwrap();
    vec![
        ("lines.txt", lines, &["-t", "email_hash"]),
        ("csv.csv", csv.clone(), email),
        ("one.csv.gz", gzip(&csv), email),
        ("members.csv.gz", members, email),
        ("zstd.csv.zst", zstd::encode_all(&csv[..], 1).unwrap(), email),
        ("xz.csv.xz", liblzma::encode_all(&csv[..200_000], 0).unwrap(), email),
        ("utf16.csv", utf16, email),
        ("file.parquet", parquet, email),
        ("empty.csv", Vec::new(), email),
    ]
}

#[test]
fn the_same_bytes_come_from_buckets_web_servers_and_disks() {
    let desk = Desk::new();
    for (name, bytes, args) in forms() {
        desk.put(name, &bytes);
        let opted_out = b"person7921@mail64.example\n";
        desk.put("opt_outs.txt", opted_out);
        let from = |out: &str, input: &str, list: &str, more: &[&str]| {
            let args = [args, &[input, "--suppress", list], more].concat();
            desk.prepare(out, &args)
        };
        let expected = from("disk", name, "opt_outs.txt", &[]);
        let url = desk.bucket.url(name);
        let s3 = format!("s3://exports/{name}");
        for (input, more) in
            [(&s3, &[][..]), (&s3, &["--memory", "32M", "--threads", "3"]), (&url, &[])]
        {
            let output = from("bucket", input, "s3://exports/opt_outs.txt", more);
            assert_eq!(
                output.status.code(),
                expected.status.code(),
                "{input} {more:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            if expected.status.success() {
                assert!(desk.entries("bucket") == desk.entries("disk"), "{input} {more:?}");
                let [by, of] = ["bucket", "disk"].map(|out| desk.member(out));
                assert_eq!(
                    (&by["records"], &by["bytes"]),
                    (&of["records"], &of["bytes"]),
                    "{input}"
                );
                assert_eq!(by["path"], **input);
                assert!(by["e_tag"].as_str().unwrap().len() > 10, "{by}");
            }
        }
    }
}

#[test]
fn folders_and_patterns_are_those_of_the_bucket_and_partitions_that_are_left_out_are_not_read() {
    let desk = Desk::new();
    for (at, country) in ["AT", "CH", "DE", "FR"].iter().enumerate() {
        for part in 0..3 {
            let key = format!("night/country={country}/part-{part}.csv.gz");
            desk.put(&key, &gzip(&rows(50, at * 1000 + part * 100)));
        }
    }
    desk.put("night/_SUCCESS", b"");
    desk.put("half/part-0.csv", &rows(9, 0));
    let args = ["-t", "email_hash", "-c", "email", "--where", "country=DE"];
    let read =
        |out: &str, input: &str| desk.prepare(out, &[&args[..], &[input, "--complete"]].concat());
    ends(&read("disk", "night"), 0, "");
    desk.bucket.fail([]);
    ends(
        &read("bucket", "s3://exports/night/"),
        0,
        "are not read, since conditions leave their partitions out",
    );
    assert!(desk.entries("bucket") == desk.entries("disk"));
    let (asked, _) = desk.bucket.asked();
    assert_eq!(asked.iter().filter(|of| of.key.contains("country=DE")).count() % 3, 0);
    for country in ["AT", "CH", "FR"] {
        let of = |of: &&crate::support::bucket::Asked| {
            of.key.contains(country) && of.range.is_some_and(|(from, _)| from > 0)
        };
        assert_eq!(asked.iter().find(of), None);
    }
    ends(&read("bucket", "s3://exports/half"), 3, "it has no `_SUCCESS`");
    let by = |pattern: &str| desk.prepare("bucket", &["-t", "email_hash", "-c", "email", pattern]);
    ends(&by("s3://exports/night/*=[AC]?/part-?.csv.gz"), 0, "");
    ends(
        &desk.prepare("disk", &["-t", "email_hash", "-c", "email", "night/*=[AC]?/part-?.csv.gz"]),
        0,
        "",
    );
    assert!(desk.entries("bucket") == desk.entries("disk"));
    ends(&by("s3://exports/night/*.csv"), 3, "no file matches");
    ends(&by("s3://exports/nothing"), 3, "neither such an object nor one below it");
}

/// Faults of networks and stores.
fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Status(503, "SlowDown")),
        Just(Fault::Status(500, "InternalError")),
        Just(Fault::Status(429, "TooManyRequests")),
        (0_usize..300_000).prop_map(Fault::Cut),
        (1_usize..300_000).prop_map(Fault::Short),
        Just(Fault::Status(403, "ExpiredToken")),
        Just(Fault::Replaced(rows(30, 5))),
        Just(Fault::Replaced(Vec::new())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the network does, the audience is whole, or there is none.
    #[test]
    fn no_fault_makes_an_audience_short(
        form in 0_usize..8,
        first in (0_usize..2, faults()),
        more in proptest::collection::btree_map(2_usize..7, faults(), 0..3),
        by_web in any::<bool>(),
    ) {
        let (name, bytes, args) = forms().swap_remove(form);
        let desk = Desk::new();
        desk.put(name, &bytes);
        let fixed = [args, &[name]].concat();
        ends(&desk.prepare("disk", &fixed), 0, "");
        desk.bucket.fail(more.into_iter().chain([first]));
        let input = if by_web { desk.bucket.url(name) } else { format!("s3://exports/{name}") };
        let output = desk.prepare("bucket", &[args, &[&input]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let was_replaced = bytes != desk.bucket.bytes(name);
        match output.status.code() {
            Some(0) if was_replaced && desk.entries("bucket") != desk.entries("disk") => {
                // It was another object before anybody looked.
                let whole = desk.bucket.bytes(name);
                fs::write(desk.path("other"), whole).unwrap();
                ends(&desk.prepare("disk", &[args, &["other"]].concat()), 0, "");
                prop_assert!(desk.entries("bucket") == desk.entries("disk"));
            }
            Some(0) => prop_assert!(desk.entries("bucket") == desk.entries("disk"), "{}", said),
            Some(3 | 5 | 6) => prop_assert!(!desk.path("bucket").exists(), "{}", said),
            other => prop_assert!(false, "{:?}: {}", other, said),
        }
        prop_assert!(!said.contains("canary") && !said.contains("@mail"), "{}", said);
        let (_, struck) = desk.bucket.asked();
        prop_assert!(struck > 0, "no fault struck");
    }
}

#[test]
fn a_change_between_looking_and_reading_is_refused() {
    let desk = Desk::new();
    let bytes = rows(200_000, 1);
    desk.put("a.csv", &bytes);
    for at in 2..5 {
        desk.bucket.put("a.csv", bytes.clone());
        desk.bucket.fail([(at, Fault::Replaced(rows(200_000, 2)))]);
        let args = ["-t", "email_hash", "-c", "email", "s3://exports/a.csv"];
        ends(&desk.prepare("out", &args), 3, "it was replaced while it was read");
        assert!(!desk.path("out").exists());
        assert_eq!(desk.bucket.asked().1, 1);
    }
}

#[test]
fn faults_are_said_in_one_line_with_what_to_do() {
    let desk = Desk::new();
    desk.put("a.csv", &rows(10, 1));
    let args = ["-t", "email_hash", "-c", "email", "s3://exports/a.csv"];
    let cases = [
        (
            Fault::Status(403, "AccessDenied"),
            5,
            "not allowed to read `s3://exports/a.csv` (status 403 Forbidden, AccessDenied)",
        ),
        (Fault::Status(400, "ExpiredToken"), 5, "ExpiredToken"),
        (Fault::Status(404, "NoSuchBucket"), 3, "neither such an object nor one below it"),
    ];
    for (fault, code, message) in cases {
        desk.bucket.always(fault);
        let said = ends(&desk.prepare("out", &args), code, message);
        assert!(said.lines().count() <= 2, "{said}");
    }
    let url = format!("{}?X-Amz-Signature=canary", desk.bucket.url("a.csv"));
    desk.bucket.always(Fault::Whole);
    let refused = desk.prepare("out", &["-t", "email_hash", &url]);
    ends(&refused, 3, "its server does not send parts of it");
    desk.bucket.always(Fault::Status(403, "AccessDenied"));
    ends(&desk.prepare("out", &["-t", "email_hash", &url]), 5, "has its signature expired?");
    desk.bucket.fail([]);
    ends(&desk.prepare("out", &["-t", "email_hash", "-c", "email", &url]), 0, "");
    assert!(!fs::read_to_string(desk.path("out/manifest.json")).unwrap().contains("canary"));
    let mut command =
        desk.command(&["prepare", "-o", "new", "-t", "email_hash", "s3://exports/a.csv"]);
    command.env("AWS_ENDPOINT_URL", "http://storage.example:9000");
    ends(&command.output().unwrap(), 2, "AWS_ALLOW_HTTP=true");
}

#[test]
fn a_run_that_waits_for_a_store_can_be_ended() {
    let desk = Desk::new();
    desk.put("a.csv", &rows(10, 1));
    desk.bucket.always(Fault::Silent(Duration::from_secs(20)));
    let mut command =
        desk.command(&["prepare", "-o", "out", "-t", "email_hash", "s3://exports/a.csv"]);
    let begun = Instant::now();
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    while desk.bucket.asked().0.is_empty() {
        assert!(begun.elapsed() < Duration::from_mins(1));
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn of_parquet_the_footer_and_the_columns_that_are_wanted_are_read() {
    let desk = Desk::new();
    let bytes = fs::read(fixture("parquet/pyarrow.parquet")).unwrap();
    desk.put("a.parquet", &bytes);
    desk.bucket.fail([]);
    ends(
        &desk.prepare("out", &["-t", "email_hash", "-c", "email", "s3://exports/a.parquet"]),
        0,
        "",
    );
    let (asked, _) = desk.bucket.asked();
    assert!(
        asked.iter().all(|of| of.range.is_some() || of.key.is_empty() || of.key == "a.parquet")
    );
    assert!(asked.len() > 1);
}

#[test]
fn profiles_of_the_vendors_tools_count() {
    let desk = Desk::new();
    desk.put("a.csv", &rows(10, 1));
    let home = desk.path("home/.aws");
    fs::create_dir_all(&home).unwrap();
    let keys = "{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"canary\\\",\\\"SecretAccessKey\\\":\\\"canary\\\"}";
    let config = format!(
        "[profile night]\nregion = eu-west-1\nendpoint_url = {}\n\
         [profile run]\nendpoint_url = {0}\ncredential_process = sh -c \"echo '{keys}'\"\n\
         [profile role]\nrole_arn = arn:aws:iam::1:role/canary\n",
        desk.bucket.endpoint()
    );
    fs::write(home.join("config"), config).unwrap();
    fs::write(
        home.join("credentials"),
        "[night]\naws_access_key_id = canary\naws_secret_access_key = canary\n",
    )
    .unwrap();
    let by = |profile: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command
            .env_clear()
            .env("HOME", desk.path("home"))
            .env("AWS_PROFILE", profile)
            .env("PATH", "/usr/bin:/bin");
        command.current_dir(desk.dir.path()).stdin(Stdio::null());
        command.args([
            "prepare",
            "-o",
            "out",
            "--overwrite",
            "-t",
            "email_hash",
            "-c",
            "email",
            "s3://exports/a.csv",
        ]);
        command.output().unwrap()
    };
    ends(&by("night"), 0, "");
    ends(&by("run"), 0, "");
    ends(&by("role"), 2, "aws configure export-credentials --profile role");
    ends(&by("nobody"), 2, "AWS_PROFILE names the profile `nobody`");
}

/// Checks a job with this input, whose objects may be so old.
fn check(desk: &Desk, input: &str, max_age: &str) -> String {
    let text = format!(
        "name = \"night\"\nstate = \"state\"\n[input]\nfiles = \"{input}\"\n[[audience]]\nname = \"Night\"\n\
         user-type = \"email_hash\"\ncolumn = \"email\"\n[target]\nad-account = 1\nendpoint = \"http://127.0.0.1:1\"\n\
         [guards]\nmax-age = \"{max_age}\"\n"
    );
    fs::write(desk.path("job.toml"), text).unwrap();
    let output = desk.command(&["sync", "job.toml", "--check"]).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn a_job_finds_its_objects_and_their_age() {
    let desk = Desk::new();
    desk.put("2026-11-27/a.csv", &rows(100, 1));
    let input = "s3://exports/2026-11-27/*.csv";
    let said = check(&desk, input, "9999d");
    assert!(said.contains(input) && !said.contains("more than max-age"), "{said}");
    let said = check(&desk, input, "1s");
    assert!(said.contains("old, more than max-age 1 s allows"), "{said}");
}

#[test]
fn an_age_that_nobody_says_is_no_young_one() {
    let desk = Desk::new();
    desk.put("a.csv", &rows(100, 1));
    let url = desk.bucket.url("a.csv");
    let said = check(&desk, &url, "9999d");
    assert!(said.contains(&url) && !said.contains("max-age asks for it"), "{said}");
    desk.bucket.always(Fault::Status(403, "AccessDenied"));
    let said = check(&desk, &format!("{url}?X-Amz-Signature=canary"), "9999d");
    assert!(said.contains("max-age asks for it") && !said.contains("canary"), "{said}");
}

/// The example's job, on last night's folder.
#[cfg(feature = "sandbox")]
#[test]
fn the_example_of_a_job_does_what_it_says() {
    let desk = Desk::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/buckets/nightly.toml");
    let text =
        fs::read_to_string(example).unwrap().replace("max-age = \"30h\"", "max-age = \"9999d\"");
    fs::write(desk.path("nightly.toml"), text).unwrap();
    let night = |args: &[&str]| {
        let fixed = ["sync", "nightly.toml", "--date", "2026-11-28"];
        desk.command(&[&fixed[..], args].concat()).output().unwrap()
    };
    desk.put("opt-outs/current.csv", b"email\nperson0@mail0.example\n");
    desk.put(
        "crm/2026-11-27/country=DE/part-0.csv.gz",
        &gzip(b"email\nperson0@mail0.example\nperson1@mail1.example\n"),
    );
    desk.put("crm/2026-11-27/country=AT/part-0.csv.gz", &gzip(b"email\nperson2@mail2.example\n"));
    ends(&night(&[]), 3, "it has no `_SUCCESS`");
    desk.put("crm/2026-11-27/_SUCCESS", b"");
    let output = night(&["--json"]);
    ends(&output, 0, "");
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record["audiences"][0]["held_after"], 2, "{record}");
}
