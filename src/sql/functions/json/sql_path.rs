//! Paths of SQL/JSON, as `json_value`, `json_query` and `json_exists` take them:
//! `lax $.imageIds[*]?(@.imageTag == "prod").imageDigest`.
//!
//! Such a path leads to any number of values. With `lax`, a member of an array is that member of each of its
//! elements, and an element of something else is that itself; with `strict`, both lead to an error.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::sql::functions::pattern::Pattern;
use crate::tables::builder::members_of;

#[derive(Debug, Clone)]
pub(super) struct SqlPath {
    pub is_strict: bool,
    /// Names are compared ignoring their case.
    pub any_case: bool,
    pub root: Operand,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Member(String),
    AnyMember,
    /// From one element to another, both included.
    Elements(Vec<(Index, Index)>),
    AnyElement,
    Filter(Condition),
    Method(Method),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Index {
    At(usize),
    /// So many before the last one.
    FromLast(usize),
}

/// `size()`, `type()` …
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Size,
    Type,
    Abs,
    Ceiling,
    Floor,
    Double,
    KeyValue,
}

#[derive(Debug, Clone)]
pub(super) enum Condition {
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
    StartsWith(Operand, Operand),
    LikeRegex(Operand, Pattern),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    IsUnknown(Box<Self>),
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

#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// From the value that is filtered (`@`), or from the whole (`$`).
    Path {
        of_whole: bool,
        steps: Vec<Step>,
    },
    /// From a value of `PASSING`.
    Variable {
        name: String,
        steps: Vec<Step>,
    },
    /// A scalar as JSON.
    Literal(String),
    Negative(Box<Self>),
    /// `+`, `-`, `*`, `/` or `%` of two numbers.
    Arithmetic(Box<Self>, char, Box<Self>),
}

/// Values as JSON: parts of the text, or made by a method.
type Found<'t> = Vec<Cow<'t, str>>;

/// What a path is followed in.
#[derive(Clone, Copy)]
struct In<'t> {
    whole: &'t str,
    /// The values of `PASSING` as JSON, by name.
    variables: &'t [(String, String)],
}

impl SqlPath {
    /// The values that the path leads to, as JSON; `None` for an error.
    pub fn values(&self, text: &str, variables: &[(String, String)]) -> Option<Vec<String>> {
        let whole = serde_json::from_str::<&RawValue>(text).ok()?.get();
        let found = self.operand(In { whole, variables }, whole, &self.root)?;
        Some(found.into_iter().map(Cow::into_owned).collect())
    }

    fn follow<'t>(&self, within: In<'t>, from: Cow<'t, str>, steps: &[Step]) -> Option<Found<'t>> {
        let mut values = vec![from];
        for step in steps {
            values = self.step(within, values, step)?;
        }
        Some(values)
    }

    fn step<'t>(&self, within: In<'t>, values: Found<'t>, step: &Step) -> Option<Found<'t>> {
        let mut found = Vec::new();
        for value in values {
            found.extend(match step {
                Step::Member(_) | Step::AnyMember => parts(&value, |value| self.members(value, step))?,
                Step::AnyElement => parts(&value, |value| self.elements(value))?,
                Step::Elements(ranges) => parts(&value, |value| self.chosen(&self.elements(value)?, ranges))?,
                Step::Filter(condition) => parts(&value, |value| {
                    let mut rows = self.unwrapped(value);
                    rows.retain(|row| self.holds(within, row, condition));
                    Some(rows)
                })?,
                Step::Method(method) => self.called(&value, *method)?,
            });
        }
        Some(found)
    }

    /// What a method makes of a value.
    fn called(&self, value: &str, method: Method) -> Option<Found<'static>> {
        let owned = |values: Vec<String>| Some(values.into_iter().map(Cow::Owned).collect());
        match method {
            Method::Type => owned(vec![format!("\"{}\"", type_of(value))]),
            Method::Size => match elements(value) {
                Some(elements) => owned(vec![elements.len().to_string()]),
                None => (!self.is_strict).then(|| vec![Cow::Borrowed("1")]),
            },
            Method::KeyValue => {
                let pairs = |object: &str| {
                    let members = serde_json::from_str::<&RawValue>(object).ok().and_then(members_of)?;
                    let pair = |(name, value): (Cow<'_, str>, &RawValue)| {
                        let name = serde_json::Value::from(name.as_ref());
                        format!("{{\"name\":{name},\"value\":{},\"id\":0}}", value.get())
                    };
                    Some(members.into_iter().map(pair).collect::<Vec<_>>())
                };
                let all = self.unwrapped(value).into_iter().map(pairs).collect::<Option<Vec<_>>>()?;
                owned(all.concat())
            }
            _ => {
                let each = self.unwrapped(value).into_iter().map(|value| number_of(value, method));
                owned(each.collect::<Option<Vec<_>>>()?)
            }
        }
    }

    fn members<'v>(&self, value: &'v str, step: &Step) -> Option<Vec<&'v str>> {
        let mut found = Vec::new();
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
        Some(found)
    }

    fn chosen<'v>(&self, elements: &[&'v str], ranges: &[(Index, Index)]) -> Option<Vec<&'v str>> {
        let mut found = Vec::new();
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
        Some(found)
    }

    /// The elements of an array; anything else is one element with `lax`.
    fn elements<'v>(&self, value: &'v str) -> Option<Vec<&'v str>> {
        elements(value).or_else(|| (!self.is_strict).then(|| vec![value]))
    }

    /// With `lax`, the elements in place of their array.
    fn unwrapped<'v>(&self, value: &'v str) -> Vec<&'v str> {
        let elements = if self.is_strict { None } else { elements(value) };
        elements.unwrap_or_else(|| vec![value])
    }

    /// A comparison with a missing value, or one of another type, does not hold.
    fn holds(&self, within: In<'_>, row: &str, condition: &Condition) -> bool {
        self.truth(within, row, condition) == Some(true)
    }

    fn truth(&self, within: In<'_>, row: &str, condition: &Condition) -> Option<bool> {
        match condition {
            Condition::Exists(operand) => Some(!self.owned(within, row, operand)?.is_empty()),
            Condition::Not(condition) => self.truth(within, row, condition).map(|truth| !truth),
            Condition::IsUnknown(condition) => Some(self.truth(within, row, condition).is_none()),
            Condition::And(a, b) => match (self.truth(within, row, a), self.truth(within, row, b)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (a, b) => a.zip(b).map(|_| true),
            },
            Condition::Or(a, b) => match (self.truth(within, row, a), self.truth(within, row, b)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (a, b) => a.zip(b).map(|_| false),
            },
            Condition::StartsWith(operand, beginning) => {
                let (texts, begins) =
                    (self.scalars(within, row, operand)?, self.scalars(within, row, beginning)?);
                let [beginning] = begins.as_slice() else { return None };
                any(texts.iter().map(|text| Some(text.as_str()?.starts_with(beginning.as_str()?))))
            }
            Condition::LikeRegex(operand, pattern) => {
                let texts = self.scalars(within, row, operand)?;
                any(texts.iter().map(|text| pattern.is_match(text.as_str()?).ok()))
            }
            Condition::Compare(a, comparison, b) => {
                let (a, b) = (self.scalars(within, row, a)?, self.scalars(within, row, b)?);
                any(a.iter().flat_map(|a| b.iter().map(move |b| compare(a, *comparison, b))))
            }
        }
    }

    fn operand<'t>(&self, within: In<'t>, row: &'t str, operand: &Operand) -> Option<Found<'t>> {
        match operand {
            Operand::Literal(json) => Some(vec![Cow::Owned(json.clone())]),
            Operand::Path { of_whole, steps } => {
                let from = if *of_whole { within.whole } else { row };
                self.follow(within, Cow::Borrowed(from), steps)
            }
            Operand::Variable { name, steps } => {
                let is_it = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
                let (_, json) = within.variables.iter().find(is_it)?;
                self.follow(within, Cow::Borrowed(json), steps)
            }
            Operand::Negative(inner) => {
                let zero = serde_json::Value::from(0);
                let number = self.number(within, row, inner)?;
                Some(vec![Cow::Owned(computed(&zero, '-', &number)?)])
            }
            Operand::Arithmetic(a, sign, b) => {
                let (a, b) = (self.number(within, row, a)?, self.number(within, row, b)?);
                Some(vec![Cow::Owned(computed(&a, *sign, &b)?)])
            }
        }
    }

    fn owned(&self, within: In<'_>, row: &str, operand: &Operand) -> Option<Vec<String>> {
        Some(self.operand(within, row, operand)?.into_iter().map(Cow::into_owned).collect())
    }

    /// The one number that an operand of an operator must be.
    fn number(&self, within: In<'_>, row: &str, operand: &Operand) -> Option<serde_json::Value> {
        match self.scalars(within, row, operand)?.as_slice() {
            [number @ serde_json::Value::Number(_)] => Some(number.clone()),
            _ => None,
        }
    }

    fn scalars(&self, within: In<'_>, row: &str, operand: &Operand) -> Option<Vec<serde_json::Value>> {
        let values = self.owned(within, row, operand)?;
        let flat = values.iter().flat_map(|value| self.unwrapped(value));
        flat.map(|value| serde_json::from_str(value).ok()).collect()
    }
}

/// What is found in a value: parts of the same text, or copies if the value was made by a method.
fn parts<'t>(
    value: &Cow<'t, str>,
    find: impl for<'v> FnOnce(&'v str) -> Option<Vec<&'v str>>,
) -> Option<Found<'t>> {
    match value {
        Cow::Borrowed(text) => find(text).map(|found| found.into_iter().map(Cow::Borrowed).collect()),
        Cow::Owned(text) => {
            find(text).map(|found| found.into_iter().map(|part| Cow::Owned(part.to_owned())).collect())
        }
    }
}

/// `abs()`, `ceiling()`, `floor()`, `double()` of a number; the last one also of a text.
fn number_of(json: &str, method: Method) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    let number = match (&value, method) {
        (serde_json::Value::String(text), Method::Double) => text.trim().parse().ok()?,
        (serde_json::Value::Number(number), _) => number.as_f64()?,
        _ => return None,
    };
    match (value.as_i64(), method) {
        (Some(whole), Method::Abs) => whole.checked_abs().map(|whole| whole.to_string()),
        (Some(whole), Method::Ceiling | Method::Floor) => Some(whole.to_string()),
        (_, Method::Abs) => written(number.abs()),
        (_, Method::Ceiling) => Some(format!("{:.0}", number.ceil() + 0.0)),
        (_, Method::Floor) => Some(format!("{:.0}", number.floor() + 0.0)),
        _ => written(number),
    }
}

fn written(number: f64) -> Option<String> {
    serde_json::Number::from_f64(number).map(|number| number.to_string())
}

/// `a + b` and the like, in whole numbers if both are.
fn computed(a: &serde_json::Value, sign: char, b: &serde_json::Value) -> Option<String> {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        let whole = match sign {
            '+' => a.checked_add(b),
            '-' => a.checked_sub(b),
            '*' => a.checked_mul(b),
            '/' => a.checked_div(b),
            _ => a.checked_rem(b),
        };
        return whole.map(|whole| whole.to_string());
    }
    let (a, b) = (a.as_f64()?, b.as_f64()?);
    written(match sign {
        '+' => a + b,
        '-' => a - b,
        '*' => a * b,
        '/' => a / b,
        _ => a % b,
    })
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
