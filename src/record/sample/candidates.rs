//! Delimiters that a text may be cut by: the usual ones, and those that its own lines show.

use crate::dialect::Separator;

/// Bytes that nearly all tables are cut by, the likelier ones first: of two that cut a text alike, the first is taken.
const USUAL: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Bytes that some systems cut by because values hardly ever have them: carets and tildes, and the ASCII separators of
/// units and records.
const RARE: [u8; 5] = [b'^', b'~', 0x01, 0x1f, 0x1e];

/// Characters beyond ASCII that tables are cut by now and then.
const BEYOND_ASCII: [&str; 4] = ["\u{a6}", "\u{a7}", "\u{ac}", "\u{fe}"];

/// Lines of the sample that are looked at for other delimiters.
const LINES: usize = 40;

/// A delimiter, and how sure one has to be of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) separator: Separator,
    /// True if values usually have such characters, so that identifiers must show that it is one.
    pub(super) needs_proof: bool,
}

/// The delimiters to try on a sample, in the order in which they are preferred.
pub(super) fn candidates(sample: &[u8]) -> Vec<Candidate> {
    let lines = sample
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter(|line| !line.trim_ascii().is_empty())
        .take(LINES);
    let shown = runs(&lines);
    let known =
        USUAL.into_iter().chain(RARE).filter(|byte| memchr::memchr(*byte, sample).is_some());
    let mut all: Vec<Candidate> = shown
        .iter()
        .filter(|run| run.bytes().len() > 1)
        .map(|run| Candidate { separator: *run, needs_proof: false })
        .collect();
    all.extend(
        known.map(|byte| Candidate { separator: Separator::from(byte), needs_proof: false }),
    );
    let others = shown.iter().filter(|run| run.byte().is_some()).copied();
    let beyond =
        BEYOND_ASCII.into_iter().filter(|c| memchr::memmem::find(sample, c.as_bytes()).is_some());
    let beyond = beyond.filter_map(|c| Separator::new(c.as_bytes()));
    all.extend(others.chain(beyond).map(|separator| Candidate { separator, needs_proof: true }));
    all
}

/// Runs of punctuation that nearly all of the lines have, and equally often: `||`, `~|~`, `::`, and single characters that
/// are no usual delimiters.
fn runs<'a>(lines: &(impl Iterator<Item = &'a [u8]> + Clone)) -> Vec<Separator> {
    let mut found: Vec<Separator> = Vec::new();
    for line in lines.clone() {
        for run in line.split(|byte| !is_mark(*byte)) {
            // An empty field makes two of one.
            let run = match run.split_at(run.len() / 2) {
                (half, other) if half.len() > 1 && half == other => half,
                _ => run,
            };
            if let Some(run) =
                Separator::new(run).filter(|run| !is_known(*run) && !found.contains(run))
            {
                found.push(run);
            }
        }
        if found.len() > 16 {
            break;
        }
    }
    let all = lines.clone().count();
    found.retain(|run| {
        // Title rows and footers have none.
        let has_it = |line: &&[u8]| memchr::memmem::find(line, run.bytes()).is_some();
        let cut = lines.clone().filter(has_it).count();
        cut > 1 && cut * 2 >= all
    });
    found.sort_by_key(|run| std::cmp::Reverse(run.bytes().len()));
    found
}

/// Characters that a delimiter can be made of; those that addresses, numbers, names and dates have are not among them.
fn is_mark(byte: u8) -> bool {
    byte.is_ascii_control() && !matches!(byte, b'\t' | b'\0')
        || b"!#$%&*/:;<>?\\^`{|}~".contains(&byte)
        // Not alone, but in `@@` and the like they are.
        || byte == b'@'
}

fn is_known(run: Separator) -> bool {
    match run.bytes() {
        [b'@'] => true,
        [byte] => USUAL.contains(byte) || RARE.contains(byte),
        // Addresses of pages and markup, and empty fields between usual delimiters.
        bytes => bytes.iter().any(|b| b"/?<>{}\\".contains(b)) || bytes.iter().all(|b| *b == b';'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delimiters(sample: &str) -> Vec<(String, bool)> {
        let text = |candidate: Candidate| {
            let bytes = candidate.separator.bytes().to_vec();
            (String::from_utf8(bytes).unwrap(), candidate.needs_proof)
        };
        candidates(sample.as_bytes()).into_iter().map(text).collect()
    }

    #[test]
    fn texts_show_what_they_may_be_cut_by() {
        let own = |text: &str, needs_proof| (text.to_owned(), needs_proof);
        assert_eq!(delimiters("a,b\n1,2\n"), [own(",", false)]);
        assert_eq!(delimiters("a||b||c\n1||||3\n"), [own("||", false), own("|", false)]);
        assert_eq!(delimiters("a~|~b\n1~|~2\n")[0], own("~|~", false));
        assert_eq!(delimiters("a::b\n1::2\n"), [own("::", false)]);
        assert_eq!(delimiters("a\u{1}b\n1\u{1}2\n"), [own("\u{1}", false)]);
        assert_eq!(delimiters("a:b\n1:2\n"), [own(":", true)]);
        assert_eq!(delimiters("ann@example.com\nbob@example.com\n"), []);
        assert_eq!(delimiters("a;;;b\n1;;;2\n"), [own(";", false)]);
    }
}
