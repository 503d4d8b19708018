//! Files that are no text or no list, and text in UTF-16, told by their first bytes.

use super::utf16::ByteOrder;

/// Number of decoded bytes that tell what a text is.
pub(super) const HEAD_BYTES: usize = 4096;

/// Content that cannot be read as text, and what to do about it: message and hint.
pub(super) fn unreadable(head: &[u8]) -> Option<(&'static str, &'static str)> {
    match head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some((
            "the text is UTF-32, not UTF-8",
            "convert it first: iconv -f UTF-32 -t UTF-8 FILE | throng prepare - ...",
        )),
        [b'P', b'K', 3, 4, ..] => Some((
            "it is a zip archive or a spreadsheet (.xlsx)",
            "unpack it, or save the sheet as CSV (UTF-8)",
        )),
        head if is_parquet(head) => Some((
            "it is a Parquet file, which cannot be read from a pipe or through a decompressor",
            "give the path of the file itself",
        )),
        [b'P', b'A', b'R', b'E', ..] => {
            Some(("it is an encrypted Parquet file", "write it without encryption"))
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            Some(("it is an old Excel workbook (.xls)", "save the sheet as CSV (UTF-8)"))
        }
        [b'7', b'z', 0xbc, 0xaf, ..] => Some(("it is a 7z archive", "unpack it first")),
        // Of what was decompressed already, or it would not have been looked at.
        [0x1f, 0x8b, 8, ..]
        | [0x28, 0xb5, 0x2f, 0xfd, ..]
        | [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            Some(("it is compressed twice", "pipe it in: zcat FILE | throng prepare - ..."))
        }
        [0x1f, 0x9d, ..] | [0x5d, 0, 0, _, _, 0xff, ..] => Some((
            "it is compressed in a way that throng does not read",
            "pipe it in, for example: xzcat FILE | throng prepare - ...",
        )),
        // The magic of a header of tar (POSIX.1, `pax`), which is a block before each file.
        _ if head.get(257..262) == Some(b"ustar") => Some((
            "it is a tar archive",
            "pipe the file within it in: tar -xOf FILE MEMBER | throng prepare - ...",
        )),
        [0x04, 0x22, 0x4d, 0x18, ..] => {
            Some(("it is LZ4-compressed", "pipe it in: lz4 -dc FILE | throng prepare - ..."))
        }
        _ if is_utf32_without_mark(head) => Some((
            "the text looks like UTF-32, not UTF-8",
            "convert it first: iconv -f UTF-32LE (or UTF-32BE) -t UTF-8 FILE | throng prepare - ...",
        )),
        _ => None,
    }
}

/// The byte order of text in UTF-16.
pub(super) fn utf16(head: &[u8]) -> Option<ByteOrder> {
    match head {
        [0xff, 0xfe, ..] => Some(ByteOrder::Little),
        [0xfe, 0xff, ..] => Some(ByteOrder::Big),
        _ => utf16_without_mark(head),
    }
}

/// Text that is neither a list nor a table, and what to do about it: message and hint. Each of its lines would do as an
/// id of one's own.
pub(super) fn document(text: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = text.trim_ascii_start();
    let begins = |with: &str| {
        text.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with.as_bytes()))
    };
    let inner = text.get(1..).unwrap_or_default().trim_ascii_start();
    let is_json = match text.first() {
        Some(b'{') => inner.starts_with(b"\""),
        Some(b'[') => inner.starts_with(b"{") || inner.starts_with(b"\""),
        _ => false,
    };
    if is_json {
        Some((
            "it is JSON, not a list or a table",
            "take the values out of it, one a line: jq -r '.. | .email? // empty' FILE > list.txt; a table needs --format csv",
        ))
    } else if begins("<!doctype html") || begins("<html") {
        Some((
            "it is a web page, not a list or a table",
            "fetch the file again, or save it as CSV (UTF-8)",
        ))
    } else if begins("<?xml") {
        Some(("it is XML, not a list or a table", "export it as CSV (UTF-8)"))
    } else if begins("%PDF-") {
        Some(("it is a PDF, not a list or a table", "export it as CSV (UTF-8)"))
    } else {
        None
    }
}

/// Number of bytes that tell a Parquet file.
pub(super) const PARQUET_HEAD_BYTES: usize = 512;

/// True for a file that begins like a Parquet file. The magic bytes alone could begin somebody's id; what follows them
/// is no text.
pub(super) fn is_parquet(head: &[u8]) -> bool {
    let head = &head[..head.len().min(PARQUET_HEAD_BYTES)];
    head.strip_prefix(b"PAR1").is_some_and(|rest| rest.iter().any(|byte| *byte < b'\t'))
}

/// UTF-32 without a byte order mark: in text of mostly ASCII, three of four bytes are NUL.
fn is_utf32_without_mark(head: &[u8]) -> bool {
    let (quads, _) = head[..head.len().min(1024)].as_chunks::<4>();
    let is_ascii = |quad: &&[u8; 4]| matches!(quad, [0, 0, 0, 1..=255] | [1..=255, 0, 0, 0]);
    quads.len() >= 4 && quads.iter().filter(is_ascii).count() * 10 >= quads.len() * 7
}

/// UTF-16 without a byte order mark: of its code units, those of ASCII have a NUL, always on the same side. Two of five are
/// enough, because names in headers may have none.
fn utf16_without_mark(head: &[u8]) -> Option<ByteOrder> {
    let (units, _) = head.as_chunks::<2>();
    let zeros = |side: usize| units.iter().filter(|unit| unit[side] == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    let (many, few) =
        (|zeros: usize| zeros * 5 >= units.len() * 2, |zeros: usize| zeros * 20 < units.len());
    match units.len() {
        0..4 => None,
        _ if many(first) && few(second) => Some(ByteOrder::Big),
        _ if many(second) && few(first) => Some(ByteOrder::Little),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_utf16_without_a_mark_and_leaves_single_nuls_alone() {
        let text =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let ascii = text("anna@example.com\n");
        assert_eq!(utf16(&ascii), Some(ByteOrder::Little));
        assert_eq!(utf16(&ascii[1..]), Some(ByteOrder::Big));
        assert_eq!(utf16(&text("имя;почта\nАнна;anna@example.com\n")), Some(ByteOrder::Little));
        assert_eq!(utf16(b"\xfe\xff\x04\x10"), Some(ByteOrder::Big));
        assert_eq!(utf16(b"\xff\xfe"), Some(ByteOrder::Little));
        let utf32: Vec<u8> = ascii.chunks(2).flat_map(|pair| [pair[0], 0, 0, 0]).collect();
        let hint = |head| unreadable(head).expect("is found").1;
        assert!(hint(&utf32).contains("UTF-32LE") && hint(&utf32[1..]).contains("UTF-32BE"));
        for text in ["anna@example.com\0\nbert@example.com\n", "a\0\0\0b\0\0c\0\0\0", ""] {
            assert!(unreadable(text.as_bytes()).is_none() && utf16(text.as_bytes()).is_none());
        }
        assert!(unreadable(b"").is_none());
    }

    #[test]
    fn documents_are_told_from_ids_and_headers() {
        let what = |text: &[u8]| document(text).map(|(message, _)| message);
        for text in ["{\"email\":1}", " [ {\"email\":1}]", "[\"a\"]", "{\n  \"a\": 1"] {
            assert_eq!(what(text.as_bytes()), Some("it is JSON, not a list or a table"), "{text}");
        }
        assert!(what(b"\n<!DOCTYPE html>").is_some() && what(b"<HTML>").is_some());
        assert!(what(b"<?xml version=\"1.0\"?>").is_some() && what(b"%PDF-1.7\n").is_some());
        for text in
            ["{6b29fc40-ca47-1067-b31d-00dd010662da}", "[1]", "<ann>", "\"id\";\"{\"", "%PD", ""]
        {
            assert_eq!(what(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn an_id_that_begins_like_a_parquet_file_is_an_id() {
        assert!(!is_parquet(b"PAR1"));
        assert!(!is_parquet(b"PAR1234\nPAR1235\n"));
        assert!(is_parquet(b"PAR1\x15\x04\x15"));
    }
}
