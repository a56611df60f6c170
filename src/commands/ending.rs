//! How a run ended, as an exit code.

use crate::model::Coverage;

/// What the exit code of a run that could be done is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ending {
    /// There are findings at or above `--fail-on`.
    pub alarming: bool,
    /// Evidence is missing, and the user did not say that this is fine.
    pub incomplete: bool,
}

impl Ending {
    /// Whether evidence is missing, and the user did not allow that. A run that was interrupted is never
    /// allowed: nobody knows what it did not read.
    pub fn lacks(coverage: &Coverage, allowed: bool) -> bool {
        coverage.partial || !coverage.is_complete() && !allowed
    }

    /// A finding takes precedence over missing evidence; 2 is for runs that failed as a whole.
    pub const fn code(self) -> u8 {
        match (self.alarming, self.incomplete) {
            (true, _) => 1,
            (false, true) => 3,
            (false, false) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_interrupted_is_never_allowed_for() {
        let failed =
            Coverage { objects_read: 1, records_relevant: 1, objects_failed: 1, ..Coverage::default() };
        let interrupted = Coverage { partial: true, ..Coverage::default() };
        assert_eq!([&failed, &interrupted].map(|coverage| Ending::lacks(coverage, true)), [false, true]);
        assert_eq!([&failed, &interrupted].map(|coverage| Ending::lacks(coverage, false)), [true, true]);
        assert!(!Ending::lacks(&Coverage::default(), false));
    }

    #[test]
    fn one_comes_before_three() {
        let codes = [(false, false), (true, false), (false, true), (true, true)]
            .map(|(alarming, incomplete)| Ending { alarming, incomplete }.code());
        assert_eq!(codes, [0, 1, 3, 1]);
    }
}
