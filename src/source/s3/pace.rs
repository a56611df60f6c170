//! How many requests to make at once: starts low, grows while that increases the rate, halves when the
//! service throttles. Pure arithmetic on windows of time; [`dispatch`](super::dispatch) measures.

use std::time::Duration;

/// Requests in flight at the start.
pub(super) const START: usize = 16;
/// Maximum number of requests in flight.
pub(super) const MAX: usize = 256;
const MIN: usize = 2;

/// The shortest time over which a rate is meaningful.
pub(super) const WINDOW: Duration = Duration::from_millis(250);

/// A step up must increase the rate by this factor to be kept.
const GAIN: f64 = 1.05;
/// Number of windows after a step up that did not help before the next one is tried, as conditions change
/// slowly.
const REST_WINDOWS: u32 = 20;

#[derive(Debug, Clone)]
pub(super) struct Pace {
    limit: usize,
    /// The rate in the window before the last step up.
    rate_before: f64,
    /// If the last window ended with a step up: the limit before it.
    stepped_from: Option<usize>,
    rest: u32,
}

/// Measurements of one window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub elapsed: Duration,
    /// Work done: the number of objects, plus bytes counted as objects.
    pub work: f64,
    /// The service throttled requests.
    pub throttled: bool,
    /// There was more to do than the limit allowed. Otherwise the rate says nothing about the limit.
    pub limited: bool,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { limit: START, rate_before: 0.0, stepped_from: None, rest: 0 }
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// Adjusts the limit after a window.
    pub(super) fn learn(&mut self, window: Window) {
        let rate = window.work / window.elapsed.as_secs_f64().max(1e-3);
        if window.throttled {
            self.limit = (self.limit / 2).max(MIN);
            (self.stepped_from, self.rest) = (None, REST_WINDOWS);
            return;
        }
        if !window.limited {
            self.stepped_from = None;
            return;
        }
        if let Some(before) = self.stepped_from.take()
            && rate < self.rate_before * GAIN
        {
            (self.limit, self.rest) = (before, REST_WINDOWS);
            return;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        self.step_up(rate);
    }

    fn step_up(&mut self, rate: f64) {
        if self.limit < MAX {
            self.stepped_from = Some(self.limit);
            self.rate_before = rate;
            self.limit = (self.limit + self.limit / 2 + 1).min(MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates a service that answers each request after `latency`, at most `rate_max` a second.
    fn run(pace: &mut Pace, windows: usize, latency: f64, rate_max: f64) {
        for _ in 0..windows {
            let rate = (pace.limit() as f64 / latency).min(rate_max);
            pace.learn(Window {
                elapsed: WINDOW,
                work: rate * WINDOW.as_secs_f64(),
                throttled: false,
                limited: true,
            });
        }
    }

    #[test]
    fn grows_on_a_long_wire_until_the_link_is_full() {
        let mut pace = Pace::new();
        run(&mut pace, 40, 0.05, 1e9);
        assert_eq!(pace.limit(), MAX);
        let mut pace = Pace::new();
        run(&mut pace, 200, 0.05, 800.0);
        assert!((40..=100).contains(&pace.limit()), "{} requests for a link that 40 fill", pace.limit());
    }

    #[test]
    fn stays_small_where_more_brings_nothing() {
        let mut pace = Pace::new();
        run(&mut pace, 100, 0.000_1, 1_000.0);
        assert_eq!(pace.limit(), START);
    }

    #[test]
    fn halves_when_asked_and_comes_back() {
        let mut pace = Pace::new();
        run(&mut pace, 40, 0.05, 1e9);
        for _ in 0..20 {
            pace.learn(Window { elapsed: WINDOW, work: 1.0, throttled: true, limited: true });
        }
        assert_eq!(pace.limit(), MIN);
        run(&mut pace, 60, 0.05, 1e9);
        assert_eq!(pace.limit(), MAX);
    }

    #[test]
    fn an_idle_window_teaches_nothing() {
        let mut pace = Pace::new();
        for _ in 0..100 {
            pace.learn(Window { elapsed: WINDOW, work: 0.0, throttled: false, limited: false });
        }
        assert_eq!(pace.limit(), START);
    }
}
