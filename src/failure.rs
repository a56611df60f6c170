//! What people read when a run could not be done: what, why, and what to do next. Exit code 2.

use std::fmt;

/// The one error type at the edge. Modules below have small typed errors of their own; a command turns them
/// into this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What could not be done, without a full stop: `cannot read logs.json.gz`.
    what: String,
    /// Why, from the outside in.
    causes: Vec<String>,
    /// What to do next, an imperative each.
    advice: Vec<String>,
}

impl Failure {
    /// Exit code of a run that could not be done.
    pub const EXIT_CODE: u8 = 2;

    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), causes: Vec::new(), advice: Vec::new() }
    }

    /// Adds a cause; the first one given is the nearest.
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds something to do about it.
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }

    /// Label and text of each line to show, in order.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let causes = self.causes.iter().map(|cause| ("because", cause.as_str()));
        let advice = self.advice.iter().map(|advice| ("try", advice.as_str()));
        std::iter::once(("error", self.what.as_str())).chain(causes).chain(advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_first_and_what_to_do_last() {
        let failure = Failure::new("cannot read a")
            .advise("give b")
            .because("it is gone")
            .because("someone removed it");
        let lines: Vec<_> = failure.lines().collect();
        assert_eq!(
            lines,
            [
                ("error", "cannot read a"),
                ("because", "it is gone"),
                ("because", "someone removed it"),
                ("try", "give b")
            ]
        );
    }
}
