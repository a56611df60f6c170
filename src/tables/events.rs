//! CloudTrail records → rows of `cloudtrail_logs`.
//!
//! Only the columns that are asked for are built: a record is walked once, key by key, and other values are
//! skipped without being parsed. JSON columns (`requestparameters` …) hold the JSON text as it is in the
//! record.

use std::borrow::Cow;
use std::fmt;

use polars::prelude::{NamedFrom, Series};
use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::builder::{Builder, text_of};
use super::cloudtrail::{ORIGINS, Origin, TABLE};
use super::{Asked, Rows};
use crate::decode::RawRecord;
use crate::decode::identity::EventKey;
use crate::model::{Filter, Timestamp};

/// Collects rows, column by column.
pub struct EventRows {
    columns: Vec<Target>,
    /// Names of the JSON fields to pick; first those that partition columns are made from.
    wanted: Vec<&'static str>,
    height: usize,
    filter: Filter,
    /// The identity of each row's event, if that was asked for.
    identities: Option<Vec<i64>>,
}

/// The column of [`EventRows::with_identities`]: equal for copies of one event.
pub const IDENTITY: &str = "$identity";

struct Target {
    name: &'static str,
    source: Source,
    builder: Builder,
}

#[derive(Clone, Copy)]
enum Source {
    /// Index in `wanted`.
    Field(usize),
    Partition(&'static str),
    Object,
    Record,
}

/// Fields that partition columns are made from, first in `wanted`.
const PARTITION_FIELDS: &[&str] = &["recipientAccountId", "awsRegion", "eventTime"];

/// Further fields of an event's identity; picked only if the identity was asked for.
const IDENTITY_FIELDS: [&str; 3] = ["eventID", "eventSource", "eventName"];

impl EventRows {
    /// Rows with the columns `asked`, where unknown names are ignored; `None` for all columns.
    pub fn new(asked: Option<&[Asked]>) -> Self {
        let mut wanted = PARTITION_FIELDS.to_vec();
        let mut columns = Vec::new();
        for (name, origin) in ORIGINS {
            let column = asked.and_then(|asked| asked.iter().find(|column| column.name == *name));
            if asked.is_some() && column.is_none() {
                continue;
            }
            let source = match origin {
                Origin::Field(field) => Source::Field(position(&mut wanted, field)),
                Origin::Partition => Source::Partition(name),
                Origin::Place if *name == "record" => Source::Record,
                Origin::Place => Source::Object,
            };
            let Some(kind) = TABLE.kind_of(name) else { continue };
            columns.push(Target {
                name,
                source,
                builder: Builder::new(&kind.pruned(column.map_or(&[], |column| &column.fields))),
            });
        }
        Self { columns, wanted, height: 0, filter: Filter::default(), identities: None }
    }

    /// Only events whose time, account and region `filter` admits.
    pub fn within(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }

    /// Adds the column [`IDENTITY`] after the others.
    pub fn with_identities(mut self) -> Self {
        IDENTITY_FIELDS.iter().for_each(|field| _ = position(&mut self.wanted, field));
        Self { identities: Some(Vec::new()), ..self }
    }

    /// Number of rows collected.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Adds one record; returns whether it became a row: EventBridge's own events are not CloudTrail
    /// events, and the filter leaves some out. An error says why the record cannot be read.
    pub fn push(&mut self, object: &str, record: RawRecord<'_>) -> Result<bool, String> {
        if record.native {
            return Ok(false);
        }
        let fields = pick(record.json, &self.wanted)?;
        let partition = Partition::of(&fields);
        if !partition.is_within(&self.filter) {
            return Ok(false);
        }
        for target in &mut self.columns {
            match target.source {
                Source::Field(at) => target.builder.push_json(fields.get(at).copied().flatten()),
                Source::Partition(name) => target.builder.push_text(partition.get(name).as_deref()),
                Source::Object => target.builder.push_text(Some(object)),
                Source::Record => target.builder.push_number(i64::try_from(record.index).ok()),
            }
        }
        if let Some(identities) = &mut self.identities {
            identities.push(identity(&fields, &self.wanted, record.json));
        }
        self.height += 1;
        Ok(true)
    }

    /// Returns the rows collected so far, and starts anew.
    pub fn take(&mut self) -> Rows {
        let height = std::mem::take(&mut self.height);
        let mut columns: Vec<_> =
            self.columns.iter_mut().map(|target| (target.name, target.builder.take(target.name))).collect();
        columns.extend(
            self.identities
                .as_mut()
                .map(|identities| (IDENTITY, Series::new(IDENTITY.into(), std::mem::take(identities)))),
        );
        Rows { columns, height }
    }
}

/// Index of `field` in `wanted`, to which it is added if it is missing.
fn position(wanted: &mut Vec<&'static str>, field: &'static str) -> usize {
    wanted.iter().position(|name| *name == field).unwrap_or_else(|| {
        wanted.push(field);
        wanted.len() - 1
    })
}

/// The identity of the record's event as one number.
fn identity(fields: &[Option<&RawValue>], wanted: &[&str], json: &str) -> i64 {
    // Values that are not strings do not count.
    let text = |name: &str| {
        let value = wanted
            .iter()
            .position(|known| *known == name)
            .and_then(|at| fields.get(at).copied().flatten())?;
        value.get().starts_with('"').then(|| text_of(value)).flatten()
    };
    let [id, time, source, name, region, account] =
        ["eventID", "eventTime", "eventSource", "eventName", "awsRegion", "recipientAccountId"]
            .map(|name| text(name).unwrap_or_default());
    let told = EventKey {
        id: id.as_bytes(),
        time: Timestamp::parse(&time),
        source: source.as_bytes(),
        name: name.as_bytes(),
        region: region.as_bytes(),
        account: account.as_bytes(),
    };
    told.identity(json.as_bytes()).number()
}

/// The fields that one record's partition columns are made from.
struct Partition<'r> {
    account: Option<Cow<'r, str>>,
    region: Option<Cow<'r, str>>,
    /// `2026-03-02T10:00:00Z`.
    time: Option<Cow<'r, str>>,
}

impl<'r> Partition<'r> {
    fn of(fields: &[Option<&'r RawValue>]) -> Self {
        let text = |at: usize| fields.get(at).copied().flatten().and_then(text_of);
        Self { account: text(0), region: text(1), time: text(2) }
    }

    fn is_within(&self, filter: &Filter) -> bool {
        let time = self.time.as_deref().and_then(Timestamp::parse);
        time.is_none_or(|time| filter.admits_time(time))
            && filter.admits_account(self.account.as_deref().unwrap_or_default())
            && filter.admits_region(self.region.as_deref().unwrap_or_default())
    }

    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let day = |range: std::ops::Range<usize>| {
            self.time.as_deref().and_then(|time| time.get(range)).map(Cow::Borrowed)
        };
        match name {
            "account" => self.account.as_deref().map(Cow::Borrowed),
            "region" => self.region.as_deref().map(Cow::Borrowed),
            "year" => day(0..4),
            "month" => day(5..7),
            "day" => day(8..10),
            "date" => day(0..10),
            _ => day(0..10).map(|date| Cow::Owned(date.replace('-', "/"))),
        }
    }
}

/// The values of `wanted` in a JSON object, unparsed. Names are compared ignoring case, as Athena does; if
/// a name appears twice the last value counts.
fn pick<'r>(json: &'r str, wanted: &[&str]) -> Result<Vec<Option<&'r RawValue>>, String> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let fields = reader
        .deserialize_map(Picker { wanted, values: vec![None; wanted.len()] })
        .map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(fields)
}

struct Picker<'w, 'r> {
    wanted: &'w [&'w str],
    values: Vec<Option<&'r RawValue>>,
}

impl<'r> Visitor<'r> for Picker<'_, 'r> {
    type Value = Vec<Option<&'r RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudTrail record")
    }

    fn visit_map<A: MapAccess<'r>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some(Key(key)) = map.next_key::<Key<'r>>()? {
            match self.wanted.iter().position(|name| name.eq_ignore_ascii_case(&key)) {
                Some(at) => match self.values.get_mut(at) {
                    Some(slot) => *slot = Some(map.next_value()?),
                    None => return Err(A::Error::custom("too many fields")),
                },
                None => {
                    map.next_value::<serde::de::IgnoredAny>()?;
                }
            }
        }
        Ok(self.values)
    }
}

/// A key, borrowed if it has no escapes.
#[derive(serde::Deserialize)]
pub(super) struct Key<'r>(#[serde(borrow)] pub(super) Cow<'r, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn record(json: &str) -> RawRecord<'_> {
        RawRecord { index: 7, json, native: false }
    }

    fn column<'a>(rows: &'a Rows, name: &str) -> &'a Series {
        rows.columns.iter().find(|(column, _)| *column == name).map(|(_, series)| series).unwrap()
    }

    #[test]
    fn json_columns_are_the_text_as_it_stands() {
        let mut rows = EventRows::new(None);
        let json = r#"{"eventTime":"2026-03-02T10:00:00Z","awsRegion":"eu-central-1","recipientAccountId":"111122223333","readOnly":false,
            "requestParameters": {"b" : 1,  "a":[ ]},"responseElements":null,"useridentity":{"sessionContext":{"sessionIssuer":{"userName":"ci"}}},
            "resources":[{"ARN":"arn:1"},{"accountId":"2"}]}"#;
        rows.push("key", record(json)).unwrap();
        let rows = rows.take();
        assert_eq!(rows.height, 1);
        assert_eq!(column(&rows, "requestparameters").str().unwrap().get(0), Some(r#"{"b" : 1,  "a":[ ]}"#));
        assert_eq!(column(&rows, "responseelements").str().unwrap().get(0), None);
        assert_eq!(column(&rows, "readonly").str().unwrap().get(0), Some("false"));
        assert_eq!(column(&rows, "timestamp").str().unwrap().get(0), Some("2026/03/02"));
        assert_eq!(column(&rows, "account").str().unwrap().get(0), Some("111122223333"));
        assert_eq!(column(&rows, "record").i64().unwrap().get(0), Some(7));
        let issuer =
            column(&rows, "useridentity").struct_().unwrap().field_by_name("sessioncontext").unwrap();
        let issuer = issuer.struct_().unwrap().field_by_name("sessionissuer").unwrap();
        assert_eq!(
            issuer.struct_().unwrap().field_by_name("username").unwrap().str().unwrap().get(0),
            Some("ci")
        );
        let resources = column(&rows, "resources").list().unwrap().get_as_series(0).unwrap();
        assert_eq!(resources.len(), 2);
        assert_eq!(
            resources.struct_().unwrap().field_by_name("arn").unwrap().str().unwrap().get(0),
            Some("arn:1")
        );
    }

    #[test]
    fn a_damaged_record_adds_no_row_and_says_why() {
        let mut rows = EventRows::new(None);
        assert!(rows.push("key", record(r#"{"eventName":"PutImage","#)).is_err());
        assert!(rows.push("key", record("[1]")).is_err());
        rows.push("key", record("{}")).unwrap();
        assert_eq!(rows.take().height, 1);
    }

    #[test]
    fn columns_that_nobody_asked_for_are_not_built() {
        let asked = ["eventname", "region"].map(Asked::whole);
        let mut rows = EventRows::new(Some(&asked));
        rows.push("key", record(r#"{"eventName":"PutImage","awsRegion":"us-east-1"}"#)).unwrap();
        let names: Vec<_> = rows.take().columns.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["eventname", "region"]);
    }

    #[test]
    fn fields_that_nobody_asked_for_are_not_built() {
        let field = |path: &[&str]| path.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let asked = [Asked {
            name: "useridentity".to_owned(),
            fields: vec![field(&["sessioncontext", "sessionissuer", "username"])],
        }];
        let mut rows = EventRows::new(Some(&asked));
        let json = r#"{"userIdentity":{"type":"AssumedRole","sessionContext":{"sessionIssuer":{"type":"Role","userName":"ci"}}}}"#;
        rows.push("key", record(json)).unwrap();
        let rows = rows.take();
        let context =
            column(&rows, "useridentity").struct_().unwrap().field_by_name("sessioncontext").unwrap();
        let issuer = context.struct_().unwrap().field_by_name("sessionissuer").unwrap();
        let names: Vec<_> = issuer
            .struct_()
            .unwrap()
            .fields_as_series()
            .iter()
            .map(|field| field.name().to_string())
            .collect();
        assert_eq!(names, ["username"]);
    }
}
