//! Opt-out lists: what was read of each, how many of it are members, and what speaks against one of which nobody is.

use super::aliases::Alias;
use super::form::{Digits, Form};
use super::plan::SourcePlan;
use super::summary::{AudienceSummary, rejects_of};
use super::tally::{SourceTally, Tally};
use crate::audience::{FORGOTTEN_LIST, ListFigures, Rejects};
use crate::config::{AudienceSpec, PrepareConfig, SuppressInput, audience_name};
use crate::figures::count;
use crate::limits::LISTS_MAX;
use crate::quote::OneLine;
use crate::reason::Reason;
use crate::role::Role;
use crate::user_type::UserType;

/// If fewer than one in so many of a list are members, it may be written in another way.
const FEW_PART: u64 = 10;

/// Reasons of rejected values that name nobody.
const NOBODY: [Reason; 5] = [
    Reason::NullWord,
    Reason::RepeatedHeader,
    Reason::HashOfNothing,
    Reason::TrackingLimited,
    Reason::SharedDeviceId,
];

/// The opt-out lists of a run. All files of one pattern are one list.
pub(super) struct Lists {
    names: Vec<String>,
    sources: Vec<Judged>,
}

/// What is needed of a source when it was read.
struct Judged {
    role: Role,
    /// The number of the list that it belongs to.
    list: Option<usize>,
    /// The form of what it has for each audience.
    forms: Vec<(usize, Form, Digits)>,
    /// True if it holds nobody.
    is_empty: bool,
    /// The one type that it is for, if it is a list for one.
    only: Option<UserType>,
}

/// The name of the list that a file belongs to.
fn name(suppress: &SuppressInput) -> String {
    let name = || suppress.input.name().to_string_lossy().into_owned();
    suppress.list.clone().unwrap_or_else(name)
}

/// The names of the lists, in order, each once; files of one list stand one behind the other.
fn names(suppress: &[SuppressInput]) -> Vec<String> {
    let mut names: Vec<String> = suppress.iter().map(name).collect();
    names.dedup();
    names
}

/// The number of the list that each file belongs to, counted from 0.
pub(super) fn numbers(suppress: &[SuppressInput]) -> impl Iterator<Item = usize> {
    let mut last: Option<(usize, String)> = None;
    suppress.iter().map(move |file| {
        let name = name(file);
        let number = match &last {
            None => 0,
            Some((number, before)) => number + usize::from(*before != name),
        };
        last = Some((number, name));
        number
    })
}

impl Lists {
    pub(super) fn new(config: &PrepareConfig, sources: &[SourcePlan]) -> Self {
        let is_list = |source: &SourcePlan| source.role == Role::Suppressed;
        let feeds = |source: &SourcePlan| {
            source.feeds.iter().map(|feed| (feed.audience, feed.form, feed.digits)).collect()
        };
        let type_of = |list: &SuppressInput| {
            let alias = Alias::of(list, &config.audiences).ok().flatten();
            list.user_type.or_else(|| alias.map(Alias::user_type))
        };
        // Lists come first.
        let mut types = config.suppress.iter().map(type_of);
        Self {
            names: names(&config.suppress),
            sources: sources
                .iter()
                .map(|of| Judged {
                    role: of.role,
                    list: is_list(of).then_some(of.list),
                    forms: feeds(of),
                    is_empty: of.empty.is_some(),
                    only: types.next().flatten(),
                })
                .collect(),
        }
    }

    /// Figures of the lists that concern an audience. `hits` says for each list how many of its entries are members.
    pub(super) fn of_audience(
        &self,
        (audience, spec): (usize, &AudienceSpec),
        members: &Tally,
        ingested: &[SourceTally],
        hits: &[u64],
    ) -> Vec<ListFigures> {
        let of_list = |(list, name): (usize, &String)| {
            let is_of_it = |read: &&SourceTally| self.sources[read.source].list == Some(list);
            let (mut sum, mut dropped): (Option<Tally>, u64) = (None, 0);
            for read in ingested.iter().filter(is_of_it) {
                let tally = read.tallies.iter().find(|(of, _)| *of == audience);
                if let Some((_, tally)) = tally {
                    sum.get_or_insert_default().add(tally.clone(), |place| place);
                    dropped += read.dropped.iter().sum::<u64>();
                }
            }
            let sum = sum.or_else(|| self.is_empty(list, spec.user_type).then(Tally::default))?;
            let hits_of = |list| hits.get(list).copied().unwrap_or_default();
            // Those beyond the bound share the last place: if nobody is there, nobody is on any of them.
            let last = LISTS_MAX - 1;
            let is_counted = self.names.len() <= LISTS_MAX || list < last || hits_of(last) == 0;
            let mut figures = ListFigures {
                name: name.clone(),
                read: sum.read,
                dropped,
                blank: sum.blank,
                usable: sum.usable(),
                prehashed: sum.prehashed,
                domains: sum.domains,
                assumed_international: sum.assumed_international,
                bare_domains: sum.bare_domains,
                rejected: sum.rejected(),
                rejects: rejects_of(&sum),
                members: is_counted.then(|| hits_of(list.min(last))),
                suspicion: None,
                doubt: None,
            };
            if figures.is_idle() {
                figures.suspicion = self
                    .suspicion(audience, list, (&sum, members))
                    .or_else(|| self.lost_zeros(audience, list));
            } else if let Some(zeros) = self.lost_zeros(audience, list) {
                figures.doubt = Some(zeros);
            } else if figures.members.is_none_or(|members| members < figures.usable / FEW_PART) {
                figures.doubt = self.doubt(audience, list);
            }
            Some(figures)
        };
        self.names.iter().enumerate().filter_map(of_list).collect()
    }

    /// True if a list holds nobody, and is not for another type.
    fn is_empty(&self, list: usize, user_type: UserType) -> bool {
        let mut of_list = self.sources.iter().filter(|source| source.list == Some(list));
        of_list.all(|of| of.is_empty && of.only.is_none_or(|only| only == user_type))
    }

    /// The likely cause that nobody of a list is a member: it was written in another form.
    fn suspicion(
        &self,
        audience: usize,
        list: usize,
        (read, members): (&Tally, &Tally),
    ) -> Option<String> {
        let is_assumed = |tally: &Tally| tally.assumed_international * 2 > tally.accepted();
        if is_assumed(read) && !is_assumed(members) {
            return Some(
                "its numbers have no prefix and were taken as international, those of the inputs not: \
                 give their country with --country XX"
                    .to_owned(),
            );
        }
        let (of_list, of_members) = self.forms(audience, list);
        if of_list.iter().any(|form| of_members.contains(form)) {
            return None;
        }
        of_list.first()?.suspicion(*of_members.first()?)
    }

    /// The forms of what a list and of what the inputs have for an audience.
    fn forms(&self, audience: usize, list: usize) -> (Vec<Form>, Vec<Form>) {
        let of_audience = |source: &Judged| {
            let form = source.forms.iter().find(|(of, ..)| *of == audience);
            form.map(|(_, form, _)| *form).filter(|form| *form != Form::Unknown)
        };
        let of_list = self.sources.iter().filter(|source| source.list == Some(list));
        let of_inputs = self.sources.iter().filter(|source| source.role == Role::Member);
        (of_list.filter_map(of_audience).collect(), of_inputs.filter_map(of_audience).collect())
    }

    /// What says that the numbers of a list lost the zeros with which those of all inputs begin.
    fn lost_zeros(&self, audience: usize, list: usize) -> Option<String> {
        let of_audience = |source: &Judged| {
            let digits = source.forms.iter().find(|(of, ..)| *of == audience);
            digits.map(|(_, _, digits)| *digits)
        };
        let of_list = self.sources.iter().filter(|source| source.list == Some(list));
        let of_inputs = self.sources.iter().filter(|source| source.role == Role::Member);
        let of_inputs: Vec<Digits> = of_inputs.filter_map(of_audience).collect();
        let first = of_inputs.first().filter(|first| of_inputs.iter().all(|of| of == *first))?;
        of_list.filter_map(of_audience).find_map(|digits| digits.suspicion(*first))
    }

    /// How a list of which somebody is a member differs from the inputs, if one of its files is in a form that none of
    /// these has.
    fn doubt(&self, audience: usize, list: usize) -> Option<String> {
        let (of_list, of_members) = self.forms(audience, list);
        let odd = of_list.iter().find(|form| !of_members.contains(form))?;
        odd.doubt(*of_members.first()?)
    }
}

/// Warnings about lists that hold nobody back, and about members that cannot be held back.
pub(super) fn warnings(audiences: &[AudienceSummary]) -> Vec<String> {
    let all = audiences.iter().flat_map(|of| of.figures.opt_out_lists.iter());
    let has_hits = all.clone().any(|list| list.members > Some(0));
    let mut names: Vec<&str> = Vec::new();
    for list in all {
        if !names.contains(&&*list.name) {
            names.push(&list.name);
        }
    }
    let of_lists = names.into_iter().filter(|name| *name != FORGOTTEN_LIST).flat_map(|name| {
        let of_it: Vec<(&AudienceSummary, &ListFigures)> = audiences
            .iter()
            .flat_map(|of| of.figures.opt_out_lists.iter().map(move |list| (of, list)))
            .filter(|(_, list)| list.name == name)
            .collect();
        let name = OneLine(name).to_string();
        let of_domains = about_domains(&name, &of_it);
        let unreadable = about_unreadable(&name, &of_it, of_domains.is_some());
        [about_nobody(&name, &of_it, has_hits), about_few(&name, &of_it), of_domains, unreadable]
    });
    let of_lists = of_lists.flatten().chain(about_uncounted(audiences));
    of_lists.chain(audiences.iter().filter_map(about_digests)).collect()
}

/// The warning that a list, of which some are members, is written in another form than the inputs.
fn about_few(name: &str, list: &[(&AudienceSummary, &ListFigures)]) -> Option<String> {
    let (audience, of, doubt) =
        list.iter().find_map(|(audience, of)| Some((audience, of, of.doubt.as_ref()?)))?;
    let how_many = of.members.map_or_else(|| "an unknown number".to_owned(), count);
    Some(format!(
        "{how_many} of {} in the opt-out list `{name}` are members of {}, and it differs from the inputs: {doubt}",
        count(of.usable),
        audience_name(&audience.label, audience.user_type),
    ))
}

/// The warning that values of a list cannot be read.
fn about_unreadable(
    name: &str,
    list: &[(&AudienceSummary, &ListFigures)],
    are_domains_told: bool,
) -> Option<String> {
    let is_nobody = |of: &&Rejects| NOBODY.iter().all(|reason| reason.code() != of.reason);
    let unreadable = |of: &ListFigures| {
        let rejected: u64 = of.rejects.iter().filter(is_nobody).map(|of| of.count).sum();
        rejected.saturating_sub(if are_domains_told { of.bare_domains } else { 0 })
    };
    let (_, of) = list.iter().max_by_key(|(_, of)| unreadable(of))?;
    let number = unreadable(of);
    if number == 0 {
        return None;
    }
    let reasons = of.rejects.iter().filter(is_nobody).map(|of| {
        let first = OneLine(&of.first_source);
        format!("{} {} (first at `{first}`, line {})", of.reason, count(of.count), of.first_line)
    });
    Some(format!(
        "{} {} of the opt-out list `{name}` cannot be read, and nobody is held back by {}: {}",
        count(number),
        if number == 1 { "value" } else { "values" },
        if number == 1 { "it" } else { "them" },
        reasons.collect::<Vec<_>>().join(", "),
    ))
}

/// The warning that there are more lists than are told apart.
fn about_uncounted(audiences: &[AudienceSummary]) -> Option<String> {
    let uncounted = |of: &AudienceSummary| {
        of.figures.opt_out_lists.iter().filter(|list| list.members.is_none()).count()
    };
    let number = audiences.iter().map(uncounted).max().filter(|number| *number > 0)?;
    Some(format!(
        "{number} opt-out lists from the {LISTS_MAX}th on are not told apart, so that nobody knows how many of each are members: \
         files of one pattern are one list"
    ))
}

/// The warning that nobody of a list is a member.
fn about_nobody(
    name: &str,
    list: &[(&AudienceSummary, &ListFigures)],
    has_hits: bool,
) -> Option<String> {
    let suspicion = list.iter().find_map(|(audience, of)| Some((audience, of.suspicion.as_ref()?)));
    if let Some((audience, cause)) = suspicion {
        return Some(format!(
            "nobody of the opt-out list `{name}` is a member of {}, and it differs from the inputs: {cause}",
            audience_name(&audience.label, audience.user_type),
        ));
    }
    let has_any = |(_, of): &(&AudienceSummary, &ListFigures)| of.usable > 0 && !of.is_idle();
    let idle = list.iter().map(|(_, of)| of).find(|of| of.is_idle())?;
    if list.iter().any(has_any) {
        return None;
    }
    let others = if has_hits { ", while other lists hold members back" } else { "" };
    let question = if idle.prehashed * 2 > idle.usable {
        "it holds digests: were they made of the normalised values, without salt, and hashed once?"
    } else {
        "is it about the same people, and written as the inputs are?"
    };
    Some(format!(
        "nobody of the opt-out list `{name}` ({} usable) is a member{others}: {question}",
        count(idle.usable)
    ))
}

/// The warning that a list seems to name domains, which hold nobody back as they are written.
fn about_domains(name: &str, list: &[(&AudienceSummary, &ListFigures)]) -> Option<String> {
    // A few are addresses that lack their @.
    let is_told = |of: &&(&AudienceSummary, &ListFigures)| of.1.bare_domains * 50 > of.1.read;
    let number = list.iter().find(is_told)?.1.bare_domains;
    Some(format!(
        "the opt-out list `{name}` has {} {} without an @ that could be a domain, and holds nobody back by it: an @ \
         before it (@rival.example) holds back everybody there",
        count(number),
        if number == 1 { "value" } else { "values" },
    ))
}

/// The warning that members came as digests, while domains opted out.
fn about_digests(audience: &AudienceSummary) -> Option<String> {
    let figures = &audience.figures;
    let has_domains = figures.opt_out_lists.iter().any(|list| list.domains > 0);
    (has_domains && figures.prehashed > 0).then(|| {
        format!(
            "{} values of {} came as digests: nobody can tell whether their domain opted out",
            count(figures.prehashed),
            audience_name(&audience.label, audience.user_type),
        )
    })
}
