//! Removes the manifest from a record before the record is parsed.
//!
//! `PutImage` has the manifest in both request and response, escaped, and it makes up most of the record.
//! Removed, it is unescaped only once, for whoever needs it, and the parser sees a short string in its
//! place.
//!
//! A record is only treated like this if the rest of it has no backslash. Then every quote begins or ends a
//! string, so the strings are easy to find. And no string in the rest can be [`STAND_IN`], a control
//! character, which JSON can only write with an escape.

use memchr::memchr;
use memchr::memmem::Finder;

use crate::decode::unescape_string;

const KEY: &[u8] = b"\"imageManifest\":\"";
/// The string that replaces a manifest, as written in JSON.
const STAND_IN_ESCAPED: &str = r"\u001a";
/// The same string once parsed.
pub(super) const STAND_IN: &str = "\u{1a}";

/// Removes manifests from records, and keeps the last one unescaped.
pub(super) struct ManifestRemover {
    key: Finder<'static>,
    manifest: Vec<u8>,
}

/// A record without its manifest.
pub(super) struct WithoutManifest<'r> {
    /// The record's text, with [`STAND_IN`] instead of the manifest.
    pub pieces: [&'r str; 5],
    pub manifest: &'r str,
}

impl ManifestRemover {
    /// Removes the manifest, in both places if there are two. `None` if there is no manifest, if the two
    /// differ, or if it is not certain which parts of the text are strings.
    pub(super) fn cut<'r>(&'r mut self, record: &'r str) -> Option<WithoutManifest<'r>> {
        let (before, first) = split_behind(&self.key, record)?;
        let (end, length) = unescape_string(first.as_bytes(), &mut self.manifest)?;
        let (written, behind) = first.split_at_checked(end)?;
        let (middle, second_stand_in, after) = match split_behind(&self.key, behind) {
            Some((middle, second)) => (
                middle,
                STAND_IN_ESCAPED,
                second.strip_prefix(written).filter(|after| after.starts_with('"'))?,
            ),
            None => (behind, "", ""),
        };
        let pieces = [before, STAND_IN_ESCAPED, middle, second_stand_in, after];
        let has_backslash = |text: &str| memchr(b'\\', text.as_bytes()).is_some();
        if length == 0 || [before, middle, after].into_iter().any(has_backslash) {
            return None;
        }
        Some(WithoutManifest {
            pieces,
            manifest: simdutf8::basic::from_utf8(self.manifest.get(..length)?).ok()?,
        })
    }
}

impl Default for ManifestRemover {
    fn default() -> Self {
        Self { key: Finder::new(KEY), manifest: Vec::new() }
    }
}

/// Splits `text` after the key and the opening quote of its string.
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
        let mut cutter = ManifestRemover::default();
        let WithoutManifest { pieces, manifest } = cutter.cut(record)?;
        Some((pieces.concat(), manifest.to_owned()))
    }

    #[test]
    fn a_manifest_that_is_said_twice_is_cut_out_twice() {
        let manifest = r#"{\n \"a\":\"b\",\"c\":[\"d\"]}"#;
        let rest = record(STAND_IN_ESCAPED, STAND_IN_ESCAPED);
        assert_eq!(
            cut(&record(manifest, manifest)),
            Some((rest, "{\n \"a\":\"b\",\"c\":[\"d\"]}".to_owned()))
        );
        // A manifest that ends with a backslash: its last quote looks escaped and is not.
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
        assert_eq!(
            cut(&record(manifest, manifest).replace("v1", r#"v\"1"#)),
            None,
            "a backslash in the rest"
        );
        assert_eq!(cut(&record(manifest, manifest).replace("xx", r"\u001a")), None, "the stand-in itself");
        assert_eq!(cut(r#"{"imageManifest":"x"}"#), None, "too near to the end");
    }
}
