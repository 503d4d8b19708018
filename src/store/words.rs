//! The words that the store writes: each has its name here, and nowhere else.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

use crate::platform::{Call, FailureKind};

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
        /// Its entries are to be taken out of it.
        Remove = "remove",
    }
}

impl Purpose {
    /// What a call with a part is made for.
    pub(super) const fn of(call: Call) -> Self {
        match call {
            Call::Remove => Self::Remove,
            Call::Create | Call::Add | Call::List | Call::Details | Call::Delete => Self::Add,
        }
    }

    /// The call that carries a part for it to an audience that exists.
    pub(crate) const fn call(self) -> Call {
        match self {
            Self::Add => Call::Add,
            Self::Remove => Call::Remove,
        }
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

/// Has the database write and read an enum by its word.
macro_rules! by_word {
    ($($name:ty),+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.word().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Self::of_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
            }
        }
    )+};
}

by_word!(Call, FailureKind);

/// The outcome of a request to which the platform said yes; of others it is the word of their [`FailureKind`].
pub(super) const CONFIRMED: &str = "confirmed";
