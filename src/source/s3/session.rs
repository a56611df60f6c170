//! Retries: the clock and the network around the rules of [`retry`](crate::source::retry).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::types::RequestPayer;
use tokio::time::Instant;

use super::Shared;
use super::connect::Connection;
use super::trouble::{Trouble, TroubleKind, bucket_region};
use crate::source::local::lock;
use crate::source::retry::{Cause, Jitter, Policy, RetryDecision, Tries};
use crate::source::{FatalError, FatalKind};

/// An endpoint that has never answered gets fewer tries: its name is more likely mistyped than the endpoint
/// restarting.
const TRIES_UNANSWERED_MAX: u32 = 4;

/// State shared by all requests of a feed.
pub(super) struct Session {
    connection: Connection,
    pub shared: Arc<Shared>,
    begun: Instant,
    /// Milliseconds from `begun` to the service's last answer, plus one; 0: never.
    last_answer: AtomicU64,
    throttled: AtomicU64,
    list_requests: AtomicU64,
    jitter: Mutex<Jitter>,
}

/// A request that was given up.
#[derive(Debug)]
pub(super) struct Defeat {
    pub trouble: Trouble,
    /// Number of tries, including the first.
    pub tries: u32,
    /// The service has answered no request at all since this one was first made.
    pub nobody_answers: bool,
}

impl Session {
    pub(super) fn new(connection: Connection, shared: Arc<Shared>) -> Self {
        // The address of a fresh allocation differs enough between processes for jitter.
        let seed = Arc::as_ptr(&shared) as usize as u64 ^ u64::from(std::process::id()) << 32;
        Self {
            connection,
            shared,
            begun: Instant::now(),
            last_answer: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            list_requests: AtomicU64::new(0),
            jitter: Mutex::new(Jitter::new(seed)),
        }
    }

    pub(super) fn bucket(&self) -> &str {
        &self.shared.address.bucket
    }

    /// The `request-payer` header, if the user has set it.
    pub(super) fn payer(&self) -> Option<RequestPayer> {
        self.shared.options.request_payer.then_some(RequestPayer::Requester)
    }

    /// Begins a GET request for an object.
    pub(super) fn get(&self, client: &Client, key: &str) -> GetObjectFluentBuilder {
        client.get_object().bucket(self.bucket()).key(key).set_request_payer(self.payer())
    }

    /// The present client, for a request that is not retried.
    pub(super) fn client(&self) -> (Arc<Client>, u64) {
        self.connection.client()
    }

    /// Notes that the service answered, whatever it said.
    pub(super) fn answered(&self) {
        self.last_answer.store(self.begun.elapsed().as_millis() as u64 + 1, Ordering::Relaxed);
    }

    /// How often the service asked to slow down.
    pub(super) fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    pub(super) fn count_list_request(&self) {
        self.list_requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn list_requests(&self) -> u64 {
        self.list_requests.load(Ordering::Relaxed)
    }

    pub(super) fn fatal(&self, kind: FatalKind, detail: impl Into<String>) -> FatalError {
        FatalError { kind, origin: self.shared.origin.clone(), detail: detail.into() }
    }

    /// Begins the tries of one request.
    pub(super) fn tries(&self) -> Request<'_> {
        Request {
            session: self,
            begun: Instant::now(),
            tries: Tries::new(self.policy()),
            renewed: false,
            generation: 0,
        }
    }

    fn policy(&self) -> Policy {
        let policy = self.shared.options.retry;
        if self.has_answered() {
            policy
        } else {
            Policy { tries_max: policy.tries_max.min(TRIES_UNANSWERED_MAX), ..policy }
        }
    }

    fn has_answered(&self) -> bool {
        self.last_answer.load(Ordering::Relaxed) > 0
    }

    fn silent_since(&self, moment: Instant) -> bool {
        let last = self.last_answer.load(Ordering::Relaxed);
        last == 0 || self.begun + Duration::from_millis(last) < moment
    }
}

/// One request and its tries.
pub(super) struct Request<'s> {
    session: &'s Session,
    begun: Instant,
    tries: Tries,
    renewed: bool,
    generation: u64,
}

impl Request<'_> {
    /// The client for the next try.
    pub(super) fn client(&mut self) -> Arc<Client> {
        let (client, generation) = self.session.connection.client();
        self.generation = generation;
        client
    }

    /// A failed try has brought part of the object: number and time begin anew.
    pub(super) fn progressed(&mut self) {
        self.tries.progressed();
        self.begun = Instant::now();
    }

    /// Handles a failed try: waits, or reconnects. `Ok`: try again. `Err`: give up.
    pub(super) async fn recover(&mut self, mut trouble: Trouble) -> Result<(), Defeat> {
        if trouble.kind == TroubleKind::Fatal(FatalKind::NoCredentials) && self.session.has_answered() {
            // There were credentials before: their provider gives no more.
            trouble.kind = TroubleKind::Expired;
        }
        match &trouble.kind {
            TroubleKind::Passing(cause) => {
                let cause = *cause;
                self.wait(cause, trouble).await
            }
            TroubleKind::Elsewhere(region) => self.follow(region.clone(), trouble).await,
            TroubleKind::Expired if !self.renewed => {
                self.renewed = true;
                self.renew(None).await
            }
            _ => {
                self.session.answered();
                Err(self.defeat(trouble, 1))
            }
        }
    }

    async fn wait(&mut self, cause: Cause, trouble: Trouble) -> Result<(), Defeat> {
        if cause.is_answer() {
            self.session.answered();
        }
        if cause == Cause::Throttled {
            self.session.throttled.fetch_add(1, Ordering::Relaxed);
        }
        let jitter = lock(&self.session.jitter).draw();
        match self.tries.failed(cause, self.begun.elapsed(), jitter) {
            RetryDecision::GiveUp { tries } => {
                if self.session.has_answered() && !cause.is_answer() && self.session.silent_since(self.begun)
                {
                    self.knock().await;
                }
                Err(self.defeat(trouble, tries))
            }
            RetryDecision::Again { after } => {
                self.count_retry();
                tokio::time::sleep(after).await;
                Ok(())
            }
        }
    }

    /// Reconnects to the bucket's own region: as the answer said, or as S3 says when asked.
    async fn follow(&mut self, region: Option<String>, trouble: Trouble) -> Result<(), Defeat> {
        self.session.answered();
        let region = match region {
            Some(region) => Some(region),
            None => self.ask_for_region().await,
        };
        match region {
            Some(region)
                if self.session.connection.region() != region
                    || self.session.connection.client().1 != self.generation =>
            {
                self.renew(Some(&region)).await
            }
            _ => Err(self.defeat(
                Trouble { kind: TroubleKind::Fatal(FatalKind::OtherRegion), detail: trouble.detail },
                1,
            )),
        }
    }

    /// HeadBucket has no body; the region is in a header, whether it succeeds or fails.
    async fn ask_for_region(&self) -> Option<String> {
        let (client, _) = self.session.connection.client();
        match client.head_bucket().bucket(self.session.bucket()).send().await {
            Ok(answer) => answer.bucket_region().map(str::to_owned),
            Err(error) => error.raw_response().and_then(bucket_region),
        }
    }

    /// Nobody has answered for a while. A request about the bucket itself shows whether it is this object
    /// or everything.
    async fn knock(&self) {
        let (client, _) = self.session.connection.client();
        let answer = client.head_bucket().bucket(self.session.bucket()).send().await;
        if answer.is_ok() || answer.is_err_and(|error| error.raw_response().is_some()) {
            self.session.answered();
        }
    }

    async fn renew(&self, region: Option<&str>) -> Result<(), Defeat> {
        self.count_retry();
        self.session.connection.renew(self.generation, region).await.map_err(|error| {
            self.defeat(Trouble { kind: TroubleKind::Fatal(error.kind), detail: error.detail }, 1)
        })
    }

    fn count_retry(&self) {
        self.session.shared.retries.fetch_add(1, Ordering::Relaxed);
    }

    fn defeat(&self, trouble: Trouble, tries: u32) -> Defeat {
        Defeat { trouble, tries, nobody_answers: self.session.silent_since(self.begun) }
    }
}

impl Defeat {
    /// For coverage: why this object could not be read.
    pub(super) fn reason(&self) -> String {
        let Trouble { kind, detail } = &self.trouble;
        match kind {
            TroubleKind::Passing(cause) => {
                format!("gave up after {} tries: {} ({detail})", self.tries, cause.words())
            }
            TroubleKind::Gone => format!("gone between listing and reading ({detail})"),
            TroubleKind::Denied => format!(
                "access denied: s3:GetObject, or kms:Decrypt on its key, is missing for it ({detail})"
            ),
            TroubleKind::KmsDenied => format!(
                "its KMS key cannot be used: kms:Decrypt is missing, or the key is disabled ({detail})"
            ),
            TroubleKind::Frozen => {
                format!(
                    "archived in Glacier and not restored: restore it (aws s3api restore-object), then run \
                     the same command again ({detail})"
                )
            }
            TroubleKind::Expired
            | TroubleKind::Elsewhere(_)
            | TroubleKind::Fatal(_)
            | TroubleKind::Refused => format!("S3 refused ({detail})"),
        }
    }
}
