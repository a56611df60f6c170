//! Decoded values of a column, row by row, as text and as JSON.

use std::borrow::Cow;
use std::ops::Range;

use polars_arrow::array::{
    Array, BinaryViewArray, BooleanArray, FixedSizeListArray, ListArray, MapArray, PrimitiveArray,
    StructArray, Utf8ViewArray,
};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::compute::concatenate::concatenate;
use polars_arrow::datatypes::{ArrowDataType, TimeUnit};

use crate::decode::names::known_inside;
use crate::model::Timestamp;

/// Maximum nesting of lists and objects, three times that of CloudTrail's records.
const DEPTH_MAX: u8 = 24;

pub(super) enum Values {
    Text(Utf8ViewArray),
    /// Binary values, which count as missing if they are not UTF-8.
    Bytes(BinaryViewArray),
    Integers(Vec<Option<i128>>),
    Floats(Vec<Option<f64>>),
    Flags(BooleanArray),
    /// Milliseconds since 1970.
    Times(Vec<Option<i64>>),
    Object {
        validity: Option<Bitmap>,
        members: Vec<(String, Values)>,
    },
    List {
        validity: Option<Bitmap>,
        of_row: Vec<Range<usize>>,
        elements: Box<Values>,
    },
    /// Keys and values.
    Map {
        validity: Option<Bitmap>,
        of_row: Vec<Range<usize>>,
        keys: Box<Values>,
        values: Box<Values>,
    },
    /// Types that do not occur in records: dates, decimals, bytes of a fixed length.
    Nothing,
}

impl Values {
    pub(super) fn of(arrays: Vec<Box<dyn Array>>) -> Result<Self, String> {
        let parts: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        match parts.as_slice() {
            [] => Ok(Self::Nothing),
            [one] => Ok(Self::from(*one, 0)),
            all => concatenate(all)
                .map(|whole| Self::from(&*whole, 0))
                .map_err(|error| format!("damaged Parquet: {error}")),
        }
    }

    /// Number of rows; `None` if the type is not supported.
    pub(super) fn len(&self) -> Option<usize> {
        Some(match self {
            Self::Text(array) => array.len(),
            Self::Bytes(array) => array.len(),
            Self::Flags(array) => array.len(),
            Self::Integers(values) => values.len(),
            Self::Floats(values) => values.len(),
            Self::Times(values) => values.len(),
            Self::List { of_row, .. } | Self::Map { of_row, .. } => of_row.len(),
            Self::Object { members, .. } => return members.iter().find_map(|(_, values)| values.len()),
            Self::Nothing => return None,
        })
    }

    fn from(array: &dyn Array, depth: u8) -> Self {
        if depth >= DEPTH_MAX {
            return Self::Nothing;
        }
        Self::plain(array).or_else(|| Self::nested(array, depth + 1)).unwrap_or(Self::Nothing)
    }

    fn plain(array: &dyn Array) -> Option<Self> {
        let any = array.as_any();
        macro_rules! integers {
            ($native:ty) => {
                any.downcast_ref::<PrimitiveArray<$native>>().map(|array| {
                    Self::Integers(array.iter().map(|value| value.map(|value| i128::from(*value))).collect())
                })
            };
        }
        match array.dtype() {
            ArrowDataType::Utf8View => any.downcast_ref::<Utf8ViewArray>().cloned().map(Self::Text),
            ArrowDataType::BinaryView => any.downcast_ref::<BinaryViewArray>().cloned().map(Self::Bytes),
            ArrowDataType::Boolean => any.downcast_ref::<BooleanArray>().cloned().map(Self::Flags),
            ArrowDataType::Int8 => integers!(i8),
            ArrowDataType::Int16 => integers!(i16),
            ArrowDataType::Int32 => integers!(i32),
            ArrowDataType::Int64 => integers!(i64),
            ArrowDataType::UInt8 => integers!(u8),
            ArrowDataType::UInt16 => integers!(u16),
            ArrowDataType::UInt32 => integers!(u32),
            ArrowDataType::UInt64 => integers!(u64),
            ArrowDataType::Float32 => any.downcast_ref::<PrimitiveArray<f32>>().map(|array| {
                Self::Floats(array.iter().map(|value| value.map(|value| f64::from(*value))).collect())
            }),
            ArrowDataType::Float64 => any
                .downcast_ref::<PrimitiveArray<f64>>()
                .map(|array| Self::Floats(array.iter().map(|value| value.copied()).collect())),
            ArrowDataType::Timestamp(unit, _) => {
                let unit = *unit;
                let millis = move |value: &i64| match unit {
                    TimeUnit::Second => value.saturating_mul(1_000),
                    TimeUnit::Millisecond => *value,
                    TimeUnit::Microsecond => value.div_euclid(1_000),
                    TimeUnit::Nanosecond => value.div_euclid(1_000_000),
                };
                any.downcast_ref::<PrimitiveArray<i64>>()
                    .map(|array| Self::Times(array.iter().map(|value| value.map(millis)).collect()))
            }
            _ => None,
        }
    }

    fn nested(array: &dyn Array, depth: u8) -> Option<Self> {
        let any = array.as_any();
        if let Some(array) = any.downcast_ref::<StructArray>() {
            let members = array
                .fields()
                .iter()
                .zip(array.values())
                .map(|(field, values)| (field.name.to_string(), Self::from(&**values, depth)));
            return Some(Self::Object { validity: array.validity().cloned(), members: members.collect() });
        }
        let list = |validity: Option<&Bitmap>, of_row: Vec<Range<usize>>, values: &dyn Array| Self::List {
            validity: validity.cloned(),
            of_row,
            elements: Box::new(Self::from(values, depth)),
        };
        if let Some(array) = any.downcast_ref::<ListArray<i64>>() {
            return Some(list(
                array.validity(),
                (0..array.len()).map(|row| ranged(array.offsets().start_end(row))).collect(),
                &**array.values(),
            ));
        }
        if let Some(array) = any.downcast_ref::<ListArray<i32>>() {
            return Some(list(
                array.validity(),
                (0..array.len()).map(|row| ranged(array.offsets().start_end(row))).collect(),
                &**array.values(),
            ));
        }
        if let Some(array) = any.downcast_ref::<FixedSizeListArray>() {
            let size = array.values().len().checked_div(array.len()).unwrap_or(0);
            return Some(list(
                array.validity(),
                (0..array.len()).map(|row| row * size..(row + 1) * size).collect(),
                &**array.values(),
            ));
        }
        let array = any.downcast_ref::<MapArray>()?;
        let Self::Object { members, .. } = Self::from(&**array.field(), depth) else { return None };
        let [(_, keys), (_, values)] = <[(String, Self); 2]>::try_from(members).ok()?;
        let of_row = (0..array.len()).map(|row| ranged(array.offsets().start_end(row))).collect();
        Some(Self::Map {
            validity: array.validity().cloned(),
            of_row,
            keys: Box::new(keys),
            values: Box::new(values),
        })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        let invalid = |validity: &Option<Bitmap>| {
            validity.as_ref().is_some_and(|validity| !validity.get(row).unwrap_or(false))
        };
        match self {
            Self::Text(array) => row >= array.len() || array.is_null(row),
            Self::Bytes(array) => {
                row >= array.len() || array.is_null(row) || std::str::from_utf8(array.value(row)).is_err()
            }
            Self::Flags(array) => row >= array.len() || array.is_null(row),
            Self::Integers(values) => values.get(row).is_none_or(Option::is_none),
            Self::Floats(values) => {
                values.get(row).is_none_or(|value| value.is_none_or(|value| !value.is_finite()))
            }
            Self::Times(values) => values.get(row).is_none_or(Option::is_none),
            // For an absent struct many writers store its members, all of which are absent.
            Self::Object { validity, members } => {
                invalid(validity) || members.iter().all(|(_, values)| values.is_null(row))
            }
            Self::List { validity, of_row, .. } | Self::Map { validity, of_row, .. } => {
                row >= of_row.len() || invalid(validity)
            }
            Self::Nothing => true,
        }
    }

    /// A value as plain text or as JSON; `None` if it is absent.
    pub(super) fn text(&self, row: usize) -> Option<Cow<'_, str>> {
        self.text_within(row, usize::MAX)
    }

    /// The same, truncated soon after `limit` bytes.
    pub(super) fn text_within(&self, row: usize, limit: usize) -> Option<Cow<'_, str>> {
        if self.is_null(row) {
            return None;
        }
        match self {
            Self::Text(array) => Some(Cow::Borrowed(array.value(row))),
            Self::Bytes(array) => std::str::from_utf8(array.value(row)).ok().map(Cow::Borrowed),
            Self::Times(values) => values
                .get(row)
                .copied()
                .flatten()
                .map(|millis| Cow::Owned(Timestamp::from_millis(millis).to_string())),
            _ => {
                let mut out = Vec::new();
                self.write(&mut out, row, &|name| known_inside(name).to_owned(), limit);
                String::from_utf8(out).ok().map(Cow::Owned)
            }
        }
    }

    /// Writes a value as JSON. `respell` converts the names of members.
    fn write(&self, out: &mut Vec<u8>, row: usize, respell: &dyn Fn(&str) -> String, limit: usize) {
        if self.is_null(row) {
            return out.extend_from_slice(b"null");
        }
        match self {
            Self::Text(_) | Self::Bytes(_) | Self::Times(_) => {
                write_text(out, &self.text(row).unwrap_or_default())
            }
            Self::Integers(values) => out.extend_from_slice(
                values.get(row).copied().flatten().unwrap_or_default().to_string().as_bytes(),
            ),
            Self::Floats(values) => out.extend_from_slice(
                values.get(row).copied().flatten().unwrap_or_default().to_string().as_bytes(),
            ),
            Self::Flags(array) => out.extend_from_slice(if array.value(row) { b"true" } else { b"false" }),
            Self::Object { members, .. } => write_object(
                out,
                members.iter().map(|(name, _)| name.as_str()).zip(members.iter().map(|(_, values)| values)),
                row,
                respell,
                limit,
            ),
            Self::List { of_row, elements, .. } => {
                out.push(b'[');
                for (number, element) in of_row.get(row).cloned().unwrap_or_default().enumerate() {
                    if out.len() > limit {
                        return;
                    }
                    if number > 0 {
                        out.push(b',');
                    }
                    elements.write(out, element, respell, limit);
                }
                out.push(b']');
            }
            Self::Map { of_row, keys, values, .. } => {
                out.push(b'{');
                let mut first = true;
                for entry in
                    of_row.get(row).cloned().unwrap_or_default().filter(|entry| !values.is_null(*entry))
                {
                    if out.len() > limit {
                        return;
                    }
                    let Some(key) = keys.text(entry) else { continue };
                    write_key(out, &respell(&key), &mut first);
                    values.write(out, entry, respell, limit);
                }
                out.push(b'}');
            }
            Self::Nothing => out.extend_from_slice(b"null"),
        }
    }
}

/// Writes the present members as a JSON object: a column of structs has all members that occur in any of its
/// rows.
pub(super) fn write_object<'v>(
    out: &mut Vec<u8>,
    members: impl Iterator<Item = (&'v str, &'v Values)>,
    row: usize,
    respell: &dyn Fn(&str) -> String,
    limit: usize,
) {
    out.push(b'{');
    let mut first = true;
    for (name, values) in members.filter(|(_, values)| !values.is_null(row)) {
        if out.len() > limit {
            return;
        }
        write_key(out, &respell(name), &mut first);
        values.write(out, row, respell, limit);
    }
    out.push(b'}');
}

fn write_key(out: &mut Vec<u8>, name: &str, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    write_text(out, name);
    out.push(b':');
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

fn ranged((start, end): (usize, usize)) -> Range<usize> {
    start..end
}
