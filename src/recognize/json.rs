//! A read-only view of parsed JSON on simd-json's tape.
//!
//! Lookups never fail: what is absent, `null` or of another type gives the empty value. So a path through a
//! record is a chain of calls, and malformed records need no special case.

use simd_json::{Node, StaticNode};

/// One value, or nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<'r>(&'r [Node<'r>]);

impl<'r> Json<'r> {
    pub const NOTHING: Json<'static> = Json(&[]);

    /// The value that starts at the first of `nodes`.
    pub fn new(nodes: &'r [Node<'r>]) -> Self {
        Self(nodes)
    }

    pub fn is_object(self) -> bool {
        matches!(self.0.first(), Some(Node::Object { .. }))
    }

    pub fn is_array(self) -> bool {
        matches!(self.0.first(), Some(Node::Array { .. }))
    }

    /// Whether it is neither absent nor `null`.
    pub fn is_something(self) -> bool {
        !matches!(self.0.first(), None | Some(Node::Static(StaticNode::Null)))
    }

    /// The value of `key`. If the key appears twice the last one counts, as with other parsers.
    pub fn get(self, key: &str) -> Self {
        self.entries().filter(|(name, _)| *name == key).last().map_or(Json::NOTHING, |(_, value)| value)
    }

    /// The value of `key`, ignoring case: services differ in it, and so do copies made by tools.
    pub fn any(self, key: &str) -> Self {
        self.entries()
            .filter(|(name, _)| name.eq_ignore_ascii_case(key))
            .last()
            .map_or(Json::NOTHING, |(_, value)| value)
    }

    /// The string at `key`; `None` if it is empty.
    pub fn text(self, key: &str) -> Option<&'r str> {
        self.get(key).as_text()
    }

    /// The value as a string; `None` if it is empty.
    pub fn as_text(self) -> Option<&'r str> {
        match self.0.first() {
            Some(Node::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A size: a whole number that is written as one, of at most 18 digits.
    pub fn as_size(self) -> Option<u64> {
        let size = match self.0.first()? {
            Node::Static(StaticNode::I64(number)) => u64::try_from(*number).ok()?,
            Node::Static(StaticNode::U64(number)) => *number,
            _ => return None,
        };
        (1..1_000_000_000_000_000_000).contains(&size).then_some(size)
    }

    /// A whole number: also of a float, cut off, and of a string with a number in it.
    pub fn as_integer(self) -> Option<i64> {
        match self.0.first()? {
            Node::Static(StaticNode::I64(number)) => Some(*number),
            Node::Static(StaticNode::U64(number)) => i64::try_from(*number).ok(),
            // The cast saturates, which is fine: no field has such numbers.
            Node::Static(StaticNode::F64(number)) if number.is_finite() => Some(*number as i64),
            Node::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// `true`, `false`, or a string that says so.
    pub fn as_bool(self) -> Option<bool> {
        match self.0.first()? {
            Node::Static(StaticNode::Bool(truth)) => Some(*truth),
            Node::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Node::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// The keys and values of an object; empty for anything else.
    pub fn entries(self) -> Entries<'r> {
        Entries(if self.is_object() { self.inner() } else { &[] })
    }

    /// The elements of an array; empty for anything else.
    pub fn items(self) -> Items<'r> {
        Items(if self.is_array() { self.inner() } else { &[] })
    }

    fn inner(self) -> &'r [Node<'r>] {
        self.0.get(1..size(self.0)).unwrap_or_default()
    }
}

/// How many tape nodes the first value takes.
fn size(nodes: &[Node<'_>]) -> usize {
    match nodes.first() {
        Some(Node::Object { count, .. } | Node::Array { count, .. }) => count.saturating_add(1),
        _ => 1,
    }
}

/// Splits off the first value.
fn split_first<'r>(nodes: &'r [Node<'r>]) -> Option<(Json<'r>, &'r [Node<'r>])> {
    let (value, rest) = nodes.split_at_checked(size(nodes))?;
    Some((Json(value), rest))
}

pub(super) struct Entries<'r>(&'r [Node<'r>]);

impl<'r> Iterator for Entries<'r> {
    type Item = (&'r str, Json<'r>);

    fn next(&mut self) -> Option<Self::Item> {
        let (Node::String(key), rest) = self.0.split_first()? else { return None };
        let (value, rest) = split_first(rest)?;
        self.0 = rest;
        Some((key, value))
    }
}

pub(super) struct Items<'r>(&'r [Node<'r>]);

impl<'r> Iterator for Items<'r> {
    type Item = Json<'r>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let (value, rest) = split_first(self.0)?;
        self.0 = rest;
        Some(value)
    }
}
