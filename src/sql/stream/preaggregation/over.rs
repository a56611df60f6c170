//! Expressions over text columns, evaluated once for each text.

use std::ops::ControlFlow;

use polars::prelude::{IntoSeries, StringChunked};
use sqlparser::ast::{Expr, Ident};

use crate::model::Timestamp;
use crate::sql::catalog::Catalog;
use crate::sql::error::Result;
use crate::sql::functions::partition;
use crate::sql::run::engine;
use crate::sql::scope::{Ctes, Scope};
use crate::sql::syntax::visit::{Visitor, visit};
use crate::sql::types::relation::Relation;
use crate::sql::types::values::Values;
use crate::sql::types::{clock, columns, relation};
use crate::tables::{self, Kind, cloudtrail};

/// A text column, or a text field of a struct column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub column: &'static str,
    pub fields: Vec<String>,
}

impl Leaf {
    pub fn column(column: &'static str) -> Self {
        Self { column, fields: Vec::new() }
    }
}

/// An expression that uses only leaves.
#[derive(Debug, Clone)]
pub(super) struct Over {
    expr: Expr,
    pub kind: Kind,
    /// The plan's leaves that it uses, each once.
    pub leaves: Vec<usize>,
    /// Names in it that stand for a whole leaf, and the leaf.
    names: Vec<(Expr, usize)>,
    /// Whether columns can be found by other names as well: members of JSON, dates of partitions.
    by_column: bool,
}

impl Over {
    /// `expr`, as resolved by `scope` over a table without rows; `None` if it uses anything else. `leaves`
    /// are those of the plan so far.
    pub fn of(
        scope: &Scope<'_>,
        expr: &Expr,
        leaves: &mut Vec<Leaf>,
        loaded: &dyn Fn(&str) -> bool,
    ) -> Option<Self> {
        let kind = scope.eval(expr).ok()?.kind;
        let mut finder = Finder { scope, found: Vec::new(), names: Vec::new(), by_column: false };
        if visit(expr, &mut finder).is_break() {
            return None;
        }
        let Finder { mut found, names: named, by_column, .. } = finder;
        // The notation of a partition's date depends on what it is compared with. If that is not a literal,
        // it may differ between row groups.
        let dates = found.iter().filter(|leaf| relation::is_date(leaf.column)).count();
        if dates > 0 && dates < found.len() {
            return None;
        }
        // The notation of `day` may depend on the column with the whole date.
        if dates > 0 && loaded(partition::WHOLE) && !found.contains(&Leaf::column(partition::WHOLE)) {
            found.push(Leaf::column(partition::WHOLE));
        }
        let mut place = |leaf: &Leaf| {
            leaves.iter().position(|known| known == leaf).unwrap_or_else(|| {
                leaves.push(leaf.clone());
                leaves.len() - 1
            })
        };
        let names = named.into_iter().map(|(name, leaf)| (name, place(&leaf))).collect();
        Some(Self { expr: expr.clone(), kind, leaves: found.iter().map(place).collect(), names, by_column })
    }

    /// Whether it is just the name of a leaf.
    pub fn is_leaf(&self) -> bool {
        self.names.iter().any(|(name, _)| *name == self.expr)
    }

    /// Evaluates it, given the values of its leaves, one column each. `alias` is the alias of the table.
    pub fn evaluate(
        &self,
        (alias, now): (&str, Timestamp),
        leaves: &[Leaf],
        columns: &[StringChunked],
    ) -> Result<Values> {
        let height = columns.first().map_or(1, |column| column.len());
        let column = |at: &usize| {
            self.leaves.iter().position(|leaf| leaf == at).and_then(|at| columns.get(at)).cloned()
        };
        let values = |texts: StringChunked| Values::new(Kind::Varchar, texts.into_series());
        let known: Vec<(Expr, Values)> =
            self.names.iter().filter_map(|(name, at)| Some((name.clone(), values(column(at)?)))).collect();
        let mut relation = Relation { height, ..Relation::default() };
        if self.by_column {
            let named = self
                .leaves
                .iter()
                .filter_map(|at| leaves.get(*at))
                .zip(columns)
                .filter(|(leaf, _)| leaf.fields.is_empty());
            let columns = named.map(|(leaf, texts)| (leaf.column, texts.clone().into_series())).collect();
            relation =
                Relation::of_table(&cloudtrail::TABLE, &tables::Rows { columns, height }).renamed(alias, &[]);
        }
        let (catalog, ctes) = (Catalog::default(), Ctes::default());
        let session = engine::session(&catalog, now.millis());
        Scope { known: &known, ..Scope::new(&session, &ctes, &relation) }.column(&self.expr)
    }
}

struct Finder<'s> {
    scope: &'s Scope<'s>,
    found: Vec<Leaf>,
    names: Vec<(Expr, Leaf)>,
    by_column: bool,
}

impl Finder<'_> {
    fn name(&mut self, expr: &Expr, parts: &[Ident]) -> Option<()> {
        let Some((index, used)) = columns::find(&self.scope.relation.fields, parts).ok()? else {
            return matches!(parts, [only] if clock::is_moment(&only.value)).then_some(());
        };
        let field = self.scope.relation.fields.get(index)?;
        let column = cloudtrail::column_named(&field.name)?;
        let (mut kind, mut fields) = (&field.kind, Vec::new());
        let mut rest = parts.get(used..)?.iter();
        while let (Kind::Row(members), Some(part)) = (kind, rest.as_slice().first()) {
            let (name, below) = members.iter().find(|(name, _)| name.eq_ignore_ascii_case(&part.value))?;
            fields.push(name.clone());
            kind = below;
            rest.next();
        }
        if *kind != Kind::Varchar {
            return None;
        }
        let leaf = Leaf { column, fields };
        let whole = rest.as_slice().is_empty();
        if !whole && !cloudtrail::JSON_COLUMNS.contains(&column) {
            return None;
        }
        self.by_column |= !whole || field.is_date;
        if whole && !field.is_date {
            self.names.push((expr.clone(), leaf.clone()));
        }
        if !self.found.contains(&leaf) {
            self.found.push(leaf);
        }
        Some(())
    }
}

impl Visitor for Finder<'_> {
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let understood = match expr {
            Expr::Identifier(ident) => self.name(expr, std::slice::from_ref(ident)),
            Expr::CompoundIdentifier(parts) => self.name(expr, parts),
            // Names inside of these are not names of columns.
            Expr::CompoundFieldAccess { .. } | Expr::Lambda(_) => None,
            _ => Some(()),
        };
        if understood.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}
