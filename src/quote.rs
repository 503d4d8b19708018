//! Text of others within our messages: a name, a header or an answer must not steer a terminal, forge a line, or end one.

use std::fmt::{self, Write as _};
use std::io;
use std::path::Path;

/// True for a character that is invisible, steers a terminal, or turns the direction of what follows: names and headers
/// may hold any.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Text with hidden characters spelled out. It stays one line.
#[derive(Debug)]
pub struct OneLine<'a>(pub &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            if is_hidden(c) { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") }
        })
    }
}

/// Lines with hidden characters spelled out.
#[derive(Debug)]
pub struct Lines<'a>(pub &'a str);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.0.split('\n');
        write!(f, "{}", OneLine(lines.next().unwrap_or_default()))?;
        lines.try_for_each(|line| write!(f, "\n{}", OneLine(line)))
    }
}

/// A line of JSON with hidden characters as JSON escapes them: it says the same, and steers no terminal.
#[derive(Debug)]
pub struct JsonLine<'a>(pub &'a str);

impl fmt::Display for JsonLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            if !is_hidden(c) {
                return f.write_char(c);
            }
            c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))
        })
    }
}

/// A path in backticks, with hidden characters spelled out, so that a message stays one line.
#[derive(Debug)]
pub struct Quoted<'a>(pub &'a Path);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", OneLine(&self.0.to_string_lossy()))
    }
}

/// Cause of a refusal by the system, in the words of our messages: lower case, and no number.
#[derive(Debug)]
pub struct Cause<'a>(pub &'a io::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        // Behind the number `tempfile` adds the name of its file, which says nothing to people.
        let Some((text, _)) = text.split_once(" (os error ") else { return f.write_str(&text) };
        let (first, rest) = text.split_at_checked(1).unwrap_or(("", text));
        write!(f, "{}{rest}", first.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_without_hidden_characters() {
        let text = "a\u{9b}31m\u{7f}\u{202e}\u{e0041}\u{e9}\n";
        let json = serde_json::to_string(text).expect("JSON");
        let shown = JsonLine(&json).to_string();
        assert_eq!(
            shown,
            r#""a\u009b31m\u007f\u202e\udb40\udc41\u{e9}\n""#.replace(r"\u{e9}", "\u{e9}")
        );
        assert_eq!(serde_json::from_str::<String>(&shown).expect("JSON"), text);
    }

    #[test]
    fn causes_are_in_our_words() {
        let error = io::Error::from_raw_os_error(28);
        assert_eq!(Cause(&error).to_string(), "no space left on device");
        let nowhere = tempfile::tempfile_in("/nowhere").expect_err("there is no such directory");
        assert_eq!(Cause(&nowhere).to_string(), "no such file or directory");
        let named = tempfile::NamedTempFile::new_in("/nowhere").expect_err("neither");
        assert_eq!(Cause(&named).to_string(), "no such file or directory");
        assert_eq!(Cause(&io::Error::other("AB")).to_string(), "AB");
    }
}
