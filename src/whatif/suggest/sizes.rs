//! How many bytes a policy frees: layers counted once, from the manifests of pushes and of `batch-get-image`.

use std::collections::{HashMap, HashSet};

use crate::timeline::{DigestNo, RepositoryHistory, Work};

/// Layers of the images of one repository, as far as manifests tell them.
pub(super) struct Sizes(HashMap<DigestNo, Vec<(u64, u64)>>);

impl Sizes {
    pub fn of(work: &Work<'_>, number: usize) -> Self {
        Self(work.layers(number))
    }

    /// Layers of the images that went, without those that an image has that is there at the end. `None` where
    /// the manifest of one of them is not known, or a size in it.
    pub fn freed(&self, gone: &HashSet<DigestNo>, after: &RepositoryHistory) -> Option<u64> {
        let mut freed: HashMap<u64, u64> = HashMap::new();
        for digest in gone {
            freed.extend(self.layers(*digest)?.iter().copied());
        }
        for image in after.images.iter().filter(|image| !image.is_gone() && !gone.contains(&image.digest)) {
            self.layers(image.digest)?.iter().for_each(|(layer, _)| _ = freed.remove(layer));
        }
        Some(freed.values().sum())
    }

    /// The sizes of the images, shared layers with each that has them; `None` where one of them is not known.
    pub fn at_most(&self, gone: &HashSet<DigestNo>, logged: &RepositoryHistory) -> Option<u64> {
        let of_layers = |digest| Some(self.layers(digest)?.iter().map(|(_, size)| size).sum());
        let size = |digest: &DigestNo| of_layers(*digest).or_else(|| logged.image(*digest)?.size_bytes);
        gone.iter().map(size).try_fold(0, |sum: u64, size| Some(sum.saturating_add(size?)))
    }

    /// The layers of one image, if its manifest and all sizes in it are known.
    fn layers(&self, digest: DigestNo) -> Option<&[(u64, u64)]> {
        self.0.get(&digest).filter(|layers| layers.iter().all(|(_, size)| *size > 0)).map(Vec::as_slice)
    }
}
