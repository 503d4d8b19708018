//! The tables of a job file, as they are written; the schema is made of them.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::one_or_more::OneOrMore;
use super::{Remove, Replace};
use crate::config::{
    ColumnSelector, Condition, Count, Format, GuardOptions, Label, Limits, Line, SendOptions,
    Separator, Share, SuppressBy, Time, ValueSeparator,
};
use crate::dialect::Quotes;
use crate::hash::ListDigest;
use crate::limits::REQUEST_TIME;
use crate::normalize::RuleOptions;
use crate::platform::{CustomerFileSource, Id, Platform};
use crate::upload::Endpoint;
use crate::user_type::UserType;

/// A table with sources has one of these keys.
const FILES_OR_FROM: [Required; 2] =
    [Required { required: ["files"] }, Required { required: ["from"] }];

/// A key that must be there, as schemas say it.
#[derive(Serialize)]
struct Required {
    required: [&'static str; 1],
}

/// A nightly run. Paths are relative to the folder of the file; ${NAME} and ${NAME:-default} are variables of
/// the environment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "Job of throng sync")]
pub(super) struct JobFile {
    /// Name in reports and metrics.
    pub(super) name: Line,
    /// Folder of what is kept from run to run.
    #[schemars(length(min = 1))]
    pub(super) state: String,
    /// What of a person who opted out is held back.
    #[serde(default)]
    pub(super) suppress_by: SuppressBy,
    /// How long runs and lists of people are remembered, such as 90d; for ever if left out.
    pub(super) retention: Option<Time>,
    pub(super) input: InputTable,
    /// People who opted out.
    #[serde(default)]
    pub(super) suppress: Vec<SuppressTable>,
    /// Audiences that are made of the inputs.
    #[schemars(length(min = 1))]
    pub(super) audience: Vec<AudienceTable>,
    #[serde(default)]
    pub(super) rules: RuleOptions,
    pub(super) target: TargetTable,
    #[serde(default)]
    pub(super) upload: SendOptions,
    #[serde(default)]
    pub(super) guards: GuardOptions,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) report: ReportTable,
}

/// Files of members, or commands that write them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("oneOf" = FILES_OR_FROM))]
pub(super) struct InputTable {
    /// Files or globs; {date}, {date-1d:%Y%m%d} are dates.
    pub(super) files: Option<Files>,
    /// Commands instead, whose output is read; if one fails, so does the run. `sh` runs them in the folder of the job file;
    /// {date} is a date.
    #[serde(default)]
    pub(super) from: OneOrMore<String>,
    /// The format of inputs.
    #[serde(default)]
    pub(super) format: Format,
    /// What stands between CSV fields, such as ; or \t or \x01 or ||; found if left out.
    pub(super) delimiter: Option<Separator>,
    /// Meaning of quotes and backslashes in CSV; found if left out.
    pub(super) quotes: Option<Quotes>,
    /// CSV rows that are wider or narrower than the header are taken as they are: right only if fields are missing or too many
    /// at their ends, else values are a column apart.
    #[serde(default)]
    pub(super) ragged: bool,
    /// Lines to skip at the top of each input; titles above a header are found without it.
    #[serde(default)]
    pub(super) skip_rows: usize,
    /// The first record is no header.
    #[serde(default)]
    pub(super) no_header: bool,
    /// Inputs are directories that the engine that wrote them has marked as complete (`_SUCCESS`).
    #[serde(default)]
    pub(super) complete: bool,
    /// The column that holds each row's country (code or name), for phone numbers.
    pub(super) country_column: Option<ColumnSelector>,
    /// What stands between several values of a cell, of inputs and opt-out lists.
    #[serde(default)]
    pub(super) split: OneOrMore<ValueSeparator>,
    /// Conditions that rows must fulfil, all of them: COLUMN=VALUE,... or COLUMN!=VALUE,...; the other rows are dropped.
    #[serde(rename = "where", default)]
    pub(super) conditions: OneOrMore<Condition>,
}

/// Lists of people who opted out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("oneOf" = FILES_OR_FROM))]
pub(super) struct SuppressTable {
    /// Files or globs, raw values or digests; {date} is a date.
    pub(super) files: Option<Files>,
    /// Commands instead, whose output is read; if one fails, so does the run; {date} is a date.
    #[serde(default)]
    pub(super) from: OneOrMore<String>,
    /// The type of what they hold, if it could be meant in two ways.
    pub(super) user_type: Option<UserType>,
    /// The digest of normalised values that they hold, if it is not SHA-256.
    pub(super) digest: Option<ListDigest>,
    /// Their column, if it is called otherwise there.
    pub(super) column: Option<ColumnSelector>,
    /// Conditions that rows must fulfil, all of them; whoever is in another row has not opted out.
    #[serde(rename = "where", default)]
    pub(super) conditions: OneOrMore<Condition>,
    /// Greatest age of the newest file.
    pub(super) max_age: Option<Time>,
    /// The guard `max-opt-out-shrink` of this list.
    pub(super) max_shrink: Option<Share>,
    /// The guard `min-opt-outs` of this list.
    pub(super) min_entries: Option<Count<0, { u64::MAX }>>,
    /// The guard `min-opt-out-members` of this list.
    pub(super) min_members: Option<Count<0, { u64::MAX }>>,
}

/// An audience.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AudienceTable {
    /// Name in the state directory; the user type if left out.
    pub(super) label: Option<Label>,
    /// The type of its entries.
    pub(super) user_type: UserType,
    /// A header, or a number counted from 1, or a list of them; found by its values if left out.
    #[serde(default)]
    pub(super) column: OneOrMore<ColumnSelector>,
    /// Name of the audience that is created.
    pub(super) name: Option<Line>,
    /// Its purpose, for people.
    pub(super) description: Option<Line>,
    /// Address at which people can opt out.
    pub(super) opt_out_link: Option<Line>,
    /// No marker in the description by which a create whose outcome is unknown is found again.
    pub(super) no_marker: Option<bool>,
    /// Number of an audience that exists.
    pub(super) id: Option<Id>,
    /// Occasions on which a new audience takes its place.
    #[serde(default)]
    pub(super) replace: Replace,
    /// The guard `max-shrink` of this audience.
    pub(super) max_shrink: Option<Share>,
    /// The guard `max-growth` of this audience.
    pub(super) max_growth: Option<Share>,
    /// The guard `min-entries` of this audience.
    pub(super) min_entries: Option<Count<0, { u64::MAX }>>,
}

/// The API; the token comes from the variable `THRONG_TOKEN` or from token-file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct TargetTable {
    /// The platform.
    #[serde(default)]
    pub(super) platform: Platform,
    /// The ad account that the audiences belong to: its number, without act_.
    pub(super) ad_account: Id,
    /// The address of the API.
    pub(super) endpoint: Option<Endpoint>,
    /// Instead of endpoint, token-file and ca-file: rehearse on an API on this machine, which keeps its audiences in this
    /// folder.
    #[schemars(length(min = 1))]
    pub(super) sandbox: Option<String>,
    /// A file with the token, which only its owner can read.
    #[schemars(length(min = 1))]
    pub(super) token_file: Option<String>,
    /// A file with the secret of the token's app, for apps of meta's that ask for a proof of it; else the variable
    /// `THRONG_APP_SECRET`.
    #[schemars(length(min = 1))]
    pub(super) app_secret_file: Option<String>,
    /// How customers' data was collected, for meta.
    #[serde(default)]
    pub(super) customer_file_source: CustomerFileSource,
    /// Who is taken out of audiences: gone (who opted out, and who is no member any more; for meta if left out), opted-out,
    /// or never (for pitchtarget, which cannot take anybody out).
    pub(super) remove: Option<Remove>,
    /// Certificates to trust instead of the usual ones, in PEM.
    #[schemars(length(min = 1))]
    pub(super) ca_file: Option<String>,
    /// Longest time of a request.
    #[serde(default = "request_time")]
    pub(super) request_time: Time,
}

fn request_time() -> Time {
    Time(REQUEST_TIME)
}

/// Files for people and programs that watch.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ReportTable {
    /// The report, one page; {date} is a date.
    #[schemars(length(min = 1))]
    pub(super) html: Option<String>,
    /// Metrics in Prometheus' text format.
    #[schemars(length(min = 1))]
    pub(super) metrics: Option<String>,
    /// A list of rejected values without the values; {date} is a date.
    #[schemars(length(min = 1))]
    pub(super) rejects: Option<String>,
}

/// One path or several.
#[derive(Debug)]
pub(super) struct Files(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Paths;

        impl<'de> Visitor<'de> for Paths {
            type Value = Files;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<Files, E> {
                Ok(Files(vec![path.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut paths: A) -> Result<Files, A::Error> {
                let mut files = Vec::new();
                while let Some(path) = paths.next_element()? {
                    files.push(path);
                }
                if files.is_empty() {
                    return Err(A::Error::custom("it is empty, expected a file"));
                }
                Ok(Files(files))
            }
        }

        deserializer.deserialize_any(Paths)
    }
}

impl JsonSchema for Files {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Files".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1 },
        ] })
    }
}
