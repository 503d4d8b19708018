//! The summary of a run, for a person at a glance.

use std::fmt;

use super::{AudienceRecord, MustGoRecord, SyncRecord};
use crate::figures::{self, row};
use crate::utc::Utc;

impl fmt::Display for SyncRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for audience in &self.audiences {
            writeln!(f, "{}", Funnel { audience, is_dry_run: self.is_dry_run })?;
        }
        let is_described =
            |of: &MustGoRecord| self.audiences.iter().any(|audience| audience.name == of.audience);
        for of in self.must_go.iter().filter(|of| of.entries > 0 && !is_described(of)) {
            writeln!(f, "{}", of.audience)?;
            let note = format!("opted out, but in the audience, as of {}", Utc(of.at));
            row(f, "MUST GO", of.entries, &note)?;
        }
        let what = if self.is_dry_run { "dry run".to_owned() } else { format!("run {}", self.run) };
        let outcome = if self.exit_code == 0 { "done" } else { "not done" };
        write!(f, "{}: {what} {outcome} in {}", self.job, figures::duration(self.seconds()))?;
        if self.retries > 0 {
            write!(f, ", {} retries", self.retries)?;
        }
        if let Some(bytes) = self.peak_memory_bytes {
            write!(f, ", peak memory {}", figures::bytes(bytes))?;
        }
        Ok(())
    }
}

/// The way from what was read to what the audience holds.
struct Funnel<'a> {
    audience: &'a AudienceRecord,
    is_dry_run: bool,
}

impl fmt::Display for Funnel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AudienceRecord { name, user_type, .. } = self.audience;
        write!(f, "{name}")?;
        if name != user_type {
            write!(f, " ({user_type})")?;
        }
        match &self.audience.audience {
            Some(id) => writeln!(f, ", audience {id}")?,
            None => writeln!(f)?,
        }
        let of = self.audience;
        let sets = &of.figures.sets;
        of.figures.write_values(f)?;
        row(f, "opted out", sets.suppressed, "held back")?;
        of.figures.write_lists(f)?;
        if sets.linked > 0 {
            let note = "another identifier of their row opted out: held back, too";
            row(f, "opted out by row", sets.linked, note)?;
        }
        row(f, "already known", sets.known, "")?;
        row(f, "new", sets.written, if self.is_dry_run { "would be uploaded" } else { "" })?;
        row(f, "uploaded", of.entries_sent, &action(of))?;
        let (gone, opted_out) = (of.removed_gone, of.removed_opted_out);
        if gone + opted_out > 0 {
            let note = if self.is_dry_run { "would be taken out" } else { "taken out" };
            row(f, "left", gone, &format!("no longer in the inputs: {note}"))?;
            row(f, "left, opted out", opted_out, note)?;
        }
        let is_told = self.is_dry_run && gone + opted_out > 0;
        if !is_told {
            row(f, "gone", sets.gone, "in the audience, but no longer in the inputs")?;
        }
        if sets.must_go > 0 && !is_told {
            let note = match &of.action[..] {
                "replace" => "opted out, but in the audience until it is replaced and deleted",
                _ => "opted out, but in the audience: build it anew with --replace",
            };
            row(f, "MUST GO", sets.must_go, note)?;
        }
        row(f, "held now", of.held_after, "")?;
        if of.entries_invalid > 0 {
            row(
                f,
                "invalid",
                of.entries_invalid,
                "of these, by what the platform says: nobody is matched by them",
            )?;
        }
        Ok(())
    }
}

fn action(of: &AudienceRecord) -> String {
    match (&of.action[..], &of.replaced) {
        ("create", _) => "a new audience".to_owned(),
        ("replace", Some(replaced)) => format!("a new audience, in the place of {replaced}"),
        ("replace", None) => "a new audience, which is not complete yet".to_owned(),
        _ => String::new(),
    }
}
