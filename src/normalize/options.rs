//! What people can choose within the rules.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Case, Country, Idn, Ids, Prehashed, Unprefixed, Vanity};

/// The choices that a user has within the rules: flags of the commands that normalize, `[rules]` of a job file.
#[derive(Clone, Copy, Debug, Default, clap::Args, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RuleOptions {
    /// The country of phone numbers that do not say theirs: DE, DEU or Germany.
    #[arg(long, value_name = "XX")]
    pub country: Option<Country>,
    /// Values that are SHA-256 digests already.
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub prehashed: Prehashed,
    /// Letter case of third-party ids.
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub case: Case,
    /// Third-party ids that look like personal data.
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub ids: Ids,
    /// Letters outside ASCII in domains of e-mail addresses.
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub idn: Idn,
    /// Letters between the digits of phone numbers.
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub vanity: Vanity,
    /// Phone numbers that have neither a prefix nor a country.
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub unprefixed: Unprefixed,
    /// Whether Android ids are refused, since what is made is for a platform that takes none.
    #[arg(skip)]
    #[serde(skip)]
    pub refuses_android_ids: bool,
}

impl RuleOptions {
    /// The rules of a job, but for what is chosen here otherwise than by default. Digests and values in clear are taken alike,
    /// whatever the job's inputs hold.
    #[must_use]
    pub fn or_of_job(self, job: Self) -> Self {
        fn chosen<T: Default + PartialEq>(here: T, job: T) -> T {
            if here == T::default() { job } else { here }
        }
        Self {
            country: self.country.or(job.country),
            prehashed: self.prehashed,
            case: chosen(self.case, job.case),
            ids: chosen(self.ids, job.ids),
            idn: chosen(self.idn, job.idn),
            vanity: chosen(self.vanity, job.vanity),
            unprefixed: chosen(self.unprefixed, job.unprefixed),
            refuses_android_ids: self.refuses_android_ids,
        }
    }

    /// The same choices for a platform that tells ids apart by letter case, or takes no Android ids. An error if somebody chose
    /// otherwise on purpose.
    pub fn for_platform(
        self,
        keeps_case: bool,
        refuses_android_ids: bool,
    ) -> Result<Self, &'static str> {
        if keeps_case && self.case == Case::Lower {
            return Err(
                "the platform tells ids apart by letter case, so they cannot be lower-cased",
            );
        }
        let case = if keeps_case { Case::Keep } else { self.case };
        Ok(Self { case, refuses_android_ids, ..self })
    }
}
