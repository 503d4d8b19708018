//! A version of an object, and ranges of it.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::Facts;
use super::fault::{Failed, Fault, Got};
use super::fetch::{self, Coming, block_on};
use super::store::{self, Store};
use crate::config::{Location, Scheme};
use crate::error::Result;
use crate::mutex;
use crate::stop::Stop;

impl Facts {
    pub(super) fn of(meta: ObjectMeta) -> Self {
        Self { bytes: meta.size, modified: meta.last_modified.into(), e_tag: meta.e_tag }
    }
}

/// An object that was looked at: what is read of it is of that version.
pub(crate) struct Object {
    location: Location,
    store: Store,
    path: Path,
    facts: Facts,
    stop: Stop,
    /// The first lasting fault, so that nobody waits for it twice.
    fault: Mutex<Option<Fault>>,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object").field("location", &self.location).finish_non_exhaustive()
    }
}

impl Object {
    /// Begins to look at an object: its facts, and at most so many of its first bytes.
    pub(crate) fn begin(location: &Location, most: u64) -> Result<Opening> {
        let (store, path) = (store::of(location)?, path_of(location)?);
        let coming = {
            let (store, path) = (store.clone(), path.clone());
            fetch::begin(move || fetch::tried(|| look(&store, &path, most)))?
        };
        Ok(Opening { location: location.clone(), store, path, coming })
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// True if its store refuses to send another version.
    pub(crate) fn is_pinned(&self) -> bool {
        self.version().is_some()
    }

    /// The name of its version, where stores can be asked for it. Web servers call versions weak that they compress on the
    /// way, and weak ones match nothing (RFC 9110, 13.1.1).
    fn version(&self) -> Option<&String> {
        self.facts.e_tag.as_ref().filter(|tag| !tag.starts_with("W/"))
    }

    /// Refuses an object that has changed since it was looked at.
    pub(crate) fn check(&self) -> Result<()> {
        let most = 1.min(self.facts.bytes);
        let (now, _) = Self::begin(&self.location, most)?.wait(&self.stop)?;
        if is_same(&now.facts, &self.facts) {
            Ok(())
        } else {
            Err(Fault::changed().error(&self.location))
        }
    }

    /// Begins to fetch a range of it, into a buffer.
    pub(super) fn fetch(
        self: &Arc<Self>,
        range: Range<u64>,
        mut buffer: Vec<u8>,
    ) -> io::Result<Coming<Got<Vec<u8>>>> {
        let object = Arc::clone(self);
        let request = move || object.get(&range, &mut buffer).map(|()| buffer);
        fetch::begin(request).map_err(io::Error::other)
    }

    /// Waits for a range that is being fetched.
    pub(super) fn wait(&self, coming: &Coming<Got<Vec<u8>>>) -> io::Result<Vec<u8>> {
        // The text is seen by nobody: a run that was asked to stop says that.
        let answer = coming.wait(&self.stop).map_err(io::Error::other)?;
        answer.map_err(|fault| io::Error::other(Failed(fault, self.location.clone())))
    }

    /// Fetches a range, trying again while that may help.
    fn get(&self, range: &Range<u64>, buffer: &mut Vec<u8>) -> Got<()> {
        if let Some(fault) = &*mutex::lock(&self.fault) {
            return Err(fault.clone());
        }
        let got = fetch::tried(|| self.get_once(range.clone(), buffer));
        got.map_err(|fault| mutex::lock(&self.fault).get_or_insert(fault).clone())
    }

    fn get_once(&self, range: Range<u64>, buffer: &mut Vec<u8>) -> Got<()> {
        let if_match = self.version().cloned();
        let len = range.end - range.start;
        let options = GetOptions { range: Some(range.into()), if_match, ..GetOptions::default() };
        let room = usize::try_from(len).unwrap_or(usize::MAX);
        buffer.clear();
        buffer.reserve_exact(room);
        let (facts, sent) = block_on(async {
            let answer = self.store.objects.get_opts(&self.path, options).await?;
            let facts = Facts::of(answer.meta.clone());
            let (mut pieces, mut sent) = (answer.into_stream(), 0);
            while let Some(piece) = poll_fn(|context| pieces.as_mut().poll_next(context)).await {
                let piece = piece?;
                sent += piece.len();
                // What is too much is counted, and not kept.
                buffer.extend_from_slice(&piece[..piece.len().min(room - buffer.len())]);
            }
            Ok((facts, sent))
        })?;
        if !is_same(&facts, &self.facts) {
            return Err(Fault::changed());
        }
        if sent as u64 == len { Ok(()) } else { Err(Fault::wrong_length(sent, len)) }
    }
}

/// An object that is being looked at.
pub(crate) struct Opening {
    location: Location,
    store: Store,
    path: Path,
    coming: Coming<Got<(Facts, Bytes)>>,
}

impl Opening {
    /// The object and its first bytes, when they have come, or an error if `stop` says so.
    pub(crate) fn wait(self, stop: &Stop) -> Result<(Object, Bytes)> {
        let Self { location, store, path, coming } = self;
        let (facts, head) = coming.wait(stop)?.map_err(|fault| fault.error(&location))?;
        let (stop, fault) = (stop.clone(), Mutex::default());
        Ok((Object { location, store, path, facts, stop, fault }, head))
    }
}

/// True for facts of one version.
fn is_same(one: &Facts, other: &Facts) -> bool {
    let are_known = one.e_tag.is_some() && other.e_tag.is_some();
    one.bytes == other.bytes
        && if are_known { one.e_tag == other.e_tag } else { one.modified == other.modified }
}

/// Gets the first bytes of an object, which says all that is to be known of it.
fn look(store: &Store, path: &Path, most: u64) -> Got<(Facts, Bytes)> {
    let head = || block_on(store.objects.head(path)).map(Facts::of);
    if most == 0 {
        return Ok((head()?, Bytes::new()));
    }
    let options = GetOptions { range: Some((0..most).into()), ..GetOptions::default() };
    let got = block_on(async {
        let answer = store.objects.get_opts(path, options).await?;
        Ok((Facts::of(answer.meta.clone()), answer.bytes().await?))
    });
    match got {
        Ok((facts, _)) if facts.e_tag.is_none() && facts.modified == UNIX_EPOCH => {
            Err(Fault::no_version())
        }
        Ok((facts, head)) if head.len() as u64 == facts.bytes.min(most) => Ok((facts, head)),
        Ok((facts, head)) => Err(Fault::wrong_length(head.len(), facts.bytes.min(most))),
        // Of an object without bytes there is no range.
        Err(fault) if fault.is_refusal() => match head() {
            Ok(facts) if facts.bytes == 0 => Ok((facts, Bytes::new())),
            _ => Err(fault),
        },
        Err(fault) => Err(fault),
    }
}

/// The key as the `object_store` crate has it. A web address is the whole of its store.
pub(super) fn path_of(location: &Location) -> Result<Path> {
    if location.scheme() == Scheme::Https {
        return Ok(Path::default());
    }
    // The crate drops a slash at the beginning, so that it would be another object.
    let path = Path::parse(location.key()).ok();
    path.filter(|path| path.as_ref() == location.key())
        .ok_or_else(|| Fault::odd_key().error(location))
}
