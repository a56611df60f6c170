//! The walk through a folder: sorted, pruned by the layout, without a question to the system per file.

use std::cmp::Ordering;
use std::path::Path;
use std::sync::{Arc, Mutex};

use walkdir::{DirEntry, WalkDir};

use super::folder::Folder;
use super::layout::{self, Place, Seen, Selection};
use super::local::{Found, lock, relative_name};

/// So many entries of a hidden folder are looked at for log files.
const HIDDEN_LOOKED_AT_MAX: usize = 20_000;

/// Yields what is to be handed out, in the order of names. Symbolic links are followed; one that leads back to a folder it is
/// in is left out, for what it shows is read already.
pub(super) struct Walk<'w> {
    root: &'w Path,
    entries: walkdir::IntoIter,
    selection: &'w Selection,
    seen: &'w Mutex<Seen>,
    /// The folder of the last file that was to be read.
    folder: Option<Arc<Folder>>,
    /// All files of that folder are to be read, whatever they are called.
    settled: bool,
}

/// Entries of one folder by name. They share what stands before it, so the whole paths compare as the names do, and the
/// names need not be cut off for every comparison.
fn by_name(one: &DirEntry, other: &DirEntry) -> Ordering {
    one.path().as_os_str().cmp(other.path().as_os_str())
}

impl<'w> Walk<'w> {
    pub(super) fn new(root: &'w Path, selection: &'w Selection, seen: &'w Mutex<Seen>) -> Self {
        Self { root, entries: WalkDir::new(root).follow_links(true).sort_by(by_name).into_iter(), selection, seen, folder: None, settled: false }
    }

    /// Decides about a folder. False: what is below it stays out.
    fn enters(&self, folder: &DirEntry) -> bool {
        if folder.depth() == 0 {
            return true;
        }
        if folder.file_name().as_encoded_bytes().starts_with(b".") && !holds_log_files(folder.path()) {
            lock(self.seen).pass_over();
            return false;
        }
        let name = relative_name(self.root, folder.path()) + "/";
        if layout::is_under_work(&name) {
            lock(self.seen).pass_over();
            return false;
        }
        self.admits(&Place::of(&name))
    }

    fn admits(&self, place: &Place<'_>) -> bool {
        let admits = self.selection.admits(place);
        if !admits {
            lock(self.seen).add(place);
        }
        admits
    }

    fn file(&mut self, entry: DirEntry) -> Option<Found> {
        // Sockets, pipes and devices are no log files, and a pipe would block for ever.
        let is_file = entry.file_type().is_file();
        if let (Some(folder), true) = (&self.folder, self.settled)
            && let Some(name) = folder.name_of(entry.path())
            && is_file
            && layout::is_evidence_by_name(name)
        {
            return Some(Found::File(entry.into_path(), Arc::clone(folder)));
        }
        let name = relative_name(self.root, entry.path());
        if !layout::is_evidence_by_name(entry.file_name().as_encoded_bytes()) || !is_file {
            lock(self.seen).pass_over();
            return None;
        }
        let place = Place::of(&name);
        if !self.admits(&place) {
            return None;
        }
        if self.selection.leaves_unread(&place) {
            return Some(Found::OtherKind(entry.into_path()));
        }
        self.settled = place.is_settled_by_folders();
        let folder = self.folder_of(entry.path());
        Some(Found::File(entry.into_path(), folder))
    }

    fn folder_of(&mut self, file: &Path) -> Arc<Folder> {
        match &self.folder {
            Some(folder) if folder.name_of(file).is_some() => Arc::clone(folder),
            _ => Arc::clone(self.folder.insert(Arc::new(Folder::of(file)))),
        }
    }

    /// A folder without permission, a link to nowhere, a name that went away while we looked.
    fn unreadable(&self, error: &walkdir::Error) -> Option<Found> {
        let path = error.path().unwrap_or(self.root);
        if error.loop_ancestor().is_some() || !layout::is_evidence(&relative_name(self.root, path)) {
            return None;
        }
        let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
        Some(Found::Unreadable(path.to_path_buf(), reason))
    }
}

/// Whether a folder that is hidden holds files that are called as CloudTrail calls its own: then it is no tool's folder.
fn holds_log_files(folder: &Path) -> bool {
    let entries = WalkDir::new(folder).follow_links(true).into_iter().take(HIDDEN_LOOKED_AT_MAX).filter_map(Result::ok);
    entries.filter(|entry| entry.file_type().is_file()).any(|entry| entry.file_name().to_str().is_some_and(|name| Place::of(name).account.is_some()))
}

impl Iterator for Walk<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let found = match self.entries.next()? {
                Err(error) => self.unreadable(&error),
                Ok(entry) if entry.file_type().is_dir() => {
                    if !self.enters(&entry) {
                        self.entries.skip_current_dir();
                    }
                    None
                }
                Ok(entry) => self.file(entry),
            };
            if found.is_some() {
                return found;
            }
        }
    }
}
