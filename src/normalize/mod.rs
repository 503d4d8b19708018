//! From what customers typed to what the platform compares: user type -> rule -> canonical bytes, or a reason.
//!
//! A rejected value is never repaired into something that could be somebody else's identifier.

mod batch;
mod census;
mod clear;
mod column;
mod country;
mod domain;
mod email;
mod meant;
mod options;
mod pairs;
mod personal;
mod phone;
mod plain;
mod prehashed;
mod shape;
mod spreadsheet;
mod verdict;

use self::batch::{push, run};
use self::clear::{Decimals, FbidColumn, ThirdPartyRule};
use self::column::Column;
use self::email::EmailRule;
use self::phone::PhoneRule;
use self::spreadsheet::LongNumbers;
pub use crate::dialect::Wrapping;
use crate::hash::{self, Kernel, ListDigest};
use crate::trim::trim;

pub use self::clear::{Case, Ids};
pub use self::column::Surroundings;
pub use self::country::Country;
pub(crate) use self::domain::is_bare as is_bare_domain;
pub use self::email::Idn;
#[doc(hidden)]
pub use self::meant::{Reading, may_be_identifier};
pub use self::options::RuleOptions;
#[cfg(any(test, fuzzing))]
pub(crate) use self::phone::plan_answers;
#[doc(hidden)]
pub use self::phone::{AssumedNumber, Fit, countries_of};
pub use self::phone::{Unprefixed, Vanity};
pub use self::prehashed::Prehashed;
pub use self::shape::Shape;
#[doc(hidden)]
pub use self::verdict::{Canonical, Note, Value, Verdict};
pub use crate::reason::Reason;
pub use crate::user_type::UserType;

#[derive(Debug)]
enum Rule {
    Email(EmailRule),
    Phone(PhoneRule),
    Fbid(Ids, FbidColumn),
    ThirdParty(ThirdPartyRule, Ids),
    /// The last says whether Android ids are taken.
    MobileAdvertiserId(Ids, Decimals, bool),
    ListDigest(ListDigest),
}

/// The rule of one user type, ready to use.
#[derive(Debug)]
pub struct Normalizer {
    rule: Rule,
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only kernels of x86-64 use it")
    )]
    kernel: Kernel,
}

impl Normalizer {
    /// Makes the rule of a user type.
    pub fn new(user_type: UserType, options: RuleOptions) -> Self {
        let rule = match user_type {
            UserType::EmailHash => Rule::Email(EmailRule::new(options.prehashed, options.idn)),
            UserType::PhoneHash => Rule::Phone(PhoneRule::new(options)),
            UserType::Fbid => Rule::Fbid(options.ids, FbidColumn::default()),
            UserType::CustomAudienceThirdPartyId => {
                let rule = ThirdPartyRule { case: options.case, column: Column::default() };
                Rule::ThirdParty(rule, options.ids)
            }
            UserType::MobileAdvertiserId => {
                let takes_android_ids = !options.refuses_android_ids;
                Rule::MobileAdvertiserId(options.ids, Decimals::Take, takes_android_ids)
            }
        };
        Self { rule, kernel: Kernel::default() }
    }

    /// The same rule for an opt-out list, which may name domains (`@rival.example`) among addresses.
    #[must_use]
    #[doc(hidden)]
    pub fn for_opt_outs(self) -> Self {
        let rule = match self.rule {
            Rule::Email(rule) => Rule::Email(EmailRule { takes_domains: true, ..rule }),
            // Whoever opted out by one must not be lost.
            Rule::MobileAdvertiserId(ids, decimals, _) => {
                Rule::MobileAdvertiserId(ids, decimals, true)
            }
            other => other,
        };
        Self { rule, ..self }
    }

    /// Makes the rule of opt-out lists of other digests than SHA-256: hex digits of either case. What it makes of one is
    /// the digest itself, with zeros behind it.
    #[doc(hidden)]
    pub fn of_digests(digest: ListDigest) -> Self {
        Self { rule: Rule::ListDigest(digest), kernel: Kernel::default() }
    }

    /// The same rule on another kernel. The results are the same.
    #[must_use]
    #[doc(hidden)]
    pub fn on(self, kernel: Kernel) -> Self {
        Self { kernel, ..self }
    }

    /// The rule for values that throng wrote: they are taken as they are.
    #[must_use]
    #[doc(hidden)]
    pub fn as_written(mut self) -> Self {
        if let Rule::MobileAdvertiserId(_, _, takes_android_ids) = &mut self.rule {
            *takes_android_ids = true;
        }
        if let Rule::ThirdParty(rule, _) = &mut self.rule {
            rule.case = Case::Keep;
            rule.column = Column::as_written();
        }
        self
    }

    /// The rule for ids of one's own that throng wrote by other options for the letter case; `None` for other types.
    #[must_use]
    #[doc(hidden)]
    pub fn of_written_ids(&self) -> Option<Self> {
        let Rule::ThirdParty(rule, ids) = &self.rule else { return None };
        let rule = ThirdPartyRule { column: Column::as_written(), ..*rule };
        Some(Self { rule: Rule::ThirdParty(rule, *ids), kernel: self.kernel })
    }

    /// The rule for one column, of which some values are at hand; `None` if it is like that for any other.
    #[doc(hidden)]
    pub fn of_column<'a>(
        &self,
        sample: impl Iterator<Item = &'a [u8]>,
        around: Surroundings<'_>,
    ) -> Option<Self> {
        let rule = match &self.rule {
            Rule::ThirdParty(rule, ids) => {
                let column = Column::of_sample(sample, around, *ids == Ids::Checked);
                Rule::ThirdParty(ThirdPartyRule { column, ..*rule }, *ids)
            }
            Rule::Fbid(Ids::Checked, _) if around.is_member => {
                let mut numbers = LongNumbers::default();
                sample.for_each(|value| numbers.add(trim(value)));
                let column = FbidColumn {
                    refuses_phones: column::is_called_phone(around),
                    is_rounded: numbers.are_rounded(),
                };
                Rule::Fbid(Ids::Checked, column)
            }
            Rule::MobileAdvertiserId(Ids::Checked, _, takes) if around.is_member => {
                Rule::MobileAdvertiserId(Ids::Checked, Decimals::of_sample(sample), *takes)
            }
            _ => return None,
        };
        Some(Self { rule, kernel: self.kernel })
    }

    /// The same rule, that also holds values against what another column of the audience holds, if that one has far more of
    /// them: in few values anything is usual. `None` if it is no such column.
    #[doc(hidden)]
    pub fn held_against(&self, usual: &Self) -> Option<Self> {
        let (Rule::ThirdParty(own, ids), Rule::ThirdParty(usual, _)) = (&self.rule, &usual.rule)
        else {
            return None;
        };
        let column = own.column.held_against(&usual.column)?;
        let rule = Rule::ThirdParty(ThirdPartyRule { column, ..*own }, *ids);
        Some(Self { rule, kernel: self.kernel })
    }

    /// How many values of its column are known, if it is a rule for one column.
    #[doc(hidden)]
    pub fn known_values(&self) -> usize {
        match &self.rule {
            Rule::ThirdParty(rule, _) => rule.column.known_values(),
            _ => 0,
        }
    }

    /// Normalises a batch: appends to `canonical`, and tells `on_verdict` each value's index, bytes and verdict.
    #[doc(hidden)]
    pub fn batch<'a>(
        &self,
        wrapping: Wrapping,
        values: impl Iterator<Item = Value<'a>>,
        canonical: &mut Canonical,
        on_verdict: impl FnMut(usize, &'a [u8], Verdict),
    ) {
        match &self.rule {
            #[cfg(target_arch = "x86_64")]
            Rule::Email(rule) if rule.takes_plain() && self.kernel.has_avx512() => {
                let push_other = |bytes: &_, country, canonical: &mut _| {
                    push(wrapping, bytes, country, canonical, |v, _, out| rule.apply(v, out))
                };
                let is_other = |bytes: &_| rule.may_be_pattern(bytes);
                plain::run(self.kernel, values, canonical, on_verdict, is_other, push_other);
            }
            Rule::Email(rule) => {
                run(wrapping, values, canonical, on_verdict, |v, _, out| rule.apply(v, out));
            }
            Rule::Phone(rule) => {
                run(wrapping, values, canonical, on_verdict, |v, c, out| rule.apply(v, c, out));
            }
            Rule::Fbid(_, column) => {
                run(wrapping, values, canonical, on_verdict, |v, _, out| {
                    clear::fbid(*column, v, out)
                });
            }
            Rule::ListDigest(digest) => {
                run(wrapping, values, canonical, on_verdict, |v, _, _| {
                    prehashed::of_list(*digest, v)
                });
            }
            // Quotes may belong to a third-party id.
            Rule::ThirdParty(rule, _) => {
                run(Wrapping::Field, values, canonical, on_verdict, |v, _, out| rule.apply(v, out));
            }
            Rule::MobileAdvertiserId(_, decimals, true) => {
                run(wrapping, values, canonical, on_verdict, |v, _, out| {
                    clear::mobile_advertiser_id(*decimals, v, out)
                });
            }
            Rule::MobileAdvertiserId(_, decimals, false) => {
                run(wrapping, values, canonical, on_verdict, |v, _, out| {
                    clear::advertising_id(*decimals, v, out)
                });
            }
        }
    }

    /// Normalises one value; its canonical form is appended to `out`.
    #[doc(hidden)]
    pub fn one(&self, wrapping: Wrapping, value: Value<'_>, out: &mut Vec<u8>) -> Verdict {
        let mut canonical = Canonical::default();
        let mut verdict = Verdict::Blank;
        self.batch(wrapping, std::iter::once(value), &mut canonical, |_, _, v| verdict = v);
        canonical.messages.iter().for_each(|message| out.extend_from_slice(message));
        out.extend_from_slice(canonical.domains.trim_ascii_end());
        verdict
    }
}

impl Normalizer {
    /// What an upload file holds for one value: its SHA-256 in hex, or the clear id. `None` if the value is blank.
    ///
    /// ```
    /// use throng::normalize::{Normalizer, Reason, RuleOptions, UserType};
    ///
    /// let rule = Normalizer::new(UserType::EmailHash, RuleOptions::default());
    /// let digest = "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79";
    /// assert_eq!(rule.entry(" Mary@Example.com"), Ok(Some(digest.to_owned())));
    /// assert_eq!(rule.entry(digest), Ok(Some(digest.to_owned())));
    /// assert_eq!(rule.entry("mary at example.com"), Err(Reason::NoAtSign));
    /// assert_eq!(rule.entry("  "), Ok(None));
    ///
    /// let options = RuleOptions { country: Some("NZ".parse()?), ..RuleOptions::default() };
    /// let rule = Normalizer::new(UserType::PhoneHash, options);
    /// assert_eq!(rule.entry("021 123 4567"), rule.entry("+64 21 123 4567"));
    /// # Ok::<(), String>(())
    /// ```
    pub fn entry(&self, value: impl AsRef<[u8]>) -> Result<Option<String>, Reason> {
        let mut canonical = Vec::new();
        let value = Value { bytes: Ok(value.as_ref()), country: None };
        match self.one(Wrapping::Field, value, &mut canonical) {
            Verdict::Blank => Ok(None),
            Verdict::Rejected(reason) => Err(reason),
            // Rules for opt-out lists are not made from outside.
            Verdict::Domain => Err(Reason::BadLocalPart),
            Verdict::Prehashed(digest) => Ok(Some(const_hex::encode(digest))),
            Verdict::Raw(_) if self.is_hashed() => {
                Ok(Some(const_hex::encode(hash::digest(&canonical))))
            }
            Verdict::Raw(_) => Ok(Some(String::from_utf8_lossy(&canonical).into_owned())),
        }
    }

    pub(crate) fn is_hashed(&self) -> bool {
        matches!(self.rule, Rule::Email(_) | Rule::Phone(_))
    }
}
