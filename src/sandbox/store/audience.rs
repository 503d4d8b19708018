//! An audience as the database has it, and how requests name one.

use rusqlite::Row;

use crate::api::{CustomAudience, FacebookAudience, Id, SUBTYPE};
use crate::normalize::UserType;
use crate::sandbox::config::{FB_ID_FIRST, ID_FIRST};

/// In the order of the schema.
pub(super) const COLUMNS: &str = "id, account, name, description, opt_out_link, user_type, member_count, \
                       time_updated, answers_without_fb_id";

/// An audience of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The vendor's number.
    pub id: Id,
    /// Facebook's number; answers may not tell it yet.
    pub fb_id: Id,
    /// The ad account.
    pub ad_account: Id,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where people can opt out.
    pub opt_out_link: Option<String>,
    /// What its members are.
    pub user_type: UserType,
    /// How many there are.
    pub member_count: u64,
    pub(in crate::sandbox) time_updated: i64,
    pub(in crate::sandbox) answers_without_fb_id: u32,
    pub(super) row_id: i64,
}

impl Audience {
    /// As the vendor tells of it.
    pub(in crate::sandbox) fn vendor(&self) -> CustomAudience {
        CustomAudience {
            id: self.id.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            opt_out_link: self.opt_out_link.clone(),
            user_type: Some(self.user_type.name().to_owned()),
            subtype: Some(SUBTYPE.to_owned()),
            fb_id: (self.answers_without_fb_id == 0).then(|| self.fb_id.clone()),
        }
    }

    /// As Facebook tells of it.
    pub(in crate::sandbox) fn facebook(&self) -> FacebookAudience {
        FacebookAudience {
            id: self.fb_id.clone(),
            account_id: Some(self.ad_account.clone()),
            name: self.name.clone(),
            description: self.description.clone(),
            approximate_count: Some(self.member_count),
            status: Some("Normal".to_owned()),
            run_status: Some("Normal".to_owned()),
            subtype: Some(SUBTYPE.to_owned()),
            time_updated: Some(self.time_updated),
        }
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let row_id: i64 = row.get("id")?;
        let number = row_id.unsigned_abs();
        Ok(Self {
            id: number.into(),
            fb_id: (FB_ID_FIRST + (number - ID_FIRST)).into(),
            ad_account: parsed(row, "account")?,
            name: row.get("name")?,
            description: row.get("description")?,
            opt_out_link: row.get("opt_out_link")?,
            user_type: parsed(row, "user_type")?,
            member_count: row.get::<_, i64>("member_count")?.unsigned_abs(),
            time_updated: row.get("time_updated")?,
            answers_without_fb_id: row.get("answers_without_fb_id")?,
            row_id,
        })
    }
}

fn parsed<T: std::str::FromStr<Err = String>>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    row.get::<_, String>(column)?.parse().map_err(|error: String| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })
}

/// What create is given, apart from the file.
#[derive(Debug)]
pub(in crate::sandbox) struct NewAudience {
    pub(in crate::sandbox) ad_account: Id,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) description: Option<String>,
    pub(in crate::sandbox) opt_out_link: Option<String>,
    pub(in crate::sandbox) user_type: UserType,
    pub(in crate::sandbox) fb_id_after: u32,
}

/// Which audience a request means.
#[derive(Clone, Debug)]
pub(in crate::sandbox) enum Key {
    /// The vendor's number.
    Vendor(Id),
    /// Facebook's number.
    Facebook(Id),
    /// Either.
    Any(Id),
}

impl Key {
    /// The number that the database has for it.
    pub(super) fn row_id(&self) -> Option<i64> {
        let (id, is_vendor, is_facebook) = match self {
            Self::Vendor(id) => (id, true, false),
            Self::Facebook(id) => (id, false, true),
            Self::Any(id) => (id, true, true),
        };
        let number: u64 = id.as_str().parse().ok()?;
        let number = match number {
            FB_ID_FIRST.. if is_facebook => number - FB_ID_FIRST + ID_FIRST,
            ID_FIRST..FB_ID_FIRST if is_vendor => number,
            _ => return None,
        };
        i64::try_from(number).ok()
    }
}
