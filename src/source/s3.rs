//! S3. The only asynchronous module: a runtime of its own lists and fetches, and workers take what has
//! arrived from a bounded queue.
//!
//! ```text
//! list ──pages of keys──▶ dispatch ──▶ fetch (adaptive number, budget in bytes) ──▶ arrivals ──▶ Feed::next
//! ```

mod address;
mod arrivals;
mod bucket;
mod buffers;
mod connect;
mod dispatch;
mod fetch;
mod list;
mod pace;
mod page;
mod patience;
mod pieces;
pub(super) mod public_keys;
mod roots;
mod session;
mod trouble;
mod unlisted;
mod whole;

pub(super) use address::Address;
pub(super) use bucket::Bucket;
pub use whole::is_whole_listing;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};

use self::arrivals::Arrivals;
use self::connect::Connection;
use self::list::{Found, Lister};
use self::session::Session;
use super::inventory::Making;
use super::layout::{Seen, Selection};
use super::local::{lock, prepare};
use super::{
    Delivery, FatalError, FatalKind, Feed, Inventory, Is, Item, Listed, MemberIs, OpenError, Options, Plan,
    PlanError, Pruned,
};

/// Pages of keys between listing and fetching. With 1,000 keys a page, this is how far listing may be
/// ahead.
const PAGES_AHEAD_MAX: usize = 16;

/// Maximum number of threads of a feed's runtime; one can saturate more than a gigabit.
const RUNTIME_THREADS_MAX: usize = 8;

/// A bucket, or a part of it, as a feed.
pub(super) struct S3 {
    shared: Arc<Shared>,
    /// Archive members are pruned by name like keys.
    selection: Selection,
    /// `Some` until dropped: dropping a runtime directly would wait for its tasks.
    runtime: Option<Runtime>,
}

/// State shared by the feed, its listing and its fetching.
struct Shared {
    origin: String,
    /// Prefix of all names if several sources were given: `s3://bucket/`.
    label: String,
    address: Address,
    options: Options,
    arrivals: Arrivals,
    objects: AtomicU64,
    bytes: AtomicU64,
    listing_complete: AtomicBool,
    /// Number of repeated requests, of all sessions.
    retries: AtomicU64,
    fatal: Mutex<Option<FatalError>>,
    seen: Mutex<Seen>,
    /// Whether workers have asked for objects; true from the start if this is the only source.
    wanted: AtomicBool,
    woken: Notify,
    ended: Notify,
    /// Nothing more is fetched.
    over: AtomicBool,
}

impl Shared {
    fn new(origin: &str, address: Address, options: &Options) -> Self {
        Self {
            origin: origin.to_owned(),
            label: if options.many { format!("s3://{}/", address.bucket) } else { String::new() },
            address,
            options: options.clone(),
            arrivals: Arrivals::new(options.memory_bytes_max),
            objects: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            listing_complete: AtomicBool::new(false),
            retries: AtomicU64::new(0),
            fatal: Mutex::default(),
            seen: Mutex::default(),
            wanted: AtomicBool::new(!options.many),
            woken: Notify::new(),
            ended: Notify::new(),
            over: AtomicBool::new(false),
        }
    }

    /// Ends the feed with an error. Only the first one is kept.
    fn fail(&self, error: FatalError) {
        lock(&self.fatal).get_or_insert(error);
        self.end();
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.arrivals.close_now();
        self.ended.notify_one();
    }

    /// Whether it was ended early, by an error or by the user.
    fn has_ended(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Size of the largest object that is read. An object that is handed out in parts may be larger than the
    /// memory.
    const fn object_bytes_max(&self) -> u64 {
        if self.options.part_bytes.is_some() { u64::MAX } else { self.options.memory_bytes_max }
    }

    /// Sources are read one after the other, and each has a whole budget: before its turn, a feed lists and
    /// fetches nothing.
    async fn turn(&self) {
        while !self.wanted.load(Ordering::Acquire) {
            self.woken.notified().await;
        }
    }

    fn take_turn(&self) {
        if !self.wanted.swap(true, Ordering::AcqRel) {
            self.woken.notify_one();
        }
    }

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.label)
    }
}

impl S3 {
    pub(super) fn open(
        spec: &str,
        address: Address,
        options: &Options,
        selection: Selection,
    ) -> Result<Self, OpenError> {
        let runtime = runtime(options)
            .map_err(|error| OpenError::Start { address: spec.to_owned(), reason: error.to_string() })?;
        let shared = Arc::new(Shared::new(spec, address, options));
        runtime.spawn(run(Arc::clone(&shared), Work::List(selection.clone())));
        Ok(Self { shared, selection, runtime: Some(runtime) })
    }

    /// The same for some of its objects, which were listed earlier.
    pub(super) fn open_items(
        spec: &str,
        address: Address,
        options: &Options,
        items: Vec<Item>,
        selection: Selection,
    ) -> Result<Self, OpenError> {
        let runtime = runtime(options)
            .map_err(|error| OpenError::Start { address: spec.to_owned(), reason: error.to_string() })?;
        let shared = Arc::new(Shared::new(spec, address, options));
        runtime.spawn(run(Arc::clone(&shared), Work::Fetch(items)));
        Ok(Self { shared, selection, runtime: Some(runtime) })
    }
}

/// How long the trial threads live, so that all exist at once.
const THREAD_TRIAL: std::time::Duration = std::time::Duration::from_millis(1);

/// Signing, TLS and XML take CPU time: the runtime gets as many threads as there are workers, within
/// limits.
fn runtime(options: &Options) -> std::io::Result<Runtime> {
    let threads = options.jobs.get().min(RUNTIME_THREADS_MAX);
    // The runtime panics if it cannot start a thread, and what it began would wait for ever. So threads are
    // tried first.
    let trial = (0..=threads)
        .map(|_| std::thread::Builder::new().spawn(|| std::thread::sleep(THREAD_TRIAL)))
        .collect::<std::io::Result<Vec<_>>>()?;
    trial.into_iter().for_each(|thread| drop(thread.join()));
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).thread_name("s3").enable_all().build()
}

struct Closed(Arc<Shared>);

impl Drop for Closed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(FatalError {
                kind: FatalKind::Local,
                origin: self.0.origin.clone(),
                detail: "the part that lists and fetches panicked".to_owned(),
            });
        }
    }
}

/// Lists and fetches until there is no more, a fatal error occurs, or the feed is stopped.
async fn run(shared: Arc<Shared>, work: Work) {
    // However this ends, waiting workers are woken.
    let _closed = Closed(Arc::clone(&shared));
    tokio::select! {
        result = list_and_fetch(&shared, work) => match result {
            Ok(()) => shared.arrivals.close_after_last(),
            Err(error) => shared.fail(error),
        },
        () = shared.ended.notified() => {}
    }
}

/// Where the keys come from.
enum Work {
    List(Selection),
    Fetch(Vec<Item>),
}

async fn list_and_fetch(shared: &Arc<Shared>, work: Work) -> Result<(), FatalError> {
    let connection = Connection::open(&shared.origin, &shared.address, &shared.options).await?;
    let session = Arc::new(Session::new(connection, Arc::clone(shared)));
    let (pages, listed) = mpsc::channel(PAGES_AHEAD_MAX);
    let of_list = Arc::clone(&session);
    let fetching = async {
        shared.turn().await;
        dispatch::run(session, listed).await
    };
    match work {
        Work::List(selection) => {
            tokio::try_join!(list::run(Arc::new(Lister::new(of_list, selection, pages))), fetching)
                .map(|_| ())
        }
        Work::Fetch(items) => tokio::join!(hand_out(shared, items, pages), fetching).1,
    }
}

/// Passes on objects that were listed earlier.
async fn hand_out(shared: &Shared, items: Vec<Item>, pages: mpsc::Sender<Vec<Found>>) {
    shared.objects.store(items.len() as u64, Ordering::Relaxed);
    shared.bytes.store(items.iter().map(|item| item.size).sum(), Ordering::Relaxed);
    shared.listing_complete.store(true, Ordering::Release);
    for item in items {
        let Item { key, size, etag, is } = item;
        let found = match is {
            Is::Object => Found::Object { key, size, etag },
            Is::OtherKind => Found::OtherKind { key },
            Is::Unlistable(reason) => Found::Unlistable { prefix: key, reason },
        };
        if pages.send(vec![found]).await.is_err() {
            return;
        }
    }
}

impl Feed for S3 {
    fn next(&self, buffer: &mut Vec<u8>) -> Option<Delivery> {
        prepare(buffer);
        if !self.shared.wanted.load(Ordering::Relaxed) {
            self.shared.take_turn();
        }
        self.shared.arrivals.take(buffer)
    }

    fn listed(&self) -> Listed {
        Listed {
            objects: self.shared.objects.load(Ordering::Relaxed),
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            sized: true,
            complete: self.shared.listing_complete.load(Ordering::Acquire),
            retries: self.shared.retries.load(Ordering::Relaxed),
        }
    }

    fn stop(&self) {
        self.shared.end();
    }

    fn member(&self, name: &str) -> MemberIs {
        self.selection.member(name, &mut lock(&self.shared.seen))
    }

    fn fatal(&self) -> Option<FatalError> {
        lock(&self.shared.fatal).clone()
    }

    fn pruned(&self) -> Pruned {
        lock(&self.shared.seen).pruned()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.shared.end();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Makes the LIST requests of a run, and counts what they show.
pub(super) fn plan(
    spec: &str,
    address: Address,
    options: &Options,
    selection: Selection,
) -> Result<Plan, PlanError> {
    let start = |error: std::io::Error| {
        PlanError::Open(OpenError::Start { address: spec.to_owned(), reason: error.to_string() })
    };
    let shared = Arc::new(Shared::new(spec, address, options));
    let runtime = runtime(options).map_err(start)?;
    let plan = runtime.block_on(count(&shared, selection));
    runtime.shutdown_background();
    plan.map_err(PlanError::Fatal)
}

async fn count(shared: &Arc<Shared>, selection: Selection) -> Result<Plan, FatalError> {
    let mut plan = Plan::default();
    let each = |found| {
        add_to(&mut plan, &found, &shared.options);
        ControlFlow::Continue(())
    };
    plan.list_requests = list_each(shared, selection, each).await?;
    plan.pruned = lock(&shared.seen).pruned();
    Ok(plan)
}

/// Lists everything, until `each` wants no more; returns the number of requests.
async fn list_each(
    shared: &Arc<Shared>,
    selection: Selection,
    mut each: impl FnMut(Found) -> ControlFlow<()>,
) -> Result<u64, FatalError> {
    let connection = Connection::open(&shared.origin, &shared.address, &shared.options).await?;
    let session = Arc::new(Session::new(connection, Arc::clone(shared)));
    let (pages, mut listed) = mpsc::channel(PAGES_AHEAD_MAX);
    let lister = Arc::new(Lister::new(Arc::clone(&session), selection, pages));
    let taking = async {
        while let Some(page) = listed.recv().await {
            if page.into_iter().try_for_each(&mut each).is_break() {
                // Whoever lists finds that nobody takes pages any more.
                listed.close();
            }
        }
    };
    tokio::join!(list::run(lister), taking).0?;
    Ok(session.list_requests())
}

/// Makes the LIST requests of a run, and keeps what they show.
pub(super) fn inventory(
    spec: &str,
    address: Address,
    options: &Options,
    selection: Selection,
) -> Result<Inventory, PlanError> {
    let start = |error: std::io::Error| {
        PlanError::Open(OpenError::Start { address: spec.to_owned(), reason: error.to_string() })
    };
    let shared = Arc::new(Shared::new(spec, address, options));
    let runtime = runtime(options).map_err(start)?;
    let (mut making, mut failed) = (Making::default(), None);
    let each = |found| match making.push(item(found)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed.get_or_insert(error);
            ControlFlow::Break(())
        }
    };
    let listed = runtime.block_on(list_each(&shared, selection, each));
    runtime.shutdown_background();
    if let Some(error) = failed {
        return Err(PlanError::of_disk(&error));
    }
    listed.map_err(PlanError::Fatal)?;
    let pruned = lock(&shared.seen).pruned();
    making.finish(pruned)
}

fn item(found: Found) -> Item {
    match found {
        Found::Object { key, size, etag } => Item { key, size, etag, is: Is::Object },
        Found::OtherKind { key } => Item { key, size: 0, etag: String::new(), is: Is::OtherKind },
        Found::Unlistable { prefix, reason } => {
            Item { key: prefix, size: 0, etag: String::new(), is: Is::Unlistable(reason) }
        }
    }
}

fn add_to(plan: &mut Plan, found: &Found, options: &Options) {
    plan.objects += 1;
    match found {
        Found::Object { size, .. } => {
            plan.bytes += size;
            plan.get_requests += dispatch::requests_for(*size, options);
        }
        Found::OtherKind { .. } => plan.objects_other_kind += 1,
        Found::Unlistable { .. } => plan.unlistable += 1,
    }
}
