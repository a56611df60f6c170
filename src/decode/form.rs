//! How a value begins, as far as it tells whether a tool has changed the value's form.

/// The form of a value in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Null,
    /// `true`, `false`, or another word that begins like them.
    Truth,
    Object,
    List,
    /// A list whose first element is a text that may be an object.
    ListOfObjectTexts,
    /// A number, or nothing that is JSON.
    Other,
    Text,
    /// A text that may be an object or a list.
    JsonText,
    /// A text that begins with an escape or a space.
    BlankText,
    /// A text that may be a word for null: `"None"`, `"-"`, `"undefined"`, `"<null>"`.
    NullText,
    /// A text with a capital first letter.
    CapitalText,
    /// A text that may be `"true"` or `"false"`.
    TruthText,
}

impl Form {
    /// The form of the value that `text` begins with.
    #[inline(always)]
    pub(super) fn of(text: &[u8]) -> Self {
        match text {
            [b'"', text @ ..] => match text {
                [b'{' | b'[', ..] => Self::JsonText,
                [b'\\' | b' ', ..] => Self::BlankText,
                [b'n' | b'N' | b'-' | b'<' | b'(', ..] | [b'u' | b'U', b'n' | b'N', ..] => Self::NullText,
                [b'A'..=b'Z', ..] => Self::CapitalText,
                [b't' | b'f', ..] => Self::TruthText,
                _ => Self::Text,
            },
            [b'{', ..] => Self::Object,
            [b'[', b'"', b'{', ..] => Self::ListOfObjectTexts,
            [b'[', ..] => Self::List,
            [b'n', b'u', b'l', b'l', ..] => Self::Null,
            [b't' | b'f' | b'n', ..] => Self::Truth,
            _ => Self::Other,
        }
    }

    pub(super) const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::JsonText
                | Self::BlankText
                | Self::NullText
                | Self::CapitalText
                | Self::TruthText
        )
    }

    pub(super) const fn is_list(self) -> bool {
        matches!(self, Self::List | Self::ListOfObjectTexts)
    }
}
