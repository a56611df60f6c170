//! Takes the manifest out of a record before the record is parsed.
//!
//! `PutImage` has its manifest in request and response, escaped, and it is most of the record. Cut out, it is unescaped once
//! and read by whoever wants it; the parser sees a short string in its place.
//!
//! The rest of the record has no backslash. So all its quotes begin or end strings, which are what they look like; and no
//! string in it can be [`STAND_IN`], a control character, which JSON writes as an escape or not at all.

use memchr::memchr;
use memchr::memmem::Finder;

use crate::decode::unescape_string;

const KEY: &[u8] = b"\"imageManifest\":\"";
/// What a record says in the place of its manifest, as it is written.
const STAND_IN_ESCAPED: &str = r"\u001a";
/// And what it reads as.
pub(super) const STAND_IN: &str = "\u{1a}";

/// Finds manifests, and keeps the last one unescaped.
pub(super) struct Cutter {
    key: Finder<'static>,
    manifest: Vec<u8>,
}

/// A record without its manifest.
pub(super) struct Cut<'r> {
    /// The record's text, with the stand-in for the manifest.
    pub pieces: [&'r str; 5],
    pub manifest: &'r str,
}

impl Cutter {
    /// Cuts the manifest out, both copies of it where there are two. `None` where there is none; where the two differ; and
    /// where it is not plain to see what is a string and what is not.
    pub(super) fn cut<'r>(&'r mut self, record: &'r str) -> Option<Cut<'r>> {
        let (before, first) = split_behind(&self.key, record)?;
        let (end, length) = unescape_string(first.as_bytes(), &mut self.manifest)?;
        let (written, behind) = first.split_at_checked(end)?;
        let (middle, second_stand_in, after) = match split_behind(&self.key, behind) {
            Some((middle, second)) => (middle, STAND_IN_ESCAPED, second.strip_prefix(written).filter(|after| after.starts_with('"'))?),
            None => (behind, "", ""),
        };
        let pieces = [before, STAND_IN_ESCAPED, middle, second_stand_in, after];
        let has_backslash = |text: &str| memchr(b'\\', text.as_bytes()).is_some();
        if length == 0 || [before, middle, after].into_iter().any(has_backslash) {
            return None;
        }
        Some(Cut { pieces, manifest: simdutf8::basic::from_utf8(self.manifest.get(..length)?).ok()? })
    }
}

impl Default for Cutter {
    fn default() -> Self {
        Self { key: Finder::new(KEY), manifest: Vec::new() }
    }
}

/// Up to behind the key and the quote that opens its string, and from there on.
fn split_behind<'t>(key: &Finder<'_>, text: &'t str) -> Option<(&'t str, &'t str)> {
    text.split_at_checked(key.find(text.as_bytes())? + KEY.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(first: &str, second: &str) -> String {
        let more = "x".repeat(64);
        format!(
            r#"{{"requestParameters":{{"imageManifest":"{first}","imageTag":"v1"}},"responseElements":{{"image":{{"imageManifest":"{second}"}}}},"more":"{more}"}}"#
        )
    }

    fn cut(record: &str) -> Option<(String, String)> {
        let mut cutter = Cutter::default();
        let Cut { pieces, manifest } = cutter.cut(record)?;
        Some((pieces.concat(), manifest.to_owned()))
    }

    #[test]
    fn a_manifest_that_is_said_twice_is_cut_out_twice() {
        let manifest = r#"{\n \"a\":\"b\",\"c\":[\"d\"]}"#;
        let rest = record(STAND_IN_ESCAPED, STAND_IN_ESCAPED);
        assert_eq!(cut(&record(manifest, manifest)), Some((rest, "{\n \"a\":\"b\",\"c\":[\"d\"]}".to_owned())));
        // It ends with a backslash: its last quote looks escaped and is not.
        let rest = record(STAND_IN_ESCAPED, STAND_IN_ESCAPED);
        assert_eq!(cut(&record(r"a\\", r"a\\")), Some((rest, r"a\".to_owned())));
    }

    #[test]
    fn a_manifest_that_is_said_once_is_cut_out_once() {
        let once = record(r#"{\"a\":1}"#, "").replace(r#""image":{"imageManifest":""}"#, "");
        let rest = record(STAND_IN_ESCAPED, "").replace(r#""image":{"imageManifest":""}"#, "");
        assert_eq!(cut(&once), Some((rest, r#"{"a":1}"#.to_owned())));
    }

    #[test]
    fn what_differs_or_is_not_plain_is_left_alone() {
        let manifest = r#"{\"a\":1}"#;
        assert_eq!(cut(&record(manifest, r#"{\"a\":2}"#)), None);
        assert_eq!(cut(&record(manifest, r#"{\"a\":1} "#)), None);
        assert_eq!(cut(&record("", "")), None, "empty text is no text");
        assert_eq!(cut(&record(r"\u001a", r"\u001a")), None, "it may look like the stand-in");
        assert_eq!(cut(&record("a\n", "a\n")), None, "no JSON");
        assert_eq!(cut(&record(manifest, manifest).replace("v1", r#"v\"1"#)), None, "a backslash in the rest");
        assert_eq!(cut(&record(manifest, manifest).replace("xx", r"\u001a")), None, "the stand-in itself");
        assert_eq!(cut(r#"{"imageManifest":"x"}"#), None, "too near to the end");
    }
}
