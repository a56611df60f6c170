//! Timelines → findings.

use crate::model::Finding;
use crate::timeline::History;

/// What tells a race from an overwrite.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// `--race-window`, in seconds.
    pub race_window_seconds: i64,
}

/// Every finding: worst first, then by repository, time and id.
pub fn findings(history: &History, settings: Settings) -> Vec<Finding> {
    let _ = (history, settings);
    Vec::new()
}
