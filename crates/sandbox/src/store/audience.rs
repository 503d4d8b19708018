//! An audience as the database has it, and how requests name one.

use rusqlite::Row;

use crate::config::{FB_ID_FIRST, ID_FIRST, Platform};
use crate::entry::UserType;

/// In the order of the schema.
pub(super) const COLUMNS: &str = "id, account, name, description, opt_out_link, user_type, member_count, \
                       time_updated, answers_without_fb_id";

/// An audience of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The vendor's number; Facebook's at Meta.
    pub id: u64,
    /// Facebook's number; answers of the vendor's may not tell it yet.
    pub fb_id: u64,
    /// The ad account.
    pub ad_account: u64,
    /// Its name.
    pub name: String,
    /// The purpose that create gave.
    pub description: Option<String>,
    /// The page where people can opt out.
    pub opt_out_link: Option<String>,
    /// The type of its members; none as long as an audience of Meta's has never had any.
    pub user_type: Option<UserType>,
    /// Number of members.
    pub member_count: u64,
    pub(crate) time_updated: i64,
    pub(super) answers_without_fb_id: u32,
}

impl Audience {
    /// Tells if answers hold Facebook's number.
    pub(crate) fn has_fb_id(&self) -> bool {
        self.answers_without_fb_id == 0
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let id: u64 = row.get("id")?;
        let user_type: String = row.get("user_type")?;
        let parse = |text: &str| {
            text.parse().map_err(|error: String| {
                let text = rusqlite::types::Type::Text;
                rusqlite::Error::FromSqlConversionFailure(0, text, error.into())
            })
        };
        let user_type = Some(user_type.as_str()).filter(|text| !text.is_empty()).map(parse);
        let is_metas = id >= Platform::Meta.id_first();
        Ok(Self {
            id,
            fb_id: if is_metas { id } else { FB_ID_FIRST + id.saturating_sub(ID_FIRST) },
            ad_account: row.get("account")?,
            name: row.get("name")?,
            description: row.get("description")?,
            opt_out_link: row.get("opt_out_link")?,
            user_type: user_type.transpose()?,
            member_count: row.get("member_count")?,
            time_updated: row.get("time_updated")?,
            answers_without_fb_id: row.get("answers_without_fb_id")?,
        })
    }
}

/// Reads a number of an audience or of an ad account: one that the database can keep.
pub(crate) fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && i64::try_from(*number).is_ok())
}

/// The fields of create, apart from the file.
#[derive(Debug)]
pub(crate) struct NewAudience {
    pub(crate) ad_account: u64,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) opt_out_link: Option<String>,
    pub(crate) user_type: UserType,
    pub(crate) fb_id_after: u32,
}

/// The number by which a request names an audience.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key {
    /// The vendor's.
    Vendor(u64),
    /// Facebook's.
    Facebook(u64),
    /// Any of them, at whichever platform.
    Any(u64),
}

impl Key {
    /// The vendor's number, which the database goes by.
    pub(super) fn id(self) -> Option<u64> {
        match self {
            Self::Any(number) if number >= Platform::Meta.id_first() => Some(number),
            Self::Facebook(number @ FB_ID_FIRST..) | Self::Any(number @ FB_ID_FIRST..) => {
                Some(number - FB_ID_FIRST + ID_FIRST)
            }
            Self::Vendor(number @ ID_FIRST..FB_ID_FIRST)
            | Self::Any(number @ ID_FIRST..FB_ID_FIRST) => Some(number),
            _ => None,
        }
    }
}
