//! Archives: zip and tar. Their members are read one after another, each as an object of its own. Nothing
//! is written to disk.
//!
//! A member's name is its path in the archive. Archives inside an archive are read, but no deeper. The
//! number of members, and their total size compared with the archive, are limited; real archives of logs
//! come nowhere near the limits.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use zip::ZipArchive;
use zip::result::ZipError;

use super::layers::Failed;
use super::{Decoder, Limits, Member, Next, ObjectReport, Outcome, RecordSink, Rest, Stored, Wanted};

/// An archive inside an archive is read, and nothing deeper.
pub(super) const NESTING_MAX: u8 = 2;
/// Approximate memory for each member in a zip archive's directory.
const ENTRY_BYTES: u64 = 512;
/// Members may together be this many times larger than their archive …
const RATIO_MAX: u64 = 1_000;
/// … and this large in any case.
const BYTES_SURE: u64 = 1 << 30;
/// Longer names are not accepted.
const NAME_BYTES_MAX: u64 = 64 << 10;

/// What to read for which sink, and in which archive.
pub(super) struct Ask<'a, S: ?Sized> {
    pub wanted: Wanted<'a>,
    pub limits: Limits,
    pub sink: &'a mut S,
    /// Prefix of the members' names: `inner.zip!`.
    pub prefix: &'a str,
    pub nesting: u8,
}

/// What is left of the limits of one archive.
struct Allowance {
    members: u64,
    bytes: u64,
}

impl Decoder {
    fn allowance(&self, stored_bytes: u64) -> Allowance {
        let members = (self.room.record_bytes() / ENTRY_BYTES).max(1_000);
        Allowance { members, bytes: stored_bytes.saturating_mul(RATIO_MAX).max(BYTES_SURE) }
    }

    /// Reads the members of a zip archive.
    pub(super) fn zip<S: RecordSink + ?Sized>(
        &mut self,
        mut source: impl Read + Seek,
        ask: &mut Ask<'_, S>,
    ) -> ObjectReport {
        let stored_bytes = source.seek(SeekFrom::End(0)).unwrap_or(0);
        let mut allowance = self.allowance(stored_bytes);
        let listed = match members_listed(&mut source) {
            Some(listed) if listed > allowance.members => {
                return failed(format!(
                    "a zip archive with {listed} members, more than --max-memory allows ({}): unpack it first",
                    allowance.members
                ));
            }
            listed => listed,
        };
        let mut archive = match ZipArchive::new(&mut source) {
            Ok(archive) => archive,
            Err(error) => {
                let reason = format!("a zip archive that cannot be opened: {}", zip_reason(&error));
                return match self.zip_without_directory(&mut source, &mut allowance, ask) {
                    Ok(0) => failed(reason),
                    Ok(_) => failed(format!(
                        "{reason}; its members were read one after another, as far as they are there"
                    )),
                    Err(stopped) => failed(stopped),
                };
            }
        };
        for index in 0..archive.len() {
            let name = archive
                .name_for_index(index)
                .and_then(Result::ok)
                .map_or_else(|| format!("#{index}"), std::borrow::Cow::into_owned);
            if name.ends_with('/') || !self.begins(&name, ask) {
                continue;
            }
            let read = match archive.by_index(index) {
                Ok(member) if member.is_symlink() => {
                    continue_with(ask, failed("a link, not a file".to_owned()), 0)
                }
                Ok(mut member) => {
                    let size = member.compressed_size();
                    self.member(&name, &mut member, size, &mut allowance, ask)
                }
                Err(error) => continue_with(ask, failed(zip_reason(&error)), 0),
            };
            if let Err(reason) = read {
                return failed(reason);
            }
        }
        match listed.map(|listed| listed.saturating_sub(archive.len() as u64)) {
            Some(hidden @ 1..) => failed(format!(
                "{hidden} members of the zip archive have the name of another one, and cannot be read"
            )),
            _ => done(),
        }
    }

    /// Reads the members of a zip archive that was cut off: its directory, which is at the end, is missing, but
    /// each member has its name in front. Returns how many were read.
    fn zip_without_directory<S: RecordSink + ?Sized>(
        &mut self,
        source: &mut (impl Read + Seek),
        allowance: &mut Allowance,
        ask: &mut Ask<'_, S>,
    ) -> Result<u64, String> {
        source.rewind().map_err(|error| error.to_string())?;
        let mut source = io::BufReader::new(source);
        let mut members = 0;
        while let Ok(Some(mut member)) = zip::read::read_zipfile_from_stream(&mut source) {
            let name = member.name().map_or_else(|_| format!("#{members}"), std::borrow::Cow::into_owned);
            // What is not read of a member is passed over when it is dropped.
            if name.ends_with('/') || !self.begins(&name, ask) {
                continue;
            }
            members += 1;
            let size = member.compressed_size();
            self.member(&name, &mut member, size, allowance, ask)?;
        }
        Ok(members)
    }

    /// The same for an archive that can only be read from the beginning: it is held in memory if it is
    /// small enough.
    pub(super) fn zip_in_memory<S: RecordSink + ?Sized>(
        &mut self,
        mut reader: Box<dyn Read + '_>,
        ask: &mut Ask<'_, S>,
    ) -> ObjectReport {
        let room = std::sync::Arc::clone(&self.room);
        let limit = room.share_bytes();
        let mut bytes = Vec::new();
        if let Err(error) = reader.by_ref().take(limit + 1).read_to_end(&mut bytes) {
            return failed(error.to_string());
        }
        if bytes.len() as u64 > limit {
            return failed(format!(
                "a zip archive from a pipe, or in another archive, that is larger than --max-memory allows ({limit} bytes): what is in it stands at its \
                 end; save it to a file and name that"
            ));
        }
        self.zip(Cursor::new(bytes), ask)
    }

    /// Reads the members of a tar archive.
    pub(super) fn tar<S: RecordSink + ?Sized>(
        &mut self,
        reader: Box<dyn Read + '_>,
        stored_bytes: u64,
        ask: &mut Ask<'_, S>,
    ) -> ObjectReport {
        let mut archive = tar::Archive::new(reader);
        let mut allowance = self.allowance(stored_bytes);
        let entries = match archive.entries() {
            Ok(entries) => entries.raw(true),
            Err(error) => return failed(tar_reason(&error)),
        };
        // A name that is too long for its field comes as an entry of its own before the member.
        let mut long_name: Option<Vec<u8>> = None;
        for entry in entries {
            let mut entry = match entry {
                Ok(entry) => entry,
                Err(error) => return failed(tar_reason(&error)),
            };
            let kind = entry.header().entry_type();
            if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
                let mut text = Vec::new();
                if let Err(error) = entry.by_ref().take(NAME_BYTES_MAX).read_to_end(&mut text) {
                    return failed(tar_reason(&error));
                }
                long_name = if kind.is_gnu_longname() {
                    Some(text)
                } else {
                    pax_path(&text).map(<[u8]>::to_vec).or(long_name)
                };
                continue;
            }
            let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
            let name = String::from_utf8_lossy(name.split(|&byte| byte == 0).next().unwrap_or_default())
                .into_owned();
            let name = name.trim_start_matches("./");
            if kind.is_dir()
                || kind.is_pax_global_extensions()
                || kind.is_gnu_longlink()
                || !self.begins(name, ask)
            {
                continue;
            }
            let read = if kind.is_file() || kind.is_contiguous() {
                let size = entry.size();
                self.member(name, &mut Whole { entry: &mut entry, left: size }, size, &mut allowance, ask)
            } else {
                continue_with(ask, failed("a link or a special file, and no log".to_owned()), 0)
            };
            if let Err(reason) = read {
                return failed(reason);
            }
        }
        done()
    }

    fn begins<S: RecordSink + ?Sized>(&self, name: &str, ask: &mut Ask<'_, S>) -> bool {
        let name = name.replace('\\', "/");
        ask.sink.begin_member(&format!("{}{name}", ask.prefix)) == Member::Read
    }

    /// Reads one member. An error ends reading of the archive.
    fn member<S: RecordSink + ?Sized>(
        &mut self,
        name: &str,
        reader: &mut dyn Read,
        stored_bytes: u64,
        allowance: &mut Allowance,
        ask: &mut Ask<'_, S>,
    ) -> Result<(), String> {
        if allowance.members == 0 {
            return Err("an archive with more members than --max-memory allows: unpack it first".to_owned());
        }
        allowance.members -= 1;
        let before = allowance.bytes;
        let mut reader = Bounded { reader, left: &mut allowance.bytes };
        let mut bytes = std::mem::take(&mut self.member);
        bytes.clear();
        let share = self.room.share_bytes();
        let mut begun = Failed(reader.by_ref().take(share).read_to_end(&mut bytes).err());
        let report = if bytes.is_empty()
            && let Some(error) = begun.0.take()
        {
            failed(error.to_string())
        } else {
            let rest: Option<&mut dyn Read> = match () {
                () if begun.0.is_some() => Some(&mut begun),
                () if bytes.len() as u64 == share => Some(&mut reader),
                () => None,
            };
            let inner = format!("{}{name}!", ask.prefix);
            let mut nested = Ask {
                wanted: ask.wanted,
                limits: ask.limits,
                sink: &mut *ask.sink,
                prefix: &inner,
                nesting: ask.nesting + 1,
            };
            self.object_in(Stored { bytes: &bytes, rest: rest.map(Rest::Stream) }, &mut nested)
        };
        bytes.shrink_to(usize::try_from(share).unwrap_or(usize::MAX));
        self.member = bytes;
        let used_up = allowance.bytes == 0 && before > 0;
        ask.sink.part(&self.identities, 0);
        self.identities.clear();
        continue_with(ask, report, stored_bytes)?;
        if used_up {
            Err(format!(
                "its members are more than {RATIO_MAX} times as large as the archive: unpack it first"
            ))
        } else {
            Ok(())
        }
    }
}

/// The report of the archive itself, which has no records of its own.
fn done() -> ObjectReport {
    ObjectReport { outcome: Outcome::Read, ..failed(String::new()) }
}

pub(super) fn failed(reason: String) -> ObjectReport {
    ObjectReport {
        outcome: Outcome::Failed(reason),
        bytes_decompressed: 0,
        records: 0,
        records_skipped: 0,
        lines_skipped: 0,
        repaired: crate::model::Repairs::default(),
        failed: Vec::new(),
        failed_total: 0,
        first_event_time: None,
        last_event_time: None,
        lossy: false,
    }
}

/// Called when a member was read or could not be. An error stops reading further members.
fn continue_with<S: RecordSink + ?Sized>(
    ask: &mut Ask<'_, S>,
    report: ObjectReport,
    stored_bytes: u64,
) -> Result<(), String> {
    match ask.sink.end_member(report, stored_bytes) {
        Next::GoOn => Ok(()),
        Next::Enough | Next::Stop => Err("the run was stopped before its end".to_owned()),
    }
}

/// Limits how much a member may still contain.
struct Bounded<'m> {
    reader: &'m mut dyn Read,
    left: &'m mut u64,
}

impl Read for Bounded<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if *self.left == 0 && !out.is_empty() {
            return Err(io::Error::other(format!(
                "the archive's members are more than {RATIO_MAX} times as large as it is: unpack it first"
            )));
        }
        let room = out.len().min(usize::try_from(*self.left).unwrap_or(usize::MAX));
        let read = self
            .reader
            .read(&mut out[..room])
            .map_err(|error| io::Error::other(format!("the member is damaged: {error}")))?;
        *self.left -= read as u64;
        Ok(read)
    }
}

/// A member of a tar archive, whose length shows whether it was cut off.
struct Whole<'t> {
    entry: &'t mut dyn Read,
    left: u64,
}

impl Read for Whole<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.entry.read(out)?;
        self.left = self.left.saturating_sub(read as u64);
        if read == 0 && !out.is_empty() && self.left > 0 {
            self.left = 0;
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut off"));
        }
        Ok(read)
    }
}

fn zip_reason(error: &ZipError) -> String {
    match error {
        ZipError::UnsupportedArchive(reason) if reason.contains("assword") => {
            "encrypted: unpack it with its password first".to_owned()
        }
        ZipError::InvalidPassword => "encrypted: unpack it with its password first".to_owned(),
        ZipError::CompressionMethodNotSupported(method) => {
            format!("packed with a method that is not read (number {method}): unpack it first")
        }
        ZipError::UnsupportedArchive(reason) => {
            format!("packed in a way that is not read ({reason}): unpack it first")
        }
        other => format!("damaged: {other}"),
    }
}

fn tar_reason(error: &io::Error) -> String {
    format!("the tar archive is damaged or cut off: {error}")
}

/// `path` in the extended header of a member: `LENGTH path=NAME`.
fn pax_path(text: &[u8]) -> Option<&[u8]> {
    text.split(|&byte| byte == b'\n').find_map(|line| {
        let space = memchr::memchr(b' ', line)?;
        line.get(space + 1..)?.strip_prefix(b"path=")
    })
}

/// The number of members that a zip archive states in the record at its end.
fn members_listed(source: &mut (impl Read + Seek)) -> Option<u64> {
    const END_BYTES: i64 = 22 + 0xffff + 76;
    let length = source.seek(SeekFrom::End(0)).ok()?;
    let back = END_BYTES.min(i64::try_from(length).ok()?);
    source.seek(SeekFrom::End(-back)).ok()?;
    let mut end = Vec::new();
    source.take(END_BYTES as u64).read_to_end(&mut end).ok()?;
    let at = memchr::memmem::rfind(&end, b"PK\x05\x06")?;
    let count = u64::from(u16::from_le_bytes(*end.get(at + 10..)?.first_chunk()?));
    if count < 0xffff {
        return Some(count);
    }
    let large = memchr::memmem::rfind(end.get(..at)?, b"PK\x06\x06")?;
    Some(u64::from_le_bytes(*end.get(large + 32..)?.first_chunk()?))
}
