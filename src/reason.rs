//! Why a value was rejected.

/// Declares [`Reason`] with its code and its one-line advice, so that the three cannot drift apart.
macro_rules! reasons {
    ($($variant:ident $code:literal $advice:literal,)*) => {
        /// Why a value is not in the audience. A rejected value is data, not an error: it is counted under its
        /// reason, and the run goes on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $advice] $variant,)*
        }

        impl Reason {
            /// Every reason, in the order of the enum.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// How many reasons there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The code that stands in summaries, manifests and reject lists. Codes never change their meaning.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What the reason means, in one line for a person.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

reasons! {
    NullWord "null_word" "a textual null such as NULL, none or n/a",
    InvalidUtf8 "invalid_utf8" "the bytes are not UTF-8",
    TooLong "too_long" "longer than such an identifier can be",
    TooShort "too_short" "fewer digits than such a phone number has",
    MissingColumn "missing_column" "the row ends before the wanted column",
    RowWidth "row_width" "more or fewer fields than the header has, so its values may be a column apart: mend it",
    MergedRows "merged_rows" "a quote that opens in one row and closes in another makes one row of several",
    StrayQuote "stray_quote" "holds a quote that opens or closes nothing: --quotes says how a file is quoted",
    RepeatedHeader "repeated_header" "the header again, as between exports that were joined",
    Ruler "ruler" "a line between rows, as -----+----- is",
    Footer "footer" "behind the last row, as a total or a number of rows: not a row, and nobody in it",
    NotHashed "not_hashed" "a raw value where --prehashed always expects digests",
    AlreadyHashed "already_hashed" "a SHA-256 digest where a raw value is expected",
    HashOfNothing "hash_of_nothing" "the digest of an empty string or of a null word",
    MalformedHash "malformed_hash" "looks like a digest, but is not 64 hex digits of SHA-256",
    NonAscii "non_ascii" "letters outside ASCII in an e-mail address",
    NoAtSign "no_at_sign" "an e-mail address needs an @",
    SeveralAtSigns "several_at_signs" "more than one @",
    BadLocalPart "bad_local_part" "the part before the @ is not a valid local part",
    BadDomain "bad_domain" "the part after the @ is not a valid domain name",
    Wildcard "wildcard" "a pattern instead of an address: a list holds back addresses, and all of a domain by @rival.example",
    NoDigits "no_digits" "no digits at all",
    InvalidLength "invalid_length" "no phone number of that country has so many digits",
    UnknownCallingCode "unknown_calling_code" "begins with no country's calling code",
    UnknownCountry "unknown_country" "the row's country is not known: two or three letters (ISO 3166) or its name, as DE, DEU or Germany",
    NationalNumber "national_number" "a national phone number without its country: use --country or --country-column",
    SeveralValues "several_values" "more than one value in a cell: which is meant cannot be known",
    Letters "letters" "letters between the digits of a phone number: --vanity convert maps them to the keypad",
    SpreadsheetNumber "spreadsheet_number" "a spreadsheet turned it into a floating point number, digits are lost",
    LeadingZero "leading_zero" "a Facebook id does not begin with 0",
    OutOfRange "out_of_range" "not between 1 and 18446744073709551615",
    ControlCharacter "control_character" "a control character or line separator inside the id",
    RawPersonalData "raw_personal_data" "an e-mail address or phone number, which must not leave unhashed",
    LooksPersonal "looks_personal" "looks like a name, an address, a date or a phone number, and must not leave in clear: --ids any if it is an id",
    HoldsSeparator "holds_separator" "holds what separates fields: is the file separated by something else?",
    MixedFloats "mixed_floats" "ends in .0 where the column's other numbers do not, or lacks it where they do",
    TrackingLimited "tracking_limited" "all zeros: the device's owner limits ad tracking",
    SharedDeviceId "shared_device_id" "an id that a whole generation of devices shares",
    AndroidId "android_id" "an id of an Android device, where the platform takes advertising ids alone",
    Malformed "malformed" "does not have the form of such an identifier",
}

impl Reason {
    /// Whether the reject speaks for a wrong file. An all-zero advertiser id does not: it is what a device reports
    /// whose owner limits ad tracking, and on some platforms that is nearly everybody. Nor does what is around rows, as the
    /// header of an export that was joined to another: it is nobody.
    pub const fn suggests_wrong_file(self) -> bool {
        !matches!(self, Self::TrackingLimited | Self::RepeatedHeader | Self::Ruler | Self::Footer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_indexable() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            assert_eq!(Reason::ALL.iter().filter(|other| other.code() == reason.code()).count(), 1);
        }
    }
}
