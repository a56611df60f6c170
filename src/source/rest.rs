//! What follows the first bytes of an object that is too large to be held as a whole.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

/// The rest of an object, to be read once. How far it was read, and what went wrong, is kept here: who reads it sees no more
/// than an error among others.
pub struct Rest {
    from: From,
    bytes: u64,
    failed: Option<String>,
}

enum From {
    File(File),
    Stream(Box<dyn Read + Send>),
}

impl Rest {
    /// From where the file was read up to. A pipe that has a name is a stream.
    pub fn of_file(file: File) -> Self {
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let from = if is_file { From::File(file) } else { From::Stream(Box::new(file)) };
        Self { from, bytes: 0, failed: None }
    }

    pub fn of_stream(stream: impl Read + Send + 'static) -> Self {
        Self { from: From::Stream(Box::new(stream)), bytes: 0, failed: None }
    }

    /// The whole object, where one can go to any place in it.
    pub fn file(&self) -> Option<File> {
        match &self.from {
            From::File(file) => file.try_clone().ok(),
            From::Stream(_) => None,
        }
    }

    /// How many bytes were read.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Why reading ended before the object did.
    pub fn take_failure(&mut self) -> Option<String> {
        self.failed.take()
    }
}

impl Read for Rest {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.from {
            From::File(file) => file.read(out),
            From::Stream(stream) => stream.read(out),
        };
        match &read {
            Ok(read) => self.bytes += *read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.failed = Some(error.to_string()),
        }
        read
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("bytes", &self.bytes).field("failed", &self.failed).finish_non_exhaustive()
    }
}
