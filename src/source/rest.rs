//! The rest of an object that is too large to be held in memory as a whole.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// A reader of what follows the first bytes; it can be read once. It keeps track of how far it was read and
/// what went wrong, because its users see only a generic error.
pub struct Rest {
    from: From,
    bytes: u64,
    failed: Option<String>,
}

enum From {
    Places(Box<dyn Place>),
    Stream(Box<dyn Read + Send>),
}

/// A source of bytes with random access.
trait Place: Read + Seek + Send {}

impl<P: Read + Seek + Send> Place for P {}

impl Rest {
    /// Continues from the file's present position. A named pipe is read as a stream.
    pub fn of_file(file: File) -> Self {
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if is_file { Self::of_places(file) } else { Self::of_stream(file) }
    }

    pub fn of_stream(stream: impl Read + Send + 'static) -> Self {
        Self { from: From::Stream(Box::new(stream)), bytes: 0, failed: None }
    }

    /// Continues from the present position of a source with random access.
    pub fn of_places(object: impl Read + Seek + Send + 'static) -> Self {
        Self { from: From::Places(Box::new(object)), bytes: 0, failed: None }
    }

    /// Whether the object can be read from any position. Positions count from its beginning, including the
    /// first bytes.
    pub const fn has_places(&self) -> bool {
        matches!(self.from, From::Places(_))
    }

    /// The length of the whole object, including its first bytes, if it can be determined. Afterwards reading
    /// continues at its end.
    pub fn length(&mut self) -> Option<u64> {
        self.seek(SeekFrom::End(0)).ok()
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
            From::Places(object) => object.read(out),
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

impl Seek for Rest {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.from {
            From::Places(object) => object.seek(to),
            From::Stream(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "a stream has one place")),
        }
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest")
            .field("bytes", &self.bytes)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
