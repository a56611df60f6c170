//! Columns → records: restores the original records from the columns of a data file.

use polars::prelude::{DataFrame, Int64Chunked, ListChunked, PolarsResult, Series, StringChunked};
use serde_json::value::RawValue;

use super::members::{Holds, MEMBERS, json_name};
use super::split::{Split, add_member, add_text, time_of, told};
use crate::model::{Identity, Timestamp};
use crate::tables::Kind;
use crate::tables::builder::members_of;

/// Rows with the columns needed to make records. Missing columns count as missing members.
pub(in crate::lake) struct Records {
    members: Vec<(usize, StoredColumn)>,
    event_id: Option<StringChunked>,
    event_time: Option<StringChunked>,
    /// Event source, event name, region and account.
    place: [Option<StringChunked>; 4],
    object: StringChunked,
    record: Int64Chunked,
    extra: StringChunked,
    original: StringChunked,
}

impl Records {
    pub(in crate::lake) fn of(rows: &DataFrame) -> PolarsResult<Self> {
        let text = |name: &str| -> PolarsResult<StringChunked> {
            Ok(rows.column(name)?.as_materialized_series().str()?.clone())
        };
        let mut members = Vec::new();
        for (at, member) in MEMBERS.iter().enumerate() {
            if let Ok(column) = rows.column(member.column) {
                members.push((
                    at,
                    StoredColumn::of(
                        column.as_materialized_series(),
                        member.column,
                        &member.kind,
                        member.holds,
                    )?,
                ));
            }
        }
        let record = rows.column("record")?.as_materialized_series().i64()?.clone();
        let (event_id, event_time) = (text("eventid").ok(), text("eventtime").ok());
        let place =
            ["eventsource", "eventname", "awsregion", "recipientaccountid"].map(|name| text(name).ok());
        Ok(Self {
            members,
            event_id,
            event_time,
            place,
            object: text("object")?,
            record,
            extra: text("extra")?,
            original: text("original")?,
        })
    }

    pub(in crate::lake) fn object(&self, row: usize) -> &str {
        self.object.get(row).unwrap_or_default()
    }

    /// Index of the record in its object.
    pub(in crate::lake) fn index(&self, row: usize) -> u64 {
        self.record.get(row).and_then(|record| u64::try_from(record).ok()).unwrap_or_default()
    }

    /// See [`Split::identity`].
    pub(in crate::lake) fn identity(&self, row: usize, native: bool) -> Identity {
        if let Some(original) = self.original.get(row) {
            let nothing = || told("", None, "", "", "", "").identity(original.as_bytes());
            return Split::of(original, native).map_or_else(|_| nothing(), |split| split.identity());
        }
        let cell = |column: &Option<StringChunked>| {
            column.as_ref().and_then(|texts| texts.get(row)).unwrap_or_default().to_owned()
        };
        let [source, name, region, account] =
            [0, 1, 2, 3].map(|at| self.place.get(at).map(cell).unwrap_or_default());
        let time = self.event_time.as_ref().and_then(|times| times.get(row)).and_then(time_of);
        told(&cell(&self.event_id), time, &source, &name, &region, &account).identity(b"")
    }

    /// Milliseconds since 1970; 0 if the record has no time.
    pub(in crate::lake) fn time(&self, row: usize, native: bool) -> i64 {
        let time = match self.original.get(row) {
            Some(original) => Split::of(original, native).ok().and_then(|split| split.time()),
            None => self.event_time.as_ref().and_then(|times| times.get(row)).and_then(time_of),
        };
        time.map_or(0, Timestamp::millis)
    }

    /// Writes the record's text to `out`, which is cleared first.
    pub(in crate::lake) fn write(&self, row: usize, out: &mut String) {
        out.clear();
        if let Some(original) = self.original.get(row) {
            out.push_str(original);
            return;
        }
        let extra = self
            .extra
            .get(row)
            .and_then(|extra| serde_json::from_str::<&RawValue>(extra).ok())
            .and_then(members_of)
            .unwrap_or_default();
        let mut value = String::new();
        for (at, column) in &self.members {
            let Some(member) = MEMBERS.get(*at) else { continue };
            value.clear();
            if extra.iter().all(|(name, _)| name != member.name) && column.write(row, &mut value) {
                add_member(out, member.name, &value);
            }
        }
        extra.iter().for_each(|(name, value)| add_member(out, name, value.get()));
        out.push_str(if out.is_empty() { "{}" } else { "}" });
    }
}

/// A column or a part of one.
enum StoredColumn {
    Text(StringChunked),
    Truth(StringChunked),
    Json(StringChunked),
    Row(Vec<(String, StoredColumn)>),
    List(ListChunked, &'static str, Kind),
    Map(ListChunked),
}

impl StoredColumn {
    fn of(series: &Series, column: &'static str, kind: &Kind, holds: Holds) -> PolarsResult<Self> {
        Ok(match (holds, kind) {
            (Holds::Truth, _) => Self::Truth(series.str()?.clone()),
            (Holds::Json, _) => Self::Json(series.str()?.clone()),
            (_, Kind::Row(fields)) => {
                let values = series.struct_()?;
                let field = |(name, kind): &(String, Kind)| {
                    let column_of = Self::of(&values.field_by_name(name)?, column, kind, Holds::Nested)?;
                    Ok((json_name(column, name).to_owned(), column_of))
                };
                Self::Row(fields.iter().map(field).collect::<PolarsResult<_>>()?)
            }
            (_, Kind::Array(element)) => Self::List(series.list()?.clone(), column, (**element).clone()),
            (_, Kind::Map(..)) => Self::Map(series.list()?.clone()),
            _ => Self::Text(series.str()?.clone()),
        })
    }

    /// Appends the value as JSON; appends nothing and returns false if there is none.
    fn write(&self, row: usize, out: &mut String) -> bool {
        match self {
            Self::Text(texts) => texts.get(row).map(|text| add_text(out, text)).is_some(),
            Self::Json(texts) => texts.get(row).map(|text| out.push_str(text)).is_some(),
            Self::Truth(texts) => {
                texts
                    .get(row)
                    .map(|text| {
                        if matches!(text, "true" | "false") {
                            out.push_str(text)
                        } else {
                            add_text(out, text)
                        }
                    })
                    .is_some()
            }
            Self::Row(fields) => {
                let mut object = String::new();
                let mut value = String::new();
                for (name, column) in fields {
                    value.clear();
                    if column.write(row, &mut value) {
                        add_member(&mut object, name, &value);
                    }
                }
                out.push_str(&object);
                if !object.is_empty() {
                    out.push('}');
                }
                !object.is_empty()
            }
            Self::List(lists, column, kind) => match lists.get_as_series(row) {
                Some(elements) => write_list(&elements, column, kind, out),
                None => false,
            },
            Self::Map(lists) => match lists.get_as_series(row) {
                Some(entries) => write_map(&entries, out),
                None => false,
            },
        }
    }
}

fn write_list(elements: &Series, column: &'static str, kind: &Kind, out: &mut String) -> bool {
    let Ok(values) = StoredColumn::of(elements, column, kind, Holds::Nested) else { return false };
    out.push('[');
    for at in 0..elements.len() {
        if at > 0 {
            out.push(',');
        }
        if !values.write(at, out) {
            out.push_str("{}");
        }
    }
    out.push(']');
    true
}

fn write_map(entries: &Series, out: &mut String) -> bool {
    let Ok(entries) = entries.struct_() else { return false };
    let (Ok(keys), Ok(values)) = (entries.field_by_name("key"), entries.field_by_name("value")) else {
        return false;
    };
    let (Ok(keys), Ok(values)) = (keys.str(), values.str()) else { return false };
    let mut object = String::new();
    let mut text = String::new();
    for (key, value) in keys.iter().zip(values.iter()) {
        let (Some(key), Some(value)) = (key, value) else { continue };
        text.clear();
        add_text(&mut text, value);
        add_member(&mut object, key, &text);
    }
    out.push_str(if object.is_empty() { "{" } else { &object });
    out.push('}');
    true
}
