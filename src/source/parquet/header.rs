//! The headers of pages, looked at before the `parquet` crate is: what it allocates and decompresses is what they say.

use super::thrift::{Broken, Kind, Reader};

/// Kinds of pages.
const DATA: i64 = 0;
const INDEX: i64 = 1;
const DICTIONARY: i64 = 2;
const DATA_V2: i64 = 3;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of the header itself.
    pub(super) len: usize,
    pub(super) uncompressed: usize,
    pub(super) compressed: usize,
    pub(super) crc: Option<i64>,
    kind: i64,
    levels: usize,
    is_plain: bool,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        let mut header = Self::default();
        let mut reader = Reader::new(bytes);
        reader.fields(|reader, id, _| {
            match id {
                1 => header.kind = reader.int()?,
                2 => header.uncompressed = reader.size()?,
                3 => header.compressed = reader.size()?,
                4 => header.crc = Some(reader.int()?),
                8 => {
                    (header.levels, header.is_plain) = (0, false);
                    reader.fields(|reader, id, kind| header.data_v2(reader, id, kind))?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        header.len = reader.position();
        Ok(header)
    }

    /// Reads what is told of the levels of a data page of the second version: they come first and are never compressed.
    fn data_v2(&mut self, reader: &mut Reader<'_>, id: i64, kind: Kind) -> Result<bool, Broken> {
        match id {
            5 | 6 => self.levels = self.levels.saturating_add(reader.size()?),
            7 => {
                self.is_plain = kind != Kind::TRUE;
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether pages of this kind are known.
    pub(super) fn is_known(&self) -> bool {
        matches!(self.kind, DATA | INDEX | DICTIONARY | DATA_V2)
    }

    /// How many bytes at the beginning are as they were before the page was compressed.
    pub(super) fn plain_bytes(&self) -> usize {
        match self.kind {
            DATA_V2 if self.is_plain => self.compressed,
            DATA_V2 => self.levels,
            _ => 0,
        }
    }
}
