//! What the user asks about: a pasted error line, an image reference, or a digest, whole or cut off.

use crate::model::{Digest, ImageReference, Timestamp};

/// Fewest hex digits of a digest that are taken for its beginning where `sha256:` stands before them, and where it does not.
const CUT_MIN: usize = 6;
const CUT_BARE_MIN: usize = 12;

/// The image in question, and what else the pasted text gave away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub about: About,
    /// The text speaks of 403, Forbidden or a denied access, rather than of "not found".
    pub denied: bool,
    /// The first hex digits of a digest that is cut off: Fargate shortens long messages, and people write the first twelve.
    pub cut: Option<String>,
    /// Neither a tag nor a digest was given, which every client takes for `latest`.
    pub latest: bool,
    /// The text is more than a name: it tells of something that went wrong.
    pub failed: bool,
    /// `--at`: the moment that is asked about.
    pub at: Option<Timestamp>,
    /// Other digests that the text names.
    pub others: Vec<Digest>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A reference into a registry.
    Reference(ImageReference),
    /// `repo:tag`, `repo@sha256:…` or `repo:tag@sha256:…` without a registry.
    Name { repository: String, tag: Option<String>, digest: Option<Digest> },
    /// A digest alone.
    Digest(Digest),
    /// The beginning of a digest alone: [`Question::cut`].
    Beginning,
}

impl Question {
    /// Understands a pasted error line, an image reference, or a digest. `None`: none of these is in `text`.
    pub fn parse(text: &str) -> Option<Self> {
        let denied = ["403", "Forbidden", "AccessDenied", "denied", "not authorized"].iter().any(|word| text.contains(word));
        let (about, cut) = registry_reference(text).or_else(|| words(text).find_map(name_with_digest)).or_else(|| bare(text))?;
        let mut others: Vec<Digest> = Vec::new();
        for digest in Digest::all_in(text).filter(|digest| Some(*digest) != about.digest()) {
            if !others.contains(&digest) {
                others.push(digest);
            }
        }
        let failed = text.trim().contains(char::is_whitespace);
        let mut question = Self { about, denied, cut, latest: false, failed, at: None, others };
        question.assume_latest();
        Some(question)
    }

    fn assume_latest(&mut self) {
        if self.cut.is_some() || self.about.tag().is_some() || self.about.digest().is_some() {
            return;
        }
        if let About::Reference(ImageReference { tag, .. }) | About::Name { tag, .. } = &mut self.about {
            *tag = Some("latest".to_owned());
            self.latest = true;
        }
    }

    /// The same question, now that the whole digest is known.
    pub fn with_digest(&self, digest: Digest) -> Self {
        let mut whole = Self { cut: None, ..self.clone() };
        match &mut whole.about {
            About::Reference(reference) => reference.digest = Some(digest),
            About::Name { digest: place, .. } => *place = Some(digest),
            about @ (About::Digest(_) | About::Beginning) => *about = About::Digest(digest),
        }
        whole
    }

    /// As a person would write it.
    pub fn to_text(&self) -> String {
        let cut = self.cut.as_ref().map(|digits| format!("sha256:{digits}…"));
        match (&self.about, cut) {
            (About::Beginning, cut) => cut.unwrap_or_default(),
            (about, Some(cut)) => format!("{}@{cut}", about.to_text()),
            (about, None) => about.to_text(),
        }
    }
}

impl About {
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Reference(reference) => reference.tag.as_deref(),
            Self::Name { tag, .. } => tag.as_deref(),
            Self::Digest(_) | Self::Beginning => None,
        }
    }

    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Reference(reference) => reference.digest,
            Self::Name { digest, .. } => *digest,
            Self::Digest(digest) => Some(*digest),
            Self::Beginning => None,
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Reference(reference) => reference.to_text(),
            Self::Digest(digest) => digest.to_string(),
            Self::Beginning => String::new(),
            Self::Name { repository, tag, digest } => {
                let tag = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
                let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
                format!("{repository}{tag}{digest}")
            }
        }
    }
}

/// What is asked about, and the digits of a digest that is cut off.
type Found = (About, Option<String>);

/// The reference that says most: an error line may name the same image with and without its digest.
fn registry_reference(text: &str) -> Option<Found> {
    let all = ImageReference::find_all(text);
    if let Some(whole) = all.iter().find(|reference| reference.digest.is_some()) {
        return Some((About::Reference(whole.clone()), None));
    }
    let cut = |reference: &ImageReference| Some((About::Reference(reference.clone()), Some(cut_digest_of(reference, text)?)));
    all.iter().find_map(cut).or_else(|| Some((About::Reference(all.first()?.clone()), None)))
}

/// The digits that stand behind a reference whose digest is cut off.
fn cut_digest_of(reference: &ImageReference, text: &str) -> Option<String> {
    let tag = reference.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
    let (_, behind) = text.split_once(&format!("/{}{tag}@sha256:", reference.repository))?;
    beginning(behind)
}

/// The hex digits at the beginning of `text`, if they are fewer than a whole digest and enough to tell one.
fn beginning(text: &str) -> Option<String> {
    let digits = text.bytes().take_while(u8::is_ascii_hexdigit).count();
    (CUT_MIN..64).contains(&digits).then(|| text[..digits].to_ascii_lowercase())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '`' | '(' | ')' | '[' | ']' | '<' | '>' | ',' | ';'))
        .filter(|word| !word.is_empty())
}

/// `repo:tag@sha256:…`, `repo@sha256:…` or `sha256:…`, possibly with punctuation behind it, possibly cut off.
fn name_with_digest(word: &str) -> Option<Found> {
    let at = word.to_ascii_lowercase().find("sha256:")?;
    let digits = &word[at + "sha256:".len()..];
    let digest = digits.get(..64).and_then(|digits| Digest::parse(&format!("sha256:{digits}")));
    let cut = if digest.is_some() { None } else { Some(beginning(digits)?) };
    let about = match (word[..at].strip_suffix('@').filter(|name| !name.is_empty()), digest) {
        (Some(name), digest) => {
            let (repository, tag) = split_tag(name);
            About::Name { repository, tag, digest }
        }
        (None, Some(digest)) => About::Digest(digest),
        (None, None) => About::Beginning,
    };
    Some((about, cut))
}

/// A text that is nothing but `repo:tag` or `repo`, or the hex digits of a digest.
fn bare(text: &str) -> Option<Found> {
    let text = text.trim();
    if let Some(digest) = Digest::parse(&format!("sha256:{text}")) {
        return Some((About::Digest(digest), None));
    }
    let digits = text.trim_end_matches(['…', '.']);
    if digits.len() >= CUT_BARE_MIN && beginning(digits).is_some_and(|found| found.len() == digits.len()) {
        return Some((About::Beginning, beginning(digits)));
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-' | '/' | ':');
    if text.is_empty() || text.contains("sha256:") || !text.chars().all(plain) || !text.starts_with(|letter: char| letter.is_ascii_alphanumeric()) {
        return None;
    }
    let (repository, tag) = split_tag(text);
    // An ARN, a URL and the like have a colon, and no tag behind it; a name ends in a letter or digit.
    let name = !repository.ends_with(|letter: char| !letter.is_ascii_alphanumeric()) && (tag.is_some() || !repository.contains(':'));
    name.then_some((About::Name { repository, tag, digest: None }, None))
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
        assert_eq!(question.as_ref().map(Question::to_text), Some(image));
        assert_eq!(question.map(|question| question.denied), Some(false));
    }

    #[test]
    fn names_and_digests() {
        let about = |text: &str| Question::parse(text).map(|question| question.about);
        let digest = Digest::parse(&format!("sha256:{HEX}"));
        assert_eq!(about(HEX), digest.map(About::Digest));
        assert_eq!(about(&format!("sha256:{HEX}")), digest.map(About::Digest));
        assert_eq!(about("shop/api:v1"), Some(About::Name { repository: "shop/api".into(), tag: Some("v1".into()), digest: None }));
        assert_eq!(
            about(&format!("shop/api:v1@sha256:{HEX}: not found")),
            Some(About::Name { repository: "shop/api".into(), tag: Some("v1".into()), digest })
        );
        assert_eq!(about("no image here"), None);
        assert_eq!(about("sha256:12345"), None);
        assert_eq!(about(""), None);
        assert_eq!(about(&format!("SHA256:{HEX}")), digest.map(About::Digest));
    }

    #[test]
    fn a_reference_without_a_tag_means_latest() {
        let host = "111122223333.dkr.ecr.us-east-1.amazonaws.com";
        for text in [format!("{host}/shop/api"), "shop/api".to_owned(), "api".to_owned()] {
            let question = Question::parse(&text).unwrap();
            assert_eq!((question.about.tag(), question.latest), (Some("latest"), true), "{text}");
        }
        assert!(!Question::parse("shop/api:v1").unwrap().latest);
        for none in ["./logs", "logs/", "arn:aws:ecr:eu-central-1:111122223333:repository/shop/api", "-"] {
            assert_eq!(Question::parse(none), None, "{none}");
        }
    }

    /// Fargate cuts long messages, and people write the first twelve digits, as this program does itself.
    #[test]
    fn a_digest_may_be_cut_off() {
        let (host, short) = ("111122223333.dkr.ecr.us-east-1.amazonaws.com", &HEX[..12]);
        let cases = [
            (format!("failed to resolve ref {host}/shop/api:v1@sha256:{short}"), Some("v1")),
            (format!("failed to resolve ref {host}/shop/api:v1@sha256:{short}..."), Some("v1")),
            (format!("{host}/shop/api@sha256:{short}…"), None),
            (format!("shop/api:v1@sha256:{short}"), Some("v1")),
            (format!("sha256:{short}"), None),
            (format!("sha256:{}…", short.to_uppercase()), None),
            (short.to_owned(), None),
        ];
        for (text, tag) in cases {
            let question = Question::parse(&text).unwrap();
            assert_eq!((question.cut.as_deref(), question.about.tag(), question.latest), (Some(short), tag, false), "{text}");
        }
        let whole = format!("{host}/shop/api:v1@sha256:{HEX}");
        let twice = Question::parse(&format!("failed to resolve ref {whole}: {}", &whole[..whole.len() - 9])).unwrap();
        assert_eq!((twice.cut.as_deref(), twice.to_text()), (None, whole));
    }
}
