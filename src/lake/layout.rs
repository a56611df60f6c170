//! The paths of a lake, and which file names belong to it: no other file is ever moved or removed.

use std::path::{Path, PathBuf};

use super::checksum::Sum;

/// The lake's own folder. Readers of Hive partitions ignore its name.
pub(super) const OWN: &str = "_tagfall";

/// The manifest, its copy, and the previous one.
pub(super) const MANIFESTS: [&str; 3] =
    ["_tagfall/manifest.json", "_tagfall/manifest.copy.json", "_tagfall/manifest.previous.json"];
pub(super) const STAGING: &str = "_tagfall/staging";
pub(super) const SPILL: &str = "_tagfall/spill";
pub(super) const OBJECTS: &str = "_tagfall/objects";
/// Files that only the previous manifest names, kept for readers that began with it.
pub(super) const REPLACED: &str = "_tagfall/replaced";
/// The files that a commit is about to move.
pub(super) const JOURNAL: &str = "_tagfall/commit.json";
/// In S3: what each commit has added and replaced, until it is settled.
pub(super) const COMMITS: &str = "_tagfall/commits";
/// In S3: data files. They are in the lake's own folder so that tools that find files by listing do not read
/// rows twice while files are being replaced.
pub(super) const PARTS: &str = "_tagfall/parts";
/// In S3: the data files in effect, one list for each partition, for tools that read Hive's symlink lists.
pub(super) const LISTS: &str = "_tagfall/hive";
/// Locked by the writer.
pub(super) const WRITER: &str = "_tagfall/lock";
/// Locked by all readers; whoever can lock it exclusively may delete replaced files.
pub(super) const READERS: &str = "_tagfall/readers";

pub(super) fn staged(name: &str) -> PathBuf {
    Path::new(STAGING).join(name)
}

pub(super) fn objects(name: &str) -> PathBuf {
    Path::new(OBJECTS).join(name)
}

/// The path for a replaced file. Its name does not end in `.parquet`, so that other tools do not find it.
pub(super) fn replaced(name: &str) -> PathBuf {
    Path::new(REPLACED).join(format!("{name}{OLD}"))
}

const OLD: &str = ".old";

/// The original name of a replaced file.
pub(super) fn name_before(replaced: &str) -> Option<&str> {
    replaced.strip_suffix(OLD).filter(|name| is_rows(name) || is_segment(name))
}

/// `000001-00001.parquet`, `000001-00001.rows`: a data file; in S3 the number is a hash of its content.
pub(super) fn is_rows(name: &str) -> bool {
    let Some((stem, "parquet" | "rows")) = name.rsplit_once('.') else { return false };
    stem.split_once('-').is_some_and(|(generation, number)| {
        is_number(generation, 6) && (is_number(number, 5) || is_content(number))
    })
}

/// `000001.ndjson.gz`: results of the objects of one commit; in S3 `000001-0123….ndjson.gz`.
pub(super) fn is_segment(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".ndjson.gz") else { return false };
    is_number(stem, 6)
        || stem
            .split_once('-')
            .is_some_and(|(generation, content)| is_number(generation, 6) && is_content(content))
}

/// Whether the name contains a hash of the content.
pub(super) fn is_part(name: &str) -> bool {
    let content = name.split_once('-').and_then(|(_, rest)| rest.split_once('.')).map(|(content, _)| content);
    content.is_some_and(is_content) && (is_rows(name) || is_segment(name))
}

/// The name with a hash of the content, for a file written as `name`; `None` if a lake does not use such
/// names.
pub(super) fn part_name(name: &str, content: u128) -> Option<String> {
    let (stem, end) = name.split_once('.').filter(|_| is_rows(name) || is_segment(name))?;
    let generation = stem.split_once('-').map_or(stem, |(generation, _)| generation);
    Some(format!("{generation}-{content:032x}.{end}"))
}

/// The same name for the commit of another generation.
pub(super) fn renumbered(name: &str, generation: u64) -> Option<String> {
    let (_, content) = name.split_once('-').filter(|_| is_part(name))?;
    Some(format!("{generation:06}-{content}"))
}

/// The hash of the content in a file's name.
pub(super) fn content(name: &str) -> Option<u128> {
    let content = name.split_once('-')?.1.split_once('.')?.0;
    u128::from_str_radix(content, 16).ok().filter(|_| is_part(name))
}

/// The path of a data file; `folder` is that of its partition.
pub(super) fn rows(folder: PathBuf, name: &str) -> PathBuf {
    let path = folder.join(name);
    if is_part(name) && !folder.starts_with(OWN) { Path::new(PARTS).join(path) } else { path }
}

/// In S3: the journal of the commit that makes this generation.
pub(super) fn commit(generation: u64, sum: &str) -> PathBuf {
    Path::new(COMMITS).join(format!("{generation:06}-{sum}.json"))
}

/// The generation of a journal.
pub(super) fn commit_generation(name: &str) -> Option<u64> {
    let (generation, sum) = name.strip_suffix(".json")?.split_once('-')?;
    generation.parse().ok().filter(|_| is_number(generation, 6) && Sum::parse(sum).is_some())
}

/// The spill file with the ids of a lake's events.
pub(super) const SPILLED_IDS: &str = "all.ids";

/// `7.rows`, and the file with the ids: spill files.
pub(super) fn is_spill(name: &str) -> bool {
    name == SPILLED_IDS || name.strip_suffix(".rows").is_some_and(|number| is_number(number, 1))
}

/// Whether a text is 128 bits in hex digits.
fn is_content(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_number(text: &str, digits_min: usize) -> bool {
    (digits_min..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_as_a_lake_gives_them_are_its_own() {
        assert!(
            is_rows("000001-00001.parquet")
                && is_rows("1234567-123456.rows")
                && is_segment("000001.ndjson.gz")
                && is_spill("0.rows")
        );
        for name in [
            "../000001-00001.parquet",
            "a/000001-00001.parquet",
            "000001-00001.parquet/",
            "1-1.parquet",
            "000001-00001.txt",
            "",
            "..",
            "-.rows",
        ] {
            assert!(!is_rows(name) && !is_segment(name) && !is_spill(name), "{name}");
        }
        assert!(!is_segment("../000001.ndjson.gz") && !is_segment("000001.gz") && !is_spill(".rows"));
        let part = part_name("000007-00001.parquet", 0xab).unwrap_or_default();
        assert_eq!(part, "000007-000000000000000000000000000000ab.parquet");
        assert!(
            is_part(&part)
                && is_rows(&part)
                && !is_part("000001-00001.parquet")
                && !is_part("000001.ndjson.gz")
        );
        let segment = part_name("000007.ndjson.gz", 1).unwrap_or_default();
        assert!(is_part(&segment) && is_segment(&segment) && !is_rows(&segment), "{segment}");
        assert_eq!(part_name("../000001-00001.parquet", 1), None);
        assert_eq!(
            (renumbered(&part, 12), renumbered(&segment, 1_234_567), renumbered("000001-00001.parquet", 2)),
            (Some(part.replace("000007", "000012")), Some(segment.replace("000007", "1234567")), None)
        );
        assert_eq!(rows("account=1".into(), &part), Path::new("_tagfall/parts/account=1").join(&part));
        assert_eq!(
            (
                commit_generation("000007-0123456789abcdef.json"),
                commit_generation("../7-0123456789abcdef.json")
            ),
            (Some(7), None)
        );
        assert_eq!(
            (name_before("000001-00001.parquet.old"), name_before("mine.old")),
            (Some("000001-00001.parquet"), None)
        );
    }
}
