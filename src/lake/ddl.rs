//! Prints the Athena statement that makes a lake available as a table.
//!
//! Athena does not read the manifest. For a lake in S3 it reads, for each partition, the list of files in
//! effect (`SymlinkTextInputFormat`). A list is replaced as a whole after each commit, so no event is seen
//! twice, and none of an unfinished commit. A copy of a lake in a folder is read as it is.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::LakeError;
use super::commit::manifest::{FileEntry, Manifest};
use super::disk::Location;
use super::layout::LISTS;
use super::partition::{NO_VALUE, escaped};
use super::record::MEMBERS;
use super::record::shape::Shape;

/// CloudTrail's first day. No projection begins before it: one event with a time of 1970 would make tens of
/// thousands of partitions for each account and region.
const FIRST_DAY: &str = "2013-11-13";

/// The statement, and what the table does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ddl {
    pub text: String,
    /// Events of days before CloudTrail's first one or behind `today`, which no projection of days has.
    pub events_unseen: u64,
}

/// The `CREATE EXTERNAL TABLE` statement for the lake at `place`, and the number of events that it does not
/// show. `today` is a date (`2026-03-02`), `location` the address of a copy of the lake,
/// if it is to be used instead.
///
/// # Errors
///
/// There is no lake, or its manifest cannot be read.
pub fn ddl(place: &Location, table: &str, location: Option<&str>, today: &str) -> Result<Ddl, LakeError> {
    let manifest = Manifest::load(&*place.disk_of_lake()?)?.manifest;
    // In quotes, for databases with a hyphen, and for words that mean something.
    let table: Vec<String> = table.split('.').map(|name| format!("`{name}`")).collect();
    let mut text = format!("CREATE EXTERNAL TABLE {} (\n", table.join("."));
    let members = MEMBERS.iter().map(|member| (member.column, kind(&member.field.shape)));
    let others = [("object", "string"), ("record", "bigint"), ("extra", "string"), ("original", "string")];
    let columns: Vec<String> = members
        .chain(others.map(|(name, kind)| (name, kind.to_owned())))
        .map(|(name, kind)| format!("  `{name}` {kind}"))
        .collect();
    let _ = write!(
        text,
        "{}\n)\nPARTITIONED BY (`account` string, `region` string, `date` string)\n",
        columns.join(",\n")
    );
    text.push_str("ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'\n");
    let is_listed = location.is_none();
    text.push_str(if is_listed {
        "STORED AS INPUTFORMAT 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat'\n"
    } else {
        "STORED AS INPUTFORMAT 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat'\n"
    });
    text.push_str("OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'\n");
    let own = || format!("{}/{LISTS}", place.name().to_string_lossy().trim_end_matches('/'));
    let at = location.map_or_else(own, |location| location.trim_end_matches('/').to_owned());
    let at = at.replace('\\', "\\\\").replace('\'', "\\'");
    let _ =
        write!(text, "LOCATION '{at}/'\nTBLPROPERTIES (\n{}\n);\n", properties(&manifest, &at).join(",\n"));
    let is_unseen = |file: &&FileEntry| {
        let days = FIRST_DAY..=today;
        !file.partition.native && file.partition.date.as_deref().is_none_or(|day| !days.contains(&day))
    };
    let events_unseen = manifest.files.iter().filter(is_unseen).map(|file| file.rows).sum();
    Ok(Ddl { text, events_unseen })
}

/// The addresses or paths of all data files in effect, sorted.
///
/// # Errors
///
/// There is no lake, or its manifest cannot be read.
pub fn files(place: &Location) -> Result<Vec<String>, LakeError> {
    let disk = place.disk_of_lake()?;
    let manifest = Manifest::load(&*disk)?.manifest;
    Ok(manifest
        .files
        .iter()
        .filter(|file| !file.partition.native)
        .map(|file| disk.address(&file.path()))
        .collect())
}

/// Partition projection: accounts and regions are those in the lake, days are generated.
fn properties(manifest: &Manifest, at: &str) -> Vec<String> {
    let partitions =
        || manifest.files.iter().map(|file| &file.partition).filter(|partition| !partition.native);
    let all = |values: BTreeSet<String>| {
        if values.is_empty() { NO_VALUE.to_owned() } else { values.into_iter().collect::<Vec<_>>().join(",") }
    };
    // As it stands in the names of folders.
    let told = |value: &Option<String>| value.as_deref().map_or_else(|| NO_VALUE.to_owned(), escaped);
    let accounts = all(partitions().map(|partition| told(&partition.account)).collect());
    let regions = all(partitions().map(|partition| told(&partition.region)).collect());
    let days = partitions().filter_map(|partition| partition.date.as_deref());
    let first = days.filter(|day| *day >= FIRST_DAY).min().unwrap_or(FIRST_DAY);
    let property = |name: &str, value: &str| format!("  '{name}' = '{value}'");
    vec![
        property("projection.enabled", "true"),
        property("projection.account.type", "enum"),
        property("projection.account.values", &accounts),
        property("projection.region.type", "enum"),
        property("projection.region.values", &regions),
        property("projection.date.type", "date"),
        property("projection.date.format", "yyyy-MM-dd"),
        property("projection.date.range", &format!("{first},NOW")),
        property(
            "storage.location.template",
            &format!("{at}/account=${{account}}/region=${{region}}/date=${{date}}/"),
        ),
    ]
}

/// Hive's name for a column's type.
fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Text => "string".to_owned(),
        Shape::Row(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|field| format!("{}:{}", field.name, kind(&field.shape))).collect();
            format!("struct<{}>", fields.join(","))
        }
        Shape::List(element) => format!("array<{}>", kind(&element.shape)),
        Shape::Map => "array<struct<key:string,value:string>>".to_owned(),
    }
}
