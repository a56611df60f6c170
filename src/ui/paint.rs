//! The style of a page: colours, and characters beyond ASCII.

/// What the terminal can show and the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    pub color: bool,
    pub ascii: bool,
}

/// The role of a piece of text, shown by a colour if there are any. Nothing is shown by colour alone.
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
    /// The ANSI SGR parameters, using the sixteen colours that the user's theme defines.
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
