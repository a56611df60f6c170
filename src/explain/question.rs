//! The user's question: a pasted error message, an image reference, or a digest, complete or cut off.

use super::pasted::{self, Reading};
use crate::model::{Digest, ImageReference, Timestamp};

pub use super::pasted::host::Registry;

/// Minimum number of hex digits for the beginning of a digest, with and without `sha256:` before them.
pub(super) const CUT_MIN: usize = 6;
pub(super) const CUT_BARE_MIN: usize = 12;

/// The image in question, and what else the pasted text tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub about: About,
    /// The registry that the text names, as far as it could be read. A complete one is also in
    /// [`About::Reference`].
    pub registry: Registry,
    /// The text is about 403, Forbidden or denied access, not about "not found".
    pub denied: bool,
    /// The text says that the image has nothing for the platform.
    pub platform: bool,
    /// The first hex digits of a digest that is cut off: Fargate shortens long messages, and people write
    /// the first twelve digits.
    pub cut: Option<String>,
    /// Neither tag nor digest was given, which clients take for `latest`.
    pub latest: bool,
    /// The text is more than a name: it is about something that failed.
    pub failed: bool,
    /// `--at`: the moment that the question is about.
    pub at: Option<Timestamp>,
    /// It is about a repository, and not about an image in it.
    pub repository_only: bool,
    /// A layer that the text names, if it names no image.
    pub layer: Option<Digest>,
    /// Other digests in the text.
    pub others: Vec<Digest>,
    /// Other readings of the same words, the likelier first: a line may have been wrapped in the middle of
    /// a tag. The logs decide. They have no alternatives themselves.
    pub alternatives: Vec<Self>,
    /// This reading counts only if the logs know it.
    pub(super) only_if_known: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A reference into a registry.
    Reference(ImageReference),
    /// `repo:tag`, `repo@sha256:…` or `repo:tag@sha256:…` without a registry, or with one whose account or
    /// region is not known.
    Name { repository: String, tag: Option<String>, digest: Option<Digest> },
    /// A digest alone.
    Digest(Digest),
    /// Only the beginning of a digest: [`Question::cut`].
    Beginning,
}

impl Question {
    /// Parses a pasted error message, an image reference, or a digest. `None` if `text` contains none of
    /// these.
    pub fn parse(text: &str) -> Option<Self> {
        let denied = ["403", "Forbidden", "AccessDenied", "denied", "not authorized"]
            .iter()
            .any(|word| text.contains(word));
        let platform = [
            "no match for platform",
            "descriptor matching platform",
            "no matching manifest for",
            "no image found in manifest list for",
        ];
        let platform = platform.iter().any(|words| text.contains(words));
        let pasted = pasted::read(text)?;
        let failed = text.trim().contains(char::is_whitespace);
        let mut questions = pasted.readings.into_iter().map(|reading| Self {
            failed,
            platform,
            ..Self::of(reading, denied, &pasted.others)
        });
        let mut first = questions.next()?;
        first.alternatives = questions.collect();
        Some(first)
    }

    fn of(reading: Reading, denied: bool, others: &[Digest]) -> Self {
        let Reading { registry, about, cut, repository_only, only_if_known, layer } = reading;
        // Too few digits do not identify an image.
        let cut = cut.filter(|digits| (CUT_MIN..64).contains(&digits.len()));
        let mut question = Self {
            about,
            registry,
            denied,
            platform: false,
            cut,
            latest: false,
            failed: false,
            at: None,
            repository_only,
            layer,
            others: others.to_vec(),
            alternatives: Vec::new(),
            only_if_known,
        };
        question.assume_latest();
        question
    }

    fn assume_latest(&mut self) {
        if self.repository_only
            || self.cut.is_some()
            || self.about.tag().is_some()
            || self.about.digest().is_some()
        {
            return;
        }
        if let About::Reference(ImageReference { tag, .. }) | About::Name { tag, .. } = &mut self.about {
            *tag = Some("latest".to_owned());
            self.latest = true;
        }
    }

    /// The same question with the complete digest.
    pub fn with_digest(&self, digest: Digest) -> Self {
        let mut whole = Self { cut: None, repository_only: false, ..self.clone() };
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
        let host = match &self.registry {
            Registry::Public => "public.ecr.aws/",
            Registry::Other(host) if !matches!(self.about, About::Digest(_) | About::Beginning) => {
                &format!("{host}/")
            }
            _ => "",
        };
        match (&self.about, cut) {
            (About::Beginning, cut) => cut.unwrap_or_default(),
            (about, Some(cut)) => format!("{host}{}@{cut}", about.to_text()),
            (about, None) => format!("{host}{}", about.to_text()),
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

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "65bc5c8130c5b852f6d1b2ad10376f2c70e6dba44971416de765da80fd003009";

    #[test]
    fn the_line_from_the_console() {
        let image = format!("123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/repo:tag@sha256:{HEX}");
        let line = format!(
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref \
             {image}: not found"
        );
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
        assert_eq!(
            about("shop/api:v1"),
            Some(About::Name { repository: "shop/api".into(), tag: Some("v1".into()), digest: None })
        );
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
        for none in ["./logs", "logs/", "-"] {
            assert_eq!(Question::parse(none), None, "{none}");
        }
        let arn = Question::parse("arn:aws:ecr:eu-central-1:111122223333:repository/shop/api").unwrap();
        assert!(arn.repository_only && !arn.latest && arn.about.tag().is_none());
    }

    /// Fargate cuts long messages, and people write the first twelve digits, as this program does.
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
            assert_eq!(
                (question.cut.as_deref(), question.about.tag(), question.latest),
                (Some(short), tag, false),
                "{text}"
            );
        }
        let whole = format!("{host}/shop/api:v1@sha256:{HEX}");
        let twice = Question::parse(&format!("failed to resolve ref {whole}: {}", &whole[..whole.len() - 9]))
            .unwrap();
        assert_eq!((twice.cut.as_deref(), twice.to_text()), (None, whole));
    }
}
