//! Steps → the life of each image.

use crate::model::Timeline;

/// Everything known after the last event: repositories and their images, in a compact form, ordered.
#[derive(Default)]
pub struct History {}

impl History {
    /// Timelines in order of repository and digest, built one at a time.
    pub fn timelines(&self) -> impl Iterator<Item = Timeline> + '_ {
        std::iter::empty()
    }
}
