//! Every rule against tables of hand-made and published examples.

use throng::normalize::{
    Case, Country, Idn, Normalizer, Prehashed, RuleOptions, Unprefixed, UserType, Value, Vanity,
    Verdict, Wrapping,
};

use crate::support::fixture;

/// Undoes the backslash escapes that the tables write control characters and bad UTF-8 with.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let len = match rest.as_bytes()[0] {
            b't' => {
                bytes.push(b'\t');
                1
            }
            b'n' => {
                bytes.push(b'\n');
                1
            }
            b'r' => {
                bytes.push(b'\r');
                1
            }
            b'\\' => {
                bytes.push(b'\\');
                1
            }
            b'x' => {
                bytes.push(u8::from_str_radix(&rest[1..3], 16).unwrap());
                3
            }
            b'u' => {
                let end = rest.find('}').unwrap();
                let code = u32::from_str_radix(&rest[2..end], 16).unwrap();
                bytes.extend_from_slice(char::from_u32(code).unwrap().to_string().as_bytes());
                end + 1
            }
            other => panic!("unknown escape {other}"),
        };
        rest = &rest[len..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn options(text: &str) -> (RuleOptions, Wrapping, Option<&[u8]>) {
    let mut rules = RuleOptions::default();
    let mut wrapping = Wrapping::Line;
    let mut country = None;
    for option in text.split_whitespace() {
        match option {
            "prehashed=always" => rules.prehashed = Prehashed::Always,
            "prehashed=never" => rules.prehashed = Prehashed::Never,
            "case=keep" => rules.case = Case::Keep,
            "idn=punycode" => rules.idn = Idn::Punycode,
            "vanity=convert" => rules.vanity = Vanity::Convert,
            "unprefixed=international" => rules.unprefixed = Unprefixed::International,
            "unprefixed=reject" => rules.unprefixed = Unprefixed::Reject,
            "mode=csv" => wrapping = Wrapping::Field,
            _ => {
                // As a country column has it: what is no country is a reject there, not an error.
                country = Some(option.strip_prefix("country=").expect("a known option").as_bytes());
            }
        }
    }
    (rules, wrapping, country)
}

#[test]
fn every_row_of_the_tables() {
    let mut wrong = Vec::new();
    for user_type in UserType::ALL {
        let path = fixture(&format!("normalize/{user_type}.csv"));
        let mut rows = 0;
        for row in csv::Reader::from_path(path).unwrap().records().map(Result::unwrap) {
            rows += 1;
            let (rules, wrapping, country) = options(&row[1]);
            let bytes = unescape(&row[0]);
            let value = Value { bytes: Ok(&bytes), country };
            let mut out = Vec::new();
            let verdict = Normalizer::new(user_type, rules).one(wrapping, value, &mut out);
            let got = match verdict {
                Verdict::Domain => unreachable!("only a rule for opt-outs knows domains"),
                Verdict::Blank => ("blank", String::new()),
                Verdict::Rejected(reason) => (reason.code(), String::new()),
                Verdict::Raw(_) => ("accepted", String::from_utf8(out).unwrap()),
                Verdict::Prehashed(digest) => ("prehashed", const_hex::encode(digest)),
            };
            let expected = (&row[2], String::from_utf8(unescape(&row[3])).unwrap());
            if got != expected {
                wrong.push(format!(
                    "{user_type}: {} [{}]: {got:?}, expected {expected:?} ({})",
                    &row[0], &row[1], &row[4]
                ));
            }
        }
        assert!(rows > 40, "{user_type} has {rows} rows");
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn published_digests() {
    let path = fixture("normalize/digests.csv");
    for row in csv::Reader::from_path(path).unwrap().records().map(Result::unwrap) {
        let user_type: UserType = row[0].parse().unwrap();
        let value = Value { bytes: Ok(row[1].as_bytes()), country: None };
        let mut out = Vec::new();
        let verdict =
            Normalizer::new(user_type, RuleOptions::default()).one(Wrapping::Line, value, &mut out);
        assert!(matches!(verdict, Verdict::Raw(_)), "{}", &row[1]);
        assert_eq!(const_hex::encode(throng::hash::digest(&out)), row[2], "{}", &row[1]);
    }
}

#[test]
fn known_answers_of_sha256() {
    let path = fixture("sha256/known_answers.csv");
    for row in csv::Reader::from_path(path).unwrap().records().map(Result::unwrap) {
        let message = const_hex::decode(&row[0]).unwrap();
        assert_eq!(const_hex::encode(throng::hash::digest(&message)), row[1]);
    }
}

#[test]
fn example_numbers_of_every_region() {
    let path = fixture("normalize/phone_examples.csv");
    let mut wrong = Vec::new();
    for row in csv::Reader::from_path(path).unwrap().records().map(Result::unwrap) {
        let country = Country::parse(row[0].as_bytes());
        let national = RuleOptions { country, ..RuleOptions::default() };
        for (text, rules) in [(&row[1], national), (&row[2], RuleOptions::default())] {
            let mut out = Vec::new();
            let value = Value { bytes: Ok(text.as_bytes()), country: None };
            Normalizer::new(UserType::PhoneHash, rules).one(Wrapping::Line, value, &mut out);
            if out != row[3].as_bytes() {
                wrong.push(format!("{} {text}: {}", &row[0], String::from_utf8_lossy(&out)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} numbers:\n{}", wrong.len(), wrong.join("\n"));
}
