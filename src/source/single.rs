//! One object: a file that the user names, which is read whatever it is called, or standard input.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::interruptible::Interruptible;
use super::local::{failed, read_as_far_as_it_goes, read_unless_known};
use super::{Delivery, Feed, Fetched, Known, Listed, Options};

pub(super) struct Single {
    place: Place,
    name: String,
    bytes: AtomicU64,
    taken: AtomicBool,
    /// Nobody waits for more.
    stopped: AtomicBool,
    object_bytes_max: u64,
    known: Option<Arc<dyn Known>>,
}

enum Place {
    Stdin,
    File(PathBuf),
    /// A named pipe or a device: its end may never come.
    Special(PathBuf),
}

impl Single {
    pub(super) fn stdin(options: &Options) -> Self {
        Self::new(Place::Stdin, "-", 0, options)
    }

    pub(super) fn file(path: &str, metadata: &Metadata, options: &Options) -> Self {
        let place = if metadata.is_file() { Place::File } else { Place::Special };
        Self::new(place(PathBuf::from(path)), path, metadata.len(), options)
    }

    fn new(place: Place, name: &str, bytes: u64, options: &Options) -> Self {
        Self {
            place,
            name: name.to_owned(),
            bytes: AtomicU64::new(bytes),
            taken: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            object_bytes_max: options.memory_bytes_max,
            known: options.known.clone(),
        }
    }
}

impl Single {
    /// Reads what somebody else is still writing, until there is no more or nobody wants it.
    fn wait_for<R: Read>(&self, open: impl FnOnce() -> std::io::Result<R> + Send + 'static, buffer: &mut Vec<u8>) -> Fetched {
        let source = Interruptible::read(open, &self.stopped);
        source.map_or_else(failed, |source| read_as_far_as_it_goes(source, buffer, self.object_bytes_max))
    }
}

impl Feed for Single {
    fn next(&self, buffer: &mut Vec<u8>) -> Option<Delivery> {
        buffer.clear();
        if self.taken.swap(true, Ordering::AcqRel) {
            return None;
        }
        let (outcome, origin) = match &self.place {
            Place::Stdin => (self.wait_for(|| Ok(std::io::stdin()), buffer), None),
            Place::Special(path) => {
                let path = path.clone();
                (self.wait_for(move || File::open(path), buffer), None)
            }
            Place::File(path) => {
                let absolute = || path.canonicalize().unwrap_or_else(|_| path.clone());
                read_unless_known(File::open(path), absolute, self.known.as_deref(), buffer, self.object_bytes_max)
            }
        };
        let size = buffer.len() as u64;
        self.bytes.fetch_max(size, Ordering::Relaxed);
        Some(Delivery { object: self.name.as_str().into(), size, outcome, origin, signed: None })
    }

    fn listed(&self) -> Listed {
        Listed { objects: 1, bytes: self.bytes.load(Ordering::Relaxed), sized: matches!(self.place, Place::File(_)), complete: true, retries: 0 }
    }

    fn stop(&self) {
        self.taken.store(true, Ordering::Release);
        self.stopped.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::local::too_large;
    use super::*;

    /// `zcat logs/*.gz | tagfall detect -` of more than the memory lost all of it, the good part too.
    #[test]
    fn a_stream_that_is_too_large_is_kept_up_to_the_limit() {
        let mut buffer = Vec::new();
        assert_eq!(read_as_far_as_it_goes(&b"0123456789"[..], &mut buffer, 4), Fetched::Failed(too_large(4)));
        assert_eq!(buffer, b"0123");
        buffer.clear();
        assert_eq!((read_as_far_as_it_goes(&b"0123"[..], &mut buffer, 4), buffer.as_slice()), (Fetched::Whole, &b"0123"[..]));
    }
}
