//! The calls of a platform, and the reasons why one fails: each has a word here, by which the store knows it.

/// Gives an enum a word for each variant.
macro_rules! named {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Its word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The one that has a word.
            pub(crate) fn of_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

named! {
    /// A call of a platform.
    pub enum Call {
        /// Makes an audience, of the first part or empty. The only one that must not be repeated blindly.
        Create = "create",
        /// Adds a part. An audience is a set, so it can be repeated.
        Add = "add",
        /// Takes out what a part holds. As harmless to repeat.
        Remove = "remove",
        /// Asks for audiences.
        List = "list",
        /// Asks for one audience.
        Details = "details",
        /// Deletes an audience.
        Delete = "delete",
    }
}

named! {
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
        /// The audience is flagged: it cannot be changed until somebody appeals.
        Flagged = "flagged",
        /// The user or the app is blocked.
        Blocked = "blocked",
        /// The session of a batch does not go on: a new one is begun.
        SessionOver = "session_over",
        /// Another 4xx, or a redirection, which is never followed, because the token must not be.
        Refused = "refused",
        /// The part is not what the manifest says; the request was cut off before its end.
        PartChanged = "part_changed",
        /// The run was asked to stop while the body was sent.
        Stopped = "stopped",
    }
}
