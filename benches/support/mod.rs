//! Seeded data for the benches: the same everywhere, and none of it anybody's.
#![allow(dead_code, reason = "each bench uses a part of it")]

use std::fmt::Write as _;
use std::io::{self, Write};

/// A small generator (xorshift64*).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % bound
    }
}

const FIRST: [&str; 10] =
    ["anna", "bert", "carla", "dieter", "eva", "frank", "greta", "hans", "ines", "jonas"];

/// Appends one e-mail line of an export of `count` lines: of 100 lines 1 is no address, 4 are in upper case, 1 has
/// spaces around it; a fifth of the lines repeat a person of the others.
pub(crate) fn push_email(line: u64, count: u64, random: &mut Random, text: &mut String) {
    let people = (count * 4 / 5).max(1);
    let person = if line < people { line } else { random.below(people) };
    let start = text.len();
    let first = FIRST[usize::try_from(person % 10).expect("a digit")];
    let spread = person.wrapping_mul(2_654_435_761) & 0xffff_ffff;
    let _infallible = match random.below(100) {
        0 => write!(text, "not an address {person}"),
        1 => write!(text, "  {first}.{spread:x}@mail{}.example.com ", person % 97),
        _ => write!(text, "{first}.{spread:x}@mail{}.com", person % 97),
    };
    if random.below(25) == 0 {
        text[start..].make_ascii_uppercase();
    }
    text.push('\n');
}

/// `count` e-mail lines.
pub(crate) fn emails(count: u64) -> String {
    let mut random = Random::new(7);
    let mut text = String::new();
    (0..count).for_each(|line| push_email(line, count, &mut random, &mut text));
    text
}

/// Writes `count` e-mail lines.
pub(crate) fn write_emails(count: u64, out: &mut impl Write) -> io::Result<()> {
    let mut random = Random::new(7);
    let mut text = String::new();
    for line in 0..count {
        push_email(line, count, &mut random, &mut text);
        if text.len() > 1 << 16 || line + 1 == count {
            out.write_all(text.as_bytes())?;
            text.clear();
        }
    }
    Ok(())
}

/// `count` phone numbers in the shapes that exports have, of the ranges that regulators keep free for films.
pub(crate) fn phones(count: u64) -> String {
    let mut random = Random::new(11);
    let mut text = String::new();
    for _ in 0..count {
        let number = random.below(count * 4 / 5 + 1) % 10_000_000;
        let _infallible = match random.below(4) {
            0 => writeln!(text, "+44 20 7{number:07}").map(drop),
            1 => writeln!(text, "+1 (555) {:03}-{:04}", number % 1000, number / 1000),
            2 => writeln!(text, "4477{:08}", 900_000 + number),
            _ => writeln!(text, "+4930{:08}", 23_125_000 + number),
        };
    }
    text
}

/// `count` rows of a CRM export, with the address in the fourth of eight columns; one row in ten has a quoted field
/// with a line end in it.
pub(crate) fn csv(count: u64) -> String {
    let mut random = Random::new(13);
    let mut text = "id,created,name,email,street,city,notes,active\n".to_owned();
    let mut email = String::new();
    for line in 0..count {
        email.clear();
        push_email(line, count, &mut random, &mut email);
        let email = email.trim_end_matches('\n');
        let _infallible = match random.below(10) {
            0 => writeln!(
                text,
                "{line},2026-01-02T03:04:05Z,\"Doe, Jo\",{email},\"1 High Street\nFlat 2\",Springfield,\"said \"\"hello\"\"\",true"
            ),
            _ => writeln!(
                text,
                "{line},2026-01-02T03:04:05Z,Jo Doe,{email},1 High Street,Springfield,called twice and left a message,true"
            ),
        };
    }
    text
}

/// `count` advertising ids.
pub(crate) fn mobile_ids(count: u64) -> String {
    let mut random = Random::new(17);
    let mut text = String::new();
    for _ in 0..count {
        let id = random.below(count * 4 / 5 + 1);
        let low = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let _infallible = writeln!(text, "{id:08x}-1234-4ABC-8def-{:012x}", low & 0xffff_ffff_ffff);
    }
    text
}
