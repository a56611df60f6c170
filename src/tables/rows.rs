//! Timelines, findings, coverage → rows of the engine's tables.
