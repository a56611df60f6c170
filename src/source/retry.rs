//! When to retry, as pure data: no clock, no sleep, no network. Callers say what went wrong, how much time
//! has passed, and give a random number; they are told to wait or to give up.

use std::time::Duration;

/// Limits for one request, whatever goes wrong. Both the number and the time apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Number of tries, including the first.
    pub tries_max: u32,
    /// No try begins later than this after the first.
    pub elapsed_max: Duration,
    /// Upper bound of the wait before the second try; it doubles with each further try.
    pub delay_first: Duration,
    pub delay_max: Duration,
}

impl Policy {
    /// Eight tries within a minute and a half: long enough for an endpoint to restart, and not too long for
    /// a user.
    pub const DEFAULT: Self = Self {
        tries_max: 8,
        elapsed_max: Duration::from_secs(90),
        delay_first: Duration::from_millis(100),
        delay_max: Duration::from_secs(15),
    };
}

/// A failure that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// 503 `SlowDown` and similar: the service asks for fewer requests.
    Throttled,
    /// 500, 502, 503, 504.
    ServerError,
    /// No connection.
    Connect,
    /// A timeout before the response began.
    Timeout,
    /// The connection broke, in the headers or in the body.
    Reset,
    /// The body ended before its `Content-Length`.
    Short,
    /// The body came too slowly or not at all.
    Slow,
    /// The object was replaced between two tries.
    Changed,
    /// The answer did not come from S3.
    Garbled,
}

impl Cause {
    /// For messages, after "gave up after 8 tries:".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Throttled => "the service asked to slow down",
            Self::ServerError => "the service failed",
            Self::Connect => "no connection",
            Self::Timeout => "no answer in time",
            Self::Reset => "the connection broke",
            Self::Short => "the body ended before its announced length",
            Self::Slow => "the body came too slowly",
            Self::Changed => "the object changed while it was read",
            Self::Garbled => "the answer could not be understood",
        }
    }

    /// Whether the service answered at all.
    pub const fn is_answer(self) -> bool {
        !matches!(self, Self::Connect | Self::Timeout | Self::Reset)
    }
}

/// What to do after a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    Again { after: Duration },
    GiveUp { tries: u32 },
}

/// The tries of one request.
#[derive(Debug, Clone)]
pub struct Tries {
    policy: Policy,
    failed: u32,
}

impl Tries {
    pub const fn new(policy: Policy) -> Self {
        Self { policy, failed: 0 }
    }

    /// A try failed with `cause`, `elapsed` after the first one began. `jitter` is a random number from 0
    /// up to 1: clients that failed together must not retry together.
    pub fn failed(&mut self, cause: Cause, elapsed: Duration, jitter: f64) -> RetryDecision {
        self.failed += 1;
        let after = self.delay(cause, jitter);
        if self.failed >= self.policy.tries_max || elapsed + after > self.policy.elapsed_max {
            return RetryDecision::GiveUp { tries: self.failed };
        }
        RetryDecision::Again { after }
    }

    /// A failed try made progress: number and time count from here.
    pub const fn progressed(&mut self) {
        self.failed = 0;
    }

    /// Exponential, half of it random. Throttling gets a longer pause from the start.
    fn delay(&self, cause: Cause, jitter: f64) -> Duration {
        let steps = self.failed.saturating_sub(1) + if cause == Cause::Throttled { 2 } else { 0 };
        let bound = self.policy.delay_first.saturating_mul(1 << steps.min(16)).min(self.policy.delay_max);
        bound / 2 + (bound / 2).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

/// A small seeded random generator for jitter (splitmix64). Not for secrets.
#[derive(Debug, Clone)]
pub struct Jitter(u64);

impl Jitter {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 up to, not including, 1.
    pub fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
