//! Paths of SQL/JSON, as `json_value`, `json_query` and `json_exists` take them:
//! `lax $.imageIds[*]?(@.imageTag == "prod").imageDigest`.
//!
//! Such a path leads to any number of values. With `lax`, a member of an array is that member of each of its
//! elements, and an element of something else is that itself; with `strict`, both lead to an error.

use serde_json::value::RawValue;

use crate::tables::builder::members_of;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct SqlPath {
    pub is_strict: bool,
    /// Names are compared ignoring their case.
    pub any_case: bool,
    pub steps: Vec<Step>,
    pub method: Option<Method>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Member(String),
    AnyMember,
    /// From one element to another, both included.
    Elements(Vec<(Index, Index)>),
    AnyElement,
    Filter(Condition),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Index {
    At(usize),
    /// So many before the last one.
    FromLast(usize),
}

/// What a path may end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Size,
    Type,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
    StartsWith(Operand, String),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// From the value that is filtered (`@`), or from the whole (`$`).
    Path { of_whole: bool, steps: Vec<Step>, method: Option<Method> },
    /// A scalar as JSON.
    Literal(String),
}

impl SqlPath {
    /// The values that the path leads to, as JSON; `None` for an error.
    pub fn values(&self, text: &str) -> Option<Vec<String>> {
        let whole = serde_json::from_str::<&RawValue>(text).ok()?.get();
        self.follow(whole, whole, &self.steps, self.method)
    }

    fn follow(&self, whole: &str, from: &str, steps: &[Step], method: Option<Method>) -> Option<Vec<String>> {
        let mut values = vec![from];
        for step in steps {
            values = self.step(whole, values, step)?;
        }
        let end = |value: &str| match method {
            None => Some(value.to_owned()),
            Some(Method::Type) => Some(format!("\"{}\"", type_of(value))),
            Some(Method::Size) => match elements(value) {
                Some(elements) => Some(elements.len().to_string()),
                None => (!self.is_strict).then(|| "1".to_owned()),
            },
        };
        values.into_iter().map(end).collect()
    }

    fn step<'t>(&self, whole: &str, values: Vec<&'t str>, step: &Step) -> Option<Vec<&'t str>> {
        let mut found = Vec::new();
        for value in values {
            match step {
                Step::Member(_) | Step::AnyMember => self.members(value, step, &mut found)?,
                Step::AnyElement => found.extend(self.elements(value)?),
                Step::Elements(ranges) => self.chosen(&self.elements(value)?, ranges, &mut found)?,
                Step::Filter(condition) => {
                    let rows = self.unwrapped(value);
                    found.extend(rows.into_iter().filter(|row| self.holds(whole, row, condition)));
                }
            }
        }
        Some(found)
    }

    fn members<'t>(&self, value: &'t str, step: &Step, found: &mut Vec<&'t str>) -> Option<()> {
        for object in self.unwrapped(value) {
            let members = serde_json::from_str::<&RawValue>(object).ok().and_then(members_of);
            match (members, step) {
                (Some(members), Step::Member(name)) => {
                    let is_named =
                        |own: &str| own == name || (self.any_case && own.eq_ignore_ascii_case(name));
                    // Of several members with one name the last one counts.
                    match members.into_iter().rfind(|(own, _)| is_named(own)) {
                        Some((_, value)) => found.push(value.get()),
                        None if self.is_strict => return None,
                        None => {}
                    }
                }
                (Some(members), _) => found.extend(members.into_iter().map(|(_, value)| value.get())),
                (None, _) if self.is_strict => return None,
                (None, _) => {}
            }
        }
        Some(())
    }

    fn chosen<'t>(
        &self,
        elements: &[&'t str],
        ranges: &[(Index, Index)],
        found: &mut Vec<&'t str>,
    ) -> Option<()> {
        let place = |index: Index| match index {
            Index::At(at) => Some(at),
            Index::FromLast(before) => elements.len().checked_sub(before + 1),
        };
        for (first, last) in ranges {
            let (first, last) = (place(*first), place(*last));
            let range = first.zip(last).filter(|(first, last)| first <= last);
            let some = range
                .and_then(|(first, last)| elements.get(first..=last.min(elements.len().saturating_sub(1))));
            match some {
                Some(some) if !self.is_strict || last < Some(elements.len()) => found.extend(some),
                _ if self.is_strict => return None,
                _ => {}
            }
        }
        Some(())
    }

    /// The elements of an array; anything else is one element with `lax`.
    fn elements<'t>(&self, value: &'t str) -> Option<Vec<&'t str>> {
        elements(value).or_else(|| (!self.is_strict).then(|| vec![value]))
    }

    /// With `lax`, the elements in place of their array.
    fn unwrapped<'t>(&self, value: &'t str) -> Vec<&'t str> {
        let elements = if self.is_strict { None } else { elements(value) };
        elements.unwrap_or_else(|| vec![value])
    }

    /// A comparison with a missing value, or one of another type, does not hold.
    fn holds(&self, whole: &str, row: &str, condition: &Condition) -> bool {
        self.truth(whole, row, condition) == Some(true)
    }

    fn truth(&self, whole: &str, row: &str, condition: &Condition) -> Option<bool> {
        match condition {
            Condition::Exists(operand) => Some(!self.operand(whole, row, operand)?.is_empty()),
            Condition::Not(condition) => self.truth(whole, row, condition).map(|truth| !truth),
            Condition::And(a, b) => match (self.truth(whole, row, a), self.truth(whole, row, b)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (a, b) => a.zip(b).map(|_| true),
            },
            Condition::Or(a, b) => match (self.truth(whole, row, a), self.truth(whole, row, b)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (a, b) => a.zip(b).map(|_| false),
            },
            Condition::StartsWith(operand, beginning) => {
                let texts = self.scalars(whole, row, operand)?;
                let truths = texts.iter().map(|text| Some(text.as_str()?.starts_with(beginning)));
                any(truths)
            }
            Condition::Compare(a, comparison, b) => {
                let (a, b) = (self.scalars(whole, row, a)?, self.scalars(whole, row, b)?);
                any(a.iter().flat_map(|a| b.iter().map(move |b| compare(a, *comparison, b))))
            }
        }
    }

    fn operand(&self, whole: &str, row: &str, operand: &Operand) -> Option<Vec<String>> {
        match operand {
            Operand::Literal(json) => Some(vec![json.clone()]),
            Operand::Path { of_whole, steps, method } => {
                self.follow(whole, if *of_whole { whole } else { row }, steps, *method)
            }
        }
    }

    fn scalars(&self, whole: &str, row: &str, operand: &Operand) -> Option<Vec<serde_json::Value>> {
        let values = self.operand(whole, row, operand)?;
        let flat = values.iter().flat_map(|value| self.unwrapped(value));
        flat.map(|value| serde_json::from_str(value).ok()).collect()
    }
}

/// True if one of them is; otherwise not known if one of them is not.
fn any(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(false);
    for truth in truths {
        match truth {
            Some(true) => return Some(true),
            Some(false) => {}
            None => all = None,
        }
    }
    all
}

fn compare(a: &serde_json::Value, comparison: Comparison, b: &serde_json::Value) -> Option<bool> {
    use serde_json::Value;
    let order = match (a, b) {
        (Value::Null, Value::Null) => std::cmp::Ordering::Equal,
        (Value::Null, _) | (_, Value::Null) => return Some(comparison == Comparison::NotEqual),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?)?,
        },
        _ => return None,
    };
    Some(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}

fn elements(value: &str) -> Option<Vec<&str>> {
    let elements = serde_json::from_str::<Vec<&RawValue>>(value).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

fn type_of(value: &str) -> &'static str {
    match value.chars().next() {
        Some('{') => "object",
        Some('[') => "array",
        Some('"') => "string",
        Some('t' | 'f') => "boolean",
        Some('n') => "null",
        _ => "number",
    }
}
