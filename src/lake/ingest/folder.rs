//! The lake's folder: what lies where, who may write, what an interrupted run left behind.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::lake::LakeError;
use crate::lake::state::{self, Manifest};

pub(super) fn staging(lake: &Path) -> PathBuf {
    state::own(lake).join("staging")
}

pub(super) fn spill(lake: &Path) -> PathBuf {
    state::own(lake).join("spill")
}

/// A lake, an empty folder, or nothing yet.
pub(super) fn check_folder(lake: &Path) -> Result<(), LakeError> {
    match fs::read_dir(lake).map(|mut entries| entries.next().is_some()) {
        Ok(true) if !state::own(lake).is_dir() => Err(LakeError::NotALake { folder: lake.to_path_buf() }),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LakeError::io(lake, error)),
        _ => Ok(()),
    }
}

pub(super) fn lock(lake: &Path) -> Result<File, LakeError> {
    let path = state::own(lake).join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|error| LakeError::io(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LakeError::Busy { lake: lake.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(LakeError::io(&path, error)),
    }
}

/// Removes what does not count: files under work, and those that were put into their places by a commit that did not end.
pub(super) fn clean(lake: &Path, manifest: &Manifest) -> Result<(), LakeError> {
    for folder in [staging(lake), spill(lake)] {
        for entry in fs::read_dir(&folder).map_err(|error| LakeError::io(&folder, error))?.flatten() {
            let _ = fs::remove_file(entry.path());
        }
    }
    let counted: BTreeSet<PathBuf> = manifest.files.iter().map(|file| lake.join(file.path())).collect();
    for entry in walkdir::WalkDir::new(lake).min_depth(4).max_depth(6).into_iter().flatten() {
        let ours = entry.file_type().is_file() && entry.file_name().to_str().is_some_and(is_our_name);
        if ours && !counted.contains(entry.path()) {
            fs::remove_file(entry.path()).map_err(|error| LakeError::io(entry.path(), error))?;
        }
    }
    for entry in fs::read_dir(state::objects_folder(lake)).into_iter().flatten().flatten() {
        if !manifest.segments.iter().any(|name| entry.file_name() == name.as_str()) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// `000001-00001.parquet`: nothing else in the folders is ever removed.
fn is_our_name(name: &str) -> bool {
    let Some((stem, "parquet" | "rows")) = name.rsplit_once('.') else { return false };
    let digits = |text: &str, least: usize| text.len() >= least && text.bytes().all(|byte| byte.is_ascii_digit());
    stem.split_once('-').is_some_and(|(generation, number)| digits(generation, 6) && digits(number, 5))
}

/// Files that are brought down to the disk at the same time: it writes what many ask for together.
const SYNCED_TOGETHER: usize = 32;

/// Makes the contents of files last.
pub(super) fn sync_files(files: &[PathBuf]) -> Result<(), LakeError> {
    sync_all(files, |path| OpenOptions::new().write(true).open(path)?.sync_all())
}

/// Makes names last, from partitions' folders up to the lake.
pub(super) fn sync_up(lake: &Path, folders: &BTreeSet<PathBuf>) -> Result<(), LakeError> {
    let ancestors = folders.iter().flat_map(|folder| folder.ancestors().take_while(|folder| folder.starts_with(lake)));
    let all: BTreeSet<&Path> = ancestors.collect();
    sync_all(&Vec::from_iter(all), state::sync_folder)
}

fn sync_all<P: AsRef<Path> + Sync>(paths: &[P], sync: impl Fn(&Path) -> std::io::Result<()> + Sync) -> Result<(), LakeError> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)).map(AsRef::as_ref) {
            sync(path).map_err(|error| LakeError::io(path, error))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> =
            (1..SYNCED_TOGETHER.min(paths.len())).map_while(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        let lost = || Err(LakeError::io(Path::new("the disk"), "a thread that was to bring files down to it ended"));
        others.into_iter().map(|other| other.join().unwrap_or_else(|_| lost())).fold(work(), Result::and)
    })
}
