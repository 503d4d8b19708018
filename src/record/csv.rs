//! The wanted fields of CSV records, with the semantics of the `csv` crate.
//!
//! Chunks whose quotes all stand where they should go through a scanner that looks for the end of the next field and
//! passes over everything behind the last wanted column. Other chunks go through `csv-core` itself.

use csv_core::{ReadRecordResult, Reader};

use super::Records;
use super::field::{Field, RecordTooLong, check_length};
#[cfg(target_arch = "x86_64")]
use super::strict;
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
    delimiter: u8,
    /// Wanted columns, counted from 0, in ascending order, each once.
    wanted: Vec<usize>,
    exact: Box<Reader>,
    output: Vec<u8>,
    ends: Vec<usize>,
}

impl CsvReader {
    /// `wanted` are columns counted from 0, in ascending order, each once.
    pub fn new(delimiter: u8, wanted: Vec<usize>) -> Self {
        let exact = Box::new(csv_core::ReaderBuilder::new().delimiter(delimiter).build());
        let kernel = Kernel::default();
        Self { kernel, delimiter, wanted, exact, output: Vec::new(), ends: vec![0; 64] }
    }

    /// The same reader on another kernel. The records are the same.
    #[must_use]
    pub fn on(self, kernel: Kernel) -> Self {
        Self { kernel, ..self }
    }

    /// Reads the records of a chunk; `is_exact` says that its quotes need the exact machine.
    pub fn read(
        &mut self,
        chunk: &[u8],
        is_exact: bool,
        records: &mut Records,
    ) -> Result<(), RecordTooLong> {
        records.clear(self.wanted.len());
        if is_exact {
            self.read_exact(chunk, records)?;
        } else {
            self.read_strict(chunk, records)?;
        }
        records.len = records.starts.len();
        Ok(())
    }

    fn read_strict(&self, chunk: &[u8], records: &mut Records) -> Result<(), RecordTooLong> {
        #[cfg(target_arch = "x86_64")]
        if self.kernel.has_avx512() {
            return strict::read(self.kernel, chunk, self.delimiter, &self.wanted, records);
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
        records.starts.push(super::place(start));
        let mut at = start;
        let mut column = 0;
        for &wanted in &self.wanted {
            loop {
                let field = Field::at(chunk, at, self.delimiter);
                let is_wanted = column == wanted;
                if is_wanted {
                    field.push(chunk, records);
                }
                column += 1;
                at = field.next;
                if at > chunk.len() || chunk[at - 1] != self.delimiter {
                    // The line ends here; what is still wanted is not there.
                    let seen = self.wanted.partition_point(|wanted| *wanted < column);
                    for _ in seen..self.wanted.len() {
                        records.push_refused(Reason::MissingColumn);
                    }
                    return at - 1;
                }
                if is_wanted {
                    break;
                }
            }
        }
        end_of_record(chunk, at)
    }

    fn read_exact(&mut self, chunk: &[u8], records: &mut Records) -> Result<(), RecordTooLong> {
        // A record is never longer than what it is read from.
        self.output.resize(chunk.len().max(1), 0);
        self.exact.reset();
        // An empty line before the chunk is no record; with it behind itself, the machine does not take the chunk for
        // the beginning of a file, from which it would take a byte order mark off.
        let _begun = self.exact.read_record(b"\n", &mut self.output, &mut self.ends);
        let mut at = 0;
        loop {
            while matches!(chunk.get(at), Some(b'\n' | b'\r')) {
                at += 1;
            }
            let start = at;
            let (mut output_len, mut fields) = (0, 0);
            loop {
                let (result, read, written, ended) = self.exact.read_record(
                    &chunk[at..],
                    &mut self.output[output_len..],
                    &mut self.ends[fields..],
                );
                at += read;
                output_len += written;
                fields += ended;
                match result {
                    ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                    ReadRecordResult::OutputFull => {
                        self.output.resize(self.output.len() * 2 + 64, 0);
                    }
                    // An empty input is what tells the machine that the chunk ends.
                    ReadRecordResult::InputEmpty => {}
                    ReadRecordResult::Record => break,
                    ReadRecordResult::End => return Ok(()),
                }
            }
            check_length(chunk, start, at)?;
            self.push_exact(start, fields, records);
        }
    }

    fn push_exact(&self, start: usize, fields: usize, records: &mut Records) {
        records.starts.push(super::place(start));
        for &wanted in &self.wanted {
            if wanted >= fields {
                records.push_refused(Reason::MissingColumn);
                continue;
            }
            let field_start = if wanted == 0 { 0 } else { self.ends[wanted - 1] };
            let from = records.scratch.len();
            records.scratch.extend_from_slice(&self.output[field_start..self.ends[wanted]]);
            records.push_scratch(from);
        }
    }
}

/// The LF that ends the record around `at`, or the end of the chunk.
#[inline]
fn end_of_record(chunk: &[u8], mut at: usize) -> usize {
    loop {
        match memchr::memchr2(b'"', b'\n', &chunk[at..]) {
            None => return chunk.len(),
            Some(len) if chunk[at + len] == b'\n' => return at + len,
            Some(len) => {
                // Doubled quotes close and open again, so that pairs are enough.
                let open = at + len;
                match memchr::memchr(b'"', &chunk[open + 1..]) {
                    Some(len) => at = open + 1 + len + 1,
                    None => return chunk.len(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Rows = Vec<Vec<Option<Vec<u8>>>>;

    fn read(kernel: Kernel, text: &[u8], wanted: &[usize], is_exact: bool) -> Rows {
        let mut records = Records::default();
        let mut reader = CsvReader::new(b',', wanted.to_vec()).on(kernel);
        reader.read(text, is_exact, &mut records).expect("short records");
        let columns: Vec<Vec<_>> =
            (0..wanted.len()).map(|field| records.fields(text, field).collect()).collect();
        (0..records.len())
            .map(|row| columns.iter().map(|column| column[row].ok().map(<[u8]>::to_vec)).collect())
            .collect()
    }

    fn read_by_csv_crate(text: &[u8], wanted: &[usize]) -> Rows {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text)
            .into_byte_records()
            .map(|record| record.expect("reads from memory"))
            .map(|record| wanted.iter().map(|at| record.get(*at).map(<[u8]>::to_vec)).collect())
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn strict_equals_csv_crate_on_well_formed_csv(
            rows in proptest::collection::vec(proptest::collection::vec("[ab\",\n\r]{0,6}", 1..6), 0..8),
            crlf: bool, final_end: bool,
            wanted in prop_oneof![Just(vec![0]), Just(vec![1]), Just(vec![0, 2]), Just(vec![1, 2, 4])],
        ) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().flexible(true).terminator(terminator).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).expect("writes to memory");
            }
            let mut text = writer.into_inner().expect("flushes");
            if !final_end && text.last() == Some(&b'\n') {
                text.truncate(text.len() - if crlf { 2 } else { 1 });
            }
            for kernel in Kernel::all() {
                prop_assert_eq!(read(kernel, &text, &wanted, false), read_by_csv_crate(&text, &wanted));
            }
        }

        #[test]
        fn strict_equals_csv_crate_across_blocks(
            rows in proptest::collection::vec(proptest::collection::vec("[ab\",\n\r]{0,40}", 1..6), 0..30),
            crlf: bool,
            wanted in prop_oneof![Just(vec![0]), Just(vec![3]), Just(vec![0, 2])],
        ) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().flexible(true).terminator(terminator).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).expect("writes to memory");
            }
            let text = writer.into_inner().expect("flushes");
            for kernel in Kernel::all() {
                prop_assert_eq!(read(kernel, &text, &wanted, false), read_by_csv_crate(&text, &wanted));
            }
        }

        #[test]
        fn exact_equals_csv_crate_on_anything(
            text in "[a\",\n\r ]{0,40}",
            wanted in prop_oneof![Just(vec![0]), Just(vec![0, 1]), Just(vec![2])],
        ) {
            let text = text.into_bytes();
            let kernel = Kernel::default();
            prop_assert_eq!(read(kernel, &text, &wanted, true), read_by_csv_crate(&text, &wanted));
        }
    }
}
