//! A server's own words, as far as they are known beforehand.
//!
//! A server may repeat what it was sent, the token or an entry, and spell it in ways that nobody has thought of. So
//! nothing is taken out of its words; what is shown is put together from the list below instead, and can say nothing
//! that is not in it. Numbers are not: digits are what entries are made of.

use crate::limits::SHOWN_BYTES_MAX;

/// Stands for what is not shown.
pub(super) const HIDDEN: &str = "[...]";

/// Joins the pieces of one word, such as a field's name.
const JOINTS: [char; 7] = ['-', '_', '/', '.', ':', '=', '\''];

/// Most digits of a plain word: a date has as many.
const PLAIN_DIGITS_MAX: usize = 8;

/// Longest piece of a plain word in which letters and digits are mixed, such as `q4`.
const PLAIN_MIXED_MAX: usize = 3;

/// The words of an API's errors: its fields and things, what may be wrong with them, and what holds a sentence together.
const WORDS: &str = "
    a an the this that these those it its he they them their you your we our us who which what when where why how
    is are was were be been being isn aren wasn weren am has have had having hasn haven do does did don doesn didn done
    can could cannot may might must shall should will would won wouldn shouldn couldn t s e re
    not no nor none never nothing and or but if then else than so because since until while also only even just still
    yet already again now soon later before after once twice always ever too very more most less least much many few some
    any all each every other another same such both either neither own one two three first last next previous
    of in on at to from by for with without within into onto over under above below between about against through during
    as per via out off up down there here back away please thank thanks sorry help contact support see read docs
    documentation details detail reference learn

    api app application server service services gateway proxy host client browser system internal external backend
    upstream database cache queue job worker process version revision endpoint url uri link address path route resource
    object method request requests response answer call calls query header headers body content media parameter
    parameters param params field fields attribute property key keys value values json xml html form multipart data
    encoding charset utf boundary part parts file files upload uploads download line lines row rows column columns entry
    entries record records item items list page pages name names description title text string number numbers integer
    boolean array date time timestamp format type types size length count total limit limits byte bytes character
    characters kb mb gb id ids code codes status state error errors exception warning message messages reason cause

    custom audience audiences lookalike segment campaign ad ads account accounts user users customer customers business
    manager advertiser person people member members owner admin administrator facebook fb fbid meta google apple email
    emails mail phone hash hashes hashed sha digest mobile device third party opt subtype source terms policy policies
    agreement consent privacy rule rules feature plan subscription billing payment balance currency country

    token tokens oauth bearer authentication authorization authenticate authenticated authorize authorized auth login
    log logged sign signed session credential credentials password secret signature scope scopes permission permissions
    permitted access role certificate connection network ip www com org net

    invalid valid bad wrong incorrect correct missing required requires require optional empty blank null undefined
    unknown unsupported supported unexpected expected malformed corrupt corrupted incomplete complete duplicate
    duplicated unique exist exists existing found find match matches mismatch matching differ differs different equal
    contain contains containing include includes included allow allowed allows disallowed accept accepts accepted
    acceptable reject rejected rejects refuse refused denied deny forbidden unauthorized unauthenticated prohibited
    restricted blocked banned disabled enabled inactive active suspended deleted removed archived expired expires expire
    revoked pending processing processed unprocessable ready busy unavailable available temporary temporarily permanent
    permanently maintenance overloaded overload exceed exceeds exceeded exceeding reached maximum minimum max min large
    larger largest small smaller long longer short shorter great greater high low fast slow rate quota throttled
    throttling timeout timed fail failed fails failure failing broken able unable problem issue issues
    trouble wait try retry retries moment moments second seconds minute minutes hour hours day days today
    create creates created creating creation add adds added adding update updated updating change changed delete
    deleting remove removing get fetch load send sent sending receive received post put patch use used uses using set
    give given provide provided provides specify specified pass passed parse parsing parsed decode encode encoded
    reading write written check checked validation validate validated verify verified confirm confirmed need needs
    needed want know seen ask asks asked fault whole let make made start started stop stopped end ended begin cancel cancelled canceled run
    running work works working think thought thing things conflict precondition entity teapot gone moved redirect
    redirected implemented implementation ok okay success successful successfully new old current latest
";

/// A server's words as a message may repeat them: one line, and nothing that was not known before.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    let mut has_known = false;
    for word in text.split_whitespace() {
        let known = known(word);
        has_known |= known.is_some();
        let word = known.unwrap_or_else(|| HIDDEN.to_owned());
        if word == HIDDEN && shown.ends_with(HIDDEN) {
            continue;
        }
        if shown.len() + 1 + word.len() > SHOWN_BYTES_MAX {
            break;
        }
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown.push_str(&word);
    }
    if has_known { shown } else { String::new() }
}

/// A word in small letters, with the stop behind it, if all its pieces are known.
fn known(word: &str) -> Option<String> {
    let core = word.trim_matches(|c: char| !c.is_alphanumeric());
    let lower = core.to_ascii_lowercase();
    if !lower.split(JOINTS).all(is_known) {
        return None;
    }
    let rest = word.trim_start_matches(|c: char| !c.is_alphanumeric()).get(core.len()..)?;
    let stop = rest.chars().find(|c| [',', ';', ':', '.', '!', '?'].contains(c));
    Some(lower + stop.map_or_else(String::new, String::from).as_str())
}

/// Looks a piece of a word up in the list.
fn is_known(piece: &str) -> bool {
    WORDS.split_ascii_whitespace().any(|word| word == piece)
}

/// Tells if a long word is one of a language, a date, a link of such, or throng's own marker. Escapes, hex digits and
/// base64 are not.
pub(super) fn is_plain(word: &str) -> bool {
    let (mut digits, mut is_plain) = (0, !word.contains(['%', '\\', '#']));
    for piece in word.split(|c: char| !c.is_alphanumeric()).filter(|piece| !is_marker(piece)) {
        digits += piece.chars().filter(char::is_ascii_digit).count();
        let is_word = piece.chars().all(char::is_alphabetic)
            && (!piece.chars().skip(1).any(char::is_uppercase)
                || !piece.chars().any(char::is_lowercase));
        let is_number = piece.bytes().all(|byte| byte.is_ascii_digit());
        is_plain &= is_word || is_number || piece.len() <= PLAIN_MIXED_MAX;
    }
    is_plain && digits <= PLAIN_DIGITS_MAX
}

/// Tells if this can be the marker of an audience: random bytes in hex, which spell no text.
fn is_marker(piece: &str) -> bool {
    let bytes: Option<[u8; 16]> = const_hex::decode_to_array(piece).ok();
    bytes.is_some_and(|bytes| !bytes.iter().all(u8::is_ascii_graphic))
}

/// A host's name as far as its labels are known, or are those of the host that was asked.
pub(super) fn shown_host(host: &str, asked: &str) -> String {
    let mut labels: Vec<&str> = host
        .split('.')
        .map(|label| {
            let is_own = asked.split(['.', ':', '/']).any(|own| own == label);
            if is_own || is_known(label) { label } else { HIDDEN }
        })
        .collect();
    labels.dedup_by(|one, other| *one == HIDDEN && one == other);
    labels.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_errors_can_be_read() {
        for text in [
            "name is too long",
            "the token is not valid",
            "this fault was asked for",
            "`file` must have the content type text/plain",
            "Error validating access token: Session has expired on Tuesday",
            "(#100) Missing permissions",
            "(#80003) There have been too many calls to this ad-account.",
            "The owner of the ad account has not accepted the Custom Audiences terms",
            "`opt_out_link` doesn't contain a valid URL!",
        ] {
            let words = text.split_whitespace().count();
            let known = text.split_whitespace().filter_map(known).count();
            assert!(words - known <= 2, "{text}: {}", shown(text));
        }
    }

    #[test]
    fn nothing_is_shown_that_is_not_in_the_list() {
        for (said, expected) in [
            ("line 3: mary@example.com is no digest", "line [...] is no digest"),
            ("Bad \"+442079460018\",\nsee docs", "bad [...] see docs"),
            ("f1904cf1a9d73a55fa5de0ac823c4403", ""),
            ("\"VIP customer 7\": no", "[...] customer [...] no"),
            ("user\u{1b}[31mname, user_id; user__id", "[...] user_id; [...]"),
            ("canary-token: token. token%20", "[...] token. [...]"),
            ("na\u{fc}ve \u{e9} name", "[...] name"),
            ("-- ... \u{202e}", ""),
            ("", ""),
        ] {
            assert_eq!(shown(said), expected, "{said}");
        }
        assert!((150..=SHOWN_BYTES_MAX).contains(&shown(&"name ".repeat(1000)).len()));
    }

    #[test]
    fn a_host_is_shown_as_far_as_it_is_known() {
        for (host, expected) in [
            ("127.0.0.1", "127.[...].1"),
            ("api.example.com", "api.example.com"),
            ("login.example.com", "login.example.com"),
            ("q2fuyxj5.canary.com", "[...].com"),
        ] {
            assert_eq!(shown_host(host, "https://api.example.com/1/127"), expected);
        }
    }
}
