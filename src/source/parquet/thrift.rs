//! Thrift's compact protocol, as far as it takes to look at metadata before the `parquet` crate is given it.
//!
//! What is read comes from files that anybody may have made: nothing is allocated because a length says so, and nothing
//! nests deeper than [`DEPTH_MAX`]. The crate must read the same of the same bytes, or a look ahead would be worth nothing:
//! where implementations differ (numbers of fields over 16 bits, truth values in lists), this one refuses, since no
//! metadata of Parquet has any of that.

/// Why something cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The bytes end too early.
    Short,
    /// No writer writes this.
    Wrong,
}

/// Deepest nesting of what is passed over.
const DEPTH_MAX: u32 = 32;

/// The type of a field or of the elements of a list, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind(u8);

impl Kind {
    pub(super) const TRUE: Self = Self(1);
}

/// Reads from the front of some bytes.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        let byte = *self.bytes.get(self.at).ok_or(Broken::Short)?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Broken::Wrong)
    }

    /// An integer of any width.
    pub(super) fn int(&mut self) -> Result<i64, Broken> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// An integer that counts something.
    pub(super) fn count(&mut self) -> Result<u64, Broken> {
        u64::try_from(self.int()?).map_err(|_| Broken::Wrong)
    }

    /// A size that is an `i32` in the file.
    pub(super) fn size(&mut self) -> Result<usize, Broken> {
        let size = i32::try_from(self.int()?).map_err(|_| Broken::Wrong)?;
        usize::try_from(size).map_err(|_| Broken::Wrong)
    }

    pub(super) fn binary(&mut self) -> Result<&'a [u8], Broken> {
        let len = usize::try_from(self.varint()?).map_err(|_| Broken::Wrong)?;
        let end = self.at.checked_add(len).ok_or(Broken::Wrong)?;
        let binary = self.bytes.get(self.at..end).ok_or(Broken::Short)?;
        self.at = end;
        Ok(binary)
    }

    /// Reads a struct: `on_field` is given each field's number and kind, and says whether it has read the value; else
    /// that is passed over.
    pub(super) fn fields(
        &mut self,
        mut on_field: impl FnMut(&mut Self, i64, Kind) -> Result<bool, Broken>,
    ) -> Result<(), Broken> {
        self.fields_within(DEPTH_MAX, &mut on_field)
    }

    fn fields_within(
        &mut self,
        depth: u32,
        on_field: &mut dyn FnMut(&mut Self, i64, Kind) -> Result<bool, Broken>,
    ) -> Result<(), Broken> {
        let mut id = 0_i64;
        loop {
            let header = self.byte()?;
            if header == 0 {
                return Ok(());
            }
            id = match header >> 4 {
                0 => self.int()?,
                more => id.checked_add(i64::from(more)).ok_or(Broken::Wrong)?,
            };
            let kind = Kind(header & 0xf);
            // As the crate keeps it.
            i16::try_from(id).map_err(|_| Broken::Wrong)?;
            if !on_field(self, id, kind)? {
                self.skip(kind, depth)?;
            }
        }
    }

    /// Reads a list element by element.
    pub(super) fn list(
        &mut self,
        mut on_element: impl FnMut(&mut Self) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        let (count, _) = self.list_header()?;
        (0..count).try_for_each(|_| on_element(self))
    }

    fn list_header(&mut self) -> Result<(u64, Kind), Broken> {
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => self.varint()?,
            few => u64::from(few),
        };
        Ok((count, Kind(header & 0xf)))
    }

    fn skip(&mut self, kind: Kind, depth: u32) -> Result<(), Broken> {
        let depth = depth.checked_sub(1).ok_or(Broken::Wrong)?;
        match kind.0 {
            // The value of a field of these is its kind.
            1 | 2 => Ok(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => (0..8).try_for_each(|_| self.byte().map(drop)),
            8 => self.binary().map(drop),
            9 | 10 => {
                let (count, kind) = self.list_header()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            11 => {
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                (0..count).try_for_each(|_| {
                    self.skip_element(Kind(kinds >> 4), depth)?;
                    self.skip_element(Kind(kinds & 0xf), depth)
                })
            }
            12 => self.fields_within(depth, &mut |_, _, _| Ok(false)),
            13 => (0..16).try_for_each(|_| self.byte().map(drop)),
            _ => Err(Broken::Wrong),
        }
    }

    /// Truth values take a byte within a list, by the specification, and none in some readers.
    fn skip_element(&mut self, kind: Kind, depth: u32) -> Result<(), Broken> {
        match kind.0 {
            1 | 2 => Err(Broken::Wrong),
            _ => self.skip(kind, depth),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_wanted_is_passed_over() {
        // Fields 1 (i32), 2 (list of three i32), 3 (struct in a struct), 5 (binary).
        let bytes = [
            0x15, 0x08, 0x19, 0x35, 0x02, 0x04, 0x06, 0x1c, 0x1c, 0x11, 0x00, 0x00, 0x28, 0x02,
            b'a', b'b', 0,
        ];
        let mut found = (0, Vec::new());
        let mut reader = Reader::new(&bytes);
        let read = reader.fields(|reader, id, _| {
            match id {
                1 => found.0 = reader.int()?,
                5 => found.1 = reader.binary()?.to_vec(),
                _ => return Ok(false),
            }
            Ok(true)
        });
        assert_eq!(read, Ok(()));
        assert_eq!((found, reader.position()), ((4, b"ab".to_vec()), bytes.len()));
        for len in 0..bytes.len() {
            let mut reader = Reader::new(&bytes[..len]);
            assert_eq!(reader.fields(|_, _, _| Ok(false)), Err(Broken::Short), "{len}");
        }
    }

    #[test]
    fn what_readers_understand_differently_is_refused() {
        let pass_over = |bytes: &[u8]| Reader::new(bytes).fields(|_, _, _| Ok(false));
        // A list of one byte, and of one truth value.
        assert_eq!(pass_over(&[0x19, 0x13, 1, 0]), Ok(()));
        assert_eq!(pass_over(&[0x19, 0x11, 1, 0]), Err(Broken::Wrong));
        // Field 32,767, and 65,538, which is 2 in 16 bits.
        assert_eq!(pass_over(&[0x05, 0xfe, 0xff, 0x03, 1, 0]), Ok(()));
        assert_eq!(pass_over(&[0x05, 0x84, 0x80, 0x08, 1, 0]), Err(Broken::Wrong));
    }

    #[test]
    fn neither_depth_nor_length_is_believed() {
        let nested = vec![0x1c; 100_000];
        assert_eq!(Reader::new(&nested).fields(|_, _, _| Ok(false)), Err(Broken::Wrong));
        // A list of 2^63 structs.
        let long = [0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0];
        assert_eq!(Reader::new(&long).fields(|_, _, _| Ok(false)), Err(Broken::Short));
    }
}
