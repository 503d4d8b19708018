//! The words that the store writes: each has its name here, and nowhere else.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

/// Gives an enum the words that stand for its variants in the database.
macro_rules! words {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// The word that the store writes.
            $visibility const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.word().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_str()? {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(FromSqlError::InvalidType),
                }
            }
        }
    };
}

words! {
    /// The place of a generation among those of its audience.
    pub enum GenerationRole {
        /// Advertisers use it.
        Live = "live",
        /// It is being built to take the place of the live one.
        Next = "next",
        /// Another one has taken its place, and it is to be deleted.
        Old = "old",
    }
}

words! {
    /// How far the platform's side of a generation is.
    pub(super) enum Existence {
        Planned = "planned",
        Intent = "intent",
        Ready = "ready",
        Deleted = "deleted",
    }
}

words! {
    /// The purpose of a part.
    pub enum Purpose {
        /// Its entries are to be in the audience.
        Add = "add",
    }
}

words! {
    /// How far a part is on its way into an audience.
    pub enum DeliveryState {
        /// No request with it can have taken effect.
        Intended = "intended",
        /// A request with it is under way, or its run was killed.
        Sent = "sent",
        /// A request with it may have taken effect.
        Unknown = "unknown",
        /// The platform said that it has it.
        Confirmed = "confirmed",
    }
}

words! {
    /// A call of a platform.
    pub enum Call {
        /// Makes an audience of the first part. The only one that must not be repeated blindly.
        Create = "create",
        /// Adds a part. An audience is a set, so it can be repeated.
        Add = "add",
        /// Asks for audiences.
        List = "list",
        /// Asks for one audience.
        Details = "details",
        /// Deletes an audience.
        Delete = "delete",
    }
}

words! {
    /// The reason why a request failed.
    pub enum FailureKind {
        /// No connection was made.
        Unreachable = "unreachable",
        /// The certificate of the server or proxy is not to be trusted.
        Tls = "tls",
        /// The connection broke, or the answer was none of HTTP.
        Broken = "broken",
        /// The deadline of the request passed.
        TimedOut = "timed_out",
        /// 429: too many requests.
        RateLimited = "rate_limited",
        /// 408 or 5xx: the server cannot at the moment.
        Busy = "busy",
        /// A 2xx whose body is not what the contract says.
        Nonsense = "nonsense",
        /// 401 or 403: the token is not accepted, or may not do this.
        Credentials = "credentials",
        /// The account's owner has not accepted the Custom Audiences terms.
        Terms = "terms",
        /// 404: no such audience.
        NotFound = "not_found",
        /// 413: the part is too large.
        TooLarge = "too_large",
        /// 400 or 422: a field or the file is not accepted.
        BadField = "bad_field",
        /// Another 4xx, or a redirection, which is never followed, because the token must not be.
        Refused = "refused",
        /// The part is not what the manifest says; the request was cut off before its end.
        PartChanged = "part_changed",
        /// The run was asked to stop while the body was sent.
        Stopped = "stopped",
    }
}

/// The outcome of a request to which the platform said yes; of others it is the word of their [`FailureKind`].
pub(super) const CONFIRMED: &str = "confirmed";
