//! Reads that can be interrupted. A read from a pipe whose writer sends nothing blocks forever, and a signal
//! does not end it. So a separate thread reads, and the worker that waits for it can be told to stop.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Number of bytes in a block, and number of blocks that wait to be taken.
const BLOCK_BYTES: usize = 256 << 10;
const BLOCKS_MAX: usize = 4;
/// How often it is checked whether the data is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The error of a read that was stopped. Everything before it is valid.
pub(super) const STOPPED: &str = "not read to its end: the run was stopped";

/// Returns the bytes of a source until it ends, fails, or `stopped` becomes true.
pub(super) struct Interruptible {
    stopped: Arc<AtomicBool>,
    blocks: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    given: usize,
}

impl Interruptible {
    /// Opening may block as well: a named pipe opens only when somebody writes to it.
    pub(super) fn read<R: Read>(
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
        stopped: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let (sender, blocks) = sync_channel(BLOCKS_MAX);
        let read = move || {
            let mut source = match open() {
                Ok(source) => source,
                // If this cannot be sent, nobody waits for it any more.
                Err(error) => return drop(sender.send(Err(error))),
            };
            loop {
                let mut block = vec![0; BLOCK_BYTES];
                let read = match source.read(&mut block) {
                    Ok(0) => return,
                    Ok(read) => Ok(read),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let ends = read.is_err();
                let read = read.map(|read| {
                    block.truncate(read);
                    block
                });
                if sender.send(read).is_err() || ends {
                    return;
                }
            }
        };
        // The thread is never joined: it may be in a read that does not return, and ends with the process.
        thread::Builder::new().name("read".to_owned()).spawn(read)?;
        Ok(Self { stopped, blocks, block: Vec::new(), given: 0 })
    }

    fn next_block(&self) -> io::Result<Vec<u8>> {
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                return Err(io::Error::other(STOPPED));
            }
            match self.blocks.recv_timeout(LOOK_EVERY) {
                Ok(block) => return block,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Vec::new()),
            }
        }
    }
}

impl Read for Interruptible {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.block.len() {
            (self.block, self.given) = (self.next_block()?, 0);
        }
        let read = (&self.block[self.given..]).read(buffer)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a few bytes and then blocks forever.
    struct Silent(bool);

    impl Read for Silent {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                loop {
                    thread::park();
                }
            }
            buffer[..4].copy_from_slice(b"good");
            Ok(4)
        }
    }

    #[test]
    fn a_read_that_never_returns_is_left_alone_and_the_good_part_kept() {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut source = Interruptible::read(|| Ok(Silent(false)), Arc::clone(&stopped)).unwrap();
        let mut buffer = Vec::new();
        let error = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(100));
                stopped.store(true, Ordering::Relaxed);
            });
            source.read_to_end(&mut buffer).unwrap_err()
        });
        assert_eq!((buffer.as_slice(), error.to_string().as_str()), (&b"good"[..], STOPPED));
    }

    #[test]
    fn everything_comes_through_and_so_does_an_error() {
        let bytes: Vec<u8> = (0..3 * BLOCK_BYTES + 5).map(|at| (at % 251) as u8).collect();
        let (stopped, copy, mut read) = (Arc::new(AtomicBool::new(false)), bytes.clone(), Vec::new());
        Interruptible::read(move || Ok(io::Cursor::new(copy)), Arc::clone(&stopped))
            .unwrap()
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(read, bytes);
        let gone = || Err::<io::Empty, _>(io::Error::from(io::ErrorKind::NotFound));
        let error =
            Interruptible::read(gone, Arc::clone(&stopped)).unwrap().read_to_end(&mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
