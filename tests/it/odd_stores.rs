//! Stores that answer oddly, addresses that cannot be meant, and nobody who asks: what is said, and the code of it.

use std::time::{Duration, Instant};

use crate::support::bucket::{Fault, Listing};
use crate::support::desk::{Desk, ends, rows};

#[test]
fn nothing_is_left_out_because_a_listing_is_odd() {
    let desk = Desk::new();
    let read = |input: &str| desk.prepare("out", &["-t", "email_hash", "-c", "email", input]);
    for part in 0..9 {
        desk.put(&format!("f/{part}.csv"), &rows(5, part));
    }
    ends(&read("s3://exports/f/"), 0, "");
    desk.bucket.put("/a.csv", rows(5, 1));
    for input in
        ["s3://exports", "s3://exports/*.csv", "s3://exports//a.csv", "s3://exports/f//0.csv"]
    {
        ends(&read(input), 3, "a key there begins or ends with a slash");
    }
    ends(&read("s3://exports/f"), 0, "");
    desk.bucket.put("g/", rows(5, 1));
    desk.bucket.put("g/0.csv", rows(5, 1));
    ends(&read("s3://exports/g/"), 3, "a key there begins or ends with a slash");
    for (listing, code, why) in [
        (Listing::OfOld, 6, "its listing is cut off"),
        (Listing::Round, 3, "does not come to an end (it goes round)"),
        (Listing::Empty, 3, "does not come to an end (page by page is empty)"),
        (Listing::Usual, 0, ""),
    ] {
        desk.bucket.list_as(listing);
        ends(&read("s3://exports/f/"), code, why);
    }
}

#[test]
fn addresses_that_cannot_be_used_are_not_repeated() {
    let desk = Desk::new();
    for input in [
        "https://host:99999/x.csv?sig=canary",
        "https://ho st/x?sig=canary",
        "https://[zz]/x?sig=canary",
        "https://user:canary@host/x.csv",
        "https://user@host/x.csv?sig=canary",
        "https://host/x.csv#canary",
        "https://host/x.csv?sig=canary#canary",
        "http://storage.example/x.csv?sig=canary",
    ] {
        ends(&desk.prepare("out", &["-t", "email_hash", input]), 2, "");
    }
    for endpoint in [
        "https://u:canary@host:99999/",
        "http://127.0.0.1:canary@storage.example/",
        "http://[::ffff:192.0.2.2]:1",
    ] {
        let mut command =
            desk.command(&["prepare", "-o", "out", "-t", "email_hash", "s3://exports/x.csv"]);
        ends(&command.env("AWS_ENDPOINT_URL", endpoint).output().unwrap(), 2, "");
    }
}

#[test]
fn who_is_led_round_is_told_that_the_address_is_wrong() {
    let desk = Desk::new();
    desk.put("a.csv", &rows(10, 1));
    let url = desk.bucket.url("a.csv");
    for (input, status, to, why) in [
        (&*url, 302, &*url, "leads to another address (status 302"),
        (&url, 307, "http://storage.example/canary", "leads to another address"),
        (&url, 301, "", "leads to another address"),
        ("s3://exports/a.csv", 301, "", "AWS_REGION and AWS_ENDPOINT_URL say where it is"),
        ("s3://exports/a.csv", 307, &url, "leads to another address (status 307"),
    ] {
        desk.bucket.always(Fault::Moved(status, to.to_owned()));
        let begun = Instant::now();
        ends(&desk.prepare("out", &["-t", "email_hash", input]), 2, why);
        assert!(begun.elapsed() < Duration::from_secs(30), "{input}");
    }
}

#[test]
fn nobody_who_asks_is_not_allowed_to_read() {
    let desk = Desk::new();
    desk.put("a.csv", &rows(10, 1));
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (metadata, fault) in [
        (desk.bucket.endpoint(), Some(Fault::Status(404, "NotFound"))),
        (desk.bucket.endpoint(), Some(Fault::Status(403, "Forbidden"))),
        (format!("http://{away}"), None),
    ] {
        match fault {
            Some(fault) => desk.bucket.always(fault),
            None => desk.bucket.fail([]),
        }
        let args = ["prepare", "-o", "out", "-t", "email_hash", "s3://exports/a.csv"];
        let mut command = desk.command(&args);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command.env("AWS_METADATA_ENDPOINT", metadata);
        let begun = Instant::now();
        ends(&command.output().unwrap(), 5, "not allowed to read `s3://exports/a.csv`");
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
