//! Which snapshots were read: similar ones together on one line, and those with a note on lines of their
//! own.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::{LISTED_MAX, more};
use crate::model::{Coverage, PlaceFrom, SnapshotRead, TimeFrom};
use crate::ui::escape::Escape;
use crate::ui::page::Page;
use crate::ui::quantity::{count, counted};

pub(super) fn write(page: &mut Page<'_>, coverage: &Coverage) -> io::Result<()> {
    let (plain, told): (Vec<_>, Vec<_>) =
        coverage.snapshots.iter().partition(|snapshot| snapshot.note.is_empty() && snapshot.left_out == 0);
    let mut alike: BTreeMap<_, Vec<&SnapshotRead>> = BTreeMap::new();
    for snapshot in plain {
        let place = (snapshot.account.as_ref(), snapshot.region.as_ref(), snapshot.place_from);
        alike.entry((snapshot.time, snapshot.time_from, place)).or_default().push(snapshot);
    }
    for snapshots in alike.values().take(LISTED_MAX) {
        page.item(0, "Snapshot", &together(snapshots))?;
    }
    more(page, alike.len())?;
    for snapshot in told.iter().take(LISTED_MAX) {
        page.item(0, "Snapshot", &by_itself(snapshot))?;
    }
    more(page, told.len())?;
    for found in coverage.contradictions.iter().take(LISTED_MAX) {
        page.item(0, "Against", &found.text.for_terminal())?;
    }
    more(page, coverage.contradictions.len())
}

/// `ecr describe-images, ecs describe-services of 111122223333 eu-central-1 at 2026-03-04T10:00:00Z (the
/// file's time), 14 entries`.
fn together(snapshots: &[&SnapshotRead]) -> String {
    let Some(first) = snapshots.first() else { return String::new() };
    let calls: BTreeSet<_> = snapshots.iter().map(|snapshot| snapshot.call.for_terminal()).collect();
    let calls: Vec<_> = calls.into_iter().collect();
    let entries = snapshots.iter().map(|snapshot| snapshot.entries).sum();
    format!("{}{}, {}", calls.join(", "), place_and_time(first), counted(entries, "entry", "entries"))
}

fn by_itself(snapshot: &SnapshotRead) -> String {
    let left_out = if snapshot.left_out > 0 {
        format!(", {} left out", count(snapshot.left_out))
    } else {
        String::new()
    };
    let note =
        if snapshot.note.is_empty() { String::new() } else { format!(" ({})", snapshot.note.for_terminal()) };
    let entries = counted(snapshot.entries, "entry", "entries");
    let (call, object) = (snapshot.call.for_terminal(), snapshot.object.for_terminal());
    format!("{call}{}, {entries}{left_out}: {object}{note}", place_and_time(snapshot))
}

fn place_and_time(snapshot: &SnapshotRead) -> String {
    let place: Vec<_> =
        [&snapshot.account, &snapshot.region].into_iter().flatten().map(|text| text.for_terminal()).collect();
    let of = if place.is_empty() { String::new() } else { format!(" of {}", place.join(" ")) };
    let from = match snapshot.place_from {
        PlaceFrom::Name => " (by its name)",
        PlaceFrom::Option => " (as it was said)",
        PlaceFrom::Evidence => " (where the rest of the evidence has it)",
        PlaceFrom::Document | PlaceFrom::Nothing => "",
    };
    let how = match snapshot.time_from {
        TimeFrom::File => " (the file's time)",
        TimeFrom::Content => " (the newest time in it)",
        TimeFrom::Document | TimeFrom::Nothing => "",
    };
    let time = snapshot.time.map(|time| format!(" at {time}{how}")).unwrap_or_default();
    format!("{of}{from}{time}")
}
