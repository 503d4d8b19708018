//! LZ4 as Hadoop frames it, or as it is: two ways of one codec that files do not tell apart.
//!
//! ```text
//! block   its plain length, then pieces until that many bytes are there
//! piece   its packed length, then bytes of LZ4; lengths are four bytes, the highest first
//! ```
//!
//! The `parquet` crate takes a piece for a block, so that it refuses what Hadoop cuts into several.

/// Decompresses to just `len` bytes, which are appended; `None` if they are not that many.
pub(super) fn decompress(packed: &[u8], len: usize, bytes: &mut Vec<u8>) -> Option<()> {
    let from = bytes.len();
    bytes.resize(from + len, 0);
    let out = &mut bytes[from..];
    let written =
        of_hadoop(packed, out).or_else(|| lz4_flex::block::decompress_into(packed, out).ok());
    (written == Some(len)).then_some(())
}

fn of_hadoop(mut packed: &[u8], out: &mut [u8]) -> Option<usize> {
    fn take_len(packed: &mut &[u8]) -> Option<usize> {
        let (len, rest) = packed.split_first_chunk::<4>()?;
        *packed = rest;
        usize::try_from(u32::from_be_bytes(*len)).ok()
    }
    let mut written = 0_usize;
    while !packed.is_empty() {
        let end = written.checked_add(take_len(&mut packed)?)?;
        while written < end {
            let len = take_len(&mut packed)?;
            let piece = packed.split_off(..len)?;
            let room = out.get_mut(written..end)?;
            written += lz4_flex::block::decompress_into(piece, room).ok().filter(|len| *len > 0)?;
        }
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_pieces_and_plain_lz4_are_decompressed_to_their_length() {
        let pieces: Vec<Vec<u8>> = (1..=5_u8).map(|byte| vec![byte; 1000]).collect();
        let len = |len: usize| u32::try_from(len).expect("is short").to_be_bytes();
        let mut framed = Vec::new();
        for block in pieces.chunks(2) {
            framed.extend(len(block.concat().len()));
            for piece in block {
                let piece = lz4_flex::block::compress(piece);
                framed.extend(len(piece.len()));
                framed.extend(piece);
            }
        }
        for packed in [framed, lz4_flex::block::compress(&pieces.concat())] {
            let mut bytes = b"before".to_vec();
            decompress(&packed, 5000, &mut bytes).expect("decompresses");
            assert_eq!(bytes, [&b"before"[..], &pieces.concat()].concat());
            for cut in 0..packed.len() {
                assert!(decompress(&packed[..cut], 5000, &mut Vec::new()).is_none(), "{cut}");
            }
            assert!(decompress(&packed, 4999, &mut Vec::new()).is_none());
            assert!(decompress(&packed, 5001, &mut Vec::new()).is_none());
        }
    }
}
