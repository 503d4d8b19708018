//! Records that are lines.

use super::{Records, scan};
use crate::hash::Kernel;

/// Reads the lines of a chunk. A CR before LF belongs to the line end; a last line needs none.
pub fn read_lines(kernel: Kernel, chunk: &[u8], end: u8, records: &mut Records) {
    records.clear(1);
    let mut start = 0;
    scan::for_each_place(kernel, chunk, end, |at| {
        push_line(chunk, start, at, records);
        start = at + 1;
    });
    if start < chunk.len() {
        push_line(chunk, start, chunk.len(), records);
    }
    records.len = records.spans.len();
}

#[inline]
fn push_line(chunk: &[u8], start: usize, end: usize, records: &mut Records) {
    let has_cr = end > start && chunk[end - 1] == b'\r';
    records.push_span(start, end - usize::from(has_cr));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_counts_and_the_last_needs_none() {
        let mut records = Records::default();
        for (text, end, expected) in [
            (&b"a\nb\r\n\nc"[..], b'\n', &[&b"a"[..], b"b", b"", b"c"][..]),
            (b"a\n", b'\n', &[b"a"]),
            (b"\n\n", b'\n', &[b"", b""]),
            (b"", b'\n', &[]),
            (b"a\rb", b'\r', &[b"a", b"b"]),
        ] {
            read_lines(Kernel::default(), text, end, &mut records);
            let lines: Vec<_> =
                records.fields(text, 0).map(|line| line.expect("present")).collect();
            assert_eq!(lines, expected);
        }
    }
}
