//! FROM: tables, joins, `UNNEST`.

use std::collections::BTreeSet;

use sqlparser::ast::{Expr, Ident, Value};

use super::{Lowering, unexpected};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::{constants, resolve};
use crate::sql::expression::query::{self, Naming, Sample, Subquery, Tables, Unnest, Using};
use crate::sql::plan::logical::{JoinKind, Leaf, Node, Operator, Plan};
use crate::sql::scope::{Scope, Via};
use crate::sql::types::columns::{equal_columns, used};
use crate::sql::types::event_data_store;
use crate::sql::types::nested_values::element;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::schema::{are_whole, elements, joined};

/// Tables in FROM, and their columns, without rows.
pub(super) struct Source {
    pub from: Tables,
    pub rows: Relation,
}

impl Lowering<'_> {
    /// A table, or a join. Of its columns those with `names` are used; `None`: any may be.
    pub(super) fn from(
        &self,
        like: &Scope<'_>,
        node: &Node,
        names: Option<&BTreeSet<String>>,
    ) -> Result<Source> {
        match (&node.operator, node.inputs.as_slice()) {
            (Operator::Row, _) => Ok(Source { from: Tables::Row, rows: Relation::default() }),
            (Operator::Scan { table, is_store, leaf }, _) => {
                let rows = match self.catalog.get(table.name) {
                    Some(rows) => (*rows).clone(),
                    None => Relation::of_table(table, &table.empty()),
                };
                let rows = if *is_store { event_data_store::typed(rows)? } else { rows };
                let (naming, sample) = (naming(leaf), sampled(like, leaf)?);
                let rows = naming.named(rows);
                let (table, is_store) = (*table, *is_store);
                Ok(Source { from: Tables::Table { table, is_store, naming, sample, span: leaf.span }, rows })
            }
            (Operator::Common { common, leaf }, _) => self.common(like, &common.name, leaf),
            (Operator::Given { name, leaf }, _) => self.common(like, name, leaf),
            (Operator::Derived { plan, leaf, .. }, _) => {
                let (query, rows) = self.query(like.ctes, like.outer, plan)?;
                let (naming, sample) = (naming(leaf), sampled(like, leaf)?);
                let rows = naming.named(rows);
                Ok(Source { from: Tables::Derived { query: Box::new(query), naming, sample }, rows })
            }
            (Operator::Parentheses(None), [input]) => self.from(like, input, None),
            (Operator::Parentheses(Some(leaf)), [input]) => {
                let Source { from, rows } = self.from(like, input, None)?;
                let naming = naming(leaf);
                let rows = naming.named(rows);
                Ok(Source { from: Tables::Parentheses { tables: Box::new(from), naming }, rows })
            }
            (Operator::Unnest { arrays, has_ordinals, keeps_rows, leaf }, [input]) => {
                let input = self.from(like, input, None)?;
                unnest(like, input, arrays, leaf, (*has_ordinals, *keeps_rows), names)
            }
            (Operator::Join { kind, on, using }, [left, right]) => {
                let left = self.from(like, left, None)?;
                match &right.operator {
                    Operator::Derived { plan, lateral: Some(outside), leaf } if sees_left(*kind, on) => {
                        self.lateral(like, left, (plan, outside, leaf), kind.keeps_left())
                    }
                    _ => joined_by(like, (left, self.from(like, right, None)?), *kind, on, using),
                }
            }
            _ => Err(unexpected()),
        }
    }

    fn common(&self, like: &Scope<'_>, name: &str, leaf: &Leaf) -> Result<Source> {
        let missing = || SqlError::new(format!("there is no table {name}")).at_span(leaf.span);
        let rows = like.ctes.get(name).ok_or_else(missing)?;
        let (naming, sample) = (naming(leaf), sampled(like, leaf)?);
        let rows = naming.named((*rows).clone());
        Ok(Source { from: Tables::Common { name: name.to_owned(), naming, sample }, rows })
    }

    /// A subquery that sees each row to its left.
    fn lateral(
        &self,
        like: &Scope<'_>,
        left: Source,
        (plan, outside, leaf): (&Plan, &[Vec<Ident>], &Leaf),
        keeps_rows: bool,
    ) -> Result<Source> {
        let scope = Scope { relation: &left.rows, known: &[], ungrouped: None, ..*like };
        let (query, rows) = self.query(like.ctes, Some((&scope, Via::Rows(&[]))), plan)?;
        let (rows, outside) = (rows.seen(), resolve::outside(&scope, outside)?);
        let fields = rows.fields.clone();
        let query = Subquery { fields, outside, query: Some(query), apart: None, span: leaf.span };
        let naming = naming(leaf);
        let rows = naming.named(rows);
        let from = Tables::Lateral { input: Box::new(left.from), query: Box::new(query), keeps_rows, naming };
        Ok(Source { from, rows: left.rows.beside(rows) })
    }
}

fn naming(leaf: &Leaf) -> Naming {
    let table = Some(leaf.alias.clone()).filter(|alias| !alias.is_empty());
    Naming { table, columns: leaf.columns.clone() }
}

fn sampled(like: &Scope<'_>, leaf: &Leaf) -> Result<Option<Sample>> {
    leaf.sample.as_ref().map(|sample| constants::sample(like, sample)).transpose()
}

/// Whether a lateral subquery is joined to each row for itself, and not under a condition.
fn sees_left(kind: JoinKind, on: &[Expr]) -> bool {
    let is_true = |expr: &Expr| matches!(expr, Expr::Value(value) if value.value == Value::Boolean(true));
    match kind {
        JoinKind::Cross => true,
        JoinKind::Semi | JoinKind::Anti => false,
        _ => matches!(on, [only] if is_true(only)),
    }
}

fn unnest(
    like: &Scope<'_>,
    input: Source,
    arrays: &[Expr],
    leaf: &Leaf,
    (has_ordinals, keeps_rows): (bool, bool),
    names: Option<&BTreeSet<String>>,
) -> Result<Source> {
    let scope = Scope { relation: &input.rows, known: &[], ungrouped: None, ..*like };
    let arrays = arrays.iter().map(|array| scope.resolve(array)).collect::<Result<Vec<_>>>()?;
    let kinds = arrays
        .iter()
        .map(|array| element(&scope.value(array)?.kind).map_err(|error| error.at_span(array.span)));
    let kinds = kinds.collect::<Result<Vec<_>>>()?;
    let is_whole = are_whole(leaf.columns.len(), arrays.len(), has_ordinals);
    let naming = naming(leaf);
    let right = naming.named(Relation::without_rows(elements(&kinds, is_whole, has_ordinals)));
    // An array that has been unnested is mostly not used again, and must not be copied to every resulting row.
    let used = names.map(|names| used(&input.rows, names));
    let rows = match &used {
        Some(used) => input.rows.with_columns(used),
        None => input.rows,
    };
    let unnest = Unnest { input: input.from, arrays, is_whole, has_ordinals, keeps_rows, used, naming };
    Ok(Source { from: Tables::Unnest(Box::new(unnest)), rows: rows.beside(right) })
}

fn joined_by(
    like: &Scope<'_>,
    (left, right): (Source, Source),
    kind: JoinKind,
    on: &[Expr],
    columns: &[String],
) -> Result<Source> {
    let equal = equal_columns(&left.rows.fields, &right.rows.fields, columns)?;
    let on = if columns.is_empty() { on } else { &equal };
    let condition = resolve::join::condition(like, &left.rows, &right.rows, on)?;
    let using = (!columns.is_empty()).then(|| using(&left.rows, &right.rows, columns));
    let (kind, rows) = match kind {
        JoinKind::Semi | JoinKind::Anti => {
            (query::JoinKind::Semi { is_negated: kind == JoinKind::Anti }, left.rows)
        }
        _ => {
            let pairs =
                query::JoinKind::Pairs { keeps_left: kind.keeps_left(), keeps_right: kind.keeps_right() };
            (pairs, Relation::without_rows(joined(&left.rows.fields, &right.rows.fields, columns)?))
        }
    };
    let join = query::Join { left: left.from, right: right.from, kind, condition, using };
    Ok(Source { from: Tables::Join(Box::new(join)), rows })
}

/// Where the columns of USING are.
fn using(left: &Relation, right: &Relation, columns: &[String]) -> Using {
    let lefts = left.fields.len();
    let all: Vec<&Field> = left.fields.iter().chain(&right.fields).collect();
    let is = |at: usize, name: &str| all.get(at).is_some_and(|field| field.name.eq_ignore_ascii_case(name));
    let place = |name: &String| {
        let first = (0..lefts).find(|at| is(*at, name))?;
        Some((first, (lefts..all.len()).find(|at| is(*at, name))?))
    };
    Using {
        equal: columns.iter().filter_map(place).collect(),
        others: (0..all.len()).filter(|at| !columns.iter().any(|name| is(*at, name))).collect(),
    }
}
