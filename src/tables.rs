//! The declarations of all tables: their names, columns and types.
//!
//! Everything that shows events as rows uses them: the SQL engine, the Parquet lake, `tagfall queries`.
//! `cloudtrail_logs` has the columns of the table that the CloudTrail console creates in Athena, so that
//! queries written there run here. The other tables hold the engine's results.
//!
//! - [`kind`]: column types, in Trino's terms, and their representation in memory;
//! - [`cloudtrail`], [`engine`]: the declarations;
//! - `builder`: JSON values → a column of any type;
//! - [`events`]: CloudTrail records → rows of `cloudtrail_logs`, only the columns that are asked for;
//! - [`cells`]: one row of an engine table as values;
//! - [`rows`], [`policies`]: timelines, findings, coverage, lifecycle policies → rows of the engine tables.

#[cfg(feature = "sql")]
pub(crate) mod builder;
pub mod cells;
pub mod cloudtrail;
pub mod engine;
#[cfg(feature = "sql")]
pub mod events;
pub mod kind;
#[cfg(feature = "sql")]
pub mod policies;
#[cfg(feature = "sql")]
pub mod rows;

#[cfg(feature = "sql")]
pub use events::EventRows;
pub use kind::Kind;

#[cfg(feature = "sql")]
use builder::Builder;
#[cfg(feature = "sql")]
use polars::prelude::{
    BooleanChunked, DataType, IntoSeries, NamedFrom, NewChunkedArray, PolarsResult, Series,
};

/// A table's declaration.
#[derive(Debug)]
pub struct Table {
    /// Its name in SQL.
    pub name: &'static str,
    /// What one row is, as a sentence.
    pub about: &'static str,
    pub columns: fn() -> Vec<Column>,
}

/// A column's declaration.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// In lower case, as Athena shows it.
    pub name: &'static str,
    pub kind: Kind,
}

/// Rows of a table: columns of equal length, by name. They may be fewer columns than the table declares.
#[cfg(feature = "sql")]
#[derive(Debug, Clone, Default)]
pub struct Rows {
    pub columns: Vec<(&'static str, Series)>,
    pub height: usize,
}

#[cfg(feature = "sql")]
impl Rows {
    /// Keeps the rows where `keep`, which is as long as the columns, is true.
    ///
    /// # Errors
    /// A column is not as long.
    pub(crate) fn retain(&mut self, keep: &[bool]) -> PolarsResult<()> {
        let mask = BooleanChunked::from_slice("".into(), keep);
        let height = keep.iter().filter(|keep| **keep).count();
        for (_, column) in &mut self.columns {
            *column = column.filter(&mask)?;
            if height < self.height / COPIED_PART {
                *column = copied(column)?;
            }
        }
        self.height = height;
        Ok(())
    }
}

/// Rows that are fewer than this part of those that they were taken from are [`copied`].
#[cfg(feature = "sql")]
pub(crate) const COPIED_PART: usize = 4;

/// A copy of a column, which otherwise keeps the memory of all texts of the column that it was taken from.
///
/// # Errors
/// polars cannot make it.
#[cfg(feature = "sql")]
pub(crate) fn copied(column: &Series) -> PolarsResult<Series> {
    Ok(match column.dtype() {
        DataType::String => Series::new(column.name().clone(), column.str()?.iter().collect::<Vec<_>>()),
        DataType::Struct(_) => column.struct_()?.try_apply_fields(copied)?.into_series(),
        DataType::List(_) => column.list()?.apply_to_inner(&|elements| copied(&elements))?.into_series(),
        _ => column.clone(),
    })
}

/// A column that is needed, or some of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub name: String,
    /// Paths of the needed fields of a row type; empty for all of it. Other fields are not built.
    pub fields: Vec<Vec<String>>,
}

impl Asked {
    /// The whole column.
    pub fn whole(name: impl Into<String>) -> Self {
        Self { name: name.into(), fields: Vec::new() }
    }
}

/// Every table, in the order in which they are shown.
pub const ALL: &[&Table] = &[
    &cloudtrail::TABLE,
    &engine::STEPS,
    &engine::IMAGES,
    &engine::TAGS,
    &engine::FINDINGS,
    &engine::POLICIES,
    &engine::REFERENCES,
    &engine::COVERAGE,
];

/// The table that `name` means, ignoring case. `events` and every name that contains `trail` mean
/// `cloudtrail_logs`: the console names its table after the bucket, AWS's own solutions after the account
/// (`trail_111122223333`), and people as they like.
pub fn find(name: &str) -> Option<&'static Table> {
    let name = name.to_ascii_lowercase();
    if name == "events" || name.contains("trail") {
        return Some(&cloudtrail::TABLE);
    }
    ALL.iter().copied().find(|table| table.name == name)
}

impl Table {
    /// The table with all its columns and no rows.
    #[cfg(feature = "sql")]
    pub fn empty(&self) -> Rows {
        // Built here and not by polars, which for its first text column of NULLs allocates 8 MiB, even if
        // the column is empty.
        let columns = (self.columns)()
            .into_iter()
            .map(|column| (column.name, Builder::new(&column.kind).take(column.name)));
        Rows { columns: columns.collect(), height: 0 }
    }

    /// The type of the column `name`.
    pub fn kind_of(&self, name: &str) -> Option<Kind> {
        (self.columns)().into_iter().find(|column| column.name == name).map(|column| column.kind)
    }
}

/// Shorthand for declarations.
pub(crate) fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "sql")]
    use polars::prelude::StructChunked;

    use super::*;

    #[test]
    fn any_name_that_athena_users_give_their_trail_table_is_the_trail_table() {
        for name in [
            "cloudtrail_logs",
            "events",
            "CloudTrail",
            "cloudtrail_logs_pp",
            "cloudtrail_logs_my_bucket",
            "org_cloudtrail",
            "trail_111122223333",
            "cloud_trail",
        ] {
            assert_eq!(find(name).map(|table| table.name), Some("cloudtrail_logs"), "{name}");
        }
        assert_eq!(find("Steps").map(|table| table.name), Some("steps"));
        assert!(find("vpc_flow_logs").is_none());
    }

    #[cfg(feature = "sql")]
    #[test]
    fn a_table_without_rows_has_all_its_columns_and_their_types() {
        for table in ALL {
            let empty = table.empty();
            let found: Vec<_> = empty
                .columns
                .iter()
                .map(|(name, column)| (*name, column.dtype().clone(), column.len()))
                .collect();
            let declared: Vec<_> =
                (table.columns)().into_iter().map(|column| (column.name, column.kind.dtype(), 0)).collect();
            assert_eq!(found, declared, "{}", table.name);
        }
    }

    #[test]
    fn column_names_are_lower_case_and_unique() {
        for table in ALL {
            let mut names: Vec<_> = (table.columns)().into_iter().map(|column| column.name).collect();
            assert!(names.iter().all(|name| *name == name.to_ascii_lowercase()), "{}", table.name);
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{}", table.name);
        }
    }

    /// Nine rows of each row group took the memory of all of its ids.
    #[cfg(feature = "sql")]
    #[test]
    fn rows_that_are_kept_of_many_do_not_keep_the_memory_of_all() {
        const MANY: usize = 10_000;
        let texts = |column: &Series| {
            column.str().unwrap().downcast_iter().map(|texts| texts.total_buffer_len()).sum::<usize>()
        };
        let ids: Vec<String> =
            (0..MANY).map(|number| format!("an id that is no short text {number:09}")).collect();
        let id = Series::new("id".into(), &ids);
        let missing: Vec<Option<&str>> =
            ids.iter().enumerate().map(|(at, id)| (at % 2 == 0).then_some(id.as_str())).collect();
        let caller = StructChunked::from_series("caller".into(), MANY, [id.clone()].iter()).unwrap();
        let mut rows = Rows {
            columns: vec![
                ("id", id.clone()),
                ("missing", Series::new("missing".into(), &missing)),
                ("caller", caller.into_series()),
            ],
            height: MANY,
        };
        let expected = [10, 4_001, MANY - 1];
        let mut keep = vec![false; MANY];
        expected.iter().for_each(|at| keep[*at] = true);
        rows.retain(&keep).unwrap();
        let [(_, id), (_, missing), (_, caller)] = rows.columns.as_slice() else { panic!("three columns") };
        let inside = caller.struct_().unwrap().field_by_name("id").unwrap();
        for column in [id, &inside] {
            let found: Vec<_> = column.str().unwrap().iter().flatten().collect();
            assert_eq!(found, expected.map(|at| ids[at].as_str()));
            assert!(texts(column) < 1_000, "{}", texts(column));
        }
        assert_eq!(missing.str().unwrap().iter().collect::<Vec<_>>(), [Some(ids[10].as_str()), None, None]);
        assert_eq!(rows.height, expected.len());
    }
}
