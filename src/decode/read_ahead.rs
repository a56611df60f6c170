//! Unpacks a large object in a thread of its own while the text so far is scanned, so that it takes the time of
//! the longer of the two and not of both together.
//!
//! Whoever scans gets the same bytes in the same order as without the thread, so that nothing of the result
//! depends on it.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

use super::packing::without_layers;
use super::text_memory::TextMemory;

/// Chunks of text that wait to be scanned. One more is being filled, and one is being scanned.
const WAITING_MAX: usize = 3;

/// What the thread hands over.
enum Handed {
    /// The object cannot be unpacked at all.
    Refused(String),
    Text(Vec<u8>),
    /// The end of the text, and what kept it from going on.
    Last(Vec<u8>, Option<io::Error>),
}

/// Calls `scan` with the content of `reader`, from which another thread removes gzip, zstd and UTF-16. If the
/// system allows no more threads, `scan` gets the reader itself.
///
/// # Errors
/// There are too many layers, or a library cannot start.
pub(super) fn unpacked_ahead<'r, T>(
    reader: Box<dyn Read + Send + 'r>,
    room: &TextMemory,
    scan: impl FnOnce(Box<dyn Read + '_>) -> T,
) -> Result<T, String> {
    let reader = Mutex::new(Some(reader));
    let take = || reader.lock().unwrap_or_else(PoisonError::into_inner).take();
    let take = &take;
    std::thread::scope(|scope| {
        let ((to, from), (used, free)) = (sync_channel(WAITING_MAX), channel());
        let unpack = move || take().map_or((), |reader| unpack(reader, room, &to, &free));
        let Ok(thread) = std::thread::Builder::new().spawn_scoped(scope, unpack) else {
            return take().map(|reader| scan(reader)).ok_or_else(|| "no thread could be started".to_owned());
        };
        let mut ahead = Ahead { from, used, text: Vec::new(), at: 0, ended: false, failed: None };
        let scanned = ahead.begin().map(|()| scan(Box::new(ahead)));
        // If it panicked, the text had no end, which was an error for `scan`.
        drop(thread.join());
        scanned
    })
}

/// Hands over the content of `reader` until its end, or until nobody wants more.
fn unpack<'r>(
    reader: Box<dyn Read + Send + 'r>,
    room: &TextMemory,
    to: &SyncSender<Handed>,
    free: &Receiver<Vec<u8>>,
) {
    let mut text = match without_layers(reader, room) {
        Ok(text) => text,
        Err(reason) => return drop(to.send(Handed::Refused(reason))),
    };
    loop {
        let mut chunk = free.try_recv().unwrap_or_else(|_| Vec::with_capacity(room.chunk_bytes()));
        chunk.clear();
        let failed = text.by_ref().take(room.chunk_bytes() as u64).read_to_end(&mut chunk).err();
        let is_last = failed.is_some() || chunk.len() < room.chunk_bytes();
        let handed = if is_last { Handed::Last(chunk, failed) } else { Handed::Text(chunk) };
        if to.send(handed).is_err() || is_last {
            return;
        }
    }
}

/// Reads what the thread hands over.
struct Ahead {
    from: Receiver<Handed>,
    /// Takes back the memory of scanned text.
    used: Sender<Vec<u8>>,
    text: Vec<u8>,
    at: usize,
    ended: bool,
    failed: Option<io::Error>,
}

impl Ahead {
    /// Waits for the first text.
    fn begin(&mut self) -> Result<(), String> {
        match self.from.recv() {
            Ok(Handed::Refused(reason)) => Err(reason),
            handed => {
                self.take(handed.ok());
                Ok(())
            }
        }
    }

    fn take(&mut self, handed: Option<Handed>) {
        let (text, failed) = match handed {
            Some(Handed::Text(text)) => (text, None),
            Some(Handed::Last(text, failed)) => {
                self.ended = true;
                (text, failed)
            }
            Some(Handed::Refused(_)) | None => {
                self.ended = true;
                (Vec::new(), Some(io::Error::other("the thread that unpacked it ended")))
            }
        };
        drop(self.used.send(std::mem::replace(&mut self.text, text)));
        (self.at, self.failed) = (0, failed);
    }
}

impl Read for Ahead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() && !self.ended {
            let handed = self.from.recv().ok();
            self.take(handed);
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return self.failed.take().map_or(Ok(0), Err);
        }
        let taken = rest.len().min(out.len());
        if let Some((out, rest)) = out.get_mut(..taken).zip(rest.get(..taken)) {
            out.copy_from_slice(rest);
        }
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    /// All that can be read, and why it ended.
    fn read(mut reader: Box<dyn Read + '_>) -> (Vec<u8>, Option<String>) {
        let mut text = Vec::new();
        let failed = reader.read_to_end(&mut text).err();
        (text, failed.map(|error| error.to_string()))
    }

    #[test]
    fn the_text_and_its_damage_are_those_of_reading_without_a_thread() {
        let room = TextMemory::of(4096, 4096, 8192);
        let text: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let (once, twice) = (gzip(&text), gzip(&gzip(&text)));
        let utf16 = [&b"\xff\xfe"[..], &b"{\0}\0".repeat(5_000)].concat();
        let (torn, long) = (&once[..once.len() - 9], [&text[..], &text[..]].concat());
        let wrong = [&once[..], b"more"].concat();
        for stored in [&b""[..], b"{}", &text, &once, &twice, &utf16, torn, &long, &wrong] {
            let alone = read(without_layers(Box::new(stored), &room).unwrap());
            assert_eq!(unpacked_ahead(Box::new(stored), &room, read).unwrap(), alone, "{}", stored.len());
        }
        let packed = gzip(&gzip(&gzip(&gzip(&gzip(b"{}")))));
        let refused = without_layers(Box::new(&packed[..]), &room).err();
        assert!(refused.is_some());
        assert_eq!(unpacked_ahead(Box::new(&packed[..]), &room, read).err(), refused);
    }

    #[test]
    fn who_wants_no_more_is_not_kept_waiting() {
        let room = TextMemory::of(4096, 4096, 8192);
        let first = |mut reader: Box<dyn Read + '_>| reader.read(&mut [0; 10]).unwrap();
        assert_eq!(unpacked_ahead(Box::new(io::repeat(b' ')), &room, first), Ok(10));
    }
}
