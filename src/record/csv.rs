//! The wanted fields of CSV records.
//!
//! Chunks whose quotes all stand where they should go through scanners that look for the ends of fields and lines; a
//! record that is not as wide as all others, or else unlike them, is read again exactly. Other chunks are read exactly
//! from the first byte to the last.

use super::Records;
use super::exact::{Exact, Places};
use super::field::{Field, RecordTooLong, check_length};
#[cfg(target_arch = "x86_64")]
use super::strict;
use crate::dialect::{Csv, Reading};
use crate::hash::Kernel;
use crate::reason::Reason;

/// Reads the wanted columns of chunks.
#[derive(Debug)]
pub struct CsvReader {
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only kernels of x86-64 use it")
    )]
    kernel: Kernel,
    exact: Exact,
}

impl CsvReader {
    /// `wanted` are columns counted from 0, in ascending order, each once.
    pub fn new(csv: Csv, wanted: Vec<usize>) -> Self {
        Self {
            kernel: Kernel::default(),
            exact: Exact {
                csv,
                wanted,
                header: Vec::new(),
                names: Vec::new(),
                begins: [false; 256],
                places: Places::default(),
            },
        }
    }

    /// The same reader on another kernel. The records are the same.
    #[must_use]
    pub fn on(self, kernel: Kernel) -> Self {
        Self { kernel, ..self }
    }

    /// The same reader for a source with that header, whose bytes have no line end.
    #[must_use]
    pub fn with_header(mut self, header: Vec<u8>) -> Self {
        self.exact.set_header(header);
        self
    }

    /// The same reader for a source whose values have these places.
    #[must_use]
    pub fn with_places(mut self, places: Places) -> Self {
        self.exact.places = places;
        self
    }

    /// Reads the records of a chunk.
    pub fn read(
        &self,
        chunk: &[u8],
        reading: Reading,
        records: &mut Records,
    ) -> Result<(), RecordTooLong> {
        records.clear(self.exact.wanted.len());
        match reading {
            Reading::Fast => self.read_strict(chunk, records)?,
            Reading::Exact { goes_on } => self.exact.read(chunk, goes_on, records)?,
        }
        records.len = records.starts.len();
        Ok(())
    }

    fn read_strict(&self, chunk: &[u8], records: &mut Records) -> Result<(), RecordTooLong> {
        #[cfg(target_arch = "x86_64")]
        if self.kernel.has_avx512() {
            return strict::read(self.kernel, chunk, &self.exact, records);
        }
        let mut at = 0;
        while at < chunk.len() {
            // Lines without anything are no records.
            if matches!(chunk[at], b'\n' | b'\r') {
                at += 1;
                continue;
            }
            let end = self.read_strict_record(chunk, at, records);
            check_length(chunk, at, end)?;
            at = end + 1;
        }
        Ok(())
    }

    /// Reads the record that begins at `start`; where its LF is, or the end of the chunk.
    #[inline]
    fn read_strict_record(&self, chunk: &[u8], start: usize, records: &mut Records) -> usize {
        let Exact { csv, wanted, .. } = &self.exact;
        let (delimiter, has_quotes) = (csv.separator.first(), csv.quotes.are_read());
        records.starts.push(super::place(start));
        let (mut at, mut column, mut found) = (start, 0, 0);
        let mut is_quoted = false;
        let end = loop {
            let field = Field::at(chunk, at, delimiter, has_quotes);
            is_quoted |= field.is_quoted;
            if wanted[found] == column {
                field.push(chunk, records);
                found += 1;
            }
            column += 1;
            at = field.next;
            if at > chunk.len() || chunk[at - 1] != delimiter {
                break at - 1;
            }
            if found == wanted.len() {
                let tail = Tail::of(chunk, at, delimiter, has_quotes);
                column += tail.fields;
                is_quoted |= tail.is_quoted;
                break tail.end;
            }
        };
        let has_inner = || {
            let record = chunk[start..end].strip_suffix(b"\r").unwrap_or(&chunk[start..end]);
            memchr::memchr2(b'\n', b'\r', record).is_some()
        };
        let is_odd = csv.checked_width().is_some_and(|width| width != column)
            || (end - start).wrapping_sub(self.exact.header_len()) <= Exact::HEADER_SLACK
            || is_quoted && csv.width.is_some() && has_inner()
            || found > 0 && self.exact.may_be_header(records.first_of_last(chunk, found));
        if is_odd {
            // It has a begin, if no fields.
            records.starts.pop();
            records.spans.truncate(records.starts.len() * wanted.len());
            self.exact.read_again(chunk, start..end, 0, records);
        } else {
            // The line ends here; what is still wanted is not there.
            (found..wanted.len()).for_each(|_| records.push_refused(Reason::MissingColumn));
        }
        end
    }
}

/// Fields of a record behind the last wanted one.
struct Tail {
    fields: usize,
    is_quoted: bool,
    /// The LF that ends the record, or the end of the chunk.
    end: usize,
}

impl Tail {
    #[inline]
    fn of(chunk: &[u8], start: usize, delimiter: u8, has_quotes: bool) -> Self {
        let line_end = if has_quotes {
            memchr::memchr2(b'"', b'\n', &chunk[start..])
        } else {
            memchr::memchr(b'\n', &chunk[start..])
        };
        let end = line_end.map_or(chunk.len(), |len| start + len);
        if chunk.get(end) != Some(&b'"') {
            let delimiters = memchr::memchr_iter(delimiter, &chunk[start..end]).count();
            return Self { fields: delimiters + 1, is_quoted: false, end };
        }
        let (mut at, mut fields) = (start, 0);
        loop {
            let field = Field::at(chunk, at, delimiter, has_quotes);
            fields += 1;
            at = field.next;
            if at > chunk.len() || chunk[at - 1] != delimiter {
                return Self { fields, is_quoted: true, end: at - 1 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialect::Quotes;

    type Rows = Vec<Vec<Result<Vec<u8>, Reason>>>;

    const EXACT: Reading = Reading::Exact { goes_on: false };

    fn read(
        reader: &CsvReader,
        text: &[u8],
        reading: Reading,
    ) -> (Rows, Vec<super::super::Oddity>) {
        let mut records = Records::default();
        reader.read(text, reading, &mut records).expect("short records");
        let own = |field: Result<&[u8], Reason>| field.map(<[u8]>::to_vec);
        let columns: Vec<Vec<_>> = (0..records.width())
            .map(|field| records.fields(text, field).map(own).collect())
            .collect();
        let row = |row: usize| columns.iter().map(|column| column[row].clone()).collect();
        ((0..records.len()).map(row).collect(), records.oddities().to_vec())
    }

    fn read_by_csv_crate(text: &[u8], wanted: &[usize]) -> Rows {
        let cell = |record: &csv::ByteRecord, at: usize| {
            record.get(at).map(<[u8]>::to_vec).ok_or(Reason::MissingColumn)
        };
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text)
            .into_byte_records()
            .map(|record| record.expect("reads from memory"))
            .map(|record| wanted.iter().map(|at| cell(&record, *at)).collect())
            .collect()
    }

    fn written(rows: &[Vec<String>], is_crlf: bool) -> Vec<u8> {
        let terminator = if is_crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new();
        let mut writer = writer.flexible(true).terminator(terminator).from_writer(Vec::new());
        for row in rows {
            writer.write_record(row).expect("writes to memory");
        }
        writer.into_inner().expect("flushes")
    }

    fn wanted() -> impl Strategy<Value = Vec<usize>> {
        prop::sample::select(vec![vec![0], vec![1], vec![3], vec![0, 2], vec![1, 2, 4]])
    }

    fn rows(cell: &'static str, most: usize) -> impl Strategy<Value = Vec<Vec<String>>> {
        proptest::collection::vec(proptest::collection::vec(cell, 1..6), 0..most)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn every_reader_equals_csv_crate_on_well_formed_csv(
            rows in prop_oneof![rows("[ab\",\n\r]{0,6}", 8), rows("[ab\",\n\r]{0,40}", 30)],
            is_crlf: bool, final_end: bool, wanted in wanted(),
        ) {
            let mut text = written(&rows, is_crlf);
            if !final_end && text.last() == Some(&b'\n') {
                text.truncate(text.len() - if is_crlf { 2 } else { 1 });
            }
            let expected = read_by_csv_crate(&text, &wanted);
            let reader = || CsvReader::new(Csv::new(b','), wanted.clone());
            prop_assert_eq!(&read(&reader(), &text, EXACT).0, &expected);
            for kernel in Kernel::all() {
                prop_assert_eq!(&read(&reader().on(kernel), &text, Reading::Fast).0, &expected);
            }
        }

        /// Of rows of any width, with the header among them, glued ones and blank ones.
        #[test]
        fn strict_equals_exact(
            rows in prop_oneof![rows("[ab\",\n\r]{0,3}", 12), rows("[ab ]{0,30}", 30)],
            is_crlf: bool, is_ragged: bool, width in 1_usize..5, wanted in wanted(), header in 0_usize..5,
            quotes in prop::sample::select(vec![Quotes::Doubled, Quotes::Backslash, Quotes::None, Quotes::Escaped]),
        ) {
            let mut text = written(&rows, is_crlf);
            if !quotes.are_read() {
                text.retain(|byte| *byte != b'\r');
            }
            let csv = Csv { quotes, width: Some(width), is_ragged, ..Csv::new(b',') };
            let line = text.split(|byte| *byte == b'\n').nth(header).unwrap_or_default();
            let header = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
            let reader = || CsvReader::new(csv, wanted.clone()).with_header(header.clone());
            let expected = read(&reader(), &text, EXACT);
            for kernel in Kernel::all() {
                prop_assert_eq!(&read(&reader().on(kernel), &text, Reading::Fast), &expected);
            }
        }
    }

    #[test]
    fn header_in_another_spelling_is_the_header() {
        let csv = Csv { width: Some(2), ..Csv::new(b',') };
        let text =
            b"\"id_1\",\"mail\"\nID_1,Mail\n id_1 , mail\nid_1,mail,\nid_1,mail\nid_1,x\n1,mail\n";
        for wanted in [vec![0], vec![1], vec![0, 1]] {
            let reader = || CsvReader::new(csv, wanted.clone()).with_header(b"id_1,mail".to_vec());
            let mut read_by = vec![read(&reader(), text, EXACT)];
            for kernel in Kernel::all() {
                read_by.push(read(&reader().on(kernel), text, Reading::Fast));
            }
            for (rows, oddities) in read_by {
                assert!(oddities.iter().all(|of| of.reason == Some(Reason::RepeatedHeader)));
                let told: Vec<_> = oddities.iter().map(|of| of.record).collect();
                assert_eq!(told, [0, 1, 2, 3, 4]);
                let refused: Vec<_> = rows.iter().map(|row| row[0].is_err()).collect();
                assert_eq!(refused, [true, true, true, true, true, false, false]);
            }
        }
    }

    #[test]
    fn odd_records_are_refused_or_told() {
        let csv = Csv { width: Some(2), ..Csv::new(b',') };
        let text =
            b"1,a\n2\n3,c,d\n4,d,,\nid,mail\n5,\"e\n6,f\n7,\"g\n8,h\"\n,\n \n9,i\"\n0,=\"j\"\n";
        let reader = CsvReader::new(csv, vec![1]).with_header(b"id,mail".to_vec());
        let (rows, oddities) = read(&reader, text, EXACT);
        let ok = |text: &str| Ok(text.as_bytes().to_vec());
        let expected = [
            ok("a"),
            Err(Reason::RowWidth),
            Err(Reason::RowWidth),
            ok("d"),
            Err(Reason::RepeatedHeader),
            Err(Reason::StrayQuote),
            ok("f"),
            Err(Reason::MergedRows),
            ok(""),
            ok(""),
            Err(Reason::StrayQuote),
            ok("=\"j\""),
        ];
        assert!(rows.concat() == expected, "{rows:?}");
        let told: Vec<_> = oddities.iter().map(|of| (of.record, of.reason, of.lines)).collect();
        let expected = [
            (1, Some(Reason::RowWidth), 1),
            (2, Some(Reason::RowWidth), 1),
            (4, Some(Reason::RepeatedHeader), 1),
            (5, None, 1),
            (7, Some(Reason::MergedRows), 2),
            (10, None, 1),
        ];
        assert_eq!(told, expected);
    }
}
