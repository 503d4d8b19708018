//! What is in a bucket or container, folder by folder: what stands between two slashes of a key is a folder's name.

use std::collections::HashSet;

use object_store::list::PaginatedListOptions;
use object_store::path::{DELIMITER, Path};
use object_store::{ListResult, ObjectStoreExt as _};

use super::fault::{Fault, Got};
use super::fetch::{self, block_on};
use super::object::path_of;
use super::store::{self, Store};
use super::{Facts, Folder};
use crate::config::Location;
use crate::error::Result;
use crate::limits::{OBJECT_EMPTY_PAGES_MAX, OBJECT_KEYS_MAX};
use crate::stop::Stop;

/// Lists folders, several at once; what is in each of them.
pub(crate) fn list(folders: &[Location], stop: &Stop) -> Result<Vec<Folder>> {
    let begin = |folder: &Location| {
        let (store, path) = (store::of(folder)?, path_of(folder)?);
        fetch::begin(move || look(&store, &path))
    };
    let coming = folders.iter().map(begin).collect::<Result<Vec<_>>>()?;
    let wait = |(coming, folder): (fetch::Coming<Got<Folder>>, &Location)| {
        coming.wait(stop)?.map_err(|fault| fault.error(folder))
    };
    coming.into_iter().zip(folders).map(wait).collect()
}

fn look(store: &Store, folder: &Path) -> Got<Folder> {
    let listed = pages(store, folder)?;
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
    folders.dedup();
    Ok(Folder { objects, folders })
}

/// All pages of the list of a folder. One that goes round, or goes on for ever, ends here.
fn pages(store: &Store, folder: &Path) -> Got<ListResult> {
    let no_list = || Fault::endless("there is none");
    let store = store.pages.as_ref().ok_or_else(no_list)?;
    let prefix = Some(folder.as_ref()).filter(|key| !key.is_empty()).map(|key| format!("{key}/"));
    let mut all =
        ListResult { common_prefixes: Vec::new(), objects: Vec::new(), extensions: <_>::default() };
    let (mut next, mut seen, mut empty_pages) = (None, HashSet::new(), 0);
    loop {
        let options = PaginatedListOptions {
            delimiter: Some(DELIMITER.into()),
            page_token: next.clone(),
            ..PaginatedListOptions::default()
        };
        let page =
            fetch::tried(|| block_on(store.list_paginated(prefix.as_deref(), options.clone())))?;
        let found = page.result;
        let is_empty = found.objects.is_empty() && found.common_prefixes.is_empty();
        empty_pages = if is_empty { empty_pages + 1 } else { 0 };
        all.objects.extend(found.objects);
        all.common_prefixes.extend(found.common_prefixes);
        next = page.page_token.filter(|token| !token.is_empty());
        let Some(token) = &next else { return Ok(all) };
        if !seen.insert(token.clone()) {
            return Err(Fault::endless("it goes round"));
        }
        if empty_pages >= OBJECT_EMPTY_PAGES_MAX {
            return Err(Fault::endless("page by page is empty"));
        }
        if all.objects.len() + all.common_prefixes.len() > OBJECT_KEYS_MAX {
            return Err(Fault::endless("it has more keys than are read"));
        }
    }
}

/// The facts of an object without reading it; `None` if there is none of that key.
pub(crate) fn facts(location: &Location, stop: &Stop) -> Result<Option<Facts>> {
    let (store, path) = (store::of(location)?, path_of(location)?);
    let head = move || fetch::tried(|| block_on(store.objects.head(&path)));
    match fetch::begin(head)?.wait(stop)? {
        Ok(meta) => Ok(Some(Facts::of(meta))),
        Err(fault) if fault.is_not_there() => Ok(None),
        Err(fault) => Err(fault.error(location)),
    }
}
