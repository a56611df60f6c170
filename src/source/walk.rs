//! Walks a folder: sorted, pruned by the layout, and without a system call for each file.

use std::cmp::Ordering;
use std::path::Path;
use std::sync::{Arc, Mutex};

use walkdir::{DirEntry, WalkDir};

use super::folder::Folder;
use super::layout::{self, KeyPosition, Seen, Selection};
use super::local::{Found, lock, relative_name};

/// Number of entries of a hidden folder that are checked for log files.
const HIDDEN_LOOKED_AT_MAX: usize = 20_000;

/// Yields what is to be handed out, sorted by name. Symbolic links are followed, except those that lead
/// back to a folder that contains them.
pub(super) struct Walk<'w> {
    root: &'w Path,
    entries: walkdir::IntoIter,
    selection: &'w Selection,
    seen: &'w Mutex<Seen>,
    /// The folder of the last file to be read.
    folder: Option<Arc<Folder>>,
    /// All files of that folder are to be read, whatever they are called.
    settled: bool,
}

/// Compares the entries of one folder by name. They share the path before the name, so whole paths compare
/// like names, and the names need not be cut off each time.
fn by_name(one: &DirEntry, other: &DirEntry) -> Ordering {
    one.path().as_os_str().cmp(other.path().as_os_str())
}

impl<'w> Walk<'w> {
    pub(super) fn new(root: &'w Path, selection: &'w Selection, seen: &'w Mutex<Seen>) -> Self {
        Self {
            root,
            entries: WalkDir::new(root).follow_links(true).sort_by(by_name).into_iter(),
            selection,
            seen,
            folder: None,
            settled: false,
        }
    }

    /// Decides whether to enter a folder.
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
        self.admits(&KeyPosition::of(&name))
    }

    fn admits(&self, place: &KeyPosition<'_>) -> bool {
        let admits = self.selection.admits(place);
        if !admits {
            lock(self.seen).add(place);
        }
        admits
    }

    fn file(&mut self, entry: DirEntry) -> Option<Found> {
        // Sockets, pipes and devices are not log files, and reading a pipe would block for ever.
        let is_file = entry.file_type().is_file();
        if let (Some(folder), true) = (&self.folder, self.settled)
            && let Some(name) = folder.name_of(entry.path())
            && is_file
            && layout::is_evidence_by_name(name)
        {
            return Some(Found::File(entry.into_path(), Arc::clone(folder)));
        }
        let name = relative_name(self.root, entry.path());
        if !layout::is_evidence_by_name(entry.file_name().as_encoded_bytes())
            || !is_file
            || layout::is_under_work(&name)
        {
            lock(self.seen).pass_over();
            return None;
        }
        let place = KeyPosition::of(&name);
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

    /// A folder without permission, a broken link, or a name that disappeared meanwhile.
    fn unreadable(&self, error: &walkdir::Error) -> Option<Found> {
        let path = error.path().unwrap_or(self.root);
        if error.loop_ancestor().is_some() || !layout::is_evidence(&relative_name(self.root, path)) {
            return None;
        }
        let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
        Some(Found::Unreadable(path.to_path_buf(), reason))
    }
}

/// Whether a hidden folder has files named like CloudTrail's: then it is not some tool's folder.
fn holds_log_files(folder: &Path) -> bool {
    let entries =
        WalkDir::new(folder).follow_links(true).into_iter().take(HIDDEN_LOOKED_AT_MAX).filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_type().is_file())
        .any(|entry| entry.file_name().to_str().is_some_and(|name| KeyPosition::of(name).account.is_some()))
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
