//! Files besides the logs that a command reads as a whole. Their size is limited, because a name may lead
//! to a device without an end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::ui::quantity::bytes;

/// Limit for results of earlier runs, and for files of known losses.
pub const RESULT_BYTES_MAX: u64 = 256 << 20;

/// The whole file, or why it cannot be read.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = File::open(path)?.take(bytes_max + 1).read_to_end(&mut content)?;
    if read as u64 > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than such a file can be ({})", bytes(bytes_max)),
        ));
    }
    Ok(content)
}
