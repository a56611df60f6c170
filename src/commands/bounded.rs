//! Files that a command reads as a whole, beside the logs: never more of them than such a file can be, for a name may lead to a device
//! without an end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::ui::quantity::bytes;

/// Results of earlier runs, and what was known of losses.
pub const RESULT_BYTES_MAX: u64 = 256 << 20;

/// All of the file, or why not.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = File::open(path)?.take(bytes_max + 1).read_to_end(&mut content)?;
    if read as u64 > bytes_max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than such a file can be ({})", bytes(bytes_max))));
    }
    Ok(content)
}
