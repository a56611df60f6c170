//! Keeps as many requests in flight as pace and budgets allow, and stops everything when everything fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::arrivals::Parcel;
use super::buffers::capacity_for;
use super::fetch::{Fetch, fetch};
use super::list::Found;
use super::pace::{Pace, WINDOW, Window};
use super::page::Version;
use super::pieces::{self, First, Judge, PIECES_HELD, Pieces, Stop};
use super::session::{Defeat, Session};
use super::trouble::TroubleKind;
use crate::source::local::too_large;
use crate::source::{Delivery, FatalError, FatalKind, Fetched, Options, Origin, Rest, Signed};

/// Maximum number of objects that are in flight or waiting for a worker.
const PARCELS_MAX: usize = 1024;

/// Approximate memory of a request and its answer without the body: the minimum cost of an object.
const OBJECT_BYTES_MIN: u64 = 16 << 10;

/// The unit of the budget, because semaphore permits have 32 bits.
const UNIT_BYTES: u64 = 1024;

/// After this many refusals without a success, the permission is missing for all objects.
const DENIALS_MAX: u64 = 32;
/// If this many objects in a row are given up, the service is down.
const DEFEATS_IN_ROW_MAX: u64 = 16;

/// An object that needs more than this fraction of the budget is fetched in pieces.
const WHOLE_PART: u64 = 4;

/// A body of this size is as much work as a request.
const BYTES_PER_WORK: f64 = 65_536.0;

/// Counts of fetches so far.
#[derive(Default)]
struct FetchCounts {
    fetched: AtomicU64,
    bytes: AtomicU64,
    denied: AtomicU64,
    kms_denied: AtomicU64,
    defeats_in_row: AtomicU64,
}

/// A quarter of the memory for what is in flight; the workers need the rest to inflate and parse it.
fn budget_units(options: &Options) -> u64 {
    (options.memory_bytes_max / 4 / UNIT_BYTES).clamp(64, u64::from(u32::MAX))
}

/// Size up to which objects are fetched as a whole, if the readers accept pieces.
fn whole_bytes_max(options: &Options) -> u64 {
    let all = options.memory_bytes_max;
    options.part_bytes.map_or(all, |part| part.max(budget_units(options) * UNIT_BYTES / WHOLE_PART).min(all))
}

/// Number of GET requests for an object of this size.
pub(super) fn requests_for(size: u64, options: &Options) -> u64 {
    if size <= whole_bytes_max(options) {
        1
    } else {
        size.div_ceil(pieces::piece_bytes(budget_units(options) * UNIT_BYTES))
    }
}

struct Dispatch {
    session: Arc<Session>,
    counts: FetchCounts,
    budget: Arc<Semaphore>,
    budget_units: u64,
    /// Larger objects are fetched in pieces.
    whole_bytes_max: u64,
    piece_bytes: u64,
    parcels: Arc<Semaphore>,
}

/// Fetches the objects in `pages`. An error if there is no point in going on.
pub(super) async fn run(
    session: Arc<Session>,
    mut pages: mpsc::Receiver<Vec<Found>>,
) -> Result<(), FatalError> {
    let dispatch = Arc::new(Dispatch::new(session));
    let mut lanes = Lanes { running: JoinSet::new(), gauge: Gauge::new() };
    while let Some(page) = pages.recv().await {
        for found in page {
            dispatch.hand_on(&mut lanes, found).await?;
        }
    }
    while let Some(result) = lanes.running.join_next().await {
        dispatch.check(result)?;
    }
    dispatch.verdict_of_all()
}

/// The result of fetching an object.
struct Came {
    outcome: Fetched,
    bytes: Vec<u8>,
    signed: Option<Box<Signed>>,
    rest: Option<Rest>,
}

impl From<Fetched> for Came {
    fn from(outcome: Fetched) -> Self {
        Self { outcome, bytes: Vec::new(), signed: None, rest: None }
    }
}

/// Requests in flight, and how many there should be.
struct Lanes {
    running: JoinSet<Result<(), FatalError>>,
    gauge: Gauge,
}

impl Dispatch {
    fn new(session: Arc<Session>) -> Self {
        let units = budget_units(&session.shared.options);
        let budget = Arc::new(Semaphore::new(units as usize));
        let (whole_bytes_max, piece_bytes) =
            (whole_bytes_max(&session.shared.options), pieces::piece_bytes(units * UNIT_BYTES));
        let parcels = Arc::new(Semaphore::new(PARCELS_MAX));
        Self {
            session,
            counts: FetchCounts::default(),
            budget,
            budget_units: units,
            whole_bytes_max,
            piece_bytes,
            parcels,
        }
    }

    async fn hand_on(self: &Arc<Self>, lanes: &mut Lanes, found: Found) -> Result<(), FatalError> {
        match found {
            Found::OtherKind { key } => self.arrived_unread(&key, Fetched::OtherKind, None).await,
            Found::Unlistable { prefix, reason } => {
                self.arrived_unread(&prefix, Fetched::Failed(reason), None).await
            }
            Found::Object { key, size, .. } if size > self.session.shared.object_bytes_max() => {
                let reason = too_large(self.session.shared.options.memory_bytes_max);
                self.arrived_unread(&key, Fetched::Failed(reason), None).await;
            }
            Found::Object { key, size, etag } => {
                let origin = self.origin(&key, size, &etag);
                if let (Some(known), Some(origin)) = (&self.session.shared.options.known, &origin)
                    && known.knows(origin)
                {
                    self.arrived_unread(&key, Fetched::Known, Some(origin.clone())).await;
                    return Ok(());
                }
                self.wait_for_a_lane(lanes).await?;
                let in_pieces = size > self.whole_bytes_max;
                let bytes = if in_pieces {
                    self.piece_bytes * PIECES_HELD
                } else {
                    capacity_for(size).max(OBJECT_BYTES_MIN)
                };
                let permits = self.permits(bytes).await;
                let dispatch = Arc::clone(self);
                lanes.running.spawn(async move {
                    dispatch.fetch(key, Version { size, etag, modified: None }, origin, permits).await
                });
            }
        }
        Ok(())
    }

    /// The version that was listed. If the object changes before it is fetched, the next run sees another
    /// one.
    fn origin(&self, key: &str, size: u64, etag: &str) -> Option<Origin> {
        self.session.shared.options.known.as_ref()?;
        Some(Origin {
            address: format!("s3://{}/{key}", self.session.bucket()),
            stamp: format!("{etag}:{size}"),
        })
    }

    async fn wait_for_a_lane(&self, lanes: &mut Lanes) -> Result<(), FatalError> {
        while let Some(result) = lanes.running.try_join_next() {
            self.check(result)?;
        }
        let limited = lanes.running.len() >= lanes.gauge.pace.limit();
        lanes.gauge.observe(&self.counts, &self.session, limited);
        while lanes.running.len() >= lanes.gauge.pace.limit() {
            let Some(result) = lanes.running.join_next().await else { break };
            self.check(result)?;
            lanes.gauge.observe(&self.counts, &self.session, true);
        }
        Ok(())
    }

    fn check(
        &self,
        result: Result<Result<(), FatalError>, tokio::task::JoinError>,
    ) -> Result<(), FatalError> {
        result.map_err(|error| self.session.fatal(FatalKind::Local, error.to_string()))?
    }

    /// Waits for budget. An object larger than the whole budget is fetched alone.
    async fn permits(&self, bytes: u64) -> Vec<OwnedSemaphorePermit> {
        let units = bytes.div_ceil(UNIT_BYTES).clamp(1, self.budget_units) as u32;
        let room = Arc::clone(&self.budget).acquire_many_owned(units).await;
        let place = Arc::clone(&self.parcels).acquire_owned().await;
        // Neither semaphore is ever closed.
        room.into_iter().chain(place).collect()
    }

    async fn arrived_unread(&self, key: &str, outcome: Fetched, origin: Option<Origin>) {
        let permits = self.permits(0).await;
        self.arrived(key, outcome.into(), origin, permits);
    }

    fn arrived(&self, key: &str, came: Came, origin: Option<Origin>, permits: Vec<OwnedSemaphorePermit>) {
        let Came { outcome, bytes, signed, rest } = came;
        let delivery = Delivery {
            object: self.session.shared.name(key).into(),
            size: bytes.len() as u64,
            outcome,
            origin,
            signed,
            rest,
        };
        self.session.shared.arrivals.put(Parcel { delivery, bytes, permits });
    }

    async fn fetch(
        self: Arc<Self>,
        key: String,
        listed: Version,
        origin: Option<Origin>,
        mut permits: Vec<OwnedSemaphorePermit>,
    ) -> Result<(), FatalError> {
        let came = if listed.size > self.whole_bytes_max {
            self.fetch_first(&key).await?
        } else {
            self.fetch_whole(&key, &listed, &mut permits).await?
        };
        self.arrived(&key, came, origin, permits);
        Ok(())
    }

    async fn fetch_whole(
        self: &Arc<Self>,
        key: &str,
        listed: &Version,
        permits: &mut Vec<OwnedSemaphorePermit>,
    ) -> Result<Came, FatalError> {
        let mut size = listed.size;
        let mut bytes = self.session.shared.arrivals.buffers.take(size);
        loop {
            let room = capacity_for(size).max(OBJECT_BYTES_MIN);
            match fetch(&self.session, key, listed, room, &mut bytes).await {
                Fetch::Larger(larger) => {
                    // Nothing is held while waiting for a larger budget, so that others can proceed.
                    bytes = Vec::new();
                    permits.clear();
                    if larger > self.whole_bytes_max {
                        *permits = self.permits(self.piece_bytes * PIECES_HELD).await;
                        return self.fetch_first(key).await;
                    }
                    // Asks for at least twice as much, so that an object that turns out larger each time
                    // comes to an end.
                    size = larger.max(size.saturating_mul(2));
                    *permits = self.permits(capacity_for(size)).await;
                    bytes.try_reserve_exact(usize::try_from(larger).unwrap_or(0)).unwrap_or_default();
                }
                Fetch::Whole(signed) => {
                    self.counts.success(bytes.len());
                    return Ok(Came { bytes, signed, ..Fetched::Whole.into() });
                }
                Fetch::TooLarge(reason) => return Ok(Fetched::Failed(reason).into()),
                Fetch::Defeated(defeat) => {
                    self.after(&defeat)?;
                    return Ok(Came { bytes, ..Fetched::Failed(defeat.reason()).into() });
                }
            }
        }
    }

    /// Fetches the first piece of an object; the worker that gets it requests the others.
    async fn fetch_first(self: &Arc<Self>, key: &str) -> Result<Came, FatalError> {
        match pieces::first(&self.session, key, self.piece_bytes).await {
            Ok(First { version, bytes, signed }) => {
                self.counts.success(bytes.len());
                let at = bytes.len() as u64;
                let rest = (at < version.size).then(|| {
                    Rest::of_places(Pieces::new(&self.session, version, self.piece_bytes, at, self.judge()))
                });
                Ok(Came { outcome: Fetched::Whole, bytes, signed, rest })
            }
            Err(Stop::Refused(reason)) => Ok(Fetched::Failed(reason).into()),
            Err(Stop::Defeated(defeat)) => {
                self.after(&defeat)?;
                Ok(Fetched::Failed(defeat.reason()).into())
            }
        }
    }

    /// Evaluates the results of pieces that workers request later.
    fn judge(self: &Arc<Self>) -> Judge {
        let dispatch = Arc::clone(self);
        Arc::new(move |outcome| match outcome {
            Ok(bytes) => dispatch.counts.success(bytes),
            Err(defeat) => {
                if let Err(fatal) = dispatch.after(defeat) {
                    dispatch.session.shared.fail(fatal);
                }
            }
        })
    }

    /// Whether a defeat is one object's or everyone's.
    fn after(&self, defeat: &Defeat) -> Result<(), FatalError> {
        let detail = &defeat.trouble.detail;
        let fatal = |kind| Err(self.session.fatal(kind, detail.clone()));
        match &defeat.trouble.kind {
            TroubleKind::Fatal(kind) => fatal(*kind),
            TroubleKind::Expired => fatal(FatalKind::ExpiredCredentials),
            TroubleKind::Denied => self.denied(&self.counts.denied, FatalKind::GetDenied, detail),
            TroubleKind::KmsDenied => self.denied(&self.counts.kms_denied, FatalKind::KmsDenied, detail),
            TroubleKind::Passing(cause) => {
                let in_a_row = self.counts.defeats_in_row.fetch_add(1, Ordering::Relaxed) + 1;
                match cause.is_answer() {
                    false if defeat.nobody_answers || in_a_row >= DEFEATS_IN_ROW_MAX => {
                        fatal(FatalKind::Unreachable)
                    }
                    true if in_a_row >= DEFEATS_IN_ROW_MAX => fatal(FatalKind::Unavailable),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn denied(&self, counter: &AtomicU64, kind: FatalKind, detail: &str) -> Result<(), FatalError> {
        let denied = counter.fetch_add(1, Ordering::Relaxed) + 1;
        if denied >= DENIALS_MAX && self.counts.fetched.load(Ordering::Relaxed) == 0 {
            return Err(self.session.fatal(kind, detail));
        }
        Ok(())
    }

    /// At the end: few objects, and every one refused.
    fn verdict_of_all(&self) -> Result<(), FatalError> {
        if self.counts.fetched.load(Ordering::Relaxed) > 0 {
            return Ok(());
        }
        let detail = "every object that was tried";
        if self.counts.kms_denied.load(Ordering::Relaxed) > 0 {
            return Err(self.session.fatal(FatalKind::KmsDenied, detail));
        }
        if self.counts.denied.load(Ordering::Relaxed) > 0 {
            return Err(self.session.fatal(FatalKind::GetDenied, detail));
        }
        Ok(())
    }
}

impl FetchCounts {
    fn success(&self, bytes: usize) {
        self.fetched.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.defeats_in_row.store(0, Ordering::Relaxed);
    }

    fn work(&self) -> f64 {
        self.fetched.load(Ordering::Relaxed) as f64
            + self.bytes.load(Ordering::Relaxed) as f64 / BYTES_PER_WORK
    }
}

/// Divides time into windows for [`Pace`].
struct Gauge {
    pace: Pace,
    since: Instant,
    work: f64,
    throttled: u64,
    limited: bool,
}

impl Gauge {
    fn new() -> Self {
        Self { pace: Pace::new(), since: Instant::now(), work: 0.0, throttled: 0, limited: false }
    }

    fn observe(&mut self, counts: &FetchCounts, session: &Session, limited: bool) {
        self.limited |= limited;
        let elapsed = self.since.elapsed();
        if elapsed < WINDOW {
            return;
        }
        let (work, throttled) = (counts.work(), session.throttled());
        self.pace.learn(Window {
            elapsed,
            work: work - self.work,
            throttled: throttled > self.throttled,
            limited: self.limited,
        });
        *self = Self { pace: self.pace.clone(), since: Instant::now(), work, throttled, limited: false };
    }
}
