//! Columns beside those that were named, that hold values of the same type: a cell with several values may have been taken
//! apart, and who stands in one of them must not be forgotten in silence.

use super::finder::{Finder, Found};
use super::{Audience, Role};
use crate::config::ColumnSelector;
use crate::dialect::Column;
use crate::normalize::Verdict;
use crate::prepare::form::Form;
use crate::reason::Reason;

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
