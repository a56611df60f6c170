//! A query over the rows of another one, where these do not fit into memory: it is evaluated in pieces of them, as
//! others are in pieces of the events.

use std::ops::ControlFlow;

use polars::prelude::{NamedFrom, Series};
use sqlparser::ast::{Query, TableFactor};

use super::partial::Partial;
use super::{Flow, Reduction, rowwise, sequence};
use crate::sql::bind::Bound;
use crate::sql::error::Result;
use crate::sql::plan::divide;
use crate::sql::plan::divide::EventsTable;
use crate::sql::plan::mention::Filters;
use crate::sql::plan::scan::Scan;
use crate::sql::syntax::names::top;
use crate::sql::syntax::visit::relations;
use crate::sql::syntax::{grouping, names};
use crate::sql::types::place::{OBJECT, RECORD};
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::values::Cell;
use crate::tables::Kind;

impl Flow {
    /// `None` if the query needs more than one pass over the rows of the table called `name`.
    pub fn over_rows(
        bound: &Bound,
        tree: &Query,
        name: &str,
        reads: (&Scan, &Filters, bool),
    ) -> Option<Self> {
        let mut tree = tree.clone();
        divide::write_out_with(&mut tree)?;
        let mut count = 0;
        let _ = relations(&tree, &mut |table| {
            count += usize::from(names::last(table) == name);
            ControlFlow::Continue(())
        });
        if count != 1
            || rowwise::has_windows(&tree)
            || grouping::has_ties(&tree)
            || !sequence::is_over_table(&tree, name)
        {
            return None;
        }
        let alias = alias_of(&tree)?;
        Self::over_table(bound, tree, reads, (name, alias))
    }

    /// A query that makes its rows, or groups, of the rows of one table, which has this name and alias.
    pub(super) fn over_table(
        bound: &Bound,
        tree: Query,
        reads: (&Scan, &Filters, bool),
        (name, alias): (&str, String),
    ) -> Option<Self> {
        let select = top(&tree)?;
        let by = tree.order_by.as_ref();
        let reduction = match grouping::is_grouped(select, by) {
            true => Reduction::Groups(Partial::of(bound, select, by)?),
            false => Reduction::Rows { distinct: select.distinct.is_some() },
        };
        let table = EventsTable { name: name.to_owned(), alias, is_store: false, keys: Vec::new() };
        let flow = Self::new(bound, &tree, reads, reduction);
        Some(Self { events_tables: Some(vec![table]), ..flow })
    }

    /// The same for rows with these columns.
    pub fn with_columns(self, columns: &Relation) -> Result<Self> {
        Ok(Self { columns: Some(numbered(columns.slice(0, 0), 0)), ..self })
    }
}

/// The alias of the first table.
fn alias_of(query: &Query) -> Option<String> {
    match &top(query)?.from.first()?.relation {
        TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => {
            alias.as_ref().map(|alias| alias.name.value.clone())
        }
        _ => None,
    }
}

/// Rows with their places, counted from `first`: they are in order.
pub(in crate::sql) fn numbered(mut rows: Relation, first: i64) -> Relation {
    let objects = Series::new("".into(), vec![""; rows.height]);
    let records = i64::column((first..).take(rows.height).map(Some).collect());
    rows.push(Field { hidden: true, ..Field::new(OBJECT, Kind::Varchar) }, objects);
    rows.push(Field { hidden: true, ..Field::new(RECORD, Kind::Bigint) }, records);
    rows
}
