//! Where a run's output goes: it never replaces evidence, any other input, or a part of a lake.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::options::Show;
use crate::alerts::Known;
use crate::decode::{Decoder, Limits, Outcome, RawRecord, RecordSink, Wanted};
use crate::failure::Failure;
use crate::ui::output::Destination;
use crate::ui::talk::Talk;

/// How much of a file is examined for records, in several attempts: one record is enough, and it is mostly
/// near the beginning.
const LOOKED_AT_BYTES: [u64; 3] = [4 << 20, 64 << 20, 1 << 30];
/// A lake's own folder.
const LAKE: &str = "_tagfall";
/// The beginning of this program's own JSON documents.
const OURS: &[u8] = b"{\"schema_version\"";

/// The place that `-o` names. A file with log records is not replaced, as it may be the only copy; nor are
/// `inputs`, files that the run reads.
pub fn prepare<'i>(show: &Show, inputs: impl IntoIterator<Item = &'i Path>) -> Result<Destination, Failure> {
    let destination = Destination::prepare(show.output.as_deref())?;
    let Destination::File(path) = &destination else { return Ok(destination) };
    let refused = |why: &str| Failure::new(format!("will not write to {}", path.display())).because(why);
    let another = "name another file with -o";
    let or_remove = "name another file with -o, or remove this one first";
    let refused = match held(path) {
        Held::Records => refused("the file contains CloudTrail records").advise(or_remove),
        _ if inputs.into_iter().any(|input| is_same(input, path)) => {
            refused("this run reads it").advise(another)
        }
        _ if is_in_lake(path) => refused("it is in a lake, where only ingest writes").advise(another),
        Held::Known => {
            refused("it is a file of --known, and its contents exist nowhere else").advise(or_remove)
        }
        Held::Unknown => {
            refused("the file is too large to check whether it contains CloudTrail records").advise(or_remove)
        }
        Held::Nothing => return Ok(destination),
    };
    Err(refused)
}

/// Removes what an earlier run wrote to the place of `-o` if this run failed; but never what must not be
/// replaced.
pub fn withdraw<'i>(show: &Show, inputs: impl IntoIterator<Item = &'i Path>, talk: &Talk) {
    if prepare(show, inputs).is_ok_and(|destination| destination.withdraw()) {
        talk.note("removed the -o file of an earlier run");
    }
}

/// Whether two paths lead to the same file.
fn is_same(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let (Ok(one), Ok(other)) = (fs::metadata(one), fs::metadata(other)) {
            return (one.dev(), one.ino()) == (other.dev(), other.ino());
        }
    }
    fs::canonicalize(one).is_ok_and(|one| fs::canonicalize(other).is_ok_and(|other| one == other))
}

/// Whether a path is inside of a lake: below its own folder, in a partition, or a data file anywhere in it.
fn is_in_lake(path: &Path) -> bool {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    // A file that does not exist has no canonical path, but its folder has.
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    let path = folder.zip(path.file_name()).map_or_else(|| path.clone(), |(folder, name)| folder.join(name));
    path.ancestors().skip(1).filter(|folder| folder.join(LAKE).is_dir()).any(|lake| {
        let inside = path.strip_prefix(lake).unwrap_or(&path);
        let first = inside
            .components()
            .next()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .unwrap_or_default();
        first == LAKE
            || first.starts_with("account=")
            || inside.extension().is_some_and(|extension| extension == "parquet" || extension == "rows")
    })
}

enum Held {
    Nothing,
    Records,
    /// A file of `--known`.
    Known,
    Unknown,
}

fn held(path: &Path) -> Held {
    let mut stored = Vec::new();
    for limit in LOOKED_AT_BYTES {
        stored.clear();
        let Ok(_) = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut stored)) else {
            return Held::Nothing;
        };
        let report = Decoder::new().object(&stored, Wanted::Sources(&[]), Limits::default(), &mut Unread);
        if report.records > report.failed_total || matches!(report.outcome, Outcome::Skipped(_)) {
            return Held::Records;
        }
        if Known::parse(&stored).is_ok() {
            return Held::Known;
        }
        let head: Vec<u8> =
            stored.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(OURS.len()).collect();
        if (stored.len() as u64) < limit || head == OURS {
            return Held::Nothing;
        }
    }
    Held::Unknown
}

/// Counts no records: it only matters whether there are any.
struct Unread;

impl RecordSink for Unread {
    fn record(&mut self, _record: RawRecord<'_>) -> Result<(), String> {
        Ok(())
    }
}
