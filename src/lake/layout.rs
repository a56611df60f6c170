//! Where what lies in a lake, relative to it, and which names are a lake's own: no other file is ever moved or removed.

use std::path::{Path, PathBuf};

/// The lake's own folder; its name keeps readers of Hive partitions out.
pub(super) const OWN: &str = "_tagfall";

/// The manifest, its copy, and the one that counted before it.
pub(super) const MANIFESTS: [&str; 3] = ["_tagfall/manifest.json", "_tagfall/manifest.copy.json", "_tagfall/manifest.previous.json"];
pub(super) const STAGING: &str = "_tagfall/staging";
pub(super) const SPILL: &str = "_tagfall/spill";
pub(super) const OBJECTS: &str = "_tagfall/objects";
/// Files that the manifest before the present one names, for readers that began with it.
pub(super) const REPLACED: &str = "_tagfall/replaced";
/// What a commit is about to move.
pub(super) const JOURNAL: &str = "_tagfall/commit.json";
/// Held by the one who writes.
pub(super) const WRITER: &str = "_tagfall/lock";
/// Held by all who read; who has it alone may take replaced files away.
pub(super) const READERS: &str = "_tagfall/readers";

pub(super) fn staged(name: &str) -> PathBuf {
    Path::new(STAGING).join(name)
}

pub(super) fn objects(name: &str) -> PathBuf {
    Path::new(OBJECTS).join(name)
}

/// Where a replaced file waits. Readers that look for `*.parquet` anywhere below a lake are not to find it.
pub(super) fn replaced(name: &str) -> PathBuf {
    Path::new(REPLACED).join(format!("{name}{OLD}"))
}

const OLD: &str = ".old";

/// The name that a file in the folder of replaced ones had.
pub(super) fn name_before(replaced: &str) -> Option<&str> {
    replaced.strip_suffix(OLD).filter(|name| is_rows(name) || is_segment(name))
}

/// `000001-00001.parquet`, `000001-00001.rows`: a file of rows.
pub(super) fn is_rows(name: &str) -> bool {
    let Some((stem, "parquet" | "rows")) = name.rsplit_once('.') else { return false };
    stem.split_once('-').is_some_and(|(generation, number)| is_number(generation, 6) && is_number(number, 5))
}

/// `000001.ndjson.gz`: what became of the objects of one commit.
pub(super) fn is_segment(name: &str) -> bool {
    name.strip_suffix(".ndjson.gz").is_some_and(|generation| is_number(generation, 6))
}

/// `7.rows`: rows that wait.
pub(super) fn is_spill(name: &str) -> bool {
    name.strip_suffix(".rows").is_some_and(|number| is_number(number, 1))
}

fn is_number(text: &str, digits_min: usize) -> bool {
    (digits_min..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_as_a_lake_gives_them_are_its_own() {
        assert!(is_rows("000001-00001.parquet") && is_rows("1234567-123456.rows") && is_segment("000001.ndjson.gz") && is_spill("0.rows"));
        for name in
            ["../000001-00001.parquet", "a/000001-00001.parquet", "000001-00001.parquet/", "1-1.parquet", "000001-00001.txt", "", "..", "-.rows"]
        {
            assert!(!is_rows(name) && !is_segment(name) && !is_spill(name), "{name}");
        }
        assert!(!is_segment("../000001.ndjson.gz") && !is_segment("000001.gz") && !is_spill(".rows"));
        assert_eq!((name_before("000001-00001.parquet.old"), name_before("mine.old")), (Some("000001-00001.parquet"), None));
    }
}
