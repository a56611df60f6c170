//! The part of one worker: turns records into rows, and adds an object's rows piece by piece.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use super::Ingest;
use super::buffer::PIECE_BYTES;
use crate::decode::{Document, ObjectReport, Outcome, RawRecord};
use crate::lake::commit::objects::{Ending, KeptAnswer, ObjectState};
use crate::lake::partition::{Day, Partition};
use crate::lake::record::Split;
use crate::lake::record::row::Head;
use crate::lake::record::rows::Piece;
use crate::model::{Repairs, Timestamp};
use crate::pipeline;
use crate::recognize::SnapshotParser;
use crate::source::{Delivery, Fetched};

/// The part of one worker.
pub struct Collector<'i> {
    ingest: &'i Ingest,
    /// Rows of the last record's partition: mostly the next record belongs to the same one.
    current: Option<Current>,
    /// Rows of other partitions, until the next piece is added.
    others: HashMap<Partition, Piece>,
    bytes: usize,
    /// Whether an object has been begun and not ended.
    inside: bool,
    taken: u64,
    /// Whether an event with `readOnly: true` was among the records.
    read_only: bool,
    /// Recognises snapshots.
    reader: SnapshotParser,
    /// Snapshots in the current object.
    answers: Vec<KeptAnswer>,
}

struct Current {
    partition: Partition,
    day: Option<Day>,
    rows: Piece,
}

impl<'i> Collector<'i> {
    pub(super) fn new(ingest: &'i Ingest) -> Self {
        Self {
            ingest,
            current: None,
            others: HashMap::new(),
            bytes: 0,
            inside: false,
            taken: 0,
            read_only: false,
            reader: SnapshotParser::default(),
            answers: Vec::new(),
        }
    }

    fn hand_in(&mut self) {
        if self.bytes > 0 {
            let current = self.current.iter_mut().map(|current| (&current.partition, &mut current.rows));
            self.ingest.add(current.chain(self.others.iter_mut()));
            self.others.clear();
            self.bytes = 0;
        }
    }

    /// The rows of a partition, which is given by the record's own values.
    fn rows(
        &mut self,
        native: bool,
        account: Option<&str>,
        region: Option<&str>,
        time: Option<Timestamp>,
    ) -> &mut Piece {
        let day = time.map(Day::of);
        let current = match self.current.take() {
            Some(current) if current.day == day && current.partition.is_of(native, account, region) => {
                current
            }
            before => {
                let partition = Partition::new(native, account, region, time);
                let mut rows = self.others.remove(&partition).unwrap_or_default();
                if let Some(before) = before {
                    if !before.rows.is_empty() {
                        self.others.insert(before.partition, before.rows);
                    } else if rows.is_empty() {
                        // The memory of the previous rows is used again.
                        rows = before.rows;
                    }
                }
                Current { partition, day, rows }
            }
        };
        &mut self.current.insert(current).rows
    }
}

impl Drop for Collector<'_> {
    /// If a worker panics, its object counts as ended, so that commits do not wait for it; the object is read
    /// again in the next run.
    fn drop(&mut self) {
        if std::mem::take(&mut self.inside) {
            self.ingest.failed.store(true, Ordering::Relaxed);
            self.ingest.leave(None, true);
        }
    }
}

impl pipeline::Collector for Collector<'_> {
    fn record(&mut self, object: &str, record: RawRecord<'_>) -> Result<(), String> {
        let split = Split::of(record.json, record.native)?;
        let time = split.time();
        // The record's account and not that of the key: copies of an event may be under several keys, but
        // have to meet in one partition.
        let account = split.account();
        let account = account.as_deref().filter(|account| !account.is_empty());
        if !self.inside {
            self.ingest.enter();
            self.inside = true;
        }
        if !self.read_only && split.is_read_only() {
            self.read_only = true;
            self.ingest.read_only.store(true, Ordering::Relaxed);
        }
        let id = split.identity().to_bytes();
        let head = Head {
            time: time.map_or(0, Timestamp::millis),
            record: record.index,
            id: &id,
            object: object.as_bytes(),
        };
        let rows = self.rows(record.native, account, split.region().as_deref(), time);
        let before = rows.bytes().len();
        rows.write(&head, |out| split.put(out));
        self.bytes += rows.bytes().len() - before;
        self.taken += 1;
        if self.bytes >= PIECE_BYTES {
            self.hand_in();
        }
        Ok(())
    }

    fn document(
        &mut self,
        object: &str,
        index: u64,
        json: &str,
        modified: &dyn Fn() -> Option<Timestamp>,
    ) -> Document {
        if self.reader.read(json).is_none() {
            return Document::Unknown;
        }
        let modified = modified().map(Timestamp::millis);
        self.answers.push(KeptAnswer {
            object: object.to_owned(),
            document: index,
            modified,
            json: json.to_owned(),
        });
        Document::Taken
    }

    fn relevant(&self) -> u64 {
        self.taken
    }

    fn is_full(&self) -> bool {
        self.ingest.failed.load(Ordering::Relaxed)
    }

    fn finished(&mut self, delivery: &Delivery, report: Option<&ObjectReport>) {
        self.hand_in();
        let (inside, answers) = (std::mem::take(&mut self.inside), std::mem::take(&mut self.answers));
        if delivery.outcome == Fetched::Known {
            self.ingest.objects_known.fetch_add(1, Ordering::Relaxed);
            if delivery.origin.as_ref().is_some_and(|origin| self.ingest.known.has_failed(origin)) {
                self.ingest.objects_failed_before.fetch_add(1, Ordering::Relaxed);
            }
            return self.ingest.leave(None, inside);
        }
        self.ingest.leave(Some(ObjectState { answers, ..object_state(delivery, report) }), inside);
    }
}

fn object_state(delivery: &Delivery, report: Option<&ObjectReport>) -> ObjectState {
    let transient = matches!(delivery.outcome, Fetched::Failed(_));
    let origin = delivery.origin.as_ref();
    let (ending, reason) = match (&delivery.outcome, report.map(|report| &report.outcome)) {
        (Fetched::Failed(reason), _) | (_, Some(Outcome::Failed(reason))) => {
            (Ending::Failed, Some(reason.clone()))
        }
        (Fetched::OtherKind, _) | (_, Some(Outcome::Skipped(_))) => (Ending::Skipped, None),
        _ => (Ending::Read, None),
    };
    let millis = |time: Option<Timestamp>| time.map(Timestamp::millis);
    ObjectState {
        object: delivery.object.raw().to_owned(),
        address: origin.map(|origin| origin.address.clone()),
        // Without a stamp the next run tries again even if the object has not changed: the transfer failed,
        // not the object.
        stamp: if transient {
            None
        } else {
            Some(origin.map_or_else(String::new, |origin| origin.stamp.clone()))
        },
        ending,
        reason,
        bytes_compressed: delivery.size,
        bytes_decompressed: report.map_or(0, |report| report.bytes_decompressed),
        records: report.map_or(0, |report| report.records),
        records_skipped: report.map_or(0, |report| report.records_skipped),
        lines_skipped: report.map_or(0, |report| report.lines_skipped),
        repaired: report.map_or_else(Repairs::default, |report| report.repaired),
        lossy: report.is_some_and(|report| report.lossy),
        failed: report.map_or_else(Vec::new, |report| report.failed.clone()),
        failed_total: report.map_or(0, |report| report.failed_total),
        first: report.and_then(|report| millis(report.first_event_time)),
        last: report.and_then(|report| millis(report.last_event_time)),
        answers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::Limits;
    use crate::pipeline::Collector as _;

    #[test]
    fn what_a_worker_holds_does_not_grow_with_the_days_that_it_has_seen() {
        let folder = tempfile::tempdir().unwrap();
        let ingest = Ingest::open(folder.path(), &[], Limits::default()).unwrap();
        let mut collector = ingest.collector();
        let agent = "x".repeat(PIECE_BYTES / 4);
        for day in 1..=28 {
            for number in 0..9 {
                let json = format!(
                    r#"{{"eventID":"{day}-{number}","eventTime":"2026-03-{day:02}T10:00:00Z","eventSource":"a","eventName":"b","userAgent":"{agent}"}}"#
                );
                collector.record("k", RawRecord { index: number, json: &json, native: false }).unwrap();
            }
        }
        let held = collector
            .current
            .iter()
            .map(|current| &current.rows)
            .chain(collector.others.values())
            .map(Piece::room)
            .sum::<usize>();
        assert!(held <= 4 * PIECE_BYTES, "{held} bytes are held");
    }
}
