//! Detects records that may not be written in CloudTrail's own form, by searching their text for typical
//! signs.

use memchr::memmem::Finder;

use super::Piece;
use crate::decode::fields::{Fields, is_list};
use crate::decode::json::skip_space;
use crate::decode::names::named;

/// The signs of such records. Names and times in another form are noticed when the record is found.
pub(super) struct Drift {
    /// The end of `requestParameters`, `responseElements`, `serviceEventDetails` and `resources`.
    plural: Finder<'static>,
    flattened: [Finder<'static>; 2],
    others: [Finder<'static>; 4],
}

const NAMES: [&[u8]; 4] =
    [b"\"requestParameters", b"\"responseElements", b"\"serviceEventDetails", b"\"resources"];
/// Tools that flatten nested members begin with those of the caller, near the beginning of the record.
const FLATTENED: [&[u8]; 2] = [b"\"userIdentity.", b"\"userIdentity_"];
const BEGINNING_BYTES: usize = 200;
const OTHERS: [&[u8]; 4] =
    [b"\"errorCode\":", b"\"sharedEventID\":", b"\"userIdentity\":", b"\"additionalEventData\":"];

impl Default for Drift {
    fn default() -> Self {
        Self {
            plural: Finder::new(b"s\":"),
            flattened: FLATTENED.map(Finder::new),
            others: OTHERS.map(Finder::new),
        }
    }
}

impl Drift {
    /// Whether the record is in another form; a glance mostly tells that it is not.
    pub(super) fn is_in(&self, text: &[u8], piece: &Piece) -> bool {
        let Some(record) = text.get(piece.start..piece.end) else { return false };
        let named = |at: &usize| {
            record.get(..=*at).is_some_and(|before| NAMES.iter().any(|name| before.ends_with(name)))
        };
        let string = |at: usize| record.get(skip_space(record, at)) == Some(&b'"');
        let beginning = record.get(..record.len().min(BEGINNING_BYTES)).unwrap_or_default();
        let flattened = self.flattened.iter().any(|name| name.find(beginning).is_some());
        let suspected = flattened
            || self.plural.find_iter(record).filter(named).any(|at| string(at + 3))
            || self
                .others
                .iter()
                .any(|other| other.find_iter(record).any(|at| string(at + other.needle().len())))
            || memchr::memchr_iter(b'[', record).any(|at| has_list(record, at));
        suspected && Fields::read(record, 0).is_ok_and(|(fields, _)| fields.has_drifted())
    }
}

/// Whether the list at `at` has the name of something for which CloudTrail writes no list.
fn has_list(record: &[u8], at: usize) -> bool {
    let name = || {
        let before =
            record.get(..at)?.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end().strip_suffix(b"\"")?;
        before.get(memchr::memrchr(b'"', before)? + 1..)
    };
    name().and_then(named).is_some_and(|(kind, _)| is_list(kind, b"["))
}
