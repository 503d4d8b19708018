//! What a value becomes.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use super::Choices;
use crate::dialect::Wrapping;
use crate::hash::Kernel;
use crate::normalize::{
    Canonical, Case, Country, Idn, Ids, Normalizer, Prehashed, RuleOptions, Unprefixed, Value,
    Vanity, Verdict, plan_answers,
};
use crate::user_type::UserType;

/// A rule never panics, its results have the form that the platform compares, they are their own canonical form, and
/// every kernel says the same.
pub fn values(data: &[u8]) {
    let mut choices = Choices(data);
    let user_type = UserType::ALL[choices.below(5)];
    let options = RuleOptions {
        prehashed: [Prehashed::Auto, Prehashed::Always, Prehashed::Never][choices.below(3)],
        case: [Case::Auto, Case::Keep][choices.below(2)],
        idn: [Idn::Reject, Idn::Punycode][choices.below(2)],
        ids: Ids::Checked,
        refuses_android_ids: choices.below(2) == 1,
        vanity: [Vanity::Reject, Vanity::Convert][choices.below(2)],
        unprefixed: Unprefixed::Auto,
        country: [None, Country::parse(b"DE"), Country::parse(b"it"), Country::parse(b"UK")]
            [choices.below(4)],
    };
    let wrapping = [Wrapping::Line, Wrapping::Field][choices.below(2)];
    let country = [None, Some(&b"us"[..]), Some(b" \xff"), Some(b"AR")][choices.below(4)];
    let country = country.filter(|_| user_type == UserType::PhoneHash);
    let values: Vec<&[u8]> = choices.0.split(|byte| *byte == b'\n').collect();
    let rules = rules(user_type, options);
    let mut first = None;
    for (kernel, rule) in Kernel::all().zip(rules.iter()) {
        let mut canonical = Canonical::default();
        let mut verdicts = Vec::new();
        let batch = values.iter().map(|bytes| Value { bytes: Ok(bytes), country });
        rule.batch(wrapping, batch, &mut canonical, |_, _, verdict| verdicts.push(verdict));
        let raw: Vec<Vec<u8>> = canonical.messages.iter().map(<[u8]>::to_vec).collect();
        let mut digests = Vec::new();
        canonical.messages.hash(kernel, &mut digests);
        let all = (verdicts, raw, canonical.digests, digests);
        assert!(*first.get_or_insert_with(|| all.clone()) == all, "{}", kernel.name());
    }
    let (verdicts, raw, ..) = first.expect("the portable kernel");
    let accepted = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Raw(_)));
    assert_eq!(accepted.count(), raw.len());
    for value in &raw {
        check(user_type, options, value);
    }
}

/// The rule on every kernel. Those of phone numbers take long to be made, so all that were made are kept.
fn rules(user_type: UserType, options: RuleOptions) -> Arc<Vec<Normalizer>> {
    static MADE: LazyLock<Mutex<HashMap<String, Arc<Vec<Normalizer>>>>> =
        LazyLock::new(Mutex::default);
    let make = || {
        Kernel::all()
            .map(|kernel| Normalizer::new(user_type, options).on(kernel))
            .collect::<Vec<_>>()
    };
    let mut kept = MADE.lock().expect("no panic before");
    Arc::clone(kept.entry(format!("{user_type} {options:?}")).or_insert_with(|| Arc::new(make())))
}

fn check(user_type: UserType, options: RuleOptions, value: &[u8]) {
    let text = std::str::from_utf8(value).expect("UTF-8");
    let is_form = match user_type {
        UserType::EmailHash => {
            let domain = text.split_once('@').map(|(_, domain)| domain);
            let is_plain = text.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase());
            is_plain
                && text.len() <= 254
                && domain.is_some_and(|d| d.contains('.') && !d.contains('@'))
        }
        UserType::PhoneHash => {
            let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
            is_digits && (7..=15).contains(&text.len()) && !text.starts_with('0')
        }
        UserType::Fbid => text.parse::<u64>().is_ok_and(|id| id > 0 && id.to_string() == text),
        UserType::CustomAudienceThirdPartyId => {
            (1..=255).contains(&text.len()) && !text.chars().any(char::is_control)
        }
        UserType::MobileAdvertiserId => {
            let is_plain = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-');
            matches!(text.len(), 16 | 36) && text.bytes().all(is_plain)
        }
    };
    assert!(is_form, "{text:?}");
    let again =
        RuleOptions { prehashed: Prehashed::Auto, case: options.case, ..RuleOptions::default() };
    let value = Value { bytes: Ok(value), country: None };
    let mut twice = Vec::new();
    let verdict = rules(user_type, again)[0].one(Wrapping::Field, value, &mut twice);
    assert!(matches!(verdict, Verdict::Raw(_)), "{text:?}: {verdict:?}");
    assert_eq!(twice, text.as_bytes(), "{text:?}");
}

/// The table of numbering plans says what libphonenumber says, wherever it answers. The bytes are what numbers are
/// written with.
pub fn phones(data: &[u8]) {
    const WRITTEN_WITH: &[u8; 18] = b"0123456789+ -.()/0";
    let value = |line: &[u8]| {
        line.iter()
            .map(|byte| char::from(WRITTEN_WITH[usize::from(*byte) % 18]))
            .collect::<String>()
    };
    for line in data.chunks(16) {
        plan_answers(&value(line));
    }
}
