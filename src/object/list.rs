//! What is in a bucket or container, folder by folder: what stands between two slashes of a key is a folder's name.

use object_store::ObjectStore as _;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::fault::{Fault, Got};
use super::fetch::{self, block_on};
use super::object::path_of;
use super::store::{self, Store};
use super::{Facts, Folder};
use crate::config::Location;
use crate::error::Result;
use crate::stop::Stop;

/// Lists folders, several at once; what is in each of them.
pub(crate) fn list(folders: &[Location], stop: &Stop) -> Result<Vec<Folder>> {
    let begin = |folder: &Location| {
        let (store, path) = (store::of(folder)?, path_of(folder)?);
        fetch::begin(move || fetch::tried(|| look(&store, &path)))
    };
    let coming = folders.iter().map(begin).collect::<Result<Vec<_>>>()?;
    let wait = |(coming, folder): (fetch::Coming<Got<Folder>>, &Location)| {
        coming.wait(stop)?.map_err(|fault| fault.error(folder))
    };
    coming.into_iter().zip(folders).map(wait).collect()
}

fn look(store: &Store, folder: &Path) -> Got<Folder> {
    let listed = block_on(store.list_with_delimiter(Some(folder)))?;
    let is_within = |key: &Path| key != folder && key.prefix_matches(folder);
    let mut objects = Vec::new();
    for of in listed.objects {
        if is_within(&of.location) {
            objects.push((of.location.to_string(), Facts::of(of)));
        } else if of.location != *folder || of.size > 0 {
            // Some tools keep a folder by an object without bytes that is called like it; others could be anything.
            return Err(Fault::odd_key());
        }
    }
    objects.sort_by(|one, other| one.0.cmp(&other.0));
    // What begins with a slash is in a folder without a name.
    if !listed.common_prefixes.iter().all(is_within) {
        return Err(Fault::odd_key());
    }
    let mut folders: Vec<_> = listed.common_prefixes.into_iter().map(String::from).collect();
    folders.sort();
    Ok(Folder { objects, folders })
}

/// The facts of an object without reading it; `None` if there is none of that key.
pub(crate) fn facts(location: &Location, stop: &Stop) -> Result<Option<Facts>> {
    let (store, path) = (store::of(location)?, path_of(location)?);
    let head = move || fetch::tried(|| block_on(store.head(&path)));
    match fetch::begin(head)?.wait(stop)? {
        Ok(meta) => Ok(Some(Facts::of(meta))),
        Err(fault) if fault.is_not_there() => Ok(None),
        Err(fault) => Err(fault.error(location)),
    }
}
