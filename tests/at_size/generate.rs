//! Lines of a user type, as many as are asked for, the same everywhere: repeated people, other spellings, dirt.
//!
//! A program of its own, so that a large input needs no build of throng's development dependencies:
//! `rustc -O generate.rs && ./generate email_hash 10000000 > lines.txt`. `oracle.py` knows every shape it writes.

use std::io::{self, BufWriter, Write};

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % bound
    }
}

fn mix(person: u64) -> u64 {
    let mut hash = person.wrapping_add(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

/// The clean spelling of a person's identifier.
fn value(user_type: &str, person: u64, out: &mut String) {
    use std::fmt::Write as _;
    let hash = mix(person);
    out.clear();
    match user_type {
        "email_hash" => write!(out, "user.{person:x}@m{}.example.com", hash % 50),
        // Ranges that Ofcom keeps for drama hold too few people; these are possible, not given out.
        "phone_hash" => write!(out, "+4420{:08}", 10_000_000 + person % 89_999_999),
        "fbid" => write!(out, "{}", 100_000_000_000_000 + person * 7),
        "custom_audience_third_party_id" => write!(out, "Cust-{person:x}/{:03x}", hash & 0xfff),
        "mobile_advertiser_id" => write!(
            out,
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            person & 0xffff_ffff,
            hash & 0xffff,
            hash >> 16 & 0xfff,
            hash >> 28 & 0xfff,
            hash >> 16 & 0xffff_ffff_ffff
        ),
        _ => panic!("unknown user type"),
    }
    .expect("writes to memory");
}

const DIRT: [&[u8]; 10] = [
    b"", b"   ", b"null", b"N/A", b"not a value @@", b"\xc2\xa0", b"caf\xe9@example.com", b"0", b"@", b"a\x01b",
];

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let user_type = args.next().expect("TYPE COUNT [SEED]");
    let count: u64 = args.next().expect("TYPE COUNT [SEED]").parse().expect("a count");
    let seed: u64 = args.next().map_or(1, |seed| seed.parse().expect("a seed"));
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let mut random = Random(seed << 1 | 1);
    let mut text = String::new();
    for _ in 0..count {
        // Twice as many people as lines: about a fifth of the lines repeat somebody.
        let person = random.below(count * 2);
        value(&user_type, person, &mut text);
        match random.below(64) {
            0 => out.write_all(DIRT[random.below(DIRT.len() as u64) as usize])?,
            1 => write!(out, " \t{text} ")?,
            2 => out.write_all(text.to_uppercase().as_bytes())?,
            3 if user_type != "custom_audience_third_party_id" => write!(out, "\"{text}\"")?,
            4 if user_type == "phone_hash" => {
                write!(out, "+44 (0){} {}-{}", &text[3..5], &text[5..9], &text[9..])?;
            }
            5 if user_type == "phone_hash" => write!(out, "0044{}", &text[3..])?,
            6 if user_type == "phone_hash" => write!(out, "{} ext. 12", &text[1..])?,
            7 if user_type == "fbid" => write!(out, "{text}.0")?,
            8 if user_type == "email_hash" => write!(out, "{text}.")?,
            _ => out.write_all(text.as_bytes())?,
        }
        out.write_all(if random.below(50) == 0 { b"\r\n" } else { b"\n" })?;
    }
    out.flush()
}
