//! A summary for a person at a glance.

use std::fmt;

use super::{AudienceSummary, Summary};
use crate::config::audience_name;
use crate::figures::{self, row};
use crate::quote::OneLine;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for audience in &self.audiences {
            writeln!(f, "{audience}")?;
        }
        write!(
            f,
            "wrote {} in {}, {} records/s",
            OneLine(&self.output.to_string_lossy()),
            figures::duration(self.seconds),
            figures::rate(self.records_per_second)
        )?;
        if let Some(bytes) = self.peak_memory_bytes {
            write!(f, ", peak memory {}", figures::bytes(bytes))?;
        }
        if self.spilled_bytes > 0 {
            write!(f, ", {} spilled to disk", figures::bytes(self.spilled_bytes))?;
        }
        Ok(())
    }
}

impl fmt::Display for AudienceSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", audience_name(&self.label, self.user_type))?;
        row(f, "read", self.read, "")?;
        row(f, "blank", self.blank, "")?;
        row(f, "rejected", self.rejected, "")?;
        for reject in &self.rejects {
            let first = format!(
                "{} · first: {}, line {}",
                reject.advice,
                OneLine(&reject.first_source),
                reject.first_line
            );
            row(f, &format!("  {}", reject.reason), reject.count, &first)?;
        }
        row(f, "duplicates", self.duplicates, "")?;
        if self.prehashed > 0 {
            row(f, "hashed already", self.prehashed, "passed on, not hashed again")?;
        }
        if self.assumed_international > 0 {
            let note = "no prefix and no country: taken as international";
            row(f, "assumed international", self.assumed_international, note)?;
        }
        if self.case_changed > 0 {
            let note = "if these ids are case-sensitive they match nobody now: --case keep";
            row(f, "lower-cased", self.case_changed, note)?;
        }
        self.write_sets(f)?;
        let parts = match self.parts.len() {
            1 => "1 part".to_owned(),
            count => format!("{count} parts"),
        };
        row(f, "written", self.written, &parts)
    }
}

impl AudienceSummary {
    fn write_sets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_suppression {
            row(f, "suppressed", self.suppressed, "opted out: held back")?;
        }
        if self.suppression_rejected > 0 {
            let note = "values of the opt-out lists that could not be read: these people are NOT held back";
            row(f, "  unreadable", self.suppression_rejected, note)?;
        }
        if self.has_known {
            row(f, "already known", self.known, "in an earlier result, not written again")?;
            row(f, "gone", self.gone, "in an earlier result, but no longer in the inputs")?;
        }
        if self.must_go > 0 {
            let note = "opted out, but in the live audience: rebuild it without them";
            row(f, "MUST GO", self.must_go, note)?;
        }
        Ok(())
    }
}
