//! Lists a bucket with as few requests as possible: goes down CloudTrail's layout with delimiters, prunes
//! on the way, and lists many branches at once. Outside of CloudTrail's layout it lists all keys plainly.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_s3::types::EncodingType;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::page::{Order, Page, Refused, Version};
use super::session::{Defeat, Session};
use super::trouble::Trouble;
use super::whole::{Watching, Witness};
use crate::source::layout::{self, KeyPosition, Level, Selection};
use crate::source::local::lock;
use crate::source::{FatalError, FatalKind};

/// Number of branches listed at once.
const BRANCHES_MAX: usize = 16;

/// If this many folders outside of CloudTrail's layout were searched for the layout in vain, listing plainly
/// is cheaper than searching.
pub(super) const VAIN_LOOKS_MAX: usize = 64;

/// What listing found.
#[derive(Debug)]
pub(super) enum Found {
    Object {
        key: String,
        size: u64,
        etag: String,
    },
    OtherKind {
        key: String,
    },
    /// A branch that could not be listed to its end, while others could.
    Unlistable {
        prefix: String,
        reason: String,
    },
}

/// Lists all keys below, page after page.
const PLAIN: How = How::Keys { after: None, splits: false };

/// A branch that is still to be listed.
#[derive(Debug)]
pub(super) struct Branch {
    pub prefix: String,
    pub how: How,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// One level, with `/` as delimiter.
    Level,
    /// All keys below. If there is more than a page and `splits` is true, the rest is split by folders.
    Keys { after: Option<String>, splits: bool },
}

pub(super) struct Lister {
    pub session: Arc<Session>,
    selection: Selection,
    out: mpsc::Sender<Vec<Found>>,
    pub vain_looks: AtomicUsize,
    pub pages: AtomicU64,
    /// Number of objects, including those of other kinds.
    pub found: AtomicU64,
    /// The first branch whose listing was refused, while others were not.
    pub denied: Mutex<Option<Defeat>>,
}

/// Why a branch ended early.
pub(super) enum Stop {
    Defeat(Defeat),
    /// The same, with the part of the page that could be read.
    Torn(Box<Page>, Defeat),
    /// Nobody takes pages any more.
    Unwanted,
}

impl From<Defeat> for Stop {
    fn from(defeat: Defeat) -> Self {
        Self::Defeat(defeat)
    }
}

/// Lists everything. An error if nothing can be listed at all, or nothing more.
pub(super) async fn run(lister: Arc<Lister>) -> Result<(), FatalError> {
    let mut waiting = match lister.roots().await {
        Ok(roots) => roots,
        Err(Stop::Unwanted) => return Ok(()),
        Err(Stop::Defeat(defeat) | Stop::Torn(_, defeat)) => return Err(lister.fatal(defeat)),
    };
    let mut running = JoinSet::new();
    loop {
        while running.len() < BRANCHES_MAX
            && let Some(branch) = waiting.pop()
        {
            let lister = Arc::clone(&lister);
            running.spawn(async move {
                let mut children = Vec::new();
                let outcome = lister.list(&branch, &mut children).await;
                (branch.prefix, children, outcome)
            });
        }
        let Some(ended) = running.join_next().await else { break };
        let (prefix, children, outcome) =
            ended.map_err(|error| lister.session.fatal(FatalKind::Local, error.to_string()))?;
        waiting.extend(children.into_iter().rev());
        match outcome {
            Ok(()) => {}
            Err(Stop::Unwanted) => return Ok(()),
            Err(Stop::Defeat(defeat) | Stop::Torn(_, defeat)) => lister.unlistable(prefix, defeat).await?,
        }
    }
    lister.verdict()?;
    lister.session.shared.listing_complete.store(true, Ordering::Release);
    Ok(())
}

impl Lister {
    pub(super) fn new(session: Arc<Session>, selection: Selection, out: mpsc::Sender<Vec<Found>>) -> Self {
        Self {
            session,
            selection,
            out,
            vain_looks: AtomicUsize::new(0),
            pages: AtomicU64::new(0),
            found: AtomicU64::new(0),
            denied: Mutex::default(),
        }
    }

    /// How to list the folder `prefix`, which is not pruned.
    pub(super) fn branch(&self, prefix: String) -> Branch {
        let place = KeyPosition::of(&prefix);
        let how = match place.level {
            Level::Day => PLAIN,
            Level::Outside | Level::Accounts | Level::Account | Level::Kind => How::Level,
            Level::Region | Level::Year | Level::Month if self.selection.takes_all_of(place.days) => {
                How::Keys { after: None, splits: true }
            }
            Level::Region | Level::Year | Level::Month => How::Level,
        };
        Branch { prefix, how }
    }

    /// Lists one branch, and adds the branches that it splits into to `children`.
    async fn list(&self, branch: &Branch, children: &mut Vec<Branch>) -> Result<(), Stop> {
        let Branch { prefix, how } = branch;
        let is_search = *how == How::Level && KeyPosition::of(prefix).level == Level::Outside;
        let how =
            if is_search && self.vain_looks.load(Ordering::Relaxed) >= VAIN_LOOKS_MAX { &PLAIN } else { how };
        let mut walk = Walk::default();
        let mut sent = None;
        loop {
            let mut page = self.next_page(prefix, how, &mut walk).await?;
            if is_search && children.is_empty() && self.is_no_way(&page).await? {
                children
                    .push(Branch { prefix: prefix.clone(), how: How::Keys { after: sent, splits: false } });
                return Ok(());
            }
            children.extend(
                page.folders.drain(..).filter(|folder| self.enters(folder)).map(|folder| self.branch(folder)),
            );
            let last = page.objects.last().map(|(key, _)| key.clone());
            self.send_objects(page.objects).await?;
            match last {
                _ if walk.ended()? => return Ok(()),
                Some(last) if matches!(how, How::Keys { splits: true, .. }) => {
                    return self.split(prefix, &last, children).await;
                }
                last => sent = last.or(sent),
            }
        }
    }

    /// Splits the keys of `prefix` after the key `last` by folder. Keys are listed in the order of their
    /// bytes, so it is known which folders are complete.
    async fn split(&self, prefix: &str, last: &str, children: &mut Vec<Branch>) -> Result<(), Stop> {
        let mut walk = Walk::default();
        loop {
            let page = self.next_page(prefix, &How::Level, &mut walk).await?;
            for folder in page.folders {
                let begun = last.starts_with(&folder);
                if (begun || folder.as_str() > last) && self.enters(&folder) {
                    let mut child = self.branch(folder);
                    if begun {
                        let splits = KeyPosition::of(&child.prefix).level < Level::Day;
                        child.how = How::Keys { after: Some(last.to_owned()), splits };
                    }
                    children.push(child);
                }
            }
            self.send_objects(page.objects.into_iter().filter(|(key, _)| key.as_str() > last).collect())
                .await?;
            if walk.ended()? {
                return Ok(());
            }
        }
    }

    /// The next page of a listing. If it could not be read whole, the part that could be; [`Walk::ended`]
    /// reports that.
    async fn next_page(&self, prefix: &str, how: &How, walk: &mut Walk) -> Result<Page, Stop> {
        let mut page = match self.ask(prefix, how, walk, None).await {
            Err(Stop::Torn(page, defeat)) => {
                walk.defeat = Some(defeat);
                *page
            }
            page => page?,
        };
        walk.order.advance(&page);
        walk.token = page.token.take();
        Ok(page)
    }

    /// Whether the folder is asked for.
    fn enters(&self, folder: &str) -> bool {
        if self.is_under_work(folder) {
            lock(&self.session.shared.seen).pass_over();
            return false;
        }
        self.admits(&KeyPosition::of(folder))
    }

    /// Below the user's prefix, a lake's unfinished files are not evidence.
    fn is_under_work(&self, key: &str) -> bool {
        key.strip_prefix(&self.session.shared.address.prefix).is_some_and(layout::is_under_work)
    }

    fn admits(&self, place: &KeyPosition<'_>) -> bool {
        let admits = self.selection.admits(place);
        if !admits {
            lock(&self.session.shared.seen).add(place);
        }
        admits
    }

    async fn send_objects(&self, objects: Vec<(String, Version)>) -> Result<(), Stop> {
        let found = objects.into_iter().filter_map(|(key, version)| self.object(key, version)).collect();
        self.send(found).await
    }

    fn object(&self, key: String, Version { size, etag, .. }: Version) -> Option<Found> {
        // Names with a leading dot are not hidden here: keys below `./` or `.archive/` are as good as
        // others.
        if !layout::is_evidence_in_bucket(&key) || self.is_under_work(&key) {
            // A folder marker, as the console makes it, contains nothing.
            if !key.ends_with('/') {
                lock(&self.session.shared.seen).pass_over();
            }
            return None;
        }
        let place = KeyPosition::of(&key);
        if !self.admits(&place) {
            return None;
        }
        Some(if self.selection.leaves_unread(&place) {
            Found::OtherKind { key }
        } else {
            Found::Object { key, size, etag }
        })
    }

    pub(super) async fn send(&self, found: Vec<Found>) -> Result<(), Stop> {
        if found.is_empty() {
            return Ok(());
        }
        let bytes: u64 =
            found.iter().map(|found| if let Found::Object { size, .. } = found { *size } else { 0 }).sum();
        let objects = found.iter().filter(|found| !matches!(found, Found::Unlistable { .. })).count();
        self.found.fetch_add(objects as u64, Ordering::Relaxed);
        self.session.shared.objects.fetch_add(found.len() as u64, Ordering::Relaxed);
        self.session.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.out.send(found).await.map_err(|_| Stop::Unwanted)
    }

    /// The first page, with all retries.
    pub(super) async fn page(&self, prefix: &str, how: &How, keys_max: Option<i32>) -> Result<Page, Stop> {
        self.ask(prefix, how, &Walk::default(), keys_max).await
    }

    /// One page, with all retries.
    async fn ask(&self, prefix: &str, how: &How, walk: &Walk, keys_max: Option<i32>) -> Result<Page, Stop> {
        let mut request = self.session.tries();
        let mut best = None;
        loop {
            let client = request.client();
            let witness = Arc::new(Witness::default());
            let mut call =
                client.list_objects_v2().bucket(self.session.bucket()).encoding_type(EncodingType::Url);
            call = call
                .prefix(prefix)
                .set_max_keys(keys_max)
                .set_request_payer(self.session.payer())
                .set_continuation_token(walk.token.clone());
            call = match how {
                How::Level => call.delimiter("/"),
                How::Keys { after, .. } => call.set_start_after(after.clone()),
            };
            self.session.count_list_request();
            let answer = call.customize().interceptor(Watching(Arc::clone(&witness))).send().await;
            let page = match (witness.torn(), answer) {
                (Some(torn), _) => Err(Page::torn(torn, prefix)),
                (None, Ok(output)) => Page::read(output, prefix, walk.token.as_deref()),
                (None, Err(error)) => Err(Trouble::of(&error).into()),
            };
            match page.and_then(|page| walk.order.check(prefix, &page).map(|()| page).map_err(Refused::from))
            {
                Ok(page) => {
                    self.session.answered();
                    self.pages.fetch_add(1, Ordering::Relaxed);
                    return Ok(page);
                }
                Err(Refused { trouble, page }) => {
                    best = better(best, page.filter(|page| walk.order.check(prefix, page).is_ok()));
                    if let Err(defeat) = request.recover(trouble).await {
                        return Err(self.given_up(best, defeat));
                    }
                }
            }
        }
    }

    /// No page could be read whole. A part is better than nothing, as long as it is not taken for the
    /// whole.
    fn given_up(&self, best: Option<Page>, defeat: Defeat) -> Stop {
        match best {
            Some(page) => {
                self.pages.fetch_add(1, Ordering::Relaxed);
                Stop::Torn(Box::new(page), defeat)
            }
            None => Stop::Defeat(defeat),
        }
    }
}

/// The page with more entries.
fn better(one: Option<Page>, other: Option<Page>) -> Option<Page> {
    let entries =
        |page: &Option<Page>| page.as_ref().map_or(0, |page| page.objects.len() + page.folders.len());
    if entries(&other) > entries(&one) { other } else { one }
}

/// How far the listing of one branch has come.
#[derive(Default)]
struct Walk {
    token: Option<String>,
    order: Order,
    /// Set if the last page could not be read whole.
    defeat: Option<Defeat>,
}

impl Walk {
    /// Whether the listing is complete; an error if there may be more.
    fn ended(&mut self) -> Result<bool, Stop> {
        self.defeat.take().map_or(Ok(self.token.is_none()), |defeat| Err(Stop::Defeat(defeat)))
    }
}
