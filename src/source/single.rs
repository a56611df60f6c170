//! A source of one object: a file that the user names, which is read whatever it is called, or standard
//! input.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::interruptible::Interruptible;
use super::layout::{Seen, Selection};
use super::local::{
    Opened, Sizes, failed, lock, modified, read_as_far_as_it_goes, read_part, read_unless_known,
};
use super::{Delivery, Feed, Known, Listed, MemberIs, Options, Pruned, Rest};
use crate::model::Timestamp;

pub(super) struct Single {
    place: SingleInput,
    name: String,
    bytes: AtomicU64,
    taken: AtomicBool,
    /// Set when nobody waits for more.
    stopped: Arc<AtomicBool>,
    sizes: Sizes,
    known: Option<Arc<dyn Known>>,
    /// For archive members; the named file itself is read whatever it is called.
    selection: Selection,
    seen: Mutex<Seen>,
}

enum SingleInput {
    Stdin,
    File(PathBuf),
    /// A named pipe or a device, which may never end.
    Special(PathBuf),
}

impl Single {
    pub(super) fn stdin(options: &Options, selection: Selection) -> Self {
        Self::new(SingleInput::Stdin, "-", 0, options, selection)
    }

    pub(super) fn file(path: &str, metadata: &Metadata, options: &Options, selection: Selection) -> Self {
        let place = if metadata.is_file() { SingleInput::File } else { SingleInput::Special };
        Self::new(place(PathBuf::from(path)), path, metadata.len(), options, selection)
    }

    fn new(place: SingleInput, name: &str, bytes: u64, options: &Options, selection: Selection) -> Self {
        Self {
            place,
            name: name.to_owned(),
            bytes: AtomicU64::new(bytes),
            taken: AtomicBool::new(false),
            stopped: Arc::default(),
            sizes: Sizes::of(options),
            known: options.known.clone(),
            selection,
            seen: Mutex::default(),
        }
    }
}

impl Single {
    /// Reads what somebody else is still writing, until it ends or is not wanted any more.
    fn wait_for<R: Read>(
        &self,
        open: impl FnOnce() -> std::io::Result<R> + Send + 'static,
        buffer: &mut Vec<u8>,
    ) -> Opened {
        let mut source = match Interruptible::read(open, Arc::clone(&self.stopped)) {
            Ok(source) => source,
            Err(error) => return failed(error).into(),
        };
        let Some(part_bytes) = self.sizes.part_bytes else {
            return read_as_far_as_it_goes(source, buffer, self.sizes.bytes_max).into();
        };
        let (outcome, more) = read_part(&mut source, buffer, part_bytes);
        Opened { outcome, origin: None, rest: more.then(|| Rest::of_stream(source)) }
    }
}

impl Feed for Single {
    fn next(&self, buffer: &mut Vec<u8>) -> Option<Delivery> {
        buffer.clear();
        if self.taken.swap(true, Ordering::AcqRel) {
            return None;
        }
        let Opened { outcome, origin, rest } = match &self.place {
            SingleInput::Stdin => self.wait_for(|| Ok(std::io::stdin()), buffer),
            SingleInput::Special(path) => {
                let path = path.clone();
                self.wait_for(move || File::open(path), buffer)
            }
            SingleInput::File(path) => {
                let absolute = || path.canonicalize().unwrap_or_else(|_| path.clone());
                read_unless_known(File::open(path), absolute, self.known.as_deref(), buffer, self.sizes)
            }
        };
        let size = buffer.len() as u64;
        self.bytes.fetch_max(size, Ordering::Relaxed);
        Some(Delivery { object: self.name.as_str().into(), size, outcome, origin, signed: None, rest })
    }

    fn listed(&self) -> Listed {
        Listed {
            objects: 1,
            bytes: self.bytes.load(Ordering::Relaxed),
            sized: matches!(self.place, SingleInput::File(_)),
            complete: true,
            retries: 0,
        }
    }

    fn pruned(&self) -> Pruned {
        lock(&self.seen).pruned()
    }

    fn member(&self, name: &str) -> MemberIs {
        self.selection.member(name, &mut lock(&self.seen))
    }

    fn modified(&self, _object: &str) -> Option<Timestamp> {
        match &self.place {
            SingleInput::File(path) => modified(path),
            SingleInput::Stdin | SingleInput::Special(_) => None,
        }
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
    use crate::source::Fetched;

    /// `zcat logs/*.gz | tagfall detect -` used to lose everything if there was more than memory, the good
    /// part too.
    #[test]
    fn a_stream_that_is_too_large_is_kept_up_to_the_limit() {
        let mut buffer = Vec::new();
        assert_eq!(read_as_far_as_it_goes(&b"0123456789"[..], &mut buffer, 4), Fetched::Failed(too_large(4)));
        assert_eq!(buffer, b"0123");
        buffer.clear();
        assert_eq!(
            (read_as_far_as_it_goes(&b"0123"[..], &mut buffer, 4), buffer.as_slice()),
            (Fetched::Whole, &b"0123"[..])
        );
    }
}
