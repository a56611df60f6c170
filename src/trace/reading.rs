//! One reading of the logs. The first and the second one differ in which records they need and in what they
//! keep of them: a [`Pass`] decides that, and the rest is the same.

use std::collections::BTreeMap;

use super::keep::{EventMemoryExceeded, Kept, Share};
use crate::decode::{Document, RawRecord, Wanted as WantedRecords, identity_of};
use crate::model::{Coverage, Filter, Identity, ReadFailure, Seen, SessionRecord, Timestamp, note_name};
use crate::pipeline::{self, Collector};
use crate::recognize::{SessionReader, SnapshotParser};

/// What one worker looks for in a reading, and what it has found.
pub(super) trait Pass: Send {
    /// Whether a record may be needed; checked without parsing it.
    fn may_need(&mut self, json: &str) -> bool;

    /// Takes what it needs of a record that the filter admits; `false` if it has no use for it.
    fn take(&mut self, object: &str, index: u64, record: &SessionRecord<'_>, share: &mut Share<'_>) -> bool;
}

/// The result of reading.
pub(super) struct Reading<P> {
    pub coverage: Coverage,
    pub seen: Seen,
    /// One for each worker.
    pub passes: Vec<P>,
}

impl<P: Pass> Reading<P> {
    /// Reads these records, as far as the filter admits them.
    ///
    /// # Errors
    /// What was found is more than `kept_bytes_max` has room for.
    pub(super) fn read(
        run: pipeline::Run<'_>,
        records: WantedRecords<'_>,
        filter: &Filter,
        make: impl Fn() -> P + Sync,
    ) -> Result<Self, EventMemoryExceeded> {
        let kept = Kept::new(run.budget.kept_bytes_max);
        let (coverage, readers) =
            pipeline::scan(run, records, || Reader::new(filter, make(), Share::new(&kept)));
        let (mut seen, mut passes) = (Seen::default(), Vec::new());
        for Reader { pass, seen: others, .. } in readers {
            seen.merge(others);
            passes.push(pass);
        }
        kept.check()?;
        Ok(Self { coverage, seen, passes })
    }
}

/// One worker's part.
struct Reader<'a, P> {
    filter: &'a Filter,
    pass: P,
    sessions: SessionReader,
    snapshots: SnapshotParser,
    seen: Seen,
    relevant: u64,
    /// Of each event that cannot be understood, its first copy.
    failed: BTreeMap<Identity, ReadFailure>,
    share: Share<'a>,
}

impl<'a, P> Reader<'a, P> {
    fn new(filter: &'a Filter, pass: P, share: Share<'a>) -> Self {
        Self {
            filter,
            pass,
            sessions: SessionReader::default(),
            snapshots: SnapshotParser::default(),
            seen: Seen::default(),
            relevant: 0,
            failed: BTreeMap::new(),
            share,
        }
    }
}

impl<P> Reader<'_, P> {
    fn fail(&mut self, event: Identity, object: &str, index: u64, reason: String) {
        let failure = ReadFailure { object: object.into(), record: Some(index), reason };
        let bytes = size_of::<(Identity, ReadFailure)>() + object.len() + failure.reason.len();
        if pipeline::keep_first(&mut self.failed, event, failure) {
            self.share.take(bytes);
        }
    }
}

impl<P: Pass> Collector for Reader<'_, P> {
    fn record(&mut self, object: &str, raw: RawRecord<'_>) -> Result<(), String> {
        if raw.native || !self.pass.may_need(raw.json) {
            return Ok(());
        }
        let Self { filter, pass, sessions, seen, relevant, share, .. } = self;
        let read = sessions.read(raw.json, |record| {
            // Names that the filters leave out are noted as well, as everywhere.
            let event = &record.event;
            for (names, name) in
                [(&mut seen.accounts, &event.recipient_account), (&mut seen.regions, &event.region)]
            {
                if !name.is_empty() {
                    note_name(names, name);
                }
            }
            if filter.admits_event(event) && pass.take(object, raw.index, &record, share) {
                *relevant += 1;
            }
        });
        match read {
            Err(reason) if self.sessions.has_parsed() => {
                self.fail(identity_of(raw), object, raw.index, reason);
                Ok(())
            }
            read => read,
        }
    }

    fn not_understood(&mut self) -> BTreeMap<Identity, ReadFailure> {
        std::mem::take(&mut self.failed)
    }

    fn relevant(&self) -> u64 {
        self.relevant
    }

    fn document(
        &mut self,
        _object: &str,
        _index: u64,
        json: &str,
        _modified: &dyn Fn() -> Option<Timestamp>,
    ) -> Document {
        // Snapshots say nothing about sessions, and are not damage.
        if self.snapshots.read(json).is_some() { Document::Taken } else { Document::Unknown }
    }

    fn is_full(&self) -> bool {
        self.share.is_over()
    }
}
