//! One object: a file that the user names, which is read whatever it is called, or standard input.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::local::{read_file, read_whole};
use super::{Delivery, Feed, Listed, Options};

pub(super) struct Single {
    origin: Origin,
    name: String,
    bytes: AtomicU64,
    taken: AtomicBool,
    object_bytes_max: u64,
}

enum Origin {
    Stdin,
    File(PathBuf),
}

impl Single {
    pub(super) fn stdin(options: &Options) -> Self {
        Self::new(Origin::Stdin, "-", 0, options)
    }

    pub(super) fn file(path: &str, bytes: u64, options: &Options) -> Self {
        Self::new(Origin::File(PathBuf::from(path)), path, bytes, options)
    }

    fn new(origin: Origin, name: &str, bytes: u64, options: &Options) -> Self {
        Self {
            origin,
            name: name.to_owned(),
            bytes: AtomicU64::new(bytes),
            taken: AtomicBool::new(false),
            object_bytes_max: options.memory_bytes_max,
        }
    }
}

impl Feed for Single {
    fn next(&self, buffer: &mut Vec<u8>) -> Option<Delivery> {
        buffer.clear();
        if self.taken.swap(true, Ordering::AcqRel) {
            return None;
        }
        let outcome = match &self.origin {
            Origin::Stdin => read_whole(std::io::stdin().lock(), buffer, self.object_bytes_max),
            Origin::File(path) => File::open(path).map_or_else(super::local::failed, |file| read_file(file, buffer, self.object_bytes_max)),
        };
        let size = buffer.len() as u64;
        self.bytes.fetch_max(size, Ordering::Relaxed);
        Some(Delivery { object: self.name.as_str().into(), size, outcome })
    }

    fn listed(&self) -> Listed {
        Listed { objects: 1, bytes: self.bytes.load(Ordering::Relaxed), complete: true, retries: 0 }
    }

    fn stop(&self) {
        self.taken.store(true, Ordering::Release);
    }
}
