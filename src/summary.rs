//! What a run came to: for a person at a glance, for a program as one line of JSON.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::config::{AudienceSpec, Label, PrepareConfig, audience_name};
use crate::dedup::Counts;
use crate::emit::{AudienceManifest, PartManifest, RejectManifest};
use crate::error::OneLine;
use crate::normalize::UserType;
use crate::prepare::deliver::Delivered;
use crate::prepare::judge::RoleTallies;
use crate::role::Role;

/// What a `prepare` came to.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The output directory.
    pub output: PathBuf,
    /// For each audience.
    pub audiences: Vec<AudienceSummary>,
    /// What was found rather than told, and what is remarkable.
    pub notes: Vec<String>,
    /// Records read of all inputs, suppression lists and earlier results.
    pub records: u64,
    /// Bytes of all of them as stored, if known.
    pub input_bytes: Option<u64>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Records for each second.
    pub records_per_second: f64,
    /// Most memory that the process held, in bytes, if the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// Bytes that did not fit the memory limit and went to disk for a while.
    pub spilled_bytes: u64,
}

/// What became of one audience.
#[derive(Clone, Debug, Serialize)]
pub struct AudienceSummary {
    /// What it is called; its parts are named so.
    pub label: Label,
    /// What its entries are.
    pub user_type: UserType,
    /// Member records.
    pub read: u64,
    /// Values with nothing in them.
    pub blank: u64,
    /// Accepted raw values.
    pub raw: u64,
    /// Accepted values that were digests already.
    pub prehashed: u64,
    /// Phone numbers without prefix and country that were taken as international.
    pub assumed_international: u64,
    /// Third-party ids that lower-casing changed.
    pub case_changed: u64,
    /// All rejected values.
    pub rejected: u64,
    /// The rejected values by reason, the frequent ones first.
    pub rejects: Vec<RejectSummary>,
    /// Accepted values that were there already.
    pub duplicates: u64,
    /// Members that are held back because they opted out.
    pub suppressed: u64,
    /// Members that an earlier run has written.
    pub known: u64,
    /// Known, but no member any more. The API cannot remove them.
    pub gone: u64,
    /// Opted out, and known or unconfirmed: they are, or may be, in the live audience and must go.
    pub must_go: u64,
    /// Entries written.
    pub written: u64,
    /// Entries of the suppression lists, before they are made unique.
    pub suppression_read: u64,
    /// Values of the suppression lists that were rejected: these people are not held back.
    pub suppression_rejected: u64,
    /// Whether suppression lists were given.
    #[serde(skip)]
    has_suppression: bool,
    /// Whether earlier results were given.
    #[serde(skip)]
    has_known: bool,
    /// The upload files.
    pub parts: Vec<PartManifest>,
    /// The list of who is gone, if anybody is.
    pub gone_list: Option<PartManifest>,
    /// The list of who must go, if anybody must.
    pub must_go_list: Option<PartManifest>,
    /// Bytes that went to disk for a while.
    #[serde(skip)]
    spilled_bytes: u64,
}

/// The rejects of one reason.
#[derive(Clone, Debug, Serialize)]
pub struct RejectSummary {
    /// The reason's code.
    pub reason: &'static str,
    /// What it means.
    pub advice: &'static str,
    /// How many.
    pub count: u64,
    /// The first input in which it occurred.
    pub first_source: String,
    /// The line there, counted from 1.
    pub first_line: u64,
}

impl AudienceSummary {
    pub(crate) fn new(
        spec: &AudienceSpec,
        tallies: RoleTallies,
        delivered: Delivered,
        spilled_bytes: u64,
    ) -> Self {
        let Delivered { counts, parts, gone: gone_list, must_go: must_go_list } = delivered;
        let [members, suppressed, _known, _unconfirmed] = tallies;
        debug_assert_eq!(Role::ALL[0], Role::Member);
        let rejects = members.reasons().map(|(reason, count, first)| RejectSummary {
            reason: reason.code(),
            advice: reason.advice(),
            count,
            first_source: first.path.to_string_lossy().into_owned(),
            first_line: first.line,
        });
        Self {
            label: spec.label.clone(),
            user_type: spec.user_type,
            read: members.read,
            blank: members.blank,
            raw: members.raw,
            prehashed: members.prehashed,
            assumed_international: members.assumed_international,
            case_changed: members.case_changed,
            rejected: members.rejected(),
            rejects: rejects.collect(),
            duplicates: members.accepted() - counts.members,
            suppressed: counts.suppressed,
            known: counts.known,
            gone: counts.gone,
            must_go: counts.must_go,
            written: counts.written,
            suppression_read: suppressed.accepted(),
            suppression_rejected: suppressed.rejected(),
            has_suppression: false,
            has_known: false,
            parts,
            gone_list,
            must_go_list,
            spilled_bytes,
        }
    }

    pub(crate) fn manifest(&self) -> AudienceManifest {
        let rejected = self.rejects.iter().map(|reject| RejectManifest {
            reason: reject.reason.to_owned(),
            count: reject.count,
            first_source: reject.first_source.clone(),
            first_line: reject.first_line,
        });
        AudienceManifest {
            label: self.label.clone(),
            user_type: self.user_type,
            read: self.read,
            blank: self.blank,
            raw: self.raw,
            prehashed: self.prehashed,
            rejected: rejected.collect(),
            duplicates: self.duplicates,
            sets: Counts {
                members: self.raw + self.prehashed - self.duplicates,
                suppressed: self.suppressed,
                known: self.known,
                gone: self.gone,
                must_go: self.must_go,
                written: self.written,
            },
            parts: self.parts.clone(),
            gone: self.gone_list.clone(),
            must_go: self.must_go_list.clone(),
        }
    }
}

impl Summary {
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more precision than f64 has")]
    pub(crate) fn new(
        config: &PrepareConfig,
        mut audiences: Vec<AudienceSummary>,
        notes: Vec<String>,
        (records, input_bytes): (u64, Option<u64>),
        elapsed: Duration,
    ) -> Self {
        let seconds = elapsed.as_secs_f64();
        for audience in &mut audiences {
            audience.has_suppression = !config.suppress.is_empty();
            audience.has_known = !config.against.is_empty();
        }
        Self {
            output: config.output.dir.clone(),
            spilled_bytes: audiences.iter().map(|audience| audience.spilled_bytes).sum(),
            audiences,
            notes,
            records,
            input_bytes,
            seconds,
            records_per_second: records as f64 / seconds.max(1e-9),
            peak_memory_bytes: peak_memory_bytes(),
        }
    }
}

/// The high-water mark of the process's resident memory (`VmHWM` of proc(5)).
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for audience in &self.audiences {
            writeln!(f, "{audience}")?;
        }
        write!(
            f,
            "wrote {} in {}, {} records/s",
            OneLine(&self.output.to_string_lossy()),
            Seconds(self.seconds),
            grouped(rounded(self.records_per_second))
        )?;
        if let Some(bytes) = self.peak_memory_bytes {
            write!(f, ", peak memory {}", Bytes(bytes))?;
        }
        if self.spilled_bytes > 0 {
            write!(f, ", {} spilled to disk", Bytes(self.spilled_bytes))?;
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

pub(crate) fn row(f: &mut fmt::Formatter<'_>, name: &str, count: u64, note: &str) -> fmt::Result {
    #[expect(clippy::cast_precision_loss, reason = "counts of people are far below 2^53")]
    let count = grouped(count as f64);
    let separator = if note.is_empty() { "" } else { "  " };
    writeln!(f, "  {name:<24}{count:>15}{separator}{note}")
}

/// A whole number with its thousands set apart.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits, as many as a rate is good for.
fn rounded(rate: f64) -> f64 {
    let unit = 10_f64.powf((rate.max(1.0).log10().floor() - 2.0).max(0.0));
    (rate / unit).round() * unit
}

/// A duration for people.
pub(crate) struct Seconds(pub(crate) f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1.0 {
            write!(f, "{:.0} ms", (self.0 * 1000.0).max(1.0))
        } else if self.0 < 120.0 {
            write!(f, "{:.2} s", self.0)
        } else {
            write!(f, "{:.1} min", self.0 / 60.0)
        }
    }
}

/// A size for people.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = self.0 as f64 / 1024.0;
        match self.0 {
            0..0x10_0000 => write!(f, "{kib:.0} KiB"),
            0x10_0000..0x4000_0000 => write!(f, "{:.0} MiB", kib / 1024.0),
            _ => write!(f, "{:.1} GiB", kib / 1024.0 / 1024.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_times_claim_no_more_than_they_know() {
        assert_eq!(grouped(rounded(1_269_128.4)), "1,270,000");
        assert_eq!(grouped(rounded(109.4)), "109");
        assert_eq!(grouped(rounded(0.0)), "0");
        assert_eq!(Seconds(0.0003).to_string(), "1 ms");
        assert_eq!(Seconds(0.0436).to_string(), "44 ms");
        assert_eq!(Seconds(1.236).to_string(), "1.24 s");
        assert_eq!(Seconds(600.0).to_string(), "10.0 min");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(0.0), "0");
        assert_eq!(grouped(999.0), "999");
        assert_eq!(grouped(1_000.0), "1,000");
        assert_eq!(grouped(12_345_678.0), "12,345,678");
    }
}
