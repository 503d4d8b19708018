//! Domains that opt out as a whole, among the addresses of an opt-out list.
//!
//! | written | stands for everybody with an address |
//! |---|---|
//! | `@rival.example`, `*@rival.example`, `%@rival.example` | in this very domain |
//! | `@*.rival.example`, `*@*.rival.example`, `%@%.rival.example`, `*.rival.example` | in a domain below it |
//!
//! Other patterns, such as `p*@rival.example`, are addresses by their form and nobody's: they are rejected by name.

use super::email::{is_atom_byte, is_domain, without_trailing_dots};
use super::{Idn, Reason, Verdict};
use crate::trim::trim;

/// The verdict on a value that has an `@` in front, or `*` or `%` somewhere; `None` if it may be an address like others. The name of a
/// domain is appended to `out` in lower case, of the domains below it with a dot before it.
#[cold]
pub(super) fn verdict(value: &[u8], idn: Idn, out: &mut Vec<u8>) -> Option<Verdict> {
    let name = match value {
        [b'@', rest @ ..] | [b'*' | b'%', b'@', rest @ ..] => rest,
        [b'*' | b'%', b'.', ..] if !value.contains(&b'@') => value,
        _ => return is_pattern(value).then_some(Verdict::Rejected(Reason::Wildcard)),
    };
    let (is_below, name) = match name {
        [b'*' | b'%', b'.', rest @ ..] => (true, rest),
        _ => (false, name),
    };
    let name = without_trailing_dots(name);
    let converted = match (name.is_ascii(), idn, std::str::from_utf8(name)) {
        (true, ..) => None,
        (false, _, Err(_)) => return Some(Verdict::Rejected(Reason::InvalidUtf8)),
        (false, Idn::Reject, _) => return Some(Verdict::Rejected(Reason::NonAscii)),
        (false, Idn::Punycode, Ok(name)) => match idna::domain_to_ascii(name) {
            Ok(name) => Some(name.into_bytes()),
            Err(_) => return Some(Verdict::Rejected(Reason::NonAscii)),
        },
    };
    let name = converted.as_deref().unwrap_or(name);
    if name.len() > NAME_BYTES_MAX || !is_domain(name) {
        return Some(Verdict::Rejected(Reason::BadDomain));
    }
    out.extend(is_below.then_some(b'.'));
    out.extend(name.iter().map(u8::to_ascii_lowercase));
    Some(Verdict::Domain)
}

/// Whether `*` or `%` stands in what is an address else.
fn is_pattern(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b'@');
    let (Some(local), Some(domain), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let is_local = |byte: &u8| is_atom_byte(*byte) || *byte == b'.';
    let is_of_domain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.*%".contains(byte);
    !local.is_empty() && local.iter().all(is_local) && domain.iter().all(is_of_domain)
}

/// Says whether a value is the name of a domain and nothing else, as lists of domains have them.
pub(crate) fn is_bare(value: &[u8]) -> bool {
    let value = without_trailing_dots(trim(value));
    value.len() <= NAME_BYTES_MAX && is_domain(value)
}

/// Longest name of a domain (RFC 1035 2.3.4).
const NAME_BYTES_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use super::super::{Normalizer, RuleOptions, UserType, Value, Wrapping};
    use super::*;
    use crate::hash::Kernel;

    fn read(value: &str, idn: Idn, kernel: Kernel) -> (Verdict, String) {
        let options = RuleOptions { idn, ..RuleOptions::default() };
        let rule = Normalizer::new(UserType::EmailHash, options).for_opt_outs().on(kernel);
        let value = Value { bytes: Ok(value.as_bytes()), country: None };
        let mut out = Vec::new();
        let verdict = rule.one(Wrapping::Line, value, &mut out);
        (verdict, String::from_utf8(out).expect("ASCII"))
    }

    #[test]
    fn a_domain_is_itself_or_what_is_below_it() {
        for kernel in Kernel::all() {
            let name = |value| match read(value, Idn::Reject, kernel) {
                (Verdict::Domain, name) => name,
                (other, _) => panic!("{value}: {other:?}"),
            };
            for value in
                ["@Rival.Example", "*@rival.example", " %@rival.example. ", "\"@rival.example\""]
            {
                assert_eq!(name(value), "rival.example");
            }
            for value in
                ["@*.rival.example", "*@*.rival.example", "%@%.rival.example", "*.rival.example"]
            {
                assert_eq!(name(value), ".rival.example");
            }
        }
    }

    #[test]
    fn what_is_no_domain_is_rejected_or_an_address() {
        for kernel in Kernel::all() {
            let rejected = |value| read(value, Idn::Reject, kernel).0;
            for value in ["@", "*@", "@de", "*@*", "@a b.example", "@*.de", "%@x@y.example", "*.de"]
            {
                assert_eq!(rejected(value), Verdict::Rejected(Reason::BadDomain), "{value}");
            }
            assert_eq!(rejected("rival.example"), Verdict::Rejected(Reason::NoAtSign));
            assert_eq!(rejected("@m\u{fc}ller.example"), Verdict::Rejected(Reason::NonAscii));
            let (verdict, name) = read("@m\u{fc}ller.example", Idn::Punycode, kernel);
            assert_eq!((verdict, &name[..]), (Verdict::Domain, "xn--mller-kva.example"));
            for pattern in
                ["*a@rival.example", "%x@rival.example", "a*@rival.example", "a@*.example"]
            {
                assert_eq!(rejected(pattern), Verdict::Rejected(Reason::Wildcard), "{pattern}");
                let rule = Normalizer::new(UserType::EmailHash, RuleOptions::default()).on(kernel);
                let is_address = !pattern.starts_with("a@");
                assert_eq!(rule.entry(pattern).is_ok(), is_address, "{pattern} as a member");
            }
            assert_eq!(rejected("50% off <a@b.example>"), Verdict::Rejected(Reason::BadLocalPart));
        }
    }
}
