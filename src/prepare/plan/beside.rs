//! Columns beside those that were named, that hold values of the same type: a cell with several values may have been taken
//! apart, and who stands in one of them must not be forgotten in silence.

use std::collections::BTreeSet;

use super::finder::{Finder, Found};
use super::{Audience, Role};
use crate::config::ColumnSelector;
use crate::dialect::Column;
use crate::normalize::{Shape, Verdict};
use crate::prepare::form::Form;
use crate::reason::Reason;
use crate::trim::trim;
use crate::user_type::UserType;

impl Finder<'_> {
    /// Columns of an opt-out list without a header beside the one that was told by its number. As it has no names, nothing
    /// says that they are about somebody else: whoever is in any of them opted out.
    pub(super) fn others_of_told(&self, audience: &Audience, told: &[Found]) -> Vec<Found> {
        let is_by_number = matches!(self.list_column, Some(ColumnSelector::Number(_)));
        if self.role != Role::Suppressed || !is_by_number || self.has_header_above(audience, told) {
            return Vec::new();
        }
        let found = |index| Found { index, is_named: false, is_guess: true };
        // Numbers may be anything, such as dates.
        let user_type = audience.spec.user_type;
        let is_telling = |index: &usize| {
            user_type.is_hashed()
                || matches!(Form::of(user_type, self.table.cells(*index)), Form::Uuid | Form::Hex)
        };
        self.others_like(audience, told).into_iter().filter(is_telling).map(found).collect()
    }

    /// Columns of an opt-out list beside those that the inputs name, or that were found by their values: who is in any of
    /// them opted out, whatever it is called.
    pub(super) fn others_of_list(&self, audience: &Audience, own: &[Found]) -> Vec<Found> {
        let user_type = audience.spec.user_type;
        if self.role != Role::Suppressed || self.list_column.is_some() || !user_type.has_form() {
            return Vec::new();
        }
        let blank: Vec<usize> = self.blank().collect();
        let is_readable =
            |index: usize| self.columns.is_none_or(|of| of.check_column(index).is_ok());
        let is_meant = |index: &usize| {
            own.iter().all(|of| of.index != *index)
                && (self.is_called_like(*index, user_type) && self.fits(audience, *index)
                    || self.is_called_just(*index, user_type) && blank.contains(index)
                    || self.is_of_people(audience, own, *index) && is_readable(*index))
        };
        let found = |index| Found { index, is_named: false, is_guess: true };
        (0..self.table.width()).filter(is_meant).map(found).collect()
    }

    /// Says whether the values of a column can be nothing but identifiers of an audience's type, whatever it is called.
    /// Digests of addresses look like those of numbers; and what is a number without a prefix may be a date or a customer's.
    fn is_of_people(&self, audience: &Audience, own: &[Found], index: usize) -> bool {
        let user_type = audience.spec.user_type;
        let form = |index| Form::of(user_type, self.table.cells(index).skip(self.first_row()));
        let is_called_otherwise = || {
            UserType::ALL.into_iter().any(|of| of != user_type && self.is_called_like(index, of))
        };
        self.fits(audience, index)
            && match form(index) {
                _ if audience.digest.is_some() => !is_called_otherwise(),
                // Whole domains only where somebody said so: a column may say at whose an address is.
                Form::Plain => !self.has_domains(audience, index),
                Form::International => true,
                Form::Digest | Form::Uuid => !is_called_otherwise(),
                of @ (Form::National | Form::Unprefixed) => {
                    own.iter().any(|own| form(own.index) == of)
                        && !is_called_otherwise()
                        && self.is_of_different_people(index)
                        && self.is_all_numbers(audience, index)
                }
                _ => false,
            }
    }

    fn has_domains(&self, audience: &Audience, index: usize) -> bool {
        let mut cells = self.table.cells(index).skip(self.first_row());
        cells.any(|cell| matches!(self.judge(audience, cell), Verdict::Domain))
    }

    /// Says whether a column has nothing but phone numbers, which are written as such.
    fn is_all_numbers(&self, audience: &Audience, index: usize) -> bool {
        let mut cells = self.table.cells(index).skip(self.first_row());
        cells.all(|cell| match self.judge(audience, cell) {
            Verdict::Raw(_) => Shape::of(trim(cell)) == Shape::Phone,
            Verdict::Blank => true,
            _ => false,
        })
    }

    /// Whether there are columns that are not read, and one that must be if the type of digests was not said.
    pub(super) fn unread(
        &self,
        audiences: &[Audience],
        found: &[(usize, Found)],
        only: Option<UserType>,
    ) -> (bool, Option<(String, UserType)>) {
        let read: BTreeSet<usize> = found.iter().map(|(_, found)| found.index).collect();
        let digests = self.unread_digests(audiences, &read).filter(|_| only.is_none());
        (read.len() < self.table.width(), digests)
    }

    /// A column of a list of digests beside those that are read that has such digests, too, and is called like another type:
    /// whoever is in it alone would not be held back.
    fn unread_digests(
        &self,
        audiences: &[Audience],
        read: &BTreeSet<usize>,
    ) -> Option<(String, UserType)> {
        let [audience] = audiences else { return None };
        if audience.digest.is_none() || self.list_column.is_some() {
            return None;
        }
        let other = |index: usize| {
            let mut types = [UserType::EmailHash, UserType::PhoneHash].into_iter();
            let is_other =
                |of: &UserType| *of != audience.spec.user_type && self.is_called_like(index, *of);
            types.find(is_other).map(|of| (self.describe(index), of))
        };
        let unread = (0..self.table.width()).filter(|index| !read.contains(index));
        unread.filter(|index| self.fits(audience, *index)).find_map(other)
    }

    /// The warning that an opt-out list has nothing for an audience.
    pub(super) fn lacking(&self, audience: &Audience, read: &[(usize, Found)]) -> String {
        let shape_of = |index: usize| {
            let mut cells = self.table.cells(index).skip(self.first_row()).map(trim);
            let first = cells.find(|cell| !cell.is_empty()).map(Shape::of)?;
            let is_read = read.iter().any(|(_, of)| of.index == index);
            Some((index, first)).filter(|_| !is_read && audience.spec.user_type.is_hashed())
        };
        let digests = (0..self.table.width()).filter_map(shape_of).find_map(|(index, shape)| {
            let (what, flag) = match shape {
                Shape::Md5 => ("MD5", "--suppress md5=FILE"),
                Shape::Sha1 => ("SHA-1", "--suppress sha1=FILE"),
                _ => return None,
            };
            let column = self.describe(index);
            Some(format!("; if column {column} holds {what} digests of them, say so: {flag}"))
        });
        let spec = &audience.spec;
        let digests = digests.unwrap_or_default();
        format!("no column holds {spec}: nobody is held back there by it{digests}")
    }

    /// A note on columns that hold values for an audience, too, and that nobody reads.
    pub(super) fn unread_note(
        &self,
        audience: &Audience,
        own: &[Found],
        read: &[(usize, Found)],
    ) -> Option<String> {
        let is_told = match self.role {
            Role::Suppressed => self.list_column.is_some(),
            // Where columns have names, they were chosen by these.
            Role::Member => {
                !own.iter().any(|of| of.is_named) && !self.has_header_above(audience, own)
            }
            Role::Known | Role::Unconfirmed => false,
        };
        let others = if is_told { self.others_like(audience, own) } else { Vec::new() };
        let is_read = |index: &usize| read.iter().any(|(_, of)| of.index == *index);
        let index = others.into_iter().find(|index| !is_read(index))?;
        let name = self.table.header(index).filter(|_| self.has_header_above(audience, own));
        let column = Column { index, name };
        let consequence = match self.role {
            Role::Suppressed => "nobody is held back by it",
            _ => {
                "it is not read: name it with --column as well, or --split cells with several values"
            }
        };
        Some(format!(
            "column {column} holds values for {} as well, and {consequence}",
            audience.spec
        ))
    }

    /// Columns whose values are of an audience's type and form, as those of its own columns are.
    fn others_like(&self, audience: &Audience, own: &[Found]) -> Vec<usize> {
        let user_type = audience.spec.user_type;
        let form = |index| Form::of(user_type, self.table.cells(index));
        let Some(of_first) = own.first().map(|first| form(first.index)) else { return Vec::new() };
        if matches!(of_first, Form::Unknown | Form::Word) {
            return Vec::new();
        }
        let is_other = |index: &usize| {
            own.iter().all(|of| of.index != *index)
                && self.holds(audience, *index)
                && form(*index) == of_first
        };
        (0..self.table.width()).filter(is_other).collect()
    }

    /// Whether most values of a column are accepted, a header counting as one that is not.
    fn holds(&self, audience: &Audience, index: usize) -> bool {
        let (mut accepted, mut rejected) = (0_usize, 0_usize);
        for cell in self.table.cells(index) {
            match self.judge(audience, cell) {
                Verdict::Raw(_) | Verdict::Prehashed(_) | Verdict::Domain => accepted += 1,
                Verdict::Rejected(Reason::NullWord | Reason::TrackingLimited) | Verdict::Blank => {}
                Verdict::Rejected(_) => rejected += 1,
            }
        }
        accepted > 0 && accepted >= rejected
    }

    /// Whether a column begins with something that is no value.
    fn has_header_above(&self, audience: &Audience, own: &[Found]) -> bool {
        let first = own.first().and_then(|of| self.table.cells(of.index).next());
        let is_value = first.is_some_and(|cell| {
            matches!(
                self.judge(audience, cell),
                Verdict::Raw(_) | Verdict::Prehashed(_) | Verdict::Domain | Verdict::Blank
            )
        });
        self.has_names() || !is_value
    }
}
