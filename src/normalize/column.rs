//! What the ids of a column look like, as far as its first values tell, and whether a value looks like them: what goes out
//! in clear must.

use super::census::{
    Census, UUID_BYTES, first_word, has_separator, length_bit, pair, signs, usual,
};
use super::personal::{self, Look};
use super::{Reason, prehashed, spreadsheet};
use crate::trim::is_null_word;

/// Values that a column has at least where quotes within ids are no damage.
const QUOTED_IDS_MIN: usize = 5;

/// Kinds of bytes, a bit each.
pub(super) mod class {
    pub(in super::super) const DIGIT: u8 = 1;
    pub(in super::super) const LOWER: u8 = 2;
    pub(in super::super) const UPPER: u8 = 4;
    /// The hyphen.
    pub(in super::super) const HYPHEN: u8 = 8;
    /// What is often within ids: it is looked for in the sample.
    pub(in super::super) const MARK: u8 = 16;
    /// What is looked at before it goes out: spaces, dots, brackets, `@`, `+` ...
    pub(in super::super) const SIGN: u8 = 32;
    pub(in super::super) const CONTROL: u8 = 64;
    pub(in super::super) const HIGH: u8 = 128;
}

/// The kind of each byte.
const CLASS: [u8; 256] = {
    let mut classes = [class::SIGN; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let kind = match byte as u8 {
            b'0'..=b'9' => class::DIGIT,
            b'a'..=b'z' => class::LOWER,
            b'A'..=b'Z' => class::UPPER,
            b'-' => class::HYPHEN,
            b'/' | b':' | b'*' | b'!' | b'$' | b'=' | b'_' => class::MARK,
            0..=0x1f | 0x7f => class::CONTROL,
            0x80..=0xff => class::HIGH,
            _ => class::SIGN,
        };
        classes[byte] = kind;
        byte += 1;
    }
    classes
};

/// The kinds of bytes of a value.
#[inline]
pub(super) fn classes(value: &[u8]) -> u8 {
    value.iter().fold(0, |all, byte| all | CLASS[usize::from(*byte)])
}

/// How closely values are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Check {
    /// Not at all: throng wrote them.
    AsWritten,
    /// Only for what is an address or a phone number beyond doubt.
    #[default]
    Raw,
    /// The same, and for numbers in another notation: an opt-out list's, which would hold back nobody.
    Notation,
    /// Also for what looks like personal data, or is unlike the rest of the column.
    Looks,
}

/// What becomes of `.0` behind digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Floats {
    /// It is part of the id.
    #[default]
    Keep,
    /// Every number of the column has it, and loses it.
    Drop,
    /// It is dropped where it is: of what is held back, no matter how it is written.
    DropAny,
    /// The column's other numbers have none.
    Refuse,
}

/// Which single words may be ids; the stricter ones come later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Words {
    /// All: such are the column's ids.
    #[default]
    Pass,
    /// Those that are as long as some id of the column.
    OfIdLength,
    /// None: they are names.
    Refuse,
}

/// What is known of a column of third-party ids.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that was seen or not")]
pub(super) struct Column {
    check: Check,
    floats: Floats,
    words: Words,
    /// A bit for each length that an id with digits has.
    lengths: u64,
    /// A bit for each ASCII sign that ids of the sample do not have.
    strange: u128,
    /// The digest of the word that begins most ids, or 0.
    first_word: u64,
    /// Kinds of numbers in groups that are usual.
    groups: [u64; 4],
    /// Pairs of words that are usual.
    pairs: [u64; 4],
    /// How many values are known.
    values: usize,
    /// A bit for each length that a number has.
    number_lengths: u64,
    /// True if ids have all kinds of pairs.
    has_pairs: bool,
    has_numbers: bool,
    /// True if hardly any id is a number alone, and most are one behind the same word.
    refuses_numbers: bool,
    has_leading_zeros: bool,
    has_at_signs: bool,
    has_quotes: bool,
    is_foreign: bool,
    /// True if separators of fields are no reason against an id.
    takes_separators: bool,
    /// True if nearly all ids are a number, or one behind a prefix.
    is_prefixed: bool,
    refuses_phones: bool,
    /// True if nearly all ids are UUIDs.
    are_uuids: bool,
    /// True if a spreadsheet rounded its long numbers.
    is_rounded: bool,
}

/// What is known of a column beside its values.
#[derive(Clone, Copy, Debug, Default)]
#[doc(hidden)]
pub struct Surroundings<'a> {
    /// Its name, if it has one.
    pub name: Option<&'a str>,
    /// True if rows have one column only.
    pub is_single: bool,
    /// True if its values go out, false if they are held back.
    pub is_member: bool,
}

impl Column {
    /// A column that throng wrote.
    pub(super) fn as_written() -> Self {
        Self { check: Check::AsWritten, ..Self::default() }
    }

    /// A column of which is only asked what its ids may be, as an opt-out list has them.
    pub(super) fn of_readings() -> Self {
        Self { check: Check::Raw, floats: Floats::DropAny, ..Self::default() }
    }

    /// Infers what a column holds of its first values. `are_checked` is whether a look may speak against a value.
    pub(super) fn of_sample<'a>(
        sample: impl Iterator<Item = &'a [u8]>,
        around: Surroundings<'_>,
        are_checked: bool,
    ) -> Self {
        let mut census = Census::default();
        sample.for_each(|value| census.add(value));
        let Census { all, numbers, ids, words, other_decimals, .. } = census;
        let floats = match (around.is_member, census.floats) {
            _ if other_decimals * 10 > all => Floats::Keep,
            (false, _) => Floats::DropAny,
            (true, floats) if floats > 0 && floats + other_decimals == all => Floats::Drop,
            (true, _) => Floats::Refuse,
        };
        if !around.is_member || !are_checked {
            let check = if are_checked { Check::Notation } else { Check::Raw };
            let is_foreign = census.foreign * 2 > all;
            return Self { check, floats, is_foreign, ..Self::default() };
        }
        // What one in fifty values has is nothing that speaks against others.
        let few = (all / 50).max(2).min(all.div_ceil(2)).max(1);
        let is_known = |count: usize| count >= few;
        let is_usual = |count: usize| count * 2 > all;
        let is_called = |names: &[&str]| around.name.is_some_and(|name| is_called(name, names));
        let are_names = is_usual(words) && census.capitalised * 5 >= words * 3;
        let is_prefixed = all > 0 && (census.prefixed + numbers) * 10 >= ids * 9;
        let words = match () {
            () if is_called(NAMES_OF_NAMES) || are_names || all == 0 => Words::Refuse,
            () if words >= ids => Words::Pass,
            () if is_prefixed => Words::Refuse,
            () => Words::OfIdLength,
        };
        let others = numbers - census.trunks;
        let has_other_form = is_usual(census.prefixed) || is_usual(census.uuids);
        let has_numbers = is_usual(numbers) || is_known(others) && !has_other_form;
        let first_word = census.first_word();
        let lengths = census.lengths | if has_numbers { census.lengths_of_numbers() } else { 0 };
        // Customer numbers begin with anything, phone numbers with a few codes.
        let is_spread = is_called(NAMES_OF_IDS) && census.trunk_kinds.len() * 2 > census.trunks;
        let are_phones =
            all >= 5 && census.trunks * 10 >= all * 9 && census.trunk_kinds.len() > 1 && !is_spread;
        let usual_pairs = usual(&census.pairs, few);
        let is_single_row = around.is_single && is_usual(census.separated);
        Self {
            check: Check::Looks,
            floats,
            words,
            lengths,
            strange: census.strange(few),
            first_word,
            groups: census.usual_groups(few),
            pairs: usual_pairs,
            values: all,
            number_lengths: census.lengths_of_numbers() | census.lengths_of_trunks(),
            has_pairs: census.has_pairs(),
            has_numbers,
            refuses_numbers: first_word != 0 && !is_known(others),
            has_leading_zeros: is_known(census.padded()) || is_usual(census.trunks),
            has_at_signs: is_usual(census.at_signs),
            has_quotes: is_usual(census.quotes) && all >= QUOTED_IDS_MIN,
            is_foreign: is_known(census.foreign),
            takes_separators: !is_usual(census.rows)
                && !is_single_row
                && (is_known(census.separated) || !around.is_single),
            is_prefixed,
            refuses_phones: is_called_phone(around) || are_phones,
            are_uuids: all >= 20 && census.uuids * 20 >= all * 19,
            is_rounded: census.long.are_rounded(),
        }
    }

    /// How many values are known of it, if ids are held against them.
    pub(super) fn known_values(&self) -> usize {
        if self.check == Check::Looks { self.values } else { 0 }
    }

    /// The column, if another one says what is usual, too. `None` if ids are not looked at, or if both have as many.
    pub(super) fn held_against(&self, other: &Self) -> Option<Self> {
        if self.check != Check::Looks || self.known_values() * 2 > other.known_values() {
            return None;
        }
        let common = |own: [u64; 4], others: [u64; 4]| {
            own.map(|kind| if others.contains(&kind) { kind } else { 0 })
        };
        // Phone numbers have more digits than most ids.
        let are_longer = other.number_lengths != 0
            && self.number_lengths.trailing_zeros()
                > u64::BITS - other.number_lengths.leading_zeros();
        Some(Self {
            words: self.words.max(other.words),
            lengths: self.lengths & other.lengths,
            strange: self.strange | other.strange,
            first_word: if other.first_word == 0 { self.first_word } else { other.first_word },
            groups: common(self.groups, other.groups),
            pairs: common(self.pairs, other.pairs),
            has_pairs: self.has_pairs && other.has_pairs,
            has_numbers: self.has_numbers && other.has_numbers && !are_longer,
            refuses_numbers: self.refuses_numbers || other.refuses_numbers,
            has_leading_zeros: self.has_leading_zeros && other.has_leading_zeros,
            has_at_signs: self.has_at_signs && other.has_at_signs,
            has_quotes: self.has_quotes && other.has_quotes,
            is_foreign: self.is_foreign && other.is_foreign,
            takes_separators: self.takes_separators && other.takes_separators,
            is_prefixed: self.is_prefixed || other.is_prefixed,
            refuses_phones: self.refuses_phones || other.refuses_phones,
            ..*self
        })
    }

    /// Why a value that is no `is_clean` one must not go out, if it must not; else the value to take, which is shorter if it
    /// was a float, and whether it was.
    #[cold]
    pub(super) fn judge<'a>(&self, value: &'a [u8]) -> Result<(&'a [u8], bool), Reason> {
        if self.check == Check::AsWritten {
            return Ok((value, false));
        }
        if is_null_word(value) {
            return Err(Reason::NullWord);
        }
        let has_unpaired = memchr::memchr_iter(b'"', value).count() % 2 == 1;
        if has_unpaired && (value.starts_with(b"\"") || value.ends_with(b"\"")) {
            return Err(Reason::StrayQuote);
        }
        if spreadsheet::has_exponent(value) {
            return Err(Reason::SpreadsheetNumber);
        }
        let plain = personal::plain(value);
        if personal::is_raw(&plain) {
            return Err(Reason::RawPersonalData);
        }
        match (spreadsheet::whole_of_float(value), self.floats) {
            (None, Floats::Drop) | (Some(_), Floats::Refuse) => return Err(Reason::MixedFloats),
            (None, _) | (Some(_), Floats::Keep) => {}
            (Some(whole), Floats::Drop | Floats::DropAny) => return Ok((whole, true)),
        }
        match self.check {
            Check::Looks => self.check_look(value, &plain)?,
            Check::Notation => self.check_notation(value, &plain)?,
            Check::AsWritten | Check::Raw => {}
        }
        Ok((value, false))
    }

    fn check_notation(&self, value: &[u8], plain: &[u8]) -> Result<(), Reason> {
        let is_number_of_others =
            || !value.is_ascii() && spreadsheet::is_number(plain) && !self.is_foreign;
        if spreadsheet::has_thousands(value) && self.floats != Floats::Keep {
            Err(Reason::SpreadsheetNumber)
        } else if is_number_of_others() {
            Err(Reason::Malformed)
        } else {
            Ok(())
        }
    }

    fn check_look(&self, value: &[u8], plain: &[u8]) -> Result<(), Reason> {
        if prehashed::is_digest(value) {
            return Err(Reason::AlreadyHashed);
        }
        let has_any = value.iter().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
        if value[0] == b'=' || !has_any {
            return Err(Reason::Malformed);
        }
        // Damage, where the column's other ids have none.
        if !self.has_quotes && value.contains(&b'"') {
            return Err(Reason::StrayQuote);
        }
        if self.are_uuids && value.len() != UUID_BYTES {
            return Err(Reason::LooksPersonal);
        }
        if self.is_rounded && spreadsheet::is_rounded(value) {
            return Err(Reason::SpreadsheetNumber);
        }
        if spreadsheet::is_number(value) {
            let is_unlike = self.refuses_numbers || self.is_phone(value);
            return if is_unlike { Err(Reason::LooksPersonal) } else { Ok(()) };
        }
        if spreadsheet::has_thousands(value) && self.floats != Floats::Keep {
            return Err(Reason::SpreadsheetNumber);
        }
        // A comma stands within names, too.
        let look = personal::look(plain);
        let is_name = look == Look::Words && !value.iter().any(|byte| b";|^\t~".contains(byte));
        if !self.takes_separators && has_separator(value) && !is_name {
            return Err(Reason::HoldsSeparator);
        }
        let is_known = self.strange & signs(value) == 0;
        let is_like_ids = match look {
            Look::Words if self.first_word != 0 => first_word(value) == Some(self.first_word),
            Look::Words | Look::Phone | Look::Date => false,
            Look::Word { .. } => self.is_word_of_ids(value),
            // Of random tokens some have digits alone.
            Look::Groups(kind) => {
                is_known
                    && !self.refuses_phones
                    && (self.groups.contains(&kind) || self.is_as_long(value))
            }
            Look::Other => {
                is_known
                    && (value.iter().any(u8::is_ascii_digit) || self.is_word_of_ids(value))
                    && self.takes_pair(value, plain)
                    && (self.has_at_signs || !value.contains(&b'@'))
                    && (self.is_foreign || value.is_ascii())
            }
        };
        if is_like_ids { Ok(()) } else { Err(Reason::LooksPersonal) }
    }

    /// Whether a value without digits may be one of the column's ids.
    fn is_word_of_ids(&self, value: &[u8]) -> bool {
        match self.words {
            Words::Pass => true,
            Words::OfIdLength => self.is_as_long(value) && (self.is_foreign || value.is_ascii()),
            Words::Refuse => false,
        }
    }

    /// Whether a value has no two words, or such as the column's ids have.
    fn takes_pair(&self, value: &[u8], plain: &[u8]) -> bool {
        self.has_pairs || pair(value, plain).is_none_or(|pair| self.pairs.contains(&pair))
    }

    /// Whether a value is as long as the column's ids, where these are tokens of any letters and digits.
    fn is_as_long(&self, value: &[u8]) -> bool {
        !self.is_prefixed && self.lengths & length_bit(value) != 0
    }

    /// Whether digits are a phone number rather than one of the column's ids.
    fn is_phone(&self, digits: &[u8]) -> bool {
        let len = digits.len();
        let is_unlike = match digits {
            [b'0', b'0', b'1'..=b'9', ..] => !self.has_leading_zeros && (11..=17).contains(&len),
            [b'0', b'1'..=b'9', ..] => !self.has_leading_zeros && (10..=12).contains(&len),
            [b'0', ..] => false,
            _ => !self.has_numbers && (9..=15).contains(&len),
        };
        is_unlike && (self.has_numbers || !self.is_as_long(digits))
            || self.refuses_phones && (7..=17).contains(&len)
    }

    /// Whether a value of these kinds of bytes is an id that nothing speaks against, without a closer look: letters and
    /// digits together, or digits where the column has such.
    #[inline]
    pub(super) fn is_clean(&self, value: &[u8], classes: u8) -> bool {
        use class::{CONTROL, DIGIT, HIGH, HYPHEN, LOWER, MARK, SIGN, UPPER};
        let is_mixed = classes & DIGIT != 0
            && classes & (LOWER | UPPER) != 0
            && classes & (SIGN | HIGH | CONTROL) == 0
            && self.floats != Floats::Drop
            && value.len() != 64
            && (!self.are_uuids || value.len() == UUID_BYTES)
            && value[0] != b'='
            && (classes & HYPHEN == 0 || self.strange & 1 << b'-' == 0)
            && (classes & MARK == 0 || self.takes_marks(value))
            && (classes & (MARK | HYPHEN) == 0
                || self.check != Check::Looks
                || self.takes_pair(value, value));
        let is_number = classes == DIGIT && self.takes_numbers(value[0] == b'0');
        is_mixed || is_number
    }

    fn takes_marks(&self, value: &[u8]) -> bool {
        self.strange & signs(value) == 0 && !personal::is_phone_link(value)
    }

    #[inline]
    fn takes_numbers(&self, have_leading_zero: bool) -> bool {
        let is_like_ids = self.has_numbers
            && !self.refuses_phones
            && !self.is_rounded
            && !self.are_uuids
            && (!have_leading_zero || self.has_leading_zeros);
        self.floats != Floats::Drop && (self.check != Check::Looks || is_like_ids)
    }
}

/// Words of headers above names and addresses.
const NAMES_OF_NAMES: &[&str] = &[
    "name",
    "names",
    "firstname",
    "lastname",
    "fullname",
    "surname",
    "forename",
    "vorname",
    "nachname",
    "nom",
    "prenom",
    "nombre",
    "apellido",
    "apellidos",
    "cognome",
    "naam",
    "street",
    "strasse",
    "address",
    "adresse",
    "city",
    "stadt",
    "ort",
    "town",
    "contact",
];

/// Words of headers above ids.
const NAMES_OF_IDS: &[&str] =
    &["id", "ids", "uid", "customer", "customerid", "userid", "kundennummer", "kundennr"];

/// Words of headers above phone numbers.
const NAMES_OF_PHONES: &[&str] = &[
    "phone",
    "phones",
    "phonenumber",
    "mobile",
    "tel",
    "telephone",
    "telefon",
    "telefono",
    "cell",
    "cellphone",
    "msisdn",
    "handy",
    "whatsapp",
    "fax",
    "mobil",
];

/// Whether one of a header's words is one of these.
fn is_called(header: &str, names: &[&str]) -> bool {
    let lower = header.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).any(|word| names.contains(&word))
}

/// Whether a column's header speaks of phone numbers.
pub(super) fn is_called_phone(around: Surroundings<'_>) -> bool {
    around.name.is_some_and(|name| is_called(name, NAMES_OF_PHONES))
}
