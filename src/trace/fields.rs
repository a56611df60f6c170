//! Finds texts in a record without parsing it.

use memchr::memmem::Finder;

/// Finds the string values of one name, anywhere in a record.
pub(super) struct Field {
    finder: Finder<'static>,
    name: &'static str,
}

impl Field {
    /// `name` in its quotes: `"accessKeyId"`.
    pub(super) fn new(name: &'static str) -> Self {
        Self { finder: Finder::new(name), name }
    }

    /// Each string value of the name, as written.
    pub(super) fn values<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> {
        self.finder.find_iter(text.as_bytes()).filter_map(|at| {
            let rest = text
                .get(at + self.name.len()..)?
                .trim_start()
                .strip_prefix(':')?
                .trim_start()
                .strip_prefix('"')?;
            rest.split_once('"').map(|(value, _)| value)
        })
    }
}

/// Finds out whether any letter may be written as an escape: then the text has to be parsed.
pub(super) struct Escapes(Finder<'static>);

impl Escapes {
    pub(super) fn new() -> Self {
        Self(Finder::new(r"\u00"))
    }

    pub(super) fn are_in(&self, text: &str) -> bool {
        self.0.find(text.as_bytes()).is_some()
    }
}

/// Finds calls that may begin a session.
pub(super) struct Beginnings {
    /// Signs of returned credentials, of sign-ins to the console, and of builds.
    marks: [Finder<'static>; 3],
    escapes: Escapes,
}

impl Beginnings {
    pub(super) fn new() -> Self {
        Self {
            marks: [r#""credential"#, "signin.amazonaws.com", r#"Build""#].map(Finder::new),
            escapes: Escapes::new(),
        }
    }

    pub(super) fn may_be_in(&self, text: &str) -> bool {
        self.marks.iter().any(|mark| mark.find(text.as_bytes()).is_some()) || self.escapes.are_in(text)
    }
}
