//! Wrong files are caught here, before anything is published: a file of the wrong type gives an empty audience, and the
//! API does not say so.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::assumed::{self, Doubt};
use super::notes::Finding;
use super::plan::{Audience, SourcePlan};
use super::tally::SourceTally;
use super::tally::Tally;
use crate::config::{AudienceSpec, MaxRejects, PrepareConfig};
use crate::dialect::Wrapping;
use crate::error::{Error, Result};
use crate::figures::count;
use crate::normalize::{RuleOptions, Shape, Unprefixed};
use crate::quote::Quoted;
use crate::reason::Reason;
use crate::role::Role;
use crate::user_type::UserType;

/// Reasons that a message names.
const REASONS_SHOWN: usize = 4;

/// So many values that must not leave in clear are no sign of a wrong column, however few values there are.
const PERSONAL_FEW: u64 = 2;

/// Judges what was read.
pub(super) struct Judge {
    max_rejects: MaxRejects,
    /// Whether nobody is to be a member.
    lists_alone: bool,
    rules: RuleOptions,
    /// The audiences that are made, and behind them those that take the digests of opt-out lists.
    specs: Vec<AudienceSpec>,
    made: usize,
    sources: Vec<JudgedSource>,
}

/// Facts about a source that are needed when it was read.
struct JudgedSource {
    role: Role,
    path: PathBuf,
    /// Columns that hold something, as messages call them, and what.
    columns: Vec<(String, &'static str)>,
    /// The column that feeds each audience, as messages call it.
    feeds: Vec<(usize, String)>,
    /// True if it is a list of which throng chose the column.
    is_column_chosen: bool,
    /// True if it has columns that feed no audience.
    has_other_columns: bool,
}

/// The tallies of one audience by role.
pub(crate) type RoleTallies = [Tally; Role::ALL.len()];

impl Judge {
    pub(super) fn new(
        config: &PrepareConfig,
        audiences: &[Audience],
        sources: &[SourcePlan],
    ) -> Self {
        let sources = sources.iter().map(|plan| JudgedSource {
            role: plan.role,
            path: plan.source.path.clone(),
            columns: plan.columns.clone(),
            feeds: plan.feeds.iter().map(|feed| (feed.audience, feed.column.to_string())).collect(),
            is_column_chosen: plan.dialect.wrapping() == Wrapping::Field
                && !plan.is_list_column_told,
            has_other_columns: plan.has_other_columns,
        });
        Self {
            max_rejects: config.max_rejects,
            lists_alone: config.lists_alone,
            rules: config.rules,
            made: config.audiences.len(),
            specs: audiences.iter().map(|audience| audience.spec.clone()).collect(),
            sources: sources.collect(),
        }
    }

    /// The tallies of each audience by role, if the inputs are what they are said to be.
    pub(super) fn verdict(&self, ingested: &[SourceTally]) -> Result<Vec<RoleTallies>> {
        let mut sums: Vec<RoleTallies> = vec![RoleTallies::default(); self.specs.len()];
        for read in ingested {
            let source = &self.sources[read.source];
            if source.role == Role::Suppressed && source.is_column_chosen {
                check_chosen(source, read)?;
            }
            for (index, tally) in &read.tallies {
                if source.role == Role::Suppressed {
                    check_suppression(source, &self.specs[*index], tally, self.max_rejects)?;
                    self.check_assumed_of_list(source, tally)?;
                }
                sums[*index][source.role as usize].add(tally.clone(), |place| place);
            }
        }
        let of_digests = sums.split_off(self.made);
        for (spec, tallies) in self.specs[self.made..].iter().zip(of_digests) {
            let is_of_type = |index: &usize| self.specs[*index].user_type == spec.user_type;
            for index in (0..self.made).filter(is_of_type) {
                let listed = tallies[Role::Suppressed as usize].clone();
                sums[index][Role::Suppressed as usize].add(listed, |place| place);
            }
        }
        for (spec, tallies) in self.specs.iter().zip(&sums) {
            self.check_members(spec, &tallies[Role::Member as usize])?;
        }
        self.check_assumed(ingested, &sums)?;
        Ok(sums)
    }

    /// Refuses numbers without prefix and country that are not the international ones that they were taken for: of all inputs
    /// together, and of each.
    fn check_assumed(&self, ingested: &[SourceTally], sums: &[RoleTallies]) -> Result<()> {
        if self.rules.unprefixed != Unprefixed::Auto {
            return Ok(());
        }
        let refuse = |of: String, doubt: &Doubt| {
            Err(Error::WrongFile {
                message: format!("wrong file? {of}{}", doubt.message()),
                hint: Some(doubt.hint()),
                limits: None,
            })
        };
        for tallies in sums {
            if let Some(doubt) = Doubt::of(&tallies[Role::Member as usize]) {
                return refuse(String::new(), &doubt);
            }
        }
        for read in ingested {
            let source = &self.sources[read.source];
            let mut tallies =
                read.tallies.iter().filter(|_| source.role == Role::Member).map(|(_, tally)| tally);
            if let Some(doubt) = tallies.find_map(Doubt::of_part) {
                return refuse(format!("in {}, ", Quoted(&source.path)), &doubt);
            }
        }
        Ok(())
    }

    /// The same of an opt-out list: read as somebody else's numbers it would hold nobody back.
    fn check_assumed_of_list(&self, source: &JudgedSource, tally: &Tally) -> Result<()> {
        let doubt = Doubt::of(tally).filter(|_| self.rules.unprefixed == Unprefixed::Auto);
        let Some(doubt) = doubt else { return Ok(()) };
        Err(Error::WrongFile {
            message: format!(
                "the suppression list {} cannot be relied on: {}",
                Quoted(&source.path),
                doubt.message()
            ),
            hint: Some(doubt.hint()),
            limits: None,
        })
    }

    /// Remarks about inputs that are accepted on the whole.
    pub(super) fn findings(&self, ingested: &[SourceTally]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for read in ingested {
            let source = &self.sources[read.source];
            let odd = &read.oddities;
            if let Some(line) = odd.first_line {
                let text = format!(
                    "{} records have a field that begins with a quote that closes nowhere it could, which was taken for text: the first at line {}",
                    odd.contradicting,
                    line + 1
                );
                findings.push(Finding { path: source.path.clone(), text });
            }
            for (audience, tally) in &read.tallies {
                let of_audience = source.feeds.iter().filter(|(of, _)| of == audience);
                let columns: Vec<&str> = of_audience.map(|(_, column)| &**column).collect();
                let column = columns.join(" and ");
                let spec = &self.specs[*audience];
                let mut found = |text| findings.push(Finding { path: source.path.clone(), text });
                if !source.role.is_earlier() && tally.raw > 0 && tally.prehashed > 0 {
                    found(format!("column {column} mixes raw values and digests for {spec}"));
                }
                if let Some((separator, count)) =
                    tally.separator().filter(|_| !source.role.is_earlier())
                {
                    let cells = if count == 1 {
                        "1 cell holds".to_owned()
                    } else {
                        format!("{count} cells hold")
                    };
                    found(format!(
                        "{cells} several values in column {column}: --split '{separator}' takes each of them"
                    ));
                }
                if source.role == Role::Suppressed && tally.assumed_international > 0 {
                    found(format!(
                        "{} of its phone numbers have neither a prefix nor a country, and were taken as international",
                        tally.assumed_international
                    ));
                }
                if source.role == Role::Member && tally.values() > 0 && tally.accepted() == 0 {
                    found(format!("nothing in it can be used as {spec}"));
                }
            }
        }
        findings
    }

    /// Warnings about opt-out lists with rows that have nothing in the columns that were chosen: whoever they name in another
    /// one is not held back.
    pub(super) fn warnings(&self, ingested: &[SourceTally]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for read in ingested {
            let source = &self.sources[read.source];
            let is_chosen = source.role == Role::Suppressed && source.is_column_chosen;
            if !is_chosen || !source.has_other_columns {
                continue;
            }
            let filled_of = |of: UserType| {
                let is_of_type = |(index, _): &&(usize, Tally)| self.specs[*index].user_type == of;
                let tallies = read.tallies.iter().filter(is_of_type);
                tallies.map(|(_, tally)| tally.read - tally.blank).max().unwrap_or(0)
            };
            let filled: u64 = UserType::ALL.into_iter().map(filled_of).sum();
            let rows = read.records - read.dropped.iter().sum::<u64>();
            let blank = rows.saturating_sub(filled);
            if blank == 0 || !self.max_rejects.is_exceeded(blank, rows) {
                continue;
            }
            let mut columns: Vec<&str> = source.feeds.iter().map(|(_, of)| &**of).collect();
            columns.sort_unstable();
            columns.dedup();
            let text = format!(
                "{} of {} rows of this opt-out list have nothing in column {}: whoever stands in another column of them is NOT held back; if one is meant, --suppress-column",
                count(blank),
                count(rows),
                columns.join(" and "),
            );
            findings.push(Finding { path: source.path.clone(), text });
        }
        findings
    }

    fn check_members(&self, spec: &AudienceSpec, tally: &Tally) -> Result<()> {
        let values = tally.values();
        if self.lists_alone {
            return Ok(());
        }
        if values == 0 {
            let message = format!(
                "the inputs hold no values for {spec}: {} records, {} of them blank",
                tally.read, tally.blank
            );
            return Err(Error::WrongFile { message, hint: None, limits: None });
        }
        let personal = tally.rejected_as(Reason::RawPersonalData);
        let mut limits = None;
        let message = if tally.accepted() == 0 {
            format!(
                "wrong file? nothing in the inputs can be used as {spec}: {} records, {} of them blank",
                tally.read, tally.blank
            )
        } else if self.max_rejects.is_exceeded(tally.suspicious(), values) {
            limits = Some((self.max_rejects, MaxRejects::that_allows(tally.suspicious(), values)));
            format!(
                "wrong file? {} of {values} values were rejected for {spec}, more than --max-rejects {} allows",
                tally.suspicious(),
                self.max_rejects,
            )
        } else if personal > PERSONAL_FEW
            && self.max_rejects.on_personal_data().is_exceeded(personal, values)
        {
            format!(
                "wrong column? {personal} of {values} values for {spec} hold e-mail addresses or phone numbers"
            )
        } else {
            return Ok(());
        };
        Err(Error::WrongFile {
            message: message + &reasons(tally),
            hint: Some(self.hint(spec, tally)),
            limits,
        })
    }

    /// A hint: what follows from the reason, or else the look of the rejected values; and where values of the type are
    /// instead.
    fn hint(&self, spec: &AudienceSpec, tally: &Tally) -> String {
        let most = tally.most_suspicious();
        let countries = match self.rules.country {
            None if spec.user_type == UserType::PhoneHash => assumed::countries_of_rejected(tally),
            _ => Vec::new(),
        };
        if most == Some(Reason::NationalNumber) || !countries.is_empty() {
            return assumed::country_hint(&countries);
        }
        if let (Some(Reason::SeveralAtSigns | Reason::SeveralValues), Some((separator, _))) =
            (most, tally.separator())
        {
            return format!(
                "these cells hold several values: --split '{separator}' takes each of them"
            );
        }
        let shape = tally.usual_shape();
        let look = shape.and_then(|shape| look(shape, spec.user_type));
        let is_telling = most == Some(Reason::RawPersonalData)
            || shape.is_some_and(|shape| shape.remedy().is_some());
        let first = match (most.and_then(remedy), look) {
            (Some(_), Some(look)) if is_telling => Some(look),
            (Some(remedy), _) => Some(remedy.to_owned()),
            (None, look) => look,
        };
        let mut hints: Vec<String> = first.into_iter().collect();
        hints.extend(self.other_columns(spec));
        if let Some(reason) = most.filter(|_| hints.is_empty()) {
            let (code, advice) = (reason.code(), reason.advice());
            hints.push(format!("{code} means: {advice}; --rejects FILE lists them"));
        }
        hints.join("; ")
    }

    /// Columns beside the one that was read: those that hold what is wanted, or else all that hold something.
    fn other_columns(&self, spec: &AudienceSpec) -> Vec<String> {
        let Some(source) = self.sources.iter().find(|source| source.role == Role::Member) else {
            return Vec::new();
        };
        let is_own = |column: &str| {
            let number = |column: &str| column.split(' ').next().map(str::to_owned);
            source.feeds.iter().any(|(audience, own)| {
                self.specs[*audience].label == spec.label && number(own) == number(column)
            })
        };
        let wanted = Shape::of_type(spec.user_type);
        let others = || source.columns.iter().filter(|(column, _)| !is_own(column));
        let has_fitting = others().any(|(_, what)| Some(*what) == wanted);
        let shown = others().filter(|(_, what)| !has_fitting || Some(*what) == wanted);
        shown.map(|(column, what)| format!("column {column} holds {what}")).collect()
    }
}

/// What values of a shape look like, and what to do about it.
fn look(shape: Shape, user_type: UserType) -> Option<String> {
    let (what, fitting) = shape.describe()?;
    let look = format!("these look like {what}");
    Some(match (shape.remedy(), fitting) {
        (Some(remedy), _) => format!("{look}: {remedy}"),
        (None, Some(fitting)) if fitting != user_type => format!("{look}: --user-type {fitting}?"),
        (None, _) => look,
    })
}

/// What to do about a reason, where that follows from it.
const fn remedy(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::RawPersonalData => {
            "name the column of ids with --column; addresses and numbers are hashed with --user-type email_hash or phone_hash"
        }
        Reason::LooksPersonal => {
            "these look like names, addresses, dates or phone numbers: name the column of ids with --column; if they are ids, --ids any"
        }
        Reason::HoldsSeparator => {
            "these look like whole rows: say what separates the fields with --delimiter; if they are ids, --ids any"
        }
        Reason::RowWidth => {
            "mend these rows; --ragged takes them as they are, which is right only if fields are missing or too many at their ends: else values are a column apart"
        }
        Reason::StrayQuote | Reason::MergedRows => {
            "mend these rows, or say how the file is quoted with --quotes"
        }
        Reason::UnknownCountry => {
            "countries are two or three letters (ISO 3166) or names (DE, DEU, Germany): mend these, or name another column with --country-column"
        }
        Reason::SpreadsheetNumber => "export the column as text: a spreadsheet has lost its digits",
        Reason::MixedFloats => {
            "export the ids as whole numbers or as text: some end in .0, others do not"
        }
        Reason::AlreadyHashed => {
            "these are digests: --user-type email_hash or phone_hash passes them on"
        }
        _ => return None,
    })
}

/// Refuses a list with rows of which nothing is a value: the people in them opted out, and are named in another column.
fn check_chosen(source: &JudgedSource, read: &SourceTally) -> Result<()> {
    let of_all =
        |count: fn(&Tally) -> u64| read.tallies.iter().map(|(_, tally)| count(tally)).sum();
    let (values, blank): (u64, u64) = (of_all(Tally::values), of_all(|tally| tally.blank));
    let Some((_, column)) = source.feeds.first().filter(|_| values == 0 && blank > 0) else {
        return Ok(());
    };
    let path = Quoted(&source.path);
    Err(Error::WrongFile {
        message: format!(
            "the suppression list {path} cannot be relied on: column {column} is blank in all its rows"
        ),
        hint: Some("name the column with --suppress-column".to_owned()),
        limits: None,
    })
}

fn check_suppression(
    source: &JudgedSource,
    spec: &AudienceSpec,
    tally: &Tally,
    max_rejects: MaxRejects,
) -> Result<()> {
    let values = tally.values();
    let most = tally.most_suspicious();
    let hint = if tally.bare_domains * 2 > tally.rejected() {
        "these are names of domains: an @ before each (@rival.example) holds back everybody there"
    } else if most == Some(Reason::MalformedHash) && spec.user_type.is_hashed() {
        "if it holds MD5 or SHA-1 digests of normalised values, say so: --suppress md5=FILE, --suppress sha1=FILE"
    } else {
        "name its column with --suppress-column, or its type with --suppress TYPE=FILE"
    };
    let is_other = tally.usable() == 0 || tally.suspicious() * 2 > values;
    let is_exceeded = max_rejects.is_exceeded(tally.suspicious(), values);
    if values > 0 && (is_other || is_exceeded) {
        let allowed = if is_other {
            String::new()
        } else {
            format!(", more than --max-rejects {max_rejects} allows")
        };
        let enough = || MaxRejects::that_allows(tally.suspicious(), values);
        return Err(Error::WrongFile {
            message: format!(
                "the suppression list {} cannot be relied on: {} of {values} values were rejected for {spec}{allowed}{}",
                Quoted(&source.path),
                tally.suspicious(),
                reasons(tally),
            ),
            hint: Some(hint.to_owned()),
            limits: (!is_other).then(|| (max_rejects, enough())),
        });
    }
    Ok(())
}

/// The frequent reasons, each with its first place.
fn reasons(tally: &Tally) -> String {
    let mut text = String::new();
    for (reason, count, first) in tally.reasons().take(REASONS_SHOWN) {
        let separator = if text.is_empty() { ": " } else { ", " };
        let _infallible = write!(
            text,
            "{separator}{} {count} (first at {}, line {})",
            reason.code(),
            Quoted(&first.path),
            first.line
        );
    }
    text
}
