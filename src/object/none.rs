//! What stands for objects where throng was built without them.
#![allow(dead_code, reason = "there is no object to make the others of")]

use std::io::{self, Read};
use std::sync::Arc;

use super::{Facts, Folder};
use crate::config::Location;
use crate::error::{Error, Result};
use crate::stop::Stop;

/// There are none.
#[derive(Debug)]
pub(crate) enum Object {}

impl Object {
    pub(crate) fn begin(location: &Location, _: u64) -> Result<Opening> {
        Err(refused(location))
    }

    pub(crate) fn facts(&self) -> &Facts {
        match *self {}
    }

    pub(crate) fn is_pinned(&self) -> bool {
        match *self {}
    }

    pub(crate) fn check(&self) -> Result<()> {
        match *self {}
    }
}

/// There are none, either.
pub(crate) enum Opening {}

impl Opening {
    pub(crate) fn wait(self, _: &Stop) -> Result<(Object, Vec<u8>)> {
        match self {}
    }
}

/// The bytes of none.
pub(crate) struct Ranges;

impl Ranges {
    pub(crate) fn new(object: &Arc<Object>, _: u64, _: u64) -> Self {
        match **object {}
    }
}

impl Read for Ranges {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

/// A part of none.
pub(crate) struct Section;

impl Section {
    pub(crate) fn new(object: &Arc<Object>, _: u64) -> Self {
        match **object {}
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "as of a section that is there"
    )]
    pub(crate) fn begin_at(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "as of a section that is there")]
    pub(crate) fn read_exact_at(&mut self, _: &mut [u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

pub(crate) fn list(folders: &[Location], _: &Stop) -> Result<Vec<Folder>> {
    folders.first().map_or(Ok(Vec::new()), |folder| Err(refused(folder)))
}

pub(crate) fn facts(location: &Location, _: &Stop) -> Result<Option<Facts>> {
    Err(refused(location))
}

/// No reader's error comes from a store.
pub(crate) fn of_reader(_: &io::Error) -> Option<Error> {
    None
}

fn refused(location: &Location) -> Error {
    let why = "this throng was built without object storage";
    Error::input(&location.to_path(), why, "install one with it, or copy the object here")
}
