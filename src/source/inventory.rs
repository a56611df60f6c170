//! A listing that is made once and then read in parts by many machines: all objects of a source, and a feed
//! of some of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::layout::{Seen, Selection};
use super::local::{Found, Local, lock, relative_name};
use super::options::{cannot_open, strip_s3};
use super::sorted::{Sorted, Sorter};
use super::{Feed, OpenError, Options, PlanError, Pruned, single};
use crate::model::Filter;

/// One object of a source, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its key, its path below the folder, or the file itself.
    pub key: String,
    /// Stored size in bytes.
    #[serde(default)]
    pub size: u64,
    /// Empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub etag: String,
    #[serde(default, skip_serializing_if = "Is::is_object")]
    pub is: Is,
}

/// What its name says about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Is {
    #[default]
    Object,
    /// A log digest file, an Insight event …: not read.
    OtherKind,
    /// A branch that could not be listed, and the reason.
    Unlistable(String),
}

impl Is {
    fn is_object(&self) -> bool {
        *self == Self::Object
    }
}

/// All objects of a source.
#[derive(Debug, Default)]
pub struct Inventory {
    /// In the order of their keys.
    pub items: Sorted,
    pub totals: Totals,
    pub pruned: Pruned,
}

/// How much a listing has found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Objects to be read, and their stored size.
    pub objects: u64,
    pub bytes: u64,
    /// Objects of other kinds.
    pub other_kinds: u64,
    /// Branches that could not be listed.
    pub unlistable: u64,
}

impl Totals {
    /// All of them.
    pub const fn count(&self) -> u64 {
        self.objects + self.other_kinds + self.unlistable
    }

    pub fn add(&mut self, item: &Item) {
        match item.is {
            Is::Object => {
                self.objects += 1;
                self.bytes += item.size;
            }
            Is::OtherKind => self.other_kinds += 1,
            Is::Unlistable(_) => self.unlistable += 1,
        }
    }
}

/// An inventory that is being made.
#[derive(Default)]
pub(super) struct Making {
    sorter: Sorter,
    totals: Totals,
}

impl Making {
    pub(super) fn push(&mut self, item: Item) -> io::Result<()> {
        self.totals.add(&item);
        self.sorter.push(item)
    }

    pub(super) fn finish(self, pruned: Pruned) -> Result<Inventory, PlanError> {
        let items = self.sorter.finish().map_err(|error| PlanError::of_disk(&error))?;
        Ok(Inventory { items, totals: self.totals, pruned })
    }
}

/// Lists what `spec` holds, in bounded memory. For S3 it makes the LIST requests of a real run, and no others.
///
/// # Errors
///
/// The source does not exist, may not be listed, or is standard input; or the list does not fit into the folder
/// for temporary files.
pub fn inventory(spec: &str, options: &Options, filter: &Filter) -> Result<Inventory, PlanError> {
    if spec == "-" {
        return Err(PlanError::Stdin);
    }
    let selection = Selection::new(filter);
    if let Some(rest) = strip_s3(spec) {
        return of_s3(spec, rest, options, selection);
    }
    let metadata = std::fs::metadata(spec).map_err(|error| PlanError::Open(cannot_open(spec, &error)))?;
    if metadata.is_dir() {
        return of_folder(spec, &selection);
    }
    let item = Item { key: spec.to_owned(), size: metadata.len(), etag: String::new(), is: Is::Object };
    let mut making = Making::default();
    making.push(item).map_err(|error| PlanError::of_disk(&error))?;
    making.finish(Pruned::default())
}

fn of_folder(spec: &str, selection: &Selection) -> Result<Inventory, PlanError> {
    let (root, seen) = (Path::new(spec), Mutex::new(Seen::default()));
    let mut making = Making::default();
    for found in super::walk::Walk::new(root, selection, &seen) {
        let (path, is) = match found {
            Found::File(path, _) => (path, Is::Object),
            Found::OtherKind(path) => (path, Is::OtherKind),
            Found::Unreadable(path, reason) => (path, Is::Unlistable(reason)),
        };
        if path.to_str().is_none() {
            let reason =
                "its name is no Unicode, and a plan is a text: rename it, or ingest it without a plan"
                    .to_owned();
            return Err(PlanError::Open(OpenError::Unreadable {
                path: path.to_string_lossy().into_owned(),
                reason,
            }));
        }
        let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let item = Item { key: relative_name(root, &path), size, etag: String::new(), is };
        making.push(item).map_err(|error| PlanError::of_disk(&error))?;
    }
    let pruned = lock(&seen).pruned();
    making.finish(pruned)
}

/// A feed of `items`, which were found by a listing of `spec`.
///
/// # Errors
///
/// The source does not exist.
pub fn open_items(
    spec: &str,
    items: Vec<Item>,
    options: &Options,
    filter: &Filter,
) -> Result<Box<dyn Feed>, OpenError> {
    let selection = Selection::new(filter);
    if let Some(rest) = strip_s3(spec) {
        return open_s3(spec, rest, items, options, selection);
    }
    let metadata = std::fs::metadata(spec).map_err(|error| cannot_open(spec, &error))?;
    if metadata.is_dir() {
        return Ok(Box::new(Local::open_items(spec, items, options, selection)?));
    }
    Ok(Box::new(single::Single::file(spec, &metadata, options, selection)))
}

/// The items in the form in which a walk finds them.
pub(super) fn found(root: &Path, items: Vec<Item>) -> impl Iterator<Item = Found> {
    let root = root.to_path_buf();
    let mut folder: Option<Arc<super::folder::Folder>> = None;
    items.into_iter().map(move |item| {
        let path: PathBuf = root.join(&item.key);
        match item.is {
            Is::OtherKind => Found::OtherKind(path),
            Is::Unlistable(reason) => Found::Unreadable(path, reason),
            Is::Object => {
                let there = folder.take().filter(|folder| folder.name_of(&path).is_some());
                let there = there.unwrap_or_else(|| Arc::new(super::folder::Folder::of(&path)));
                folder = Some(Arc::clone(&there));
                Found::File(path, there)
            }
        }
    })
}

#[cfg(feature = "s3")]
fn of_s3(spec: &str, rest: &str, options: &Options, selection: Selection) -> Result<Inventory, PlanError> {
    let bad = |reason| PlanError::Open(OpenError::BadAddress { address: spec.to_owned(), reason });
    super::s3::inventory(spec, super::s3::Address::parse(rest).map_err(bad)?, options, selection)
}

#[cfg(not(feature = "s3"))]
fn of_s3(spec: &str, _rest: &str, _options: &Options, _selection: Selection) -> Result<Inventory, PlanError> {
    Err(PlanError::Open(OpenError::WithoutS3 { address: spec.to_owned() }))
}

#[cfg(feature = "s3")]
fn open_s3(
    spec: &str,
    rest: &str,
    items: Vec<Item>,
    options: &Options,
    selection: Selection,
) -> Result<Box<dyn Feed>, OpenError> {
    let address = super::s3::Address::parse(rest)
        .map_err(|reason| OpenError::BadAddress { address: spec.to_owned(), reason })?;
    Ok(Box::new(super::s3::S3::open_items(spec, address, options, items, selection)?))
}

#[cfg(not(feature = "s3"))]
fn open_s3(
    spec: &str,
    _rest: &str,
    _items: Vec<Item>,
    _options: &Options,
    _selection: Selection,
) -> Result<Box<dyn Feed>, OpenError> {
    Err(OpenError::WithoutS3 { address: spec.to_owned() })
}
