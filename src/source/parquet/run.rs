//! Pages as the `parquet` crate is given them: those behind each other that are read in the same way.
//!
//! The crate decodes a column in batches of rows, and a batch that began with places in the dictionary and goes on with
//! values becomes values altogether. So a run ends where the kind of pages changes. A page of text is a run of its own,
//! which bounds a batch by the page, and the page is given up before the next one is read.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result as CrateResult};

use super::check::{Checked, Kind, check_data, check_dictionary};
use super::leaf::{Leaf, Physical};
use super::pages::{Fault, Pages};
use super::texts::Dictionary;
use crate::mutex::lock;

/// Bytes of a page that is given up as soon as the next one is there, which are not counted: as many as there are
/// threads fit what a run may take beside its budget.
const GIVEN_UP_BYTES: u64 = 1024 * 1024;

/// Memory that an entry of a dictionary takes beside its bytes.
const ENTRY_BYTES: u64 = 8;

/// The pages of a column that were not given to the crate yet.
#[derive(Debug)]
pub(super) struct Source {
    leaf: Leaf,
    pages: Pages,
    limit: u64,
    /// Memory that the dictionary takes once it was read.
    dictionary_bytes: Option<u64>,
    dictionary: Option<Page>,
    ahead: Option<Checked>,
    /// Memory of the page that was given out last.
    held: u64,
    /// Why the crate was given no page: its own error does not tell.
    fault: Option<Fault>,
}

impl Source {
    pub(super) fn new(leaf: &Leaf, pages: Pages, limit: u64) -> Self {
        Self {
            leaf: leaf.clone(),
            pages,
            limit,
            dictionary_bytes: None,
            dictionary: None,
            ahead: None,
            held: 0,
            fault: None,
        }
    }

    pub(super) fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    /// Memory that there is beside the dictionary.
    pub(super) fn room(&self) -> u64 {
        self.limit.saturating_sub(self.dictionary_bytes.unwrap_or(0))
    }

    /// The next page with values, which stays the next one; `None` behind the last.
    pub(super) fn peek(&mut self) -> Result<Option<&Checked>, Fault> {
        while self.ahead.is_none() {
            let room = self.room().saturating_sub(self.held.saturating_sub(GIVEN_UP_BYTES));
            let Some(page) = self.pages.next(room)? else { return Ok(None) };
            if page.is_dictionary_page() {
                self.keep_dictionary(page)?;
            } else if page.num_values() > 0 {
                self.ahead = Some(self.check(page, room)?);
            }
        }
        Ok(self.ahead.as_ref())
    }

    fn keep_dictionary(&mut self, page: Page) -> Result<(), Fault> {
        if self.dictionary_bytes.is_some() {
            return Err(Fault::Damaged("it has two dictionaries"));
        }
        check_dictionary(&page, &self.leaf)?;
        let bytes = page.buffer().len() as u64 + ENTRY_BYTES * u64::from(page.num_values());
        // It is there twice while it is decoded.
        let (memory, limit) = (bytes + page.buffer().len() as u64, self.limit);
        if memory > limit {
            return Err(Fault::TooLarge { bytes: memory, limit });
        }
        (self.dictionary, self.dictionary_bytes) = (Some(page), Some(bytes));
        Ok(())
    }

    fn check(&self, page: Page, room: u64) -> Result<Checked, Fault> {
        let checked = check_data(page, &self.leaf)?;
        if checked.kind == Kind::Places && self.dictionary_bytes.is_none() {
            return Err(Fault::Damaged("it has no dictionary"));
        }
        // A batch can hold all text of the page.
        let is_text = self.leaf.physical == Physical::Bytes && checked.kind == Kind::Values;
        let copy = if is_text { checked.page.buffer().len() as u64 } else { 0 };
        match checked.memory + copy {
            bytes if bytes > room => Err(Fault::TooLarge { bytes, limit: room }),
            _ => Ok(checked),
        }
    }
}

/// Pages of one kind, for the crate.
#[derive(Clone, Debug)]
pub(super) struct Run {
    source: Arc<Mutex<Source>>,
    kind: Kind,
    is_begun: bool,
}

impl Run {
    /// The pages from the next one on. A dictionary that earlier pages had is there for these again.
    pub(super) fn begin(
        source: &Arc<Mutex<Source>>,
        kind: Kind,
        dictionary: Option<&Dictionary>,
    ) -> Self {
        let mut locked = lock(source);
        locked.held = 0;
        if let (Kind::Places, None, Some(entries)) = (kind, &locked.dictionary, dictionary) {
            locked.dictionary = Some(page_of(entries));
        }
        Self { source: Arc::clone(source), kind, is_begun: false }
    }

    fn next(&mut self) -> Result<Option<Page>, Fault> {
        let mut source = lock(&self.source);
        let is_text = source.leaf.physical == Physical::Bytes;
        if is_text && self.kind == Kind::Values && self.is_begun {
            return Ok(None);
        }
        let next = source.peek()?.map(|checked| checked.kind);
        let is_same = |kind: Kind| !is_text || kind == self.kind;
        if !next.is_some_and(is_same) {
            return Ok(None);
        }
        self.is_begun = true;
        if next == Some(Kind::Places)
            && let Some(dictionary) = source.dictionary.take()
        {
            return Ok(Some(dictionary));
        }
        let checked = source.ahead.take();
        source.held = checked.as_ref().map_or(0, |checked| checked.memory);
        Ok(checked.map(|checked| checked.page))
    }
}

/// A dictionary as it is written.
fn page_of(entries: &Dictionary) -> Page {
    let mut buf = Vec::with_capacity(entries.bytes().len() + 4 * entries.len());
    for index in 0..entries.len() {
        let entry = &entries.bytes()[entries.span(index)];
        // They came from such a page.
        buf.extend(u32::try_from(entry.len()).unwrap_or(u32::MAX).to_le_bytes());
        buf.extend_from_slice(entry);
    }
    Page::DictionaryPage {
        buf: Bytes::from(buf),
        num_values: u32::try_from(entries.len()).unwrap_or(u32::MAX),
        encoding: Encoding::PLAIN,
        is_sorted: false,
    }
}

impl Iterator for Run {
    type Item = CrateResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Run {
    fn get_next_page(&mut self) -> CrateResult<Option<Page>> {
        Self::next(self).map_err(|fault| {
            lock(&self.source).fault = Some(fault);
            ParquetError::General("there is no page".to_owned())
        })
    }

    fn peek_next_page(&mut self) -> CrateResult<Option<PageMetadata>> {
        Err(ParquetError::General("pages are read, not skipped".to_owned()))
    }

    fn skip_next_page(&mut self) -> CrateResult<()> {
        self.peek_next_page().map(drop)
    }
}
