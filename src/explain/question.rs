//! What the user asks about: a pasted error line, an image reference, or a digest.

use crate::model::{Digest, ImageReference};

/// The image in question, and what else the pasted text gave away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub about: About,
    /// The text speaks of 403, Forbidden or a denied access, rather than of "not found".
    pub denied: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A reference into a registry.
    Reference(ImageReference),
    /// `repo:tag`, `repo@sha256:…` or `repo:tag@sha256:…` without a registry.
    Name { repository: String, tag: Option<String>, digest: Option<Digest> },
    /// A digest alone.
    Digest(Digest),
}

impl Question {
    /// Understands a pasted error line, an image reference, or a digest. `None`: none of these is in `text`.
    pub fn parse(text: &str) -> Option<Self> {
        let denied = ["403", "Forbidden", "AccessDenied", "denied", "not authorized"].iter().any(|word| text.contains(word));
        let about = registry_reference(text).or_else(|| words(text).find_map(name_with_digest)).or_else(|| bare(text))?;
        Some(Self { about, denied })
    }
}

impl About {
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Reference(reference) => reference.tag.as_deref(),
            Self::Name { tag, .. } => tag.as_deref(),
            Self::Digest(_) => None,
        }
    }

    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Reference(reference) => reference.digest,
            Self::Name { digest, .. } => *digest,
            Self::Digest(digest) => Some(*digest),
        }
    }

    /// As a person would write it.
    pub fn to_text(&self) -> String {
        match self {
            Self::Reference(reference) => reference.to_text(),
            Self::Digest(digest) => digest.to_string(),
            Self::Name { repository, tag, digest } => {
                let tag = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
                let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
                format!("{repository}{tag}{digest}")
            }
        }
    }
}

/// The reference that says most: an error line may name the same image with and without its digest.
fn registry_reference(text: &str) -> Option<About> {
    let all = ImageReference::find_all(text);
    let best = all.iter().find(|reference| reference.digest.is_some()).or_else(|| all.first())?;
    Some(About::Reference(best.clone()))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '`' | '(' | ')' | '[' | ']' | ',' | ';'))
        .filter(|word| !word.is_empty())
}

/// `repo:tag@sha256:…`, `repo@sha256:…` or `sha256:…`, possibly with punctuation behind it.
fn name_with_digest(word: &str) -> Option<About> {
    let at = word.find("sha256:")?;
    let digest = Digest::parse(word.get(at..at + 71)?)?;
    let Some(name) = word[..at].strip_suffix('@').filter(|name| !name.is_empty()) else { return Some(About::Digest(digest)) };
    let (repository, tag) = split_tag(name);
    Some(About::Name { repository, tag, digest: Some(digest) })
}

/// A text that is nothing but `repo:tag`, or 64 hex digits.
fn bare(text: &str) -> Option<About> {
    let text = text.trim();
    if let Some(digest) = Digest::parse(&format!("sha256:{text}")) {
        return Some(About::Digest(digest));
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-' | '/' | ':');
    if text.is_empty() || text.contains("sha256:") || !text.chars().all(plain) || !text.starts_with(|letter: char| letter.is_ascii_alphanumeric()) {
        return None;
    }
    // A name alone could be anything, a folder or a typing error: an image without a tag has to be asked for as `repo:latest`.
    let (repository, tag) = split_tag(text);
    tag.is_some().then_some(About::Name { repository, tag, digest: None })
}

fn split_tag(name: &str) -> (String, Option<String>) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.is_empty() && !tag.contains('/') => (repository.to_owned(), Some(tag.to_owned())),
        _ => (name.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "65bc5c8130c5b852f6d1b2ad10376f2c70e6dba44971416de765da80fd003009";

    #[test]
    fn the_line_from_the_console() {
        let image = format!("123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/repo:tag@sha256:{HEX}");
        let line = format!("CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref {image}: not found");
        let question = Question::parse(&line);
        assert_eq!(question.as_ref().map(|question| question.about.to_text()), Some(image));
        assert_eq!(question.map(|question| question.denied), Some(false));
    }

    #[test]
    fn names_and_digests() {
        let about = |text: &str| Question::parse(text).map(|question| question.about);
        let digest = Digest::parse(&format!("sha256:{HEX}"));
        assert_eq!(about(HEX), digest.map(About::Digest));
        assert_eq!(about(&format!("sha256:{HEX}")), digest.map(About::Digest));
        assert_eq!(about("shop/api:v1"), Some(About::Name { repository: "shop/api".into(), tag: Some("v1".into()), digest: None }));
        assert_eq!(about("shop/api"), None);
        assert_eq!(
            about(&format!("shop/api:v1@sha256:{HEX}: not found")),
            Some(About::Name { repository: "shop/api".into(), tag: Some("v1".into()), digest })
        );
        assert_eq!(about("no image here"), None);
        assert_eq!(about("sha256:12345"), None);
        assert_eq!(about(""), None);
    }
}
