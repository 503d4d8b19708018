//! Records that are lines.

use super::exact::bare;
use super::{Records, scan};
use crate::hash::Kernel;
use crate::reason::Reason;

/// Reads the lines of a chunk: an LF ends a line, a CR LF, or a CR alone; a last line needs none.
pub fn read_lines(kernel: Kernel, chunk: &[u8], records: &mut Records) {
    records.clear(1);
    records.has_bare_cr = true;
    let mut start = 0;
    scan::for_each_line_end(kernel, chunk, |at| {
        push_line(chunk, start, at, records);
        start = at + 1;
    });
    end_lines(chunk, start, records);
}

/// Reads lines that only an LF ends. A CR before it belongs to the line end.
pub(crate) fn read_lf_lines(kernel: Kernel, chunk: &[u8], records: &mut Records) {
    records.clear(1);
    let mut start = 0;
    scan::for_each_place(kernel, chunk, b'\n', |at| {
        push_line(chunk, start, at, records);
        start = at + 1;
    });
    end_lines(chunk, start, records);
}

/// Refuses the lines that are the header again, however it is quoted, padded or capitalized.
pub(crate) fn refuse_headers(chunk: &[u8], header: &[u8], records: &mut Records) {
    let header = bare(header);
    if header.is_empty() {
        return;
    }
    for index in 0..records.len() {
        let span = records.spans[index];
        if (span.len as usize) < header.len() {
            continue;
        }
        let Ok(line) = records.slice(chunk, span) else { continue };
        // Few lines begin like it.
        if (line[0].eq_ignore_ascii_case(&header[0]) || matches!(line[0], b'"' | 0xef | 0..=b' '))
            && bare(line).eq_ignore_ascii_case(header)
        {
            records.refuse(index, Reason::RepeatedHeader);
        }
    }
}

fn end_lines(chunk: &[u8], start: usize, records: &mut Records) {
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
    use proptest::prelude::*;

    use super::*;

    fn lines<'a>(kernel: Kernel, text: &'a [u8], records: &'a mut Records) -> Vec<&'a [u8]> {
        read_lines(kernel, text, records);
        records.fields(text, 0).map(|line| line.expect("present")).collect()
    }

    #[test]
    fn every_line_end_counts_and_the_last_needs_none() {
        let mut records = Records::default();
        for (text, expected) in [
            (&b"a\nb\r\n\nc"[..], &[&b"a"[..], b"b", b"", b"c"][..]),
            (b"a\n", &[b"a"]),
            (b"\n\n", &[b"", b""]),
            (b"", &[]),
            (b"a\rb", &[b"a", b"b"]),
            (b"a\r\r\nb\r", &[b"a", b"", b"b"]),
        ] {
            for kernel in Kernel::all() {
                assert_eq!(lines(kernel, text, &mut records), expected, "{}", kernel.name());
            }
        }
        read_lf_lines(Kernel::default(), b"a\rb\r\nc", &mut records);
        assert_eq!(records.len(), 2);
    }

    #[test]
    fn header_that_comes_again_is_refused() {
        let mut records = Records::default();
        let text = b"a@b.example\nemail\r\nc@d.example";
        read_lines(Kernel::default(), text, &mut records);
        refuse_headers(text, b"email", &mut records);
        let refused: Vec<bool> = records.fields(text, 0).map(|line| line.is_err()).collect();
        assert_eq!(refused, [false, true, false]);
    }

    #[test]
    fn respelled_header_is_refused_and_lines_keep_their_numbers() {
        let mut records = Records::default();
        let text = b"a@b.example\n\"Email\"\nx@b.example\n EMAIL \nc@d.example\n";
        read_lines(Kernel::default(), text, &mut records);
        refuse_headers(text, b"email", &mut records);
        records.retain(text, |row| Ok(row.index != 2));
        let refused: Vec<bool> = records.fields(text, 0).map(|line| line.is_err()).collect();
        assert_eq!(refused, [false, true, true, false]);
        let mut counter = super::super::LineCounter::new(text);
        let lines: Vec<u64> = (0..4).map(|at| records.line_of(at, &mut counter)).collect();
        assert_eq!(lines, [0, 1, 3, 4]);
    }

    proptest! {
        #[test]
        fn kernels_find_the_lines_of_the_standard_library(text in "[ab\n\r]{0,300}") {
            let plain = text.replace("\r\n", "\n").replace('\r', "\n");
            let mut expected: Vec<&[u8]> = plain.split('\n').map(str::as_bytes).collect();
            expected.pop_if(|last| last.is_empty());
            let mut records = Records::default();
            for kernel in Kernel::all() {
                prop_assert_eq!(&lines(kernel, text.as_bytes(), &mut records), &expected);
            }
        }
    }
}
