//! What a rejected value looks like, for the hint that a file may hold something else than it was said to.

use super::clear::{self, Decimals};
use super::{UserType, email, phone, prehashed};
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
    /// 60 to 63 hex digits: a digest that was taken for a number.
    ShortDigest,
    /// A SHA-256 digest in Base64.
    Base64Digest,
    /// 32 hex digits.
    Md5,
    /// 40 hex digits.
    Sha1,
    /// As many hex digits as another digest has.
    OtherDigest,
    /// A digest with something before or behind it.
    WrappedDigest,
    /// Several fields, of which at least one holds an identifier.
    Row,
    /// Several identifiers of one kind.
    Several,
    /// None of these.
    Other,
}

impl Shape {
    /// How many shapes there are.
    pub const COUNT: usize = 14;

    /// Every shape, in the order of the enum.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Email,
        Self::Phone,
        Self::MobileId,
        Self::Digest,
        Self::LongNumber,
        Self::ShortDigest,
        Self::Base64Digest,
        Self::Md5,
        Self::Sha1,
        Self::OtherDigest,
        Self::WrappedDigest,
        Self::Row,
        Self::Several,
        Self::Other,
    ];

    /// The shape of a value.
    pub fn of(value: &[u8]) -> Self {
        match Self::of_one(value) {
            Self::Other => Self::of_parts(value),
            shape => shape,
        }
    }

    /// The shape of a value that is one.
    fn of_one(value: &[u8]) -> Self {
        let value = trim(value);
        if email::is_address(value) {
            return Self::Email;
        }
        if prehashed::is_digest(value) {
            return Self::Digest;
        }
        if let Some(digest) = prehashed::malformed(value) {
            return digest;
        }
        if matches!(
            clear::mobile_advertiser_id(Decimals::Refuse, value, &mut Vec::new()),
            super::Verdict::Raw(_)
        ) && value.iter().any(|byte| !byte.is_ascii_digit())
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

    /// The shape of a value with separators of fields in it.
    fn of_parts(value: &[u8]) -> Self {
        let parts = |separator: u8| {
            value.split(move |byte| *byte == separator).filter(|part| !trim(part).is_empty())
        };
        for separator in *b";|\t^~," {
            let (mut of_kind, mut all) = ([0_usize; Self::COUNT], 0);
            parts(separator).for_each(|part| {
                of_kind[Self::of_one(part) as usize] += 1;
                all += 1;
            });
            let most = of_kind.iter().take(Self::Other as usize).max().copied().unwrap_or(0);
            match all {
                2.. if most == all => return Self::Several,
                2.. if most > 0 => return Self::Row,
                _ => {}
            }
        }
        Self::Other
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
            Self::ShortDigest => ("SHA-256 digests that lost leading zeros", None),
            Self::Base64Digest => ("SHA-256 digests in Base64", None),
            Self::Md5 => ("MD5 digests", None),
            Self::Sha1 => ("SHA-1 digests", None),
            Self::OtherDigest => ("digests other than SHA-256", None),
            Self::WrappedDigest => ("digests with something before or behind them", None),
            Self::Row => ("whole rows", None),
            Self::Several => ("several values in one cell", None),
            Self::Other => return None,
        })
    }
}

impl Shape {
    /// What to do about such values.
    pub const fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Self::ShortDigest => "export them as text of 64 hex digits",
            Self::Base64Digest => "export them in 64 hex digits",
            Self::WrappedDigest => "export the 64 hex digits alone",
            Self::Md5 | Self::Sha1 | Self::OtherDigest => {
                "the platform compares SHA-256: export the values themselves, or their SHA-256"
            }
            Self::Row => "say what separates the fields with --delimiter",
            _ => return None,
        })
    }
}

/// `2026-11-24`, `24.11.2026`, `11/24/2026`, which have as many digits as a phone number.
pub(super) fn is_date(value: &[u8]) -> bool {
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
    fn digests_rows_and_lists_are_told_by_name() {
        let hex = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9";
        for (value, shape) in [
            (hex.to_owned(), Shape::Digest),
            (hex[2..].to_owned(), Shape::ShortDigest),
            (hex[..32].to_owned(), Shape::Md5),
            (hex[..40].to_owned(), Shape::Sha1),
            (hex.repeat(2), Shape::OtherDigest),
            (format!("sha256:{hex}"), Shape::WrappedDigest),
            (format!("0x{hex}"), Shape::WrappedDigest),
            ("Cl1a+9x/0a1b2c3d4e5f60718293a4b5c6d7e8f90AZ=".to_owned(), Shape::Base64Digest),
            ("17;Ann Lee;ann@b.example".to_owned(), Shape::Row),
            ("ann@b.example;lee@b.example".to_owned(), Shape::Several),
            ("Lee, Ann".to_owned(), Shape::Other),
        ] {
            assert_eq!(Shape::of(value.as_bytes()), shape, "{value}");
        }
        for (index, shape) in Shape::ALL.into_iter().enumerate() {
            assert_eq!(shape as usize, index);
        }
    }

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
