//! Sources of bytes in memory, for [`crate::fuzz`].

use std::fs::File;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::chunks::Stream;
use super::mmap::Mapping;
use super::watch::{Identity, Watch};
use super::{Chunks, Compression, Source};
use crate::config::{Content, Io};
use crate::dialect::Framing;
use crate::error::Result;

/// Inspects bytes as if they came through a pipe.
pub(crate) fn inspect(bytes: &[u8]) -> Result<Source> {
    let reader = Box::new(Cursor::new(bytes.to_vec()));
    Source::inspect_stream("bytes".into(), reader, Content::Text, None)
}

/// Hands bytes out as a pipe does, or a mapped file.
pub(crate) fn chunks(bytes: &[u8], framing: Framing, window: usize, io: Io) -> Chunks {
    let path = PathBuf::from("bytes");
    if io == Io::Read || bytes.is_empty() {
        let reader = Box::new(Cursor::new(bytes.to_vec()));
        let stream = Stream { reader, compression: Compression::None, buffers: Arc::default() };
        return Chunks::streamed(path, stream, None, framing, 0, window);
    }
    let file = rustix::fs::memfd_create("bytes", rustix::fs::MemfdFlags::empty());
    let mut file = File::from(file.expect("a file in memory"));
    file.write_all(bytes).expect("writes to memory");
    let identity = Identity::of(&file.metadata().expect("its metadata"));
    let mapping = Mapping::of(&file).expect("maps");
    let watch = Watch { path, identity, file };
    Chunks::mapped(mapping, watch, framing, 0, window, Arc::default())
}
