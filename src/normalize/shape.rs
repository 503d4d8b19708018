//! What a rejected value looks like, for the hint that a file may hold something else than it was said to.

use super::{UserType, clear, email, phone, prehashed};
use crate::trim::trim;

/// The shape of a value, as far as it can be told without its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An e-mail address.
    Email,
    /// A phone number: 7 to 15 digits with separators.
    Phone,
    /// A UUID or an Android ID.
    MobileId,
    /// 64 hex digits.
    Digest,
    /// More digits than a phone number has, as Facebook ids can have.
    LongNumber,
    /// None of these.
    Other,
}

impl Shape {
    /// How many shapes there are.
    pub const COUNT: usize = 6;

    /// Every shape, in the order of the enum.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Email, Self::Phone, Self::MobileId, Self::Digest, Self::LongNumber, Self::Other];

    /// The shape of a value.
    pub fn of(value: &[u8]) -> Self {
        let value = trim(value);
        if email::is_address(value) {
            return Self::Email;
        }
        if prehashed::is_digest(value) {
            return Self::Digest;
        }
        if matches!(clear::mobile_advertiser_id(value, &mut Vec::new()), super::Verdict::Raw(_))
            && value.iter().any(|byte| !byte.is_ascii_digit())
        {
            return Self::MobileId;
        }
        if is_date(value) {
            return Self::Other;
        }
        let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
        let is_number = value.iter().all(|byte| byte.is_ascii_digit() || b"+ -./()".contains(byte));
        match digits {
            phone::DIGITS_MIN..=phone::DIGITS_MAX if is_number => Self::Phone,
            16..=20 if digits == value.len() => Self::LongNumber,
            _ => Self::Other,
        }
    }

    /// What a person calls the values of a user type that can be told by their shape.
    pub fn of_type(user_type: UserType) -> Option<&'static str> {
        let described = Self::ALL.into_iter().filter_map(Self::describe);
        described.filter(|(_, fitting)| *fitting == Some(user_type)).map(|(what, _)| what).next()
    }

    /// What a person calls such values, and the user type that they would fit.
    pub const fn describe(self) -> Option<(&'static str, Option<UserType>)> {
        Some(match self {
            Self::Email => ("e-mail addresses", Some(UserType::EmailHash)),
            Self::Phone => ("phone numbers", Some(UserType::PhoneHash)),
            Self::MobileId => ("mobile advertiser ids", Some(UserType::MobileAdvertiserId)),
            Self::Digest => ("SHA-256 digests", None),
            Self::LongNumber => ("Facebook ids", Some(UserType::Fbid)),
            Self::Other => return None,
        })
    }
}

/// `2026-11-24`, `24.11.2026`, `11/24/2026`, which have as many digits as a phone number.
fn is_date(value: &[u8]) -> bool {
    let groups: Vec<&[u8]> = value.split(|byte| b"-./".contains(byte)).collect();
    let is_group = |group: &&[u8]| group.iter().all(u8::is_ascii_digit);
    groups.iter().all(is_group)
        && matches!(
            groups.iter().map(|group| group.len()).collect::<Vec<_>>()[..],
            [4, 1..=2, 1..=2] | [1..=2, 1..=2, 4]
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_no_phone_numbers() {
        for date in ["2026-11-24", "24.11.2026", "11/24/2026"] {
            assert_eq!(Shape::of(date.as_bytes()), Shape::Other, "{date}");
        }
        for number in ["020-7946-0018", "+44 20 7946 0018", "555-01.99", "442079460018"] {
            assert_eq!(Shape::of(number.as_bytes()), Shape::Phone, "{number}");
        }
    }
}
