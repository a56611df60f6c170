//! Which listed objects should be among those that were read. An object outside of the sources or the
//! filters is not missing.

use crate::model::Filter;
use crate::source::layout::{KeyPosition, Selection};

use super::name;

/// The sources and the filters of a run.
#[derive(Debug, Clone)]
pub struct Scope {
    roots: Vec<Root>,
    selection: Selection,
}

/// The root of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// A bucket and a prefix of keys.
    Bucket { bucket: String, prefix: String },
    /// An absolute folder, with `/` between its parts and at its end.
    Folder(String),
}

impl Scope {
    /// Files that are named one by one have no root: they contain only themselves.
    pub fn new(roots: Vec<Root>, filter: &Filter) -> Self {
        Self { roots, selection: Selection::new(filter).with_other_kinds(true) }
    }

    /// Whether the filters admit the object.
    pub fn admits(&self, key: &str) -> bool {
        self.selection.admits(&KeyPosition::of(key))
    }

    /// Whether the object would have been read if it existed.
    pub fn holds(&self, bucket: &str, key: &str) -> bool {
        self.admits(key) && self.roots.iter().any(|root| root.holds(bucket, key))
    }
}

impl Root {
    fn holds(&self, bucket: &str, key: &str) -> bool {
        match self {
            Self::Bucket { bucket: own, prefix } if own == bucket => key.starts_with(prefix.as_str()),
            Self::Bucket { prefix: root, .. } | Self::Folder(root) => reaches(root, key),
        }
    }
}

/// Whether a copy that begins at `root` would contain `key`, whatever the path before `AWSLogs/` is.
fn reaches(root: &str, key: &str) -> bool {
    let whole = name::identity(key);
    if let Some((_, inside)) = name::split(root) {
        return whole.starts_with(inside);
    }
    // A copy of a part, from the folder of one kind on.
    match name::from_kind(root) {
        None => true,
        Some(inside) => name::from_kind(whole).is_some_and(|whole| whole.starts_with(inside)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "p/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/02/111122223333_CloudTrail_eu-west-1_20260302T1000Z_a.json.gz";

    fn holds(root: Root) -> bool {
        Scope::new(vec![root], &Filter::default()).holds("trail", KEY)
    }

    fn bucket(bucket: &str, prefix: &str) -> Root {
        Root::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() }
    }

    #[test]
    fn what_lies_outside_of_the_sources_is_not_missing() {
        assert!(
            holds(bucket("trail", ""))
                && holds(bucket("trail", "p/AWSLogs/1111"))
                && !holds(bucket("trail", "q/"))
        );
        assert!(!holds(bucket("trail", "p/AWSLogs/111122223333/CloudTrail-Digest/")));
        assert!(holds(bucket("copy", "")) && holds(bucket("copy", "q/AWSLogs/111122223333/")));
        assert!(!holds(bucket("copy", "q/AWSLogs/111122223333/CloudTrail/us-east-1/")));
        for (root, expected) in [
            ("/case/", true),
            ("/case/AWSLogs/111122223333/", true),
            ("/case/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/03/", false),
            ("/case/CloudTrail-Digest/", false),
            ("/case/CloudTrail/", true),
            ("/MyCloudTrail/CloudTrail/us-east-1/", false),
            ("/MyCloudTrail/", true),
        ] {
            assert_eq!(holds(Root::Folder(root.to_owned())), expected, "{root}");
        }
        assert!(!Scope::new(Vec::new(), &Filter::default()).holds("trail", KEY));
    }

    #[test]
    fn what_the_filters_leave_out_is_not_missing() {
        let filter = Filter { regions: vec!["us-east-1".to_owned()], ..Filter::default() };
        assert!(!Scope::new(vec![bucket("trail", "")], &filter).holds("trail", KEY));
    }
}
