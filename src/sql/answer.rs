//! The answer to a query: named columns with types.

use polars::prelude::{Column, DataFrame, DataType, IntoColumn, Series, StructChunked, TimeUnit};

use crate::sql::error::{Result, SqlError};
use crate::sql::types::relation::Relation;
use crate::sql::types::{cast, json, nested_values};
use crate::tables::builder::lists;
use crate::tables::{Kind, Rows, Table};

/// The rows of an answer.
#[derive(Debug, Clone)]
pub struct Answer {
    rows: Relation,
    names: Vec<String>,
    /// The columns, prepared for output.
    shown: Vec<cast::Shown>,
}

impl Answer {
    /// All rows of a table, unchanged.
    ///
    /// # Errors
    /// The columns do not have the types that the table declares.
    pub fn of_table(table: &Table, rows: &Rows) -> std::result::Result<Self, SqlError> {
        Self::new(Relation::of_table(table, rows))
    }

    pub(in crate::sql) fn new(rows: Relation) -> Result<Self> {
        let mut names: Vec<String> = Vec::new();
        for field in &rows.fields {
            let numbered = (2..).map(|count| format!("{}_{count}", field.name));
            let name = std::iter::once(field.name.clone()).chain(numbered).find(|name| !names.contains(name));
            names.extend(name);
        }
        let shown = rows
            .fields
            .iter()
            .zip(&rows.columns)
            .map(|(field, data)| cast::Shown::of(&field.kind, data))
            .collect::<Result<_>>()?;
        Ok(Self { rows, names, shown })
    }

    pub(super) fn into_rows(self) -> Relation {
        self.rows
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.rows.height
    }

    /// Names and types of the columns.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Kind)> {
        self.rows.fields.iter().map(|field| (field.name.as_str(), &field.kind))
    }

    /// Unique names of the columns: of two columns with one name, the second gets a number.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// One cell as Athena would show it; `None` is NULL.
    pub fn text(&self, row: usize, column: usize) -> Option<String> {
        self.shown.get(column)?.text(row)
    }

    /// The same, borrowed if there is such a text; otherwise it is written into `made`.
    pub fn text_in<'t>(&'t self, row: usize, column: usize, made: &'t mut String) -> Option<&'t str> {
        self.shown.get(column)?.text_in(row, made)
    }

    /// One row as a JSON object, with times in RFC 3339.
    pub fn json(&self, row: usize) -> String {
        let mut out = String::from("{");
        for (column, key) in self.shown.iter().zip(self.keys()) {
            if out.len() > 1 {
                out.push(',');
            }
            json::push_json_string(key, &mut out);
            out.push(':');
            column.write_json(row, &mut out);
        }
        out.push('}');
        out
    }

    /// The answer as a polars data frame, with columns of times as times; of two columns with one name, the
    /// second gets a number.
    ///
    /// # Errors
    /// The columns do not make up a data frame.
    pub fn frame(&self) -> std::result::Result<DataFrame, SqlError> {
        let mut columns: Vec<Column> = Vec::new();
        for ((field, data), key) in self.rows.fields.iter().zip(&self.rows.columns).zip(self.keys()) {
            columns.push(outward(&field.kind, data)?.with_name(key.into()).into_column());
        }
        Ok(DataFrame::new(self.rows.height, columns)?)
    }
}

/// Converts stored times to polars' types, also inside of other values.
fn outward(kind: &Kind, data: &Series) -> Result<Series> {
    Ok(match kind {
        Kind::Timestamp { .. } | Kind::Zoned(_) => {
            data.cast(&DataType::Datetime(TimeUnit::Milliseconds, None))?
        }
        Kind::Ip => {
            let values = crate::sql::types::values::Values::new(kind.clone(), data.clone());
            <String as crate::sql::types::values::Cell>::column(cast::texts(&values, data.len())?)
        }
        // Doubles, because all Parquet readers support them.
        Kind::Decimal { .. } => {
            cast::cast(
                &crate::sql::types::values::Values::new(kind.clone(), data.clone()),
                &Kind::Double,
                data.len(),
                false,
            )?
            .data
        }
        Kind::Date => data.cast(&DataType::Int32)?.cast(&DataType::Date)?,
        Kind::Row(fields) => {
            let columns = data.struct_().map(StructChunked::fields_as_series)?;
            let columns = columns
                .iter()
                .zip(fields)
                .map(|(column, (name, kind))| Ok(outward(kind, column)?.with_name(name.as_str().into())));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            polars::prelude::IntoSeries::into_series(StructChunked::from_series(
                "".into(),
                data.len(),
                columns.iter(),
            )?)
        }
        Kind::Array(element) if has_time(element) => {
            let (elements, lengths) =
                nested_values::explode(&crate::sql::types::values::Values::new(kind.clone(), data.clone()))?;
            // Arrays of times become texts: they are rare, and texts are readable everywhere.
            let texts = cast::texts(&elements, elements.data.len())?;
            lists("", &<String as crate::sql::types::values::Cell>::column(texts), &Kind::Varchar, &lengths)
        }
        _ => data.clone(),
    })
}

fn has_time(kind: &Kind) -> bool {
    kind.is_time()
}
