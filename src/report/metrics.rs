//! The last run as metrics, in Prometheus' text format, for the node exporter's textfile collector.
//!
//! Everything is a gauge: the file tells of one run, and a counter would have to survive the machine. The label is
//! `sync_job`, since `job` is Prometheus' own. Inputs are summed up by role: a label with a path that holds a date
//! would be a new series every night.
//!
//! Alert on
//! - `time() - throng_sync_last_success_timestamp_seconds > 26 * 3600`: a night is missing, whatever the reason, also
//!   when nothing ran at all. The figure survives failed runs.
//! - `throng_sync_last_run_exit_code == 8`: a person must decide.
//! - `throng_sync_must_go_entries > 0`: people who opted out are in a live audience.

use std::fmt::Write;

use crate::audience::ListFigures;
use crate::sync::{AudienceRecord, MustGoRecord, SyncRecord};

/// A label and its value.
type Label<'a> = (&'static str, &'a str);

/// A figure of an audience: its name, its help, and where it is found.
type AudienceFigure = (&'static str, &'static str, fn(&AudienceRecord) -> u64);

const AUDIENCE_FIGURES: [AudienceFigure; 19] = [
    ("read_records", "Member records that were read.", |audience| audience.figures.read),
    ("blank_records", "Member records with nothing in them.", |audience| audience.figures.blank),
    (
        "duplicate_records",
        "Accepted member records of people who were there already.",
        |audience| audience.figures.duplicates,
    ),
    ("members", "Different members, opted out or not.", |audience| audience.figures.sets.members),
    ("suppressed_members", "Members that are held back because they opted out.", |audience| {
        audience.figures.sets.suppressed
    }),
    (
        "linked_members",
        "Members that are held back because another identifier of a row of theirs opted out.",
        |audience| audience.figures.sets.linked,
    ),
    ("known_members", "Members that the audience held already.", |audience| {
        audience.figures.sets.known
    }),
    ("new_members", "Members that are new to the audience.", |audience| {
        audience.figures.sets.written
    }),
    ("gone_entries", "Entries of the audience that are no members any more.", |audience| {
        audience.figures.sets.gone
    }),
    (
        "removed_gone_entries",
        "Entries that were taken out because they are no members any more.",
        |audience| audience.removed_gone,
    ),
    (
        "removed_opted_out_entries",
        "Entries that were taken out because they opted out.",
        |audience| audience.removed_opted_out,
    ),
    (
        "invalid_entries",
        "Entries in the audience that the platform takes for invalid.",
        |audience| audience.entries_invalid,
    ),
    ("opt_out_records", "Entries of the opt-out lists.", |audience| {
        audience.figures.suppression_read
    }),
    (
        "opt_out_rejected_records",
        "Values of the opt-out lists that could not be read: these people are not held back.",
        |audience| audience.figures.suppression_rejected,
    ),
    ("parts", "Parts that the new members were cut into.", |audience| audience.parts),
    ("uploaded_parts", "Parts that the API confirmed.", |audience| audience.parts_sent),
    ("uploaded_entries", "Entries that the API confirmed.", |audience| audience.entries_sent),
    ("uploaded_bytes", "Bytes of the parts that the API confirmed.", |audience| {
        audience.bytes_sent
    }),
    ("held_entries", "Entries that the audience holds after the run.", |audience| {
        audience.held_after
    }),
];

/// The metrics of a run. `last_success_at` is when the last successful run before it ended, in milliseconds since
/// 1970: it stays in the file when this one failed.
pub fn metrics(run: &SyncRecord, last_success_at: Option<i64>) -> String {
    let mut file = Exposition { text: String::new(), job: &run.job };
    file.run(run, last_success_at);
    file.inputs(run);
    for (name, help, figure) in AUDIENCE_FIGURES {
        let samples = run
            .audiences
            .iter()
            .map(|audience| (labels(audience).to_vec(), count(figure(audience))));
        file.family(name, &format!("{help} Of the last run."), samples);
    }
    file.lists(run);
    let must_go = run.must_go.iter().map(|of| (must_go_labels(of), count(of.entries)));
    let help =
        "Entries of the audience that opted out, as far as is known, also if the last run failed.";
    file.family("must_go_entries", help, must_go);
    let found_at = run.must_go.iter().map(|of| (must_go_labels(of), seconds(of.at)));
    let help = "When it was found out how many entries must go.";
    file.family("must_go_timestamp_seconds", help, found_at);
    let rejects = run.audiences.iter().flat_map(|audience| {
        let [name, user_type] = labels(audience);
        audience.figures.rejects.iter().map(move |reject| {
            (vec![name, user_type, ("reason", reject.reason.as_str())], count(reject.count))
        })
    });
    file.family("rejected_records", "Rejected member records by reason. Of the last run.", rejects);
    file.text
}

fn must_go_labels(of: &MustGoRecord) -> Vec<Label<'_>> {
    vec![("audience", &of.audience), ("user_type", &of.user_type)]
}

fn labels(audience: &AudienceRecord) -> [Label<'_>; 2] {
    [("audience", &audience.name), ("user_type", &audience.user_type)]
}

/// The file while it is written.
struct Exposition<'a> {
    text: String,
    job: &'a str,
}

impl Exposition<'_> {
    fn run(&mut self, run: &SyncRecord, last_success_at: Option<i64>) {
        let success_at = if run.is_success() { Some(run.ended_at) } else { last_success_at };
        let version: &[Label<'_>] = &[("version", &run.version)];
        self.family(
            "build_info",
            "The version of throng that ran last.",
            [(version.to_vec(), 1.0)],
        );
        self.one("last_run_timestamp_seconds", "When the last run ended.", seconds(run.ended_at));
        if let Some(at) = success_at {
            let help = "When the last run ended that did all that it was to do.";
            self.one("last_success_timestamp_seconds", help, seconds(at));
        }
        let help = "How the last run ended: 0 done, others as in the README.";
        self.one("last_run_exit_code", help, f64::from(run.exit_code));
        self.one("last_run_duration_seconds", "Wall time of the last run.", run.seconds());
        let help = "Requests of the last run that failed for a while and were made again.";
        self.one("retried_requests", help, count(run.retries));
        let help = "Bytes that did not fit the memory limit and went to disk for a while.";
        self.one("spilled_bytes", help, count(run.spilled_bytes));
        if let Some(bytes) = run.peak_memory_bytes {
            self.one("peak_memory_bytes", "Most memory that the last run held.", count(bytes));
        }
        let phases = run.phases.iter().map(|phase| (vec![("phase", &*phase.name)], phase.seconds));
        self.family("phase_duration_seconds", "Wall time of the last run by phase.", phases);
    }

    /// A list is called as the job file has it: a date in it is not filled in.
    fn lists(&mut self, run: &SyncRecord) {
        let lists =
            run.opt_out_lists.iter().map(|of| (vec![("list", &*of.name)], count(of.records)));
        self.family("opt_out_list_records", "Records of an opt-out list. Of the last run.", lists);
        let of_audience = |figure: fn(&ListFigures) -> Option<u64>| {
            run.audiences.iter().flat_map(move |audience| {
                let [name, user_type] = labels(audience);
                audience.figures.opt_out_lists.iter().filter_map(move |list| {
                    let labels = vec![name, user_type, ("list", &*list.name)];
                    figure(list).map(|number| (labels, count(number)))
                })
            })
        };
        let help = "Values of an opt-out list by which somebody can be held back. Of the last run.";
        self.family("opt_out_list_usable_values", help, of_audience(|list| Some(list.usable)));
        let help = "Different entries of an opt-out list that are members. Of the last run.";
        self.family("opt_out_list_members", help, of_audience(|list| list.members));
    }

    fn inputs(&mut self, run: &SyncRecord) {
        let of_role = |figure: fn(&crate::sync::InputRecord) -> f64| {
            run.inputs.iter().map(move |input| (vec![("role", &*input.role)], figure(input)))
        };
        let help = "Records of the inputs of the last run by role.";
        self.family("input_records", help, of_role(|input| count(input.records)));
        let help = "Bytes of the inputs of the last run as stored, by role.";
        self.family("input_bytes", help, of_role(|input| count(input.bytes.unwrap_or_default())));
        let dropped = run.inputs.iter().flat_map(|input| {
            input.dropped.iter().map(|of| {
                (vec![("role", &*input.role), ("condition", &*of.condition)], count(of.rows))
            })
        });
        let help = "Records of the inputs of the last run that a condition dropped, by role.";
        self.family("dropped_records", help, dropped);
        let oldest = run.inputs.iter().filter_map(|input| input.modified_at).min();
        if let Some(at) = oldest {
            let help = "When the oldest input of the last run was written.";
            self.one("oldest_input_timestamp_seconds", help, seconds(at));
        }
    }

    fn one(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, help, [(Vec::new(), value)]);
    }

    /// Writes a metric and its samples. Samples of the same labels are summed: a file that holds a series twice is
    /// refused as a whole.
    fn family<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Vec<Label<'l>>, f64)>,
    ) {
        let mut sums: Vec<(Vec<Label<'l>>, f64)> = Vec::new();
        for (labels, value) in samples {
            match sums.iter_mut().find(|(seen, _)| *seen == labels) {
                Some((_, sum)) => *sum += value,
                None => sums.push((labels, value)),
            }
        }
        if sums.is_empty() {
            return;
        }
        let job = self.job;
        let out = &mut self.text;
        // Writing to a string does not fail.
        let _written = writeln!(out, "# HELP throng_sync_{name} {help}");
        let _written = writeln!(out, "# TYPE throng_sync_{name} gauge");
        for (labels, value) in sums {
            let _written = write!(out, "throng_sync_{name}{{sync_job=\"{}\"", escaped(job));
            for (label, text) in labels {
                let _written = write!(out, ",{label}=\"{}\"", escaped(text));
            }
            let _written = writeln!(out, "}} {value}");
        }
    }
}

/// A label's value: backslash, quote and line feed are what the format asks to be escaped.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[expect(clippy::cast_precision_loss, reason = "counts of people and bytes are below 2^53")]
fn count(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^53")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
