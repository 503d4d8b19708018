//! CSV read in another way, for tests: first the text becomes tokens, from the first to the last, then records are found
//! among them, with no regard to speed and to how much of the text is there.

use proptest::prelude::*;

use super::{Csv, Quotes, Row, Separator, Step};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Separator,
    LineEnd(Vec<u8>),
    Quote,
    /// A backslash and what it takes the meaning off.
    Escape(Vec<u8>),
    Byte(u8),
}

fn tokens(csv: &Csv, mut text: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    while let Some(first) = text.first() {
        let (token, len) = match first {
            b'\\' if csv.quotes.has_backslash() => {
                let len = if text[1..].starts_with(b"\r\n") { 3 } else { text.len().min(2) };
                (Token::Escape(text[1..len].to_vec()), len)
            }
            b'\r' if text.starts_with(b"\r\n") => (Token::LineEnd(text[..2].to_vec()), 2),
            b'\r' | b'\n' => (Token::LineEnd(text[..1].to_vec()), 1),
            b'"' if csv.quotes.are_read() => (Token::Quote, 1),
            _ if text.starts_with(csv.separator.bytes()) => {
                (Token::Separator, csv.separator.bytes().len())
            }
            byte => (Token::Byte(*byte), 1),
        };
        tokens.push(token);
        text = &text[len..];
    }
    tokens
}

fn blanks(tokens: &[Token]) -> usize {
    tokens.iter().take_while(|of| matches!(of, Token::Byte(b' ' | b'\t'))).count()
}

fn content(csv: &Csv, tokens: &[Token], is_quoted: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut skips = false;
    for token in tokens {
        match token {
            Token::Separator => out.extend(csv.separator.bytes()),
            Token::LineEnd(bytes) => out.extend(bytes),
            Token::Quote if is_quoted && skips => {
                skips = false;
                continue;
            }
            Token::Quote => {
                out.push(b'"');
                skips = true;
                continue;
            }
            Token::Escape(bytes) => {
                let special = [b'"', b'\\', b'\n', b'\r', csv.separator.first()];
                if !bytes.first().is_some_and(|byte| special.contains(byte)) {
                    out.push(b'\\');
                }
                out.extend(bytes);
            }
            Token::Byte(byte) => out.push(*byte),
        }
        skips = false;
    }
    out
}

/// The tokens of a quoted field at the begin of these, and how many all of it are.
fn quoted(tokens: &[Token]) -> Option<(&[Token], usize)> {
    let open = blanks(tokens);
    let mut at = open + 1;
    if tokens.get(open) != Some(&Token::Quote) {
        return None;
    }
    loop {
        match (tokens.get(at)?, tokens.get(at + 1)) {
            (Token::Quote, Some(Token::Quote)) => at += 2,
            (Token::Quote, _) => break,
            _ => at += 1,
        }
    }
    let behind = at + 1 + blanks(&tokens[at + 1..]);
    let ends = matches!(tokens.get(behind), None | Some(Token::Separator | Token::LineEnd(_)));
    ends.then_some((&tokens[open + 1..at], behind))
}

type Rows = Vec<Vec<(Vec<u8>, bool)>>;

fn rows(csv: &Csv, text: &[u8]) -> Rows {
    let tokens = tokens(csv, text);
    let mut rest = &tokens[..];
    let mut rows = Rows::new();
    loop {
        while matches!(rest.first(), Some(Token::LineEnd(_))) {
            rest = &rest[1..];
        }
        if rest.is_empty() {
            return rows;
        }
        let mut row = Vec::new();
        loop {
            if let Some((inner, len)) = quoted(rest) {
                row.push((content(csv, inner, true), false));
                rest = &rest[len..];
            } else {
                let is_end = |of: &Token| matches!(of, Token::Separator | Token::LineEnd(_));
                let len = rest.iter().position(is_end).unwrap_or(rest.len());
                let is_stray = rest.get(blanks(rest)) == Some(&Token::Quote);
                row.push((content(csv, &rest[..len], false), is_stray));
                rest = &rest[len..];
            }
            match rest.first() {
                Some(Token::Separator) => rest = &rest[1..],
                _ => break,
            }
        }
        rows.push(row);
    }
}

fn exact(csv: &Csv, text: &[u8]) -> Rows {
    let (mut row, mut at, mut rows) = (Row::default(), 0, Rows::new());
    while csv.read_row(text, at, true, &mut row) == Step::Row {
        rows.push(row.cells.iter().map(|cell| (csv.cell(text, *cell), cell.is_stray)).collect());
        at = row.next;
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn exact_reader_agrees(
        text in proptest::collection::vec(prop_oneof![
            5 => Just(b'"'), 4 => Just(b','), 2 => Just(b'\n'), 1 => Just(b'\r'), 3 => Just(b'a'),
            2 => Just(b' '), 1 => Just(b'\\'), 1 => Just(b'\t'),
        ], 0..40),
        quotes in prop::sample::select(vec![Quotes::Doubled, Quotes::Backslash, Quotes::None, Quotes::Escaped]),
        separator in prop::sample::select(vec![&b","[..], b",,", b",a", b", "]),
    ) {
        let separator = Separator::new(separator).expect("a separator");
        let csv = Csv { quotes, ..Csv::new(separator) };
        prop_assert_eq!(exact(&csv, &text), rows(&csv, &text));
    }

    /// What is written by another hand comes back, quotes, blanks around them and line ends within them.
    #[test]
    fn what_was_quoted_comes_back(
        table in proptest::collection::vec(proptest::collection::vec("[a\",\n\r ]{0,6}", 1..4), 0..8),
    ) {
        let cell = |text: &String| format!(" \"{}\"  ", text.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n";
        let text: String = table.iter().map(line).collect();
        let rows = exact(&Csv::new(b','), text.as_bytes());
        let expected: Rows = table
            .iter()
            .map(|row| row.iter().map(|cell| (cell.clone().into_bytes(), false)).collect())
            .collect();
        prop_assert_eq!(rows, expected);
    }
}
