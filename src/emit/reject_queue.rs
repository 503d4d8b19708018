//! The reject list of inputs that are read side by side: their rows stand in the order of the inputs.
//!
//! What the first input that is not read to its end has, goes into the list at once. What those behind it have waits in a
//! file without a name, one for the whole run, so that any number of inputs can wait and memory holds little of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Mutex;

use super::rejects::RejectWriter;
use crate::disk::private;
use crate::error::{Error, Result};
use crate::limits::REJECTS_WAITING_BYTES;
use crate::mutex;

/// Puts the rows of inputs one behind the other.
#[derive(Debug)]
pub struct RejectQueue {
    state: Mutex<State>,
    dir: PathBuf,
}

#[derive(Debug)]
struct State {
    list: RejectWriter,
    /// The first input that has not ended.
    turn: usize,
    /// Inputs behind it that have rows, or have ended.
    waiting: BTreeMap<usize, Waiting>,
    /// Made when it is first needed.
    file: Option<File>,
    /// Its end.
    end: u64,
}

/// Rows of an input whose turn has not come.
#[derive(Debug, Default)]
struct Waiting {
    /// Places and lengths in the file.
    pieces: Vec<(u64, usize)>,
    /// The last of them, which are not there yet.
    rows: Vec<u8>,
    is_ended: bool,
}

impl RejectQueue {
    /// A queue before a list; what waits goes to `dir`.
    pub fn new(list: RejectWriter, dir: PathBuf) -> Self {
        let (waiting, file) = (BTreeMap::new(), None);
        Self { state: Mutex::new(State { list, turn: 0, waiting, file, end: 0 }), dir }
    }

    /// Adds rows of an input.
    pub fn add(&self, input: usize, rows: &[u8]) -> Result<()> {
        let mut state = mutex::lock(&self.state);
        if input == state.turn {
            return state.list.write(rows);
        }
        if rows.is_empty() {
            return Ok(());
        }
        let waiting = state.waiting.entry(input).or_default();
        waiting.rows.extend_from_slice(rows);
        if waiting.rows.len() < REJECTS_WAITING_BYTES {
            return Ok(());
        }
        self.put_aside(&mut state, input)
    }

    /// An input has no more rows.
    pub fn end(&self, input: usize) -> Result<()> {
        let mut state = mutex::lock(&self.state);
        state.waiting.entry(input).or_default().is_ended = true;
        if input != state.turn {
            return self.put_aside(&mut state, input);
        }
        loop {
            let turn = state.turn;
            let Some(waiting) = state.waiting.remove(&turn) else { return Ok(()) };
            self.take_back(&mut state, &waiting)?;
            if !waiting.is_ended {
                return Ok(());
            }
            state.turn += 1;
        }
    }

    /// Puts the list into place.
    pub fn publish(self) -> Result<()> {
        mutex::into_inner(self.state).list.publish()
    }

    fn put_aside(&self, state: &mut State, input: usize) -> Result<()> {
        let State { waiting, file, end, .. } = state;
        let Some(waiting) = waiting.get_mut(&input).filter(|of| !of.rows.is_empty()) else {
            return Ok(());
        };
        let rows = std::mem::take(&mut waiting.rows);
        let file = match file {
            Some(file) => file,
            None => file.insert(
                private::nameless_file(&self.dir)
                    .map_err(|error| self.error("create a spill file in", error))?,
            ),
        };
        file.write_all_at(&rows, *end).map_err(|e| self.error("write a spill file in", e))?;
        waiting.pieces.push((*end, rows.len()));
        *end += rows.len() as u64;
        Ok(())
    }

    fn take_back(&self, state: &mut State, waiting: &Waiting) -> Result<()> {
        let mut rows = Vec::new();
        for (offset, len) in &waiting.pieces {
            let file = state.file.as_ref().ok_or(Error::Internal("rows without their file"))?;
            rows.resize(*len, 0);
            file.read_exact_at(&mut rows, *offset)
                .map_err(|e| self.error("read a spill file in", e))?;
            state.list.write(&rows)?;
        }
        state.list.write(&waiting.rows)
    }

    fn error(&self, operation: &'static str, source: std::io::Error) -> Error {
        Error::writing(operation, &self.dir, source)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::RejectList;

    /// A few inputs, read side by side, whose ends come in any order.
    #[test]
    fn rows_stand_in_the_order_of_inputs() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let list = RejectList { path: dir.path().join("rejects.csv"), with_values: false };
        let row = |input: usize, n: usize| format!("{input},{n},{}\n", "x".repeat(n * 3000 % 9000));
        let rows = |input: usize| if input == 3 { 0 } else { 60 };
        for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 0, 5, 1, 4, 2]] {
            let queue = RejectQueue::new(
                RejectWriter::create(&list).expect("creates"),
                dir.path().to_owned(),
            );
            for n in 0..60 {
                for input in (0..6).filter(|input| n < rows(*input)) {
                    queue.add(input, row(input, n).as_bytes()).expect("adds");
                }
            }
            for input in order {
                queue.end(input).expect("ends");
            }
            queue.publish().expect("publishes");
            let rows = (0..6).flat_map(|input| (0..rows(input)).map(move |n| row(input, n)));
            let expected = format!("{}\n{}", RejectWriter::BEGIN, rows.collect::<String>());
            assert!(fs::read_to_string(&list.path).expect("reads") == expected, "{order:?}");
        }
    }
}
