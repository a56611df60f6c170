//! The rest of an object that is too large to be held in memory as a whole.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

/// A reader of what follows the first bytes; it can be read once. It keeps track of how far it was read and
/// what went wrong, because its users see only a generic error.
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
    /// From the position up to which the file was read. A named pipe is read as a stream.
    pub fn of_file(file: File) -> Self {
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let from = if is_file { From::File(file) } else { From::Stream(Box::new(file)) };
        Self { from, bytes: 0, failed: None }
    }

    pub fn of_stream(stream: impl Read + Send + 'static) -> Self {
        Self { from: From::Stream(Box::new(stream)), bytes: 0, failed: None }
    }

    /// The whole object as a file, if it can be read at any position.
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

    /// Takes the reason why reading ended early.
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
