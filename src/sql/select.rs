//! `SELECT` and what is around it: WITH, UNION, ORDER BY, LIMIT.

use sqlparser::ast::{
    Distinct, Expr, Ident, LimitClause, OrderBy, OrderByKind, OrderByOptions, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    SetOperator, SetQuantifier, Value, Values as ValueRows,
};

use super::compare::common;
use super::error::{Result, SqlError};
use super::eval::{Scope, Via, mask};
use super::functions::arguments;
use super::group::{self, Grouping, key_column};
use super::query::{Ctes, Session};
use super::relation::{Field, Groups, Relation};
use super::values::Values;
use super::walk::{Calls, conjuncts};
use super::{aggregate, cast, from, names, order, recursive, window};
use crate::tables::Kind;

/// The rows of a query. `outer` is the row that a correlated subquery stands at.
pub(super) fn query(session: &Session<'_>, ctes: &Ctes, outer: Option<(&Scope<'_>, Via<'_>)>, query: &Query) -> Result<Relation> {
    let ctes = with(session, ctes, outer, query)?;
    let empty = Relation::single_row();
    let like = Scope { outer, ..Scope::new(session, &ctes, &empty) };
    let rows = match &*query.body {
        SetExpr::Select(select) => return limited(&like, query, self::select(&like, select, query.order_by.as_ref(), wanted(&like, query))?),
        other => set(&like, other)?,
    };
    let sorted = match &query.order_by {
        None => rows,
        Some(by) => {
            let scope = Scope { relation: &rows, ..like };
            let keys = order_exprs(by)?.iter().map(|(expr, options)| Ok((order_key(&scope, expr, &rows)?, *options))).collect::<Result<Vec<_>>>()?;
            rows.take(&order::first_sorted(&keys, rows.height, wanted(&like, query))?)?
        }
    };
    limited(&like, query, sorted)
}

fn with(session: &Session<'_>, ctes: &Ctes, outer: Option<(&Scope<'_>, Via<'_>)>, query: &Query) -> Result<Ctes> {
    let mut ctes = ctes.clone();
    let Some(with) = &query.with else { return Ok(ctes) };
    for table in &with.cte_tables {
        let name = table.alias.name.value.to_lowercase();
        let columns: Vec<String> = table.alias.columns.iter().map(|column| column.name.value.clone()).collect();
        let rows = match recursive::halves(&table.query, &name).filter(|_| with.recursive) {
            Some((first, next, all)) => {
                let run = |ctes: &Ctes, body: &SetExpr| Ok(set(&Scope { outer, ..Scope::new(session, ctes, &Relation::single_row()) }, body)?.seen());
                recursive::rows(&ctes, &name, &columns, run, (first, next, all)).map_err(|error| error.at_span(table.alias.name.span))?
            }
            None => self::query(session, &ctes, outer, &table.query)?.renamed(&name, &columns),
        };
        ctes = ctes.with(name, rows);
    }
    Ok(ctes)
}

fn set(like: &Scope<'_>, body: &SetExpr) -> Result<Relation> {
    match body {
        SetExpr::Select(select) => self::select(like, select, None, usize::MAX),
        SetExpr::Query(inner) => query(like.session, like.ctes, like.outer, inner),
        SetExpr::Values(values) => value_rows(like, values),
        SetExpr::SetOperation { left, op, set_quantifier, right } => combine(set(like, left)?, set(like, right)?, *op, *set_quantifier),
        _ => Err(SqlError::new("only SELECT can be asked: logs are read, never written").at(body)),
    }
}

/// `VALUES (1, 'a'), (2, 'b')`.
fn value_rows(like: &Scope<'_>, values: &ValueRows) -> Result<Relation> {
    let mut all: Option<Relation> = None;
    for row in &values.rows {
        let mut one = Relation::single_row();
        for (at, expr) in cells(&row.content).into_iter().enumerate() {
            let values = like.column(expr)?;
            one.push(Field::new(format!("_col{at}"), values.kind), values.data);
        }
        all = Some(match all {
            None => one,
            Some(before) => combine(before, one, SetOperator::Union, SetQuantifier::All)?,
        });
    }
    all.ok_or_else(|| SqlError::new("VALUES needs a row"))
}

/// `VALUES ROW(1, 'a')` is `VALUES (1, 'a')`.
fn cells(row: &[Expr]) -> Vec<&Expr> {
    match row {
        [Expr::Function(call)] if names::of_function(call) == "row" => arguments(call).unwrap_or_default(),
        row => row.iter().collect(),
    }
}

pub(super) fn combine(left: Relation, right: Relation, op: SetOperator, quantifier: SetQuantifier) -> Result<Relation> {
    let (left, right) = (left.seen(), right.seen());
    if left.fields.len() != right.fields.len() {
        return Err(SqlError::new(format!("{op}: one side has {} columns and the other {}", left.fields.len(), right.fields.len())));
    }
    let mut rows = Relation { height: left.height + right.height, ..Relation::default() };
    for at in 0..left.fields.len() {
        let (a, b) = (left.values(at)?, right.values(at)?);
        let kind = common(&a.kind, &b.kind)
            .map_err(|_| SqlError::new(format!("{op}: column {} is {} on one side and {} on the other", at + 1, a.kind, b.kind)))?;
        let mut column = cast::cast(&a, &kind, left.height, false)?.data;
        column.append_owned(cast::cast(&b, &kind, right.height, false)?.data)?;
        let name = left.fields.get(at).map(|field| field.name.clone()).unwrap_or_default();
        rows.push(Field::new(name, kind), column.rechunk());
    }
    let all = matches!(quantifier, SetQuantifier::All);
    if op == SetOperator::Union && all {
        return Ok(rows);
    }
    let groups = groups_of(&rows)?;
    // How many equal rows there are on the left and on the right, and how many of the left have been looked at.
    let mut counts = vec![(0_usize, 0_usize, 0_usize); groups.count()];
    for (row, group) in groups.of_row.iter().enumerate() {
        if let Some((on_left, on_right, _)) = counts.get_mut(*group as usize) {
            if row < left.height { *on_left += 1 } else { *on_right += 1 }
        }
    }
    let kept = (0_u32..).zip(&groups.of_row).filter_map(|(row, group)| {
        let (on_left, on_right, seen) = counts.get_mut(*group as usize)?;
        *seen += 1;
        let wanted = match op {
            SetOperator::Union => 1,
            SetOperator::Intersect if all => (*on_left).min(*on_right),
            SetOperator::Intersect => usize::from(*on_left > 0 && *on_right > 0),
            _ if all => on_left.saturating_sub(*on_right),
            _ => usize::from(*on_left > 0 && *on_right == 0),
        };
        (*seen <= wanted).then_some(Some(row))
    });
    let kept: Vec<Option<u32>> = kept.collect();
    rows.take(&kept)
}

/// Equal rows of a relation.
fn groups_of(rows: &Relation) -> Result<Groups> {
    let keys = (0..rows.fields.len()).map(|at| key_column(&rows.values(at)?, rows.height)).collect::<Result<Vec<_>>>()?;
    Groups::by(&keys, rows.height)
}

/// One `SELECT`, sorted by what its query says, of which the first rows are `wanted`.
fn select(like: &Scope<'_>, select: &Select, by: Option<&OrderBy>, wanted: usize) -> Result<Relation> {
    refuse_unknown(select)?;
    let rows = from::from(like, &select.from)?;
    let rows = filtered(like, rows, select.selection.as_ref())?;
    let scope = Scope { relation: &rows, ..*like };
    let orders = by.map(order_exprs).transpose()?.unwrap_or_default();
    let calls = calls(select, &orders);
    match group::grouping(&scope, select, &calls)? {
        None => project(&scope, select, &calls, &orders, wanted),
        Some(grouping) => {
            let (count, known) = match like.session.catalog.counted() {
                Some(counted) => (counted.count, counted.known.clone()),
                None => group::grouped(&scope, &grouping, &calls)?,
            };
            let groups = Relation { height: count, ..Relation::default() };
            let after = Scope { relation: &groups, known: &known, ungrouped: Some(&scope), ..*like };
            let Some(having) = &select.having else { return project(&after, select, &calls, &orders, wanted) };
            // Trino wants the expression itself; an alias of the SELECT list is understood where nothing else has its name.
            let with_aliases = known.iter().cloned().chain(aliases(&after, select)).collect::<Vec<_>>();
            let truth = Scope { known: &with_aliases, ..after }.truth(having)?;
            let keep: Vec<Option<u32>> = (0_u32..).zip(truth).filter(|(_, keep)| *keep).map(|(row, _)| Some(row)).collect();
            after.narrowed(&keep, |after| project(after, select, &calls, &orders, wanted))
        }
    }
}

/// How a `SELECT` is grouped, and the calls in it and in what sorts it.
pub(super) fn grouping(scope: &Scope<'_>, select: &Select, by: Option<&OrderBy>) -> Result<(Option<Grouping>, Calls)> {
    let calls = calls(select, &by.map(order_exprs).transpose()?.unwrap_or_default());
    Ok((group::grouping(scope, select, &calls)?, calls))
}

/// Columns of the SELECT list under their aliases, where they can be computed before HAVING.
fn aliases(scope: &Scope<'_>, select: &Select) -> Vec<(Expr, Values)> {
    let item = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { expr, alias } => {
            let name = Expr::Identifier(Ident::new(alias.value.to_lowercase()));
            scope.column(expr).ok().filter(|_| scope.eval(&name).is_err()).map(|values| (name, values))
        }
        _ => None,
    };
    select.projection.iter().filter_map(item).collect()
}

fn refuse_unknown(select: &Select) -> Result<()> {
    let refused = [
        (select.top.is_some(), "TOP (use LIMIT)"),
        (select.into.is_some(), "INTO"),
        (select.qualify.is_some(), "QUALIFY (filter in an outer query)"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW (use CROSS JOIN UNNEST)"),
        (!select.sort_by.is_empty() || !select.cluster_by.is_empty() || !select.distribute_by.is_empty(), "SORT/CLUSTER/DISTRIBUTE BY"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (matches!(select.distinct, Some(Distinct::On(_))), "DISTINCT ON"),
    ];
    match refused.iter().find(|(found, _)| *found) {
        Some((_, what)) => Err(SqlError::new(format!("{what} is not supported")).at(select)),
        None => Ok(()),
    }
}

fn filtered(like: &Scope<'_>, mut rows: Relation, condition: Option<&Expr>) -> Result<Relation> {
    // One condition after the other: the later ones look at fewer rows, and never at those that the first ones exclude.
    for condition in condition.map(conjuncts).unwrap_or_default() {
        let scope = Scope { relation: &rows, ..*like };
        let keep = scope.truth(condition)?;
        if keep.contains(&false) {
            rows = rows.filter(&mask(&keep))?;
        }
    }
    Ok(rows)
}

fn calls(select: &Select, orders: &[(Expr, OrderByOptions)]) -> Calls {
    let mut calls = Calls::default();
    for item in &select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            calls.collect(expr);
        }
    }
    select.having.iter().for_each(|having| calls.collect(having));
    orders.iter().for_each(|(expr, _)| calls.collect(expr));
    calls
}

/// Window functions, the `SELECT` list, DISTINCT and ORDER BY.
fn project(scope: &Scope<'_>, select: &Select, calls: &Calls, orders: &[(Expr, OrderByOptions)], wanted: usize) -> Result<Relation> {
    let mut known = scope.known.to_vec();
    for call in &calls.windows {
        let scope = Scope { known: &known, ..*scope };
        let values = window::evaluate(&scope, aggregate::as_call(call)?).map_err(|error| error.at(call))?;
        known.push((call.clone(), values));
    }
    let scope = Scope { known: &known, ..*scope };
    let mut rows = Relation { height: scope.height(), ..Relation::default() };
    for item in &select.projection {
        list_item(&scope, item, &mut rows)?;
    }
    for item in &select.projection {
        other_names(&scope, item, &mut rows);
    }
    let keys = orders.iter().map(|(expr, options)| Ok((order_key(&scope, expr, &rows)?, *options))).collect::<Result<Vec<_>>>()?;
    let (rows, keys) = match select.distinct {
        Some(Distinct::Distinct) => {
            let first = groups_of(&rows)?.first;
            let keys = keys.iter().map(|(values, options)| Ok((values.take(&first)?, *options))).collect::<Result<Vec<_>>>()?;
            (rows.take(&first)?, keys)
        }
        _ => (rows, keys),
    };
    if keys.is_empty() { Ok(rows) } else { rows.take(&order::first_sorted(&keys, rows.height, wanted)?) }
}

fn list_item(scope: &Scope<'_>, item: &SelectItem, rows: &mut Relation) -> Result<()> {
    let mut push = |name: String, values: Values| {
        let data = values.spread(scope.height());
        rows.push(Field::new(name, values.kind), data);
    };
    match item {
        SelectItem::ExprWithAlias { expr, alias } => push(alias.value.clone(), scope.eval(expr)?),
        SelectItem::UnnamedExpr(expr) => {
            let values = scope.eval(expr)?;
            let at = rows.fields.len();
            let name = name_of(expr).unwrap_or_else(|| format!("_col{at}"));
            let data = values.spread(scope.height());
            rows.push(Field::new(name, values.kind), data);
        }
        SelectItem::Wildcard(_) => {
            let before = scope.ungrouped.is_some();
            if before || scope.relation.fields.is_empty() {
                return Err(SqlError::new("SELECT * needs a table, and no GROUP BY").at(item));
            }
            for (field, column) in scope.relation.fields.iter().zip(&scope.relation.columns).filter(|(field, _)| !field.hidden) {
                rows.push(Field { is_date: field.is_date, ..Field::new(field.name.clone(), field.kind.clone()) }, column.clone());
            }
        }
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), _) => return fields_of(scope, expr, rows),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            let table = names::last(name);
            let of_table: Vec<_> = scope
                .relation
                .fields
                .iter()
                .zip(&scope.relation.columns)
                .filter(|(field, _)| field.qualifier.as_deref() == Some(&table) && !field.hidden)
                .collect();
            if of_table.is_empty() {
                // What is no table may be a row.
                let parts: Vec<Ident> =
                    name.0.iter().filter_map(|part| part.as_ident()).map(|part| Ident { value: part.value.to_lowercase(), ..part.clone() }).collect();
                let expr = Expr::CompoundIdentifier(parts);
                return match scope.eval(&expr) {
                    Ok(_) => fields_of(scope, &expr, rows),
                    Err(_) => Err(SqlError::new(format!("there is no table {table} here")).at(name)),
                };
            }
            for (field, column) in of_table {
                rows.push(Field { is_date: field.is_date, ..Field::new(field.name.clone(), field.kind.clone()) }, column.clone());
            }
        }
        _ => return Err(SqlError::new("this is not supported in a SELECT list").at(item)),
    }
    Ok(())
}

/// `(row).*`: a column for each field.
fn fields_of(scope: &Scope<'_>, expr: &Expr, rows: &mut Relation) -> Result<()> {
    let values = scope.column(expr)?;
    let Kind::Row(fields) = &values.kind else {
        return Err(SqlError::new(format!("only a row has fields that * can show, and this is {}", values.kind)).at(expr));
    };
    for ((name, kind), data) in fields.iter().zip(values.data.struct_()?.fields_as_series()) {
        rows.push(Field::new(name.clone(), kind.clone()), data);
    }
    Ok(())
}

/// `*` takes the columns' other names along, unseen, so that a query around this one can still ask for them.
fn other_names(scope: &Scope<'_>, item: &SelectItem, rows: &mut Relation) {
    let table = match item {
        SelectItem::Wildcard(_) => None,
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => Some(names::last(name)),
        _ => return,
    };
    for (field, column) in scope.relation.fields.iter().zip(&scope.relation.columns).filter(|(field, _)| field.hidden) {
        if table.is_none() || field.qualifier == table {
            rows.push(Field { hidden: true, is_date: field.is_date, ..Field::new(field.name.clone(), field.kind.clone()) }, column.clone());
        }
    }
}

/// The name of a column without an alias.
fn name_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(ident.value.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.clone()),
        Expr::CompoundFieldAccess { access_chain, .. } => access_chain.last().and_then(names::of_field).map(|field| field.value),
        Expr::Nested(inner) => name_of(inner),
        _ => None,
    }
}

fn order_exprs(by: &OrderBy) -> Result<Vec<(Expr, OrderByOptions)>> {
    match &by.kind {
        OrderByKind::Expressions(exprs) => Ok(exprs.iter().map(|key| (key.expr.clone(), key.options)).collect()),
        OrderByKind::All(_) => Err(SqlError::new("ORDER BY ALL is not supported").at(by)),
    }
}

/// What a key of ORDER BY means: the number of a column, its name in the `SELECT` list, or an expression.
fn order_key(scope: &Scope<'_>, expr: &Expr, rows: &Relation) -> Result<Values> {
    if let Expr::Value(value) = expr
        && let Value::Number(text, _) = &value.value
    {
        let index = text.parse::<usize>().ok().and_then(|ordinal| ordinal.checked_sub(1)).filter(|index| *index < rows.fields.len());
        return match index {
            Some(index) => rows.values(index),
            None => Err(SqlError::new(format!("ORDER BY {text}: there is no such column in the SELECT list")).at(expr)),
        };
    }
    let mut known: Vec<(Expr, Values)> = Vec::new();
    for (at, field) in rows.fields.iter().enumerate() {
        known.push((Expr::Identifier(Ident::new(field.name.to_lowercase())), rows.values(at)?));
    }
    known.extend(scope.known.iter().cloned());
    Scope { known: &known, ..*scope }.column(expr)
}

fn limited(like: &Scope<'_>, query: &Query, rows: Relation) -> Result<Relation> {
    let (offset, count) = limits(like, query)?;
    Ok(if offset == 0 && count >= rows.height { rows } else { rows.slice(offset, count) })
}

/// How many rows of a query's, from the first on, anybody sees.
fn wanted(like: &Scope<'_>, query: &Query) -> usize {
    limits(like, query).map_or(usize::MAX, |(offset, count)| offset.saturating_add(count))
}

/// OFFSET and LIMIT.
fn limits(like: &Scope<'_>, query: &Query) -> Result<(usize, usize)> {
    let (mut offset, mut count) = (0, usize::MAX);
    match &query.limit_clause {
        None => {}
        Some(LimitClause::LimitOffset { limit, offset: skip, limit_by }) if limit_by.is_empty() => {
            offset = skip.as_ref().map(|skip| number(like, &skip.value)).transpose()?.unwrap_or(0);
            count = limit.as_ref().map(|limit| number(like, limit)).transpose()?.unwrap_or(usize::MAX);
        }
        Some(LimitClause::OffsetCommaLimit { offset: skip, limit }) => {
            offset = number(like, skip)?;
            count = number(like, limit)?;
        }
        Some(other) => return Err(SqlError::new(format!("{other} is not supported"))),
    }
    if let Some(fetch) = &query.fetch {
        if fetch.percent || fetch.with_ties {
            return Err(SqlError::new("FETCH … PERCENT and WITH TIES are not supported"));
        }
        count = fetch.quantity.as_ref().map(|quantity| number(like, quantity)).transpose()?.unwrap_or(1);
    }
    Ok((offset, count))
}

fn number(like: &Scope<'_>, expr: &Expr) -> Result<usize> {
    if let Expr::Identifier(ident) = expr
        && ident.value == "all"
    {
        return Ok(usize::MAX);
    }
    let values = like.eval(expr)?;
    match (values.kind == Kind::Bigint).then(|| values.constant_whole()).flatten().and_then(|number| usize::try_from(number).ok()) {
        Some(number) => Ok(number),
        None => Err(SqlError::new("LIMIT and OFFSET need a whole number").at(expr)),
    }
}
