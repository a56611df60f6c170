//! JSON values → a column of a given type, value by value.

use std::borrow::Cow;
use std::fmt;

use polars::prelude::{
    AnyValue, DataType, IntoSeries, ListChunked, NamedFrom, Series, StringChunkedBuilder, StructChunked,
};
use polars_arrow::array::ListArray;
use polars_arrow::offset::OffsetsBuffer;
use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::events::Key;
use super::kind::{Kind, entry};

/// Maximum number of elements of a list, and of members of an object; with more the value is NULL, and not a part of
/// it. Records of CloudTrail, of 256 KiB at most, have no room for so many; hostile ones may have.
const LENGTH_MAX: usize = 4_000_000;

/// A column that is being built.
pub enum Builder {
    Text(StringChunkedBuilder),
    /// JSON text; strings keep their quotes.
    Json(Vec<Option<String>>),
    Numbers(Vec<Option<i64>>),
    Doubles(Vec<Option<f64>>),
    Booleans(Vec<Option<bool>>),
    Row {
        fields: Vec<(String, Builder)>,
        height: usize,
    },
    List {
        element: Box<Builder>,
        kind: Kind,
        lengths: Vec<Option<usize>>,
        of_entries: bool,
    },
}

impl Builder {
    pub fn new(kind: &Kind) -> Self {
        match kind {
            Kind::Json => Self::Json(Vec::new()),
            Kind::Varchar | Kind::Ip | Kind::Binary => Self::Text(StringChunkedBuilder::new("".into(), 0)),
            Kind::Double => Self::Doubles(Vec::new()),
            Kind::Boolean | Kind::Unknown => Self::Booleans(Vec::new()),
            Kind::Decimal { precision, .. } if *precision > super::kind::DIGITS_OF_WHOLE => {
                Self::Text(StringChunkedBuilder::new("".into(), 0))
            }
            Kind::Bigint
            | Kind::Decimal { .. }
            | Kind::Date
            | Kind::Timestamp { .. }
            | Kind::Zoned(_)
            | Kind::Span
            | Kind::Months => Self::Numbers(Vec::new()),
            Kind::Row(fields) => Self::Row {
                fields: fields.iter().map(|(name, kind)| (name.clone(), Self::new(kind))).collect(),
                height: 0,
            },
            Kind::Array(element) => Self::list(element, false),
            Kind::Map(key, value) => Self::list(&entry(key, value), true),
        }
    }

    fn list(element: &Kind, of_entries: bool) -> Self {
        Self::List {
            element: Box::new(Self::new(element)),
            kind: element.clone(),
            lengths: Vec::new(),
            of_entries,
        }
    }

    /// Adds a value. What does not fit the type becomes NULL, as in Athena; so do an absent value and
    /// JSON's `null`.
    pub fn push_json(&mut self, value: Option<&RawValue>) {
        let value = value.filter(|value| value.get() != "null");
        match self {
            Self::Text(builder) => builder.append_option(value.and_then(text_of).as_deref()),
            Self::Json(values) => values.push(value.map(|value| value.get().to_owned())),
            Self::Numbers(values) => values.push(value.and_then(text_of).and_then(|text| text.parse().ok())),
            Self::Doubles(values) => values.push(value.and_then(text_of).and_then(|text| text.parse().ok())),
            Self::Booleans(values) => values.push(value.and_then(text_of).and_then(|text| text.parse().ok())),
            Self::Row { fields, height } => {
                let members = value.and_then(members_of).unwrap_or_default();
                // An array of as many values has the fields in order.
                let in_order = value.filter(|value| value.get().starts_with('[')).and_then(elements_of);
                let in_order = in_order.filter(|elements| elements.len() == fields.len());
                for (at, (name, builder)) in fields.iter_mut().enumerate() {
                    let member = members.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name));
                    let element = in_order.as_ref().and_then(|elements| elements.get(at));
                    builder.push_json(member.map(|(_, value)| *value).or(element.copied()));
                }
                *height += 1;
            }
            Self::List { element, lengths, of_entries: false, .. } => {
                let elements = value.and_then(elements_of);
                lengths.push(elements.as_ref().map(Vec::len));
                elements.into_iter().flatten().for_each(|value| element.push_json(Some(value)));
            }
            Self::List { element, lengths, .. } => {
                let members = value.and_then(members_of);
                lengths.push(members.as_ref().map(Vec::len));
                for (key, value) in members.into_iter().flatten() {
                    element.push_entry(&key, value);
                }
            }
        }
    }

    fn push_entry(&mut self, key: &str, value: &RawValue) {
        if let Self::Row { fields, height } = self {
            if let [(_, keys), (_, values)] = fields.as_mut_slice() {
                keys.push_text(Some(key));
                values.push_json(Some(value));
            }
            *height += 1;
        }
    }

    /// Adds a text; becomes NULL in a column of another type.
    pub fn push_text(&mut self, value: Option<&str>) {
        match self {
            Self::Text(builder) => builder.append_option(value),
            _ => self.push_json(None),
        }
    }

    /// Adds a number; becomes NULL in a column of another type.
    pub fn push_number(&mut self, value: Option<i64>) {
        match self {
            Self::Numbers(values) => values.push(value),
            _ => self.push_json(None),
        }
    }

    /// Adds a boolean; becomes NULL in a column of another type.
    pub fn push_truth(&mut self, value: bool) {
        match self {
            Self::Booleans(values) => values.push(Some(value)),
            _ => self.push_json(None),
        }
    }

    /// Adds a list of texts; becomes NULL in a column of another type.
    pub fn push_texts(&mut self, values: &[String]) {
        match self {
            Self::List { element, lengths, of_entries: false, .. } => {
                values.iter().for_each(|value| element.push_text(Some(value)));
                lengths.push(Some(values.len()));
            }
            _ => self.push_json(None),
        }
    }

    /// Returns the column with this name, and starts a new one.
    pub fn take(&mut self, name: &str) -> Series {
        match self {
            Self::Text(builder) => std::mem::replace(builder, StringChunkedBuilder::new("".into(), 0))
                .finish()
                .into_series()
                .with_name(name.into()),
            Self::Json(values) => Series::new(name.into(), std::mem::take(values)),
            Self::Numbers(values) => Series::new(name.into(), std::mem::take(values)),
            Self::Doubles(values) => Series::new(name.into(), std::mem::take(values)),
            Self::Booleans(values) => Series::new(name.into(), std::mem::take(values)),
            Self::Row { fields, height } => {
                let fields: Vec<Series> =
                    fields.iter_mut().map(|(name, builder)| builder.take(name)).collect();
                let height = std::mem::take(height);
                match StructChunked::from_series(name.into(), height, fields.iter()) {
                    Ok(column) => column.into_series(),
                    Err(_) => Series::full_null(name.into(), height, &polars::prelude::DataType::Boolean),
                }
            }
            Self::List { element, kind, lengths, .. } => {
                lists(name, &element.take(""), kind, &std::mem::take(lengths))
            }
        }
    }
}

/// A column of lists: `elements` divided into lists of the given lengths; `None` for a NULL.
pub fn lists(name: &str, elements: &Series, element_kind: &Kind, lengths: &[Option<usize>]) -> Series {
    // A list column without rows is made from the elements; polars' own way costs 8 MiB of zeros.
    if let (true, Ok(one)) = (lengths.is_empty(), elements.implode()) {
        return one.into_series().slice(0, 0).with_name(name.into());
    }
    let mut ends = vec![0_i64];
    let mut end = 0_i64;
    for length in lengths {
        end += i64::try_from(length.unwrap_or(0)).unwrap_or(i64::MAX);
        ends.push(end);
    }
    let elements = elements.rechunk();
    let dtype = Kind::array(element_kind.clone()).dtype();
    let whole = || {
        let values = elements.slice(0, usize::try_from(end).ok()?).chunks().first()?.clone();
        let there = lengths.contains(&None).then(|| lengths.iter().map(Option::is_some).collect());
        let arrow = ListArray::<i64>::default_datatype(values.dtype().clone());
        ListArray::try_new(arrow, OffsetsBuffer::try_from(ends).ok()?, values, there).ok()
    };
    let made = whole()
        .map(|lists| ListChunked::with_chunk(name.into(), lists).into_series())
        .filter(|made| *made.dtype() == dtype);
    made.unwrap_or_else(|| pieced(name, &elements, lengths, &dtype))
}

/// The same, list by list, for elements that have to be converted to another type.
fn pieced(name: &str, elements: &Series, lengths: &[Option<usize>], dtype: &DataType) -> Series {
    let mut start = 0_usize;
    let mut pieces = Vec::with_capacity(lengths.len());
    for length in lengths {
        pieces.push(match length {
            Some(length) => AnyValue::List(elements.slice(i64::try_from(start).unwrap_or(i64::MAX), *length)),
            None => AnyValue::Null,
        });
        start += length.unwrap_or(0);
    }
    Series::from_any_values_and_dtype(name.into(), &pieces, dtype, false)
        .unwrap_or_else(|_| Series::full_null(name.into(), lengths.len(), dtype))
}

/// The text of a JSON value in a text column: a string without quotes and escapes, anything else as it is.
pub fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    let json = value.get();
    if json == "null" {
        return None;
    }
    if !json.starts_with('"') {
        return Some(Cow::Borrowed(json));
    }
    match json.get(1..json.len() - 1) {
        Some(inner) if !inner.contains('\\') => Some(Cow::Borrowed(inner)),
        _ => serde_json::from_str::<String>(json).ok().map(Cow::Owned),
    }
}

/// The members of a JSON object, in order; `None` for any other value.
pub fn members_of(value: &RawValue) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    serde_json::Deserializer::from_str(value.get()).deserialize_map(Members).ok()
}

/// The elements of a JSON array; `None` for any other value.
pub fn elements_of(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::Deserializer::from_str(value.get()).deserialize_seq(Elements).ok()
}

struct Members;

impl<'r> Visitor<'r> for Members {
    type Value = Vec<(Cow<'r, str>, &'r RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'r>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Key(key), value)) = map.next_entry::<Key<'r>, &'r RawValue>()? {
            if members.len() == LENGTH_MAX {
                return Err(A::Error::custom("too many members"));
            }
            members.push((key, value));
        }
        Ok(members)
    }
}

struct Elements;

impl<'r> Visitor<'r> for Elements {
    type Value = Vec<&'r RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'r>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(value) = seq.next_element::<&'r RawValue>()? {
            if elements.len() == LENGTH_MAX {
                return Err(A::Error::custom("too many elements"));
            }
            elements.push(value);
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_whole_or_it_is_null() {
        let list = |length: usize| format!("[{}1]", "1,".repeat(length - 1));
        let read =
            |json: &str| elements_of(&RawValue::from_string(json.to_owned()).unwrap()).map(|all| all.len());
        assert_eq!(read(&list(150_000)), Some(150_000));
        assert_eq!(read(&list(LENGTH_MAX)), Some(LENGTH_MAX));
        assert_eq!(read(&list(LENGTH_MAX + 1)), None);
    }
}
