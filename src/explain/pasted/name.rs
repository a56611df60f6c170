//! Image names in a text: where they begin is known, and their alphabets show where they end.

use crate::model::Digest;

/// A repository, and the tag or digest of an image in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Name {
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<Digest>,
    /// The hex digits of a digest that is cut off.
    pub cut: Option<String>,
    /// A layer's digest stood there: it names no image.
    pub layer: Option<Digest>,
    /// How many bytes of the text it takes.
    pub length: usize,
}

/// Longest tag.
const TAG_MAX: usize = 128;
/// Longest name of a repository.
const REPOSITORY_MAX: usize = 256;

/// Takes a name off the front of `text`: `shop/api`, `shop/api:v1`, `shop/api:v1@sha256:…`,
/// `v2/shop/api/manifests/v1`.
pub(super) fn take(text: &str) -> Option<Name> {
    let (skipped, text) = text.strip_prefix("v2/").map_or((0, text), |rest| (3, rest));
    let run = run(text, is_name).min(REPOSITORY_MAX);
    let mut name = of_address(text, run).unwrap_or_else(|| of_reference(text, run));
    let repository = name.repository.trim_end_matches(['.', '_', '-', '/']);
    name.repository.truncate(repository.len());
    name.length += skipped;
    let begins = name.repository.starts_with(|first: char| first.is_ascii_alphanumeric());
    (begins && !name.repository.contains("//")).then_some(name)
}

/// The registry API's addresses: `REPOSITORY/manifests/TAG-OR-DIGEST`.
fn of_address(text: &str, run: usize) -> Option<Name> {
    let (kind, at) = ["/manifests/", "/blobs/", "/referrers/", "/tags/list"]
        .iter()
        .find_map(|kind| Some((*kind, text[..run].find(kind)?)))?;
    let target = &text[at + kind.len()..];
    let mut name = Name { repository: text[..at].to_owned(), length: at + kind.len(), ..Name::default() };
    if kind == "/tags/list" {
        return Some(name);
    }
    match digest(target) {
        Some((Some(digest), length)) => {
            name.length += length;
            if kind == "/blobs/" { name.layer = Some(digest) } else { name.digest = Some(digest) }
        }
        Some((None, length)) => {
            name.cut = Some(hex_behind(target)).filter(|_| kind != "/blobs/");
            name.length += length;
        }
        None if kind == "/manifests/" => take_tag(&mut name, target),
        None => {}
    }
    Some(name)
}

fn of_reference(text: &str, run: usize) -> Name {
    let mut name = Name { repository: text[..run].to_owned(), length: run, ..Name::default() };
    if let Some(tag) = text[run..].strip_prefix(':') {
        // `repository:sha256:…` is a slip for `@`.
        if digest(tag).is_none() {
            let before = name.length;
            name.length += 1;
            take_tag(&mut name, tag);
            if name.tag.is_none() {
                name.length = before;
            }
        }
    }
    let rest = &text[name.length..];
    if let Some((digest, length)) = rest.strip_prefix(['@', ':']).and_then(digest) {
        name.cut = digest.is_none().then(|| hex_behind(&rest[1..]));
        name.digest = digest;
        name.length += 1 + length;
    }
    name
}

/// The tag at the front of `text`. A full stop at its end belongs to the sentence, unless somebody knows
/// better.
fn take_tag(name: &mut Name, text: &str) {
    let length = run(text, is_tag).min(TAG_MAX);
    let tag = text[..length].trim_end_matches('.');
    if tag.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_') {
        name.tag = Some(tag.to_owned());
        name.length += tag.len();
    }
}

/// A digest at the front of `text`, or the beginning of one, and how many bytes it takes.
pub(super) fn digest(text: &str) -> Option<(Option<Digest>, usize)> {
    const MARK: &str = "sha256:";
    let marked = text.get(..MARK.len()).is_some_and(|mark| mark.eq_ignore_ascii_case(MARK));
    let hex = marked.then(|| &text[MARK.len()..])?;
    let digits = run(hex, |byte| byte.is_ascii_hexdigit()).min(64);
    Some((Digest::parse_hex(&hex.as_bytes()[..digits]), MARK.len() + digits))
}

fn hex_behind(text: &str) -> String {
    let hex = &text["sha256:".len()..];
    hex[..run(hex, |byte| byte.is_ascii_hexdigit()).min(64)].to_ascii_lowercase()
}

pub(super) fn run(text: &str, is: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is(*byte)).count()
}

pub(super) const fn is_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-' | b'/')
}

pub(super) const fn is_tag(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "65bc5c8130c5b852f6d1b2ad10376f2c70e6dba44971416de765da80fd003009";

    #[test]
    fn a_name_ends_where_its_alphabet_ends() {
        let digest = Digest::parse(&format!("sha256:{HEX}"));
        let signature = format!("sha256-{HEX}.sig");
        for (text, tag, expected) in [
            ("shop/api:v1** not found".to_owned(), Some("v1"), None),
            ("shop/api:v1|".to_owned(), Some("v1"), None),
            ("shop/api:v1}".to_owned(), Some("v1"), None),
            ("shop/api:v1. Then".to_owned(), Some("v1"), None),
            ("shop/api: not found".to_owned(), None, None),
            ("shop/api.".to_owned(), None, None),
            (format!("shop/api:v1@sha256:{HEX}: not found"), Some("v1"), digest),
            (format!("shop/api@SHA256:{}", HEX.to_uppercase()), None, digest),
            (format!("shop/api:sha256:{HEX}"), None, digest),
            ("v2/shop/api/manifests/v1: 404".to_owned(), Some("v1"), None),
            (format!("v2/shop/api/manifests/sha256:{HEX}?ns=x"), None, digest),
            (format!("shop/api/manifests/{signature}: MANIFEST_UNKNOWN"), Some(signature.as_str()), None),
            (format!("shop/api/blobs/sha256:{HEX}"), None, None),
            ("shop/api/tags/list".to_owned(), None, None),
        ] {
            let name = take(&text).unwrap();
            assert_eq!(
                (name.repository.as_str(), name.tag.as_deref(), name.digest),
                ("shop/api", tag, expected),
                "{text}"
            );
        }
        assert_eq!(
            take(&format!("shop/api@sha256:{}…", &HEX[..12])).unwrap().cut.as_deref(),
            Some(&HEX[..12])
        );
        assert!(take("/x").is_none() && take("").is_none() && take("Api").is_none());
    }
}
