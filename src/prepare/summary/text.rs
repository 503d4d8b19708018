//! A summary for a person at a glance.

use std::fmt;

use super::{AudienceSummary, Summary};
use crate::config::audience_name;
use crate::emit::DroppedRows;
use crate::figures::{self, row};
use crate::quote::OneLine;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.dropped.is_empty() {
            writeln!(f, "rows that --where drops")?;
            for DroppedRows { condition, rows } in &self.dropped {
                row(f, &OneLine(condition).to_string(), *rows, "")?;
            }
            writeln!(f)?;
        }
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
        let figures = &self.figures;
        figures.write_values(f)?;
        if figures.prehashed > 0 {
            row(f, "hashed already", figures.prehashed, "passed on, not hashed again")?;
        }
        if figures.assumed_international > 0 {
            let note = "no prefix and no country: taken as international";
            row(f, "assumed international", figures.assumed_international, note)?;
        }
        if figures.case_changed > 0 {
            let note = "if these ids are case-sensitive they match nobody now: --case keep";
            row(f, "lower-cased", figures.case_changed, note)?;
        }
        if figures.unguarded > 0 {
            let note = "a spreadsheet's guard was taken off: ' in front, or =\"...\"";
            row(f, "unguarded", figures.unguarded, note)?;
        }
        if figures.floats > 0 {
            row(f, "without .0", figures.floats, "exported as floating point numbers")?;
        }
        self.write_sets(f)?;
        let parts = match self.parts.len() {
            1 => "1 part".to_owned(),
            count => format!("{count} parts"),
        };
        row(f, "written", figures.sets.written, &parts)
    }
}

impl AudienceSummary {
    fn write_sets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets = &self.figures.sets;
        if self.has_suppression {
            row(f, "suppressed", sets.suppressed, "opted out: held back")?;
        }
        self.figures.write_lists(f)?;
        if self.is_linked {
            let note = "another identifier of their row opted out: held back, too";
            row(f, "suppressed by row", sets.linked, note)?;
        }
        if self.has_known {
            row(f, "already known", sets.known, "in an earlier result, not written again")?;
            row(f, "gone", sets.gone, "in an earlier result, but no longer in the inputs")?;
        }
        if sets.must_go > 0 {
            let note = "opted out, but in the live audience: rebuild it without them";
            row(f, "MUST GO", sets.must_go, note)?;
        }
        Ok(())
    }
}
