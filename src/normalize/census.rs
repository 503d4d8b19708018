//! What the ids of a sample look like: counts by kind.

use std::collections::{BTreeMap, BTreeSet};

use super::personal::{self, Look};
use super::spreadsheet::LongNumbers;
use super::{pairs, spreadsheet};
use crate::trim::{is_null_word, trim, without_guard};

/// Length of a UUID with its hyphens.
pub(super) const UUID_BYTES: usize = 36;

/// Values of a sample by what they look like.
#[derive(Default)]
pub(super) struct Census {
    pub(super) all: usize,
    /// Digits only.
    pub(super) numbers: usize,
    pub(super) leading_zeros: usize,
    pub(super) floats: usize,
    pub(super) other_decimals: usize,
    /// Values with digits and no look of anything personal.
    pub(super) ids: usize,
    /// Those whose digits stand together: a prefix and a number.
    pub(super) prefixed: usize,
    pub(super) words: usize,
    pub(super) capitalised: usize,
    pub(super) at_signs: usize,
    pub(super) quotes: usize,
    pub(super) long: LongNumbers,
    pub(super) foreign: usize,
    /// Values that hold a separator of fields, and those that hold the same at least twice.
    pub(super) separated: usize,
    pub(super) rows: usize,
    /// Numbers like `01712345678`, and how they begin and how long they are.
    pub(super) trunks: usize,
    pub(super) trunk_kinds: BTreeSet<Vec<u8>>,
    /// Numbers by their length: such as `01712345678`, and others.
    pub(super) trunk_lengths: BTreeMap<usize, usize>,
    pub(super) number_lengths: BTreeMap<usize, usize>,
    /// Values of a UUID's length.
    pub(super) uuids: usize,
    pub(super) lengths: u64,
    pub(super) groups: Vec<u64>,
    /// The pairs of words in ids.
    pub(super) pairs: Vec<u64>,
    /// How many values have a sign.
    pub(super) signs: BTreeMap<u8, usize>,
    pub(super) first_words: BTreeMap<u64, usize>,
}

/// What fields of a file are separated by, if it was read as a single column.
const SEPARATORS: &[u8] = b";,|^\t~";

pub(super) fn has_separator(value: &[u8]) -> bool {
    value.iter().any(|byte| SEPARATORS.contains(byte))
}

/// Whether a value holds one separator at least twice, as a row of fields does.
fn is_row(value: &[u8]) -> bool {
    SEPARATORS.iter().any(|of| memchr::memchr_iter(*of, value).nth(1).is_some())
}

/// The signs of ASCII in a value, a bit each.
pub(super) fn signs(value: &[u8]) -> u128 {
    let signs = value.iter().filter(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric());
    signs.fold(0, |all, byte| all | 1 << byte)
}

/// The digest of the word and the sign before a value's number (`Kunde 889316`), never 0.
pub(super) fn first_word(value: &[u8]) -> Option<u64> {
    let len = value.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let is_number = len > 0 && value.get(len + 1..).is_some_and(spreadsheet::is_number);
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    is_number.then(|| value[..=len].iter().fold(0xcbf2_9ce4_8422_2325, fnv) | 1)
}

pub(super) fn length_bit(value: &[u8]) -> u64 {
    1 << value.len().min(63)
}

impl Census {
    pub(super) fn add(&mut self, value: &[u8]) {
        let value = trim(value);
        let value = without_guard(value).unwrap_or(value);
        let plain = personal::plain(value);
        let is_value = !value.is_empty()
            && !is_null_word(value)
            && !spreadsheet::has_exponent(value)
            && !personal::is_raw(&plain);
        if !is_value {
            return;
        }
        self.all += 1;
        self.separated += usize::from(has_separator(value));
        self.rows += usize::from(is_row(value));
        if spreadsheet::whole_of_float(value).is_some() {
            self.floats += 1;
            self.add_signs(value);
            return;
        }
        if spreadsheet::is_number(value) {
            self.numbers += 1;
            self.long.add(value);
            self.leading_zeros += usize::from(value[0] == b'0');
            if matches!(value, [b'0', b'1'..=b'9', ..]) && (10..=12).contains(&value.len()) {
                self.trunks += 1;
                self.trunk_kinds.insert(value[..4].to_vec());
                *self.trunk_lengths.entry(value.len()).or_default() += 1;
            } else {
                *self.number_lengths.entry(value.len().min(63)).or_default() += 1;
            }
            self.ids += 1;
            return;
        }
        self.other_decimals += usize::from(is_decimal(value));
        self.at_signs += usize::from(value.contains(&b'@'));
        self.quotes += usize::from(value.contains(&b'"'));
        self.foreign += usize::from(!value.is_ascii());
        self.uuids += usize::from(value.len() == UUID_BYTES);
        if let Some(word) = first_word(value) {
            *self.first_words.entry(word).or_default() += 1;
        }
        let look = personal::look(&plain);
        if !matches!(look, Look::Words | Look::Phone | Look::Date) {
            self.add_signs(value);
        }
        if look == Look::Other {
            self.pairs.extend(pair(value, &plain));
        }
        match look {
            Look::Word { is_capitalised } => {
                self.words += 1;
                self.capitalised += usize::from(is_capitalised);
            }
            Look::Groups(kind) => {
                self.ids += 1;
                self.groups.push(kind);
            }
            Look::Other if value.iter().any(u8::is_ascii_digit) => {
                self.ids += 1;
                self.prefixed += usize::from(digit_runs(value) == 1);
                self.lengths |= length_bit(value);
            }
            Look::Other | Look::Words | Look::Phone | Look::Date => {}
        }
    }

    fn add_signs(&mut self, value: &[u8]) {
        let signs = signs(value);
        for sign in (0..128).filter(|sign| signs >> sign & 1 != 0) {
            *self.signs.entry(sign).or_default() += 1;
        }
    }

    /// The signs that fewer values than these have.
    pub(super) fn strange(&self, few: usize) -> u128 {
        let known = self.signs.iter().filter(|(_, count)| **count >= few);
        !known.fold(0, |all, (sign, _)| all | 1 << sign)
    }

    /// The word that begins most values.
    pub(super) fn first_word(&self) -> u64 {
        let mut words = self.first_words.iter();
        words.find(|(_, count)| **count * 2 > self.all).map_or(0, |(word, _)| *word)
    }

    /// How many numbers are filled up with zeros, rather than phone numbers.
    pub(super) fn padded(&self) -> usize {
        let is_padded =
            |len: &usize| self.number_lengths.get(len).is_some_and(|count| count * 2 > self.all);
        let trunks = self.trunk_lengths.iter().filter(|(len, _)| is_padded(len));
        self.leading_zeros - self.trunks + trunks.map(|(_, count)| count).sum::<usize>()
    }

    /// The lengths that numbers have, but for what could be phone numbers.
    pub(super) fn lengths_of_numbers(&self) -> u64 {
        self.number_lengths.keys().fold(0, |all, len| all | 1 << len)
    }

    pub(super) fn lengths_of_trunks(&self) -> u64 {
        self.trunk_lengths.keys().fold(0, |all, len| all | 1 << len)
    }

    /// Kinds of numbers in groups of which there are at least so many, and a tenth of all.
    pub(super) fn usual_groups(&self, few: usize) -> [u64; 4] {
        usual(&self.groups, few.max(self.all / 10))
    }

    /// Whether so many ids have pairs of words that another pair says nothing.
    pub(super) fn has_pairs(&self) -> bool {
        !self.pairs.is_empty() && self.pairs.len() * 20 >= self.all
    }
}

/// Those of which there are at least so many.
pub(super) fn usual(kinds: &[u64], few: usize) -> [u64; 4] {
    let mut usual = [0; 4];
    let mut places = usual.iter_mut();
    let mut kinds = kinds.to_vec();
    kinds.sort_unstable();
    for same in kinds.chunk_by(|one, other| one == other) {
        if same.len() >= few
            && let Some(place) = places.next()
        {
            *place = same[0];
        }
    }
    usual
}

/// The pair of words in an id, if it has one.
pub(super) fn pair(value: &[u8], plain: &[u8]) -> Option<u64> {
    if pairs::is_uuid(value) { None } else { pairs::of(plain) }
}

fn digit_runs(value: &[u8]) -> usize {
    value
        .chunk_by(|one, other| one.is_ascii_digit() == other.is_ascii_digit())
        .filter(|run| run[0].is_ascii_digit())
        .count()
}

/// `12.5`, `12,34`: digits on both sides of one point.
fn is_decimal(value: &[u8]) -> bool {
    let mut sides = value.split(|byte| matches!(byte, b'.' | b','));
    let (one, other) = (sides.next(), sides.next());
    one.is_some_and(spreadsheet::is_number)
        && other.is_some_and(spreadsheet::is_number)
        && sides.next().is_none()
        && !spreadsheet::has_thousands(value)
}
