//! How a page may look where it goes: colours, and characters beyond ASCII.

/// What a terminal can show, and what the user wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    pub color: bool,
    pub ascii: bool,
}

/// What a piece of text is, told in a colour where there are any. Nothing is told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Dim,
    Bold,
    Good,
    Warn,
    Bad,
    Tag,
}

impl Paint {
    /// The parameters of ANSI's SGR; those sixteen colours that the user's own theme sets.
    pub const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Dim => Some("2"),
            Self::Bold => Some("1"),
            Self::Good => Some("32"),
            Self::Warn => Some("33"),
            Self::Bad => Some("31"),
            Self::Tag => Some("36"),
        }
    }
}
