//! What the values of a column look like: two columns of one type can name the same people and still share nobody, if one
//! of them was written by other hands.

use crate::trim::trim;
use crate::user_type::UserType;

/// The form of most values of a column, as far as it tells columns of a type apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// There is nothing to tell by.
    #[default]
    Unknown,
    /// SHA-256 in hex.
    Digest,
    /// A value in plain text.
    Plain,
    /// A phone number with `+` or `00`.
    International,
    /// A phone number that begins with a single 0.
    National,
    /// A phone number that begins with neither.
    Unprefixed,
    /// An id of digits, the first of which is no 0.
    Number,
    /// An id of digits that begins with 0.
    Padded,
    /// A number with `.0`, as floats are exported.
    Float,
    /// 8-4-4-4-12 hex digits.
    Uuid,
    /// Only hex digits, 16 or more, with letters among them.
    Hex,
    /// An id of letters and whatever else.
    Word,
    /// A number with its thousands set apart, as spreadsheets show them.
    Grouped,
    /// A number of digits that are none of ASCII.
    Foreign,
}

impl Form {
    /// How many forms there are.
    const COUNT: usize = 14;

    const ALL: [Self; Self::COUNT] = [
        Self::Unknown,
        Self::Digest,
        Self::Plain,
        Self::International,
        Self::National,
        Self::Unprefixed,
        Self::Number,
        Self::Padded,
        Self::Float,
        Self::Uuid,
        Self::Hex,
        Self::Word,
        Self::Grouped,
        Self::Foreign,
    ];

    /// The form of more than half of the values; those with nothing in them do not count.
    pub(super) fn of<'a>(user_type: UserType, values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut counts = [0_usize; Self::COUNT];
        values.for_each(|value| counts[Self::of_value(user_type, trim(value)) as usize] += 1);
        counts[Self::Unknown as usize] = 0;
        let all: usize = counts.iter().sum();
        let most = Self::ALL.into_iter().find(|form| counts[*form as usize] * 2 > all);
        most.unwrap_or_default()
    }

    fn of_value(user_type: UserType, value: &[u8]) -> Self {
        let is_hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
        if value.is_empty() {
            return Self::Unknown;
        }
        if user_type.is_hashed() && value.len() == 64 && is_hex(value) {
            return Self::Digest;
        }
        match user_type {
            UserType::EmailHash => Self::Plain,
            UserType::PhoneHash => match value {
                [b'+', ..] | [b'0', b'0', ..] => Self::International,
                [b'0', ..] | [b'(', b'0', ..] => Self::National,
                _ => Self::Unprefixed,
            },
            UserType::Fbid
            | UserType::CustomAudienceThirdPartyId
            | UserType::MobileAdvertiserId => Self::of_id(value),
        }
    }

    fn of_id(value: &[u8]) -> Self {
        let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        let groups: Vec<&[u8]> = value.split(|byte| *byte == b'-').collect();
        let is_hex = |text: &&[u8]| text.iter().all(u8::is_ascii_hexdigit);
        if value.strip_suffix(b".0").is_some_and(is_number) {
            Self::Float
        } else if is_number(value) {
            if value[0] == b'0' { Self::Padded } else { Self::Number }
        } else if groups.iter().all(is_hex) && groups.iter().map(|of| of.len()).eq([8, 4, 4, 4, 12])
        {
            Self::Uuid
        } else if value.len() >= 16 && is_hex(&value) {
            Self::Hex
        } else if is_grouped(value) {
            Self::Grouped
        } else if std::str::from_utf8(value).is_ok_and(|text| text.chars().all(char::is_numeric)) {
            Self::Foreign
        } else {
            Self::Word
        }
    }

    /// What a person calls such values.
    const fn name(self) -> &'static str {
        match self {
            Self::Unknown | Self::Digest | Self::Plain => "values",
            Self::International => "international numbers",
            Self::National => "national numbers",
            Self::Unprefixed => "numbers without a prefix",
            Self::Number => "numbers",
            Self::Padded => "numbers that begin with 0",
            Self::Float => "numbers with .0",
            Self::Uuid => "UUIDs",
            Self::Hex => "hex digits",
            Self::Word => "ids with letters",
            Self::Grouped => "numbers with their thousands set apart",
            Self::Foreign => "numbers in digits of another script or width",
        }
    }

    /// What speaks against a list of this form, of which nobody is a member. Digests and plain values name the same people.
    pub(super) fn suspicion(self, members: Self) -> Option<String> {
        if self == members || [self, members].iter().any(|form| form.is_open()) {
            return None;
        }
        let advice = match (self, members) {
            (Self::National | Self::Unprefixed, Self::International) => {
                ": give their country with --country XX"
            }
            (Self::International, Self::National | Self::Unprefixed) => {
                ": is the country of the inputs the right one?"
            }
            _ => "",
        };
        Some(format!("it holds {}, the inputs {}{advice}", self.name(), members.name()))
    }

    /// Says what speaks against a list of ids of this form of which few are members: no id has both forms.
    pub(super) fn doubt(self, members: Self) -> Option<String> {
        let is_of_ids = |form: Self| {
            matches!(
                form,
                Self::Number
                    | Self::Padded
                    | Self::Uuid
                    | Self::Hex
                    | Self::Word
                    | Self::Grouped
                    | Self::Foreign
            )
        };
        (is_of_ids(self) && is_of_ids(members)).then(|| self.suspicion(members)).flatten()
    }

    /// True if it shares people with any form.
    const fn is_open(self) -> bool {
        matches!(self, Self::Unknown | Self::Digest)
    }
}

/// How many digits the ids of a column have that are numbers, if most are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digits {
    least: usize,
    most: usize,
    /// True if some begin with 0.
    are_padded: bool,
}

impl Digits {
    /// The digits of these ids; those with nothing in them do not count.
    pub(super) fn of<'a>(user_type: UserType, values: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut all, mut numbers) = (0_usize, 0_usize);
        let mut found = Self { least: usize::MAX, ..Self::default() };
        for value in values.map(trim).filter(|value| !value.is_empty()) {
            let digits = value.strip_suffix(b".0").unwrap_or(value);
            all += 1;
            if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
                numbers += 1;
                found.least = found.least.min(digits.len());
                found.most = found.most.max(digits.len());
                found.are_padded |= digits[0] == b'0';
            }
        }
        let are_usual = numbers * 2 > all && user_type == UserType::CustomAudienceThirdPartyId;
        if are_usual { found } else { Self::default() }
    }

    /// What speaks against a list of such numbers, if those of the inputs are filled up to one length.
    pub(super) fn suspicion(self, members: Self) -> Option<String> {
        let Self { least, most, are_padded } = self;
        let are_filled_up = members.are_padded && members.least == members.most;
        let are_shorter = least > 0 && least < members.least && most <= members.most;
        (are_filled_up && are_shorter && !are_padded).then(|| {
            format!(
                "it holds numbers of {least} to {most} digits, the inputs such of {} with zeros in front: were these lost?",
                members.most
            )
        })
    }
}

/// `100.274`, `1,100,274`: up to three digits, then groups of three behind the same sign.
fn is_grouped(value: &[u8]) -> bool {
    let Some(sign) = value.iter().find(|byte| !byte.is_ascii_digit()) else { return false };
    let mut groups = value.split(|byte| byte == sign);
    let first = groups.next().map_or(0, <[u8]>::len);
    b".,' ".contains(sign)
        && (1..=3).contains(&first)
        && groups.all(|group| group.len() == 3 && group.iter().all(u8::is_ascii_digit))
        && value[..first].iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(user_type: UserType, values: &[&str]) -> Form {
        Form::of(user_type, values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn zeros_that_were_lost_are_told_by_their_number() {
        let digits = |values: &[&str]| {
            let values = values.iter().map(|value| value.as_bytes());
            Digits::of(UserType::CustomAudienceThirdPartyId, values)
        };
        let padded = digits(&["000123", "123456", "", "012345"]);
        for (list, is_odd) in [
            (&["123", "123456"][..], true),
            (&["12345.0", "123456.0"], true),
            (&["123456", "234567"], false),
            (&["012345", "123"], false),
            (&["12345678", "123"], false),
            (&["A1", "B2", "123"], false),
            (&[], false),
        ] {
            assert_eq!(digits(list).suspicion(padded).is_some(), is_odd, "{list:?}");
            assert_eq!(digits(list).suspicion(digits(&["123456", "12345"])), None);
        }
    }

    #[test]
    fn forms_are_those_of_most_values() {
        use UserType::{CustomAudienceThirdPartyId, EmailHash, MobileAdvertiserId, PhoneHash};
        let digest = "a".repeat(64);
        for (index, form) in Form::ALL.into_iter().enumerate() {
            assert_eq!(form as usize, index);
        }
        for (user_type, values, expected) in [
            (EmailHash, &["ann@b.example", "", &digest, "eve@b.example"][..], Form::Plain),
            (EmailHash, &[&digest, "", " "], Form::Digest),
            (EmailHash, &["", " "], Form::Unknown),
            (EmailHash, &[&digest, "ann@b.example"], Form::Unknown),
            (PhoneHash, &["+49 171 2345678", "0049 171 2345678"], Form::International),
            (PhoneHash, &["0171 2345678", "(0171) 2345678", "171"], Form::National),
            (PhoneHash, &["6172001000"], Form::Unprefixed),
            (CustomAudienceThirdPartyId, &["100200.0", "7.0"], Form::Float),
            (CustomAudienceThirdPartyId, &["100200", "7"], Form::Number),
            (CustomAudienceThirdPartyId, &["000200"], Form::Padded),
            (CustomAudienceThirdPartyId, &["k-17"], Form::Word),
            (MobileAdvertiserId, &["38400000-8cf0-11bd-b23e-10b96e40000d"], Form::Uuid),
            (MobileAdvertiserId, &["38400000abcd11bd"], Form::Hex),
        ] {
            assert_eq!(form(user_type, values), expected, "{values:?}");
        }
    }

    #[test]
    fn only_what_differs_is_suspicious() {
        assert_eq!(Form::Number.suspicion(Form::Number), None);
        assert_eq!(Form::Number.suspicion(Form::Unknown), None);
        assert_eq!(Form::Digest.suspicion(Form::Plain), None);
        assert_eq!(Form::National.suspicion(Form::Digest), None);
        let cause = Form::National.suspicion(Form::International).expect("a cause");
        assert!(cause.starts_with("it holds national numbers, the inputs international numbers"));
    }
}
