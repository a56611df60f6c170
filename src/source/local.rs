//! A folder of objects. One thread walks the folder ahead of the workers, in sorted order, and asks the
//! operating system only for names. The workers open and read the files, directly into their buffers.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use percent_encoding::{AsciiSet, percent_encode};

use super::folder::Folder;
use super::layout::{Seen, Selection};
use super::options::cannot_open;
use crate::model::Timestamp;

use super::{
    Delivery, Feed, Fetched, Item, Known, Listed, MemberIs, OpenError, Options, Origin, Pruned, Rest,
};

/// Number of objects by which the walk may be ahead. Most archives have fewer, so that their total is known
/// early; for others this bounds the memory.
const WALK_AHEAD_MAX: usize = 65_536;

/// Number of names that are handed over at once, so that walker and workers do not need the lock for every
/// file.
pub(super) const BATCH: usize = 256;

/// A buffer larger than this is freed, and not kept by its worker for the rest of the run.
pub(super) const BUFFER_KEPT_BYTES_MAX: usize = 64 << 20;

/// What the walk found.
pub(super) enum Found {
    /// A file to be read, and its folder.
    File(PathBuf, Arc<Folder>),
    /// An object of another kind, by its name.
    OtherKind(PathBuf),
    /// A folder or file that cannot be listed.
    Unreadable(PathBuf, String),
}

pub(super) struct Local {
    root: PathBuf,
    /// Prefix of all names if several sources were given: `folder/`.
    label: String,
    sizes: Sizes,
    selection: Selection,
    known: Option<Arc<dyn Known>>,
    /// `root` as an absolute path, for [`Origin`].
    absolute: PathBuf,
    shared: Arc<Shared>,
}

/// The queue between the walker and the workers.
#[derive(Default)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    drained: Condvar,
    stopped: AtomicBool,
    objects: AtomicU64,
    bytes_read: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Queue {
    found: VecDeque<Found>,
    complete: bool,
}

impl Local {
    pub(super) fn open(spec: &str, options: &Options, selection: Selection) -> Result<Self, OpenError> {
        Self::open_with(spec, options, selection, None)
    }

    /// The same for some of its files, which were listed earlier.
    pub(super) fn open_items(
        spec: &str,
        items: Vec<Item>,
        options: &Options,
        selection: Selection,
    ) -> Result<Self, OpenError> {
        Self::open_with(spec, options, selection, Some(items))
    }

    fn open_with(
        spec: &str,
        options: &Options,
        selection: Selection,
        items: Option<Vec<Item>>,
    ) -> Result<Self, OpenError> {
        std::fs::read_dir(spec).map_err(|error| cannot_open(spec, &error))?;
        let root = PathBuf::from(spec);
        let shared = Arc::new(Shared::default());
        let walker =
            Walker { root: root.clone(), selection: selection.clone(), items, shared: Arc::clone(&shared) };
        std::thread::Builder::new().name("walk".to_owned()).spawn(move || walker.run()).map_err(|error| {
            OpenError::Start {
                address: spec.to_owned(),
                reason: format!("no thread can be started: {error}"),
            }
        })?;
        let label = if options.many { format!("{}/", spec.trim_end_matches('/')) } else { String::new() };
        let absolute = root.canonicalize().unwrap_or_else(|_| root.clone());
        Ok(Self {
            root,
            label,
            sizes: Sizes::of(options),
            selection,
            known: options.known.clone(),
            absolute,
            shared,
        })
    }

    fn name(&self, path: &Path) -> String {
        format!("{}{}", self.label, relative_name(&self.root, path))
    }
}

impl Feed for Local {
    fn next(&self, buffer: &mut Vec<u8>) -> Option<Delivery> {
        prepare(buffer);
        let (path, Opened { outcome, origin, rest }) = match self.shared.take()? {
            Found::OtherKind(path) => (path, Fetched::OtherKind.into()),
            Found::Unreadable(path, reason) => (path, Fetched::Failed(reason).into()),
            Found::File(path, folder) => {
                let absolute = || self.absolute.join(path.strip_prefix(&self.root).unwrap_or(&path));
                let opened = read_unless_known(
                    folder.file(&path),
                    absolute,
                    self.known.as_deref(),
                    buffer,
                    self.sizes,
                );
                (path, opened)
            }
        };
        let size = buffer.len() as u64;
        self.shared.bytes_read.fetch_add(size, Ordering::Relaxed);
        Some(Delivery { object: self.name(&path).into(), size, outcome, origin, signed: None, rest })
    }

    fn listed(&self) -> Listed {
        let complete = lock(&self.shared.queue).complete;
        let (objects, bytes) =
            (self.shared.objects.load(Ordering::Relaxed), self.shared.bytes_read.load(Ordering::Relaxed));
        Listed { objects, bytes, sized: false, complete, retries: 0 }
    }

    fn modified(&self, object: &str) -> Option<Timestamp> {
        modified(&self.root.join(object.strip_prefix(&*self.label)?))
    }

    fn stop(&self) {
        self.shared.stop();
    }

    fn pruned(&self) -> Pruned {
        lock(&self.shared.seen).pruned()
    }

    fn member(&self, name: &str) -> MemberIs {
        self.selection.member(name, &mut lock(&self.shared.seen))
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl Shared {
    /// The next object; waits for the walker. `None` at the end, or when stopped.
    fn take(&self) -> Option<Found> {
        let mut queue = lock(&self.queue);
        loop {
            if self.stopped.load(Ordering::Acquire) {
                return None;
            }
            if let Some(found) = queue.found.pop_front() {
                if queue.found.len() == WALK_AHEAD_MAX - BATCH {
                    self.drained.notify_one();
                }
                return Some(found);
            }
            if queue.complete {
                return None;
            }
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Hands over a batch; waits while the workers are far behind. Returns false when stopped.
    fn put(&self, batch: &mut Vec<Found>) -> bool {
        let mut queue = lock(&self.queue);
        while queue.found.len() > WALK_AHEAD_MAX - BATCH && !self.stopped.load(Ordering::Acquire) {
            queue = self.drained.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        self.objects.fetch_add(batch.len() as u64, Ordering::Relaxed);
        queue.found.extend(batch.drain(..));
        self.filled.notify_all();
        !self.stopped.load(Ordering::Acquire)
    }

    /// Hands over all items, until stopped.
    fn put_all(&self, found: impl Iterator<Item = Found>) {
        let mut batch = Vec::with_capacity(BATCH);
        for found in found {
            batch.push(found);
            if batch.len() == BATCH && !self.put(&mut batch) {
                break;
            }
        }
        self.put(&mut batch);
    }

    fn finish(&self) {
        lock(&self.queue).complete = true;
        self.filled.notify_all();
    }

    fn stop(&self) {
        // Done under the lock, so that a worker that has just checked the flag does not go to sleep for
        // good.
        let _queue = lock(&self.queue);
        self.stopped.store(true, Ordering::Release);
        self.filled.notify_all();
        self.drained.notify_all();
    }
}

struct Walker {
    root: PathBuf,
    selection: Selection,
    /// What to hand out; `None`: whatever the walk finds.
    items: Option<Vec<Item>>,
    shared: Arc<Shared>,
}

impl Walker {
    fn run(self) {
        // However the walk ends, waiting workers are woken.
        let _ended = Ended(&self.shared);
        match self.items {
            Some(items) => self.shared.put_all(super::inventory::found(&self.root, items)),
            None => {
                self.shared.put_all(super::walk::Walk::new(&self.root, &self.selection, &self.shared.seen))
            }
        }
    }
}

struct Ended<'s>(&'s Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// The path below `root`, always with `/` between its parts.
pub(super) fn relative_name(root: &Path, path: &Path) -> String {
    // A walk's paths begin with the root as it was given; comparing them part by part would be slow.
    let (root_bytes, path_bytes) = (root.as_os_str().as_encoded_bytes(), path.as_os_str().as_encoded_bytes());
    if std::path::MAIN_SEPARATOR == '/'
        && let Some(rest) = path_bytes.strip_prefix(root_bytes)
        && let Some(rest) = if root_bytes.ends_with(b"/") { Some(rest) } else { rest.strip_prefix(b"/") }
        && !rest.starts_with(b"/")
        && let Ok(name) = std::str::from_utf8(rest)
    {
        return name.to_owned();
    }
    let relative = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' {
        relative.into_owned()
    } else {
        relative.replace(std::path::MAIN_SEPARATOR, "/")
    }
}

/// Empties a buffer, and frees it if it is very large.
pub(super) fn prepare(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(BUFFER_KEPT_BYTES_MAX);
}

/// How much of an object is held in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub bytes_max: u64,
    pub part_bytes: Option<u64>,
}

impl Sizes {
    pub(super) fn of(options: &Options) -> Self {
        Self { bytes_max: options.memory_bytes_max, part_bytes: options.part_bytes }
    }
}

/// An object whose beginning is in the buffer.
pub(super) struct Opened {
    pub outcome: Fetched,
    pub origin: Option<Origin>,
    pub rest: Option<Rest>,
}

impl From<Fetched> for Opened {
    fn from(outcome: Fetched) -> Self {
        Self { outcome, origin: None, rest: None }
    }
}

/// Reads an open file, unless `known` has this version of it. The version is determined before the file is
/// read: a file that changes meanwhile has a newer version and is read again next time. The size is not
/// asked for, because most objects fit into the buffer anyway, and an extra system call for each file slows
/// down many small ones.
pub(super) fn read_unless_known(
    opened: io::Result<File>,
    absolute: impl FnOnce() -> PathBuf,
    known: Option<&dyn Known>,
    buffer: &mut Vec<u8>,
    sizes: Sizes,
) -> Opened {
    let mut file = match opened {
        Ok(file) => file,
        Err(error) => return failed(error).into(),
    };
    let origin = known.and_then(|_| Some(Origin { address: address(&absolute()), stamp: stamp(&file)? }));
    if let (Some(known), Some(origin)) = (known, &origin)
        && known.knows(origin)
    {
        return Opened { outcome: Fetched::Known, origin: Some(origin.clone()), rest: None };
    }
    let Some(part_bytes) = sizes.part_bytes else {
        return Opened { outcome: read_whole(file, buffer, sizes.bytes_max), origin, rest: None };
    };
    let (outcome, more) = read_part(&mut file, buffer, part_bytes);
    Opened { outcome, origin, rest: more.then(|| Rest::of_file(file)) }
}

/// Reads the first `bytes`; returns whether there may be more.
pub(super) fn read_part(source: &mut impl Read, buffer: &mut Vec<u8>, bytes: u64) -> (Fetched, bool) {
    match source.take(bytes).read_to_end(buffer) {
        Err(error) => (failed(error), false),
        Ok(read) => (Fetched::Whole, read as u64 == bytes),
    }
}

/// A path as text that is unique: a path that is not Unicode is written with `%XX` escapes after a prefix
/// that no absolute path has.
fn address(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    const MARKED: &AsciiSet = &AsciiSet::EMPTY.add(b'%');
    format!("bytes:{}", percent_encode(path.as_os_str().as_encoded_bytes(), MARKED))
}

/// When a file was last changed, in whole seconds, as copies and archives keep no fractions.
pub(super) fn modified(path: &Path) -> Option<Timestamp> {
    let modified =
        std::fs::metadata(path).ok()?.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(modified.as_secs()).ok()?.saturating_mul(1000)))
}

/// Changes whenever a file does. Restoring or copying a file can set its size and modification time, but
/// not its ctime; and a file that replaces another has another inode number.
fn stamp(file: &File) -> Option<String> {
    let metadata = file.metadata().ok()?;
    let modified = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(format!("{}:{}{}", metadata.len(), modified.as_nanos(), noted(&metadata)))
}

#[cfg(unix)]
fn noted(metadata: &std::fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!(":{}.{:09}:{}", metadata.ctime(), metadata.ctime_nsec(), metadata.ino())
}

#[cfg(not(unix))]
fn noted(_metadata: &std::fs::Metadata) -> String {
    String::new()
}

/// Reads to the end, or returns why it could not. What was read stays in the buffer, unless memory ran out.
fn read_whole(source: impl Read, buffer: &mut Vec<u8>, bytes_max: u64) -> Fetched {
    let fetched = read_as_far_as_it_goes(source, buffer, bytes_max);
    if buffer.len() as u64 >= bytes_max && fetched != Fetched::Whole {
        *buffer = Vec::new();
    }
    fetched
}

/// The same, but keeps what was read of a file that is too large.
pub(super) fn read_as_far_as_it_goes(source: impl Read, buffer: &mut Vec<u8>, bytes_max: u64) -> Fetched {
    match source.take(bytes_max.saturating_add(1)).read_to_end(buffer) {
        Err(error) => failed(error),
        Ok(read) if read as u64 > bytes_max => {
            buffer.truncate(read - 1);
            Fetched::Failed(too_large(bytes_max))
        }
        Ok(_) => Fetched::Whole,
    }
}

/// The reason given for an object over the limit, which counts as failed.
pub(super) fn too_large(bytes_max: u64) -> String {
    format!("larger than --max-memory allows for one object ({bytes_max} bytes)")
}

pub(super) fn failed(error: io::Error) -> Fetched {
    Fetched::Failed(error.to_string())
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn no_two_paths_have_the_same_address() {
        let paths = [
            &b"/in/x\xff.json"[..],
            b"/in/x\xfe.json",
            b"/in/x%FF.json",
            "/in/x\u{fffd}.json".as_bytes(),
            b"/in/%x\xff",
            b"/in/%25x\xff",
        ];
        let addresses: std::collections::BTreeSet<String> =
            paths.iter().map(|path| address(Path::new(OsStr::from_bytes(path)))).collect();
        assert_eq!(addresses.len(), paths.len(), "{addresses:?}");
        assert_eq!(address(Path::new("/in/é.json")), "/in/é.json");
    }

    /// A restored file, or one written by `rsync -t`, used to be taken for the known one and was not read.
    #[test]
    fn a_file_with_the_same_size_and_time_is_another_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
        let write = |content: &str| {
            std::fs::write(&path, content).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(time).unwrap();
            stamp(&file).unwrap()
        };
        let before = write("one");
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_ne!(before, write("two"));
    }
}
