//! The world as Parquet: tables as Athena, Spark and DuckDB export them, and Security Lake's.

use polars::prelude::{
    Column, CompatLevel, DataFrame, IntoColumn, IntoSeries, NamedFrom, SchemaExt as _, Series, StructChunked,
};
use polars_parquet::write::{
    CompressionOptions, FileWriter, StatisticsOptions, Version, WriteOptions, get_dtype_encoding,
    row_group_iter,
};
use serde_json::Value;

use super::{COLUMNS, cell, gzip, ocsf, zipped};

/// A column of these values: objects become structs with the members of all of them.
fn series(name: &str, values: &[Value]) -> Series {
    if values.iter().filter_map(Value::as_object).any(|object| !object.is_empty()) {
        let mut names: Vec<&String> =
            values.iter().filter_map(Value::as_object).flat_map(|object| object.keys()).collect();
        names.sort();
        names.dedup();
        let members: Vec<Series> = names
            .iter()
            .map(|name| {
                series(name, &values.iter().map(|value| value[name.as_str()].clone()).collect::<Vec<_>>())
            })
            .collect();
        return StructChunked::from_series(name.into(), values.len(), members.iter()).unwrap().into_series();
    }
    if values.iter().filter_map(Value::as_array).any(|list| !list.is_empty()) {
        let elements: Vec<Value> = values.iter().filter_map(Value::as_array).flatten().cloned().collect();
        let elements = series("", &elements);
        let mut start = 0;
        let lists = values.iter().map(|value| {
            let length = value.as_array()?.len();
            start += length;
            Some(elements.slice((start - length) as i64, length))
        });
        return Series::new(name.into(), lists.collect::<Vec<_>>());
    }
    if values.iter().any(Value::is_boolean) {
        return Series::new(name.into(), values.iter().map(Value::as_bool).collect::<Vec<_>>());
    }
    if values.iter().any(Value::is_i64) {
        return Series::new(name.into(), values.iter().map(Value::as_i64).collect::<Vec<_>>());
    }
    Series::new(
        name.into(),
        values
            .iter()
            .map(|value| (!value.is_null() && !value.is_object() && !value.is_array()).then(|| cell(value)))
            .collect::<Vec<_>>(),
    )
}

fn written(columns: Vec<Series>, compression: CompressionOptions, group: usize) -> Vec<u8> {
    let height = columns[0].len();
    let frame =
        DataFrame::new(height, columns.into_iter().map(IntoColumn::into_column).collect::<Vec<Column>>())
            .unwrap();
    let schema = frame.schema().to_arrow(CompatLevel::newest());
    let encodings: Vec<_> = schema.iter_values().map(|field| get_dtype_encoding(&field.dtype)).collect();
    let options = WriteOptions {
        statistics: StatisticsOptions::default(),
        version: Version::V1,
        compression,
        data_page_size: None,
    };
    let mut out = Vec::new();
    let mut file = FileWriter::try_new(&mut out, schema, options).unwrap();
    for start in (0..height).step_by(group) {
        let mut rows = frame.slice(start as i64, group);
        rows.rechunk_mut();
        for batch in rows.iter_chunks(CompatLevel::newest(), false) {
            let types = file.parquet_schema().fields().to_vec();
            file.write(batch.len() as u64, row_group_iter(batch, encodings.clone().into(), types, options))
                .unwrap();
        }
    }
    file.end(None).unwrap();
    out
}

/// CloudTrail's columns with names converted by `named`; those in `structs` are structs, the others text.
fn columns(records: &[Value], named: impl Fn(&str) -> String, structs: &[&str]) -> Vec<Series> {
    let of = |name: &&str| {
        let values = records.iter().map(|record| match &record[*name] {
            value if (value.is_object() || value.is_array()) && !structs.contains(name) => {
                Value::from(value.to_string())
            }
            value => value.clone(),
        });
        series(&named(name), &values.collect::<Vec<_>>())
    };
    COLUMNS.iter().map(of).collect()
}

/// `eventTime` → `event_time`.
fn snake(name: &str) -> String {
    name.chars()
        .flat_map(|letter| {
            if letter.is_ascii_uppercase() { vec!['_', letter.to_ascii_lowercase()] } else { vec![letter] }
        })
        .collect()
}

pub fn forms(records: &[Value]) -> Vec<(&'static str, Vec<u8>)> {
    let lower = |name: &str| name.to_lowercase();
    let identity = ["userIdentity"];
    let plain = written(columns(records, lower, &identity), CompressionOptions::Snappy, 1_000);
    let events: Vec<Value> = records.iter().map(ocsf).collect();
    let members: Vec<&String> = events[0].as_object().unwrap().keys().collect();
    let event = |name: &&String| {
        series(name, &events.iter().map(|event| event[name.as_str()].clone()).collect::<Vec<_>>())
    };
    let whole = vec![
        Series::new("line".into(), (0..records.len() as i64).collect::<Vec<_>>()),
        Series::new("event".into(), records.iter().map(|record| format!("{record:#}")).collect::<Vec<_>>()),
    ];
    vec![
        ("CloudTrail's columns as Athena's Parquet", plain.clone()),
        (
            "CloudTrail's columns as Parquet of small row groups",
            written(columns(records, str::to_owned, &identity), CompressionOptions::Zstd(None), 3),
        ),
        (
            "CloudTrail's columns as Parquet, all text",
            written(columns(records, snake, &[]), CompressionOptions::Gzip(None), 100),
        ),
        (
            "CloudTrail's columns as Parquet, requests as structs",
            written(
                columns(records, str::to_owned, &["userIdentity", "requestParameters"]),
                CompressionOptions::Snappy,
                100,
            ),
        ),
        ("CloudTrail's columns as Parquet in zip", zipped(&[("a.parquet".to_owned(), plain.clone())])),
        ("CloudTrail's columns as Parquet in gzip", gzip(&plain)),
        ("OCSF as Parquet", written(members.iter().map(event).collect(), CompressionOptions::Zstd(None), 7)),
        ("records in a column of Parquet", written(whole, CompressionOptions::Snappy, 5)),
    ]
}
