//! UNION, INTERSECT and EXCEPT, and bare VALUES.

use polars::prelude::Series;
use sqlparser::ast::SetOperator;

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::memory::{Limits, row_bytes};
use crate::sql::scope::Scope;
use crate::sql::types::cast;
use crate::sql::types::compare::key_column;
use crate::sql::types::place::{NTH, OBJECT, RECORD, SIDE, is_place};
use crate::sql::types::relation::{Field, Groups, Relation};
use crate::sql::types::schema::combined;
use crate::sql::types::values::Cell;
use crate::tables::Kind;

/// `VALUES (1, 'a'), (2, 'b')`.
pub(in crate::sql) fn value_rows(like: &Scope<'_>, rows: &[Vec<Expression>]) -> Result<Relation> {
    let mut all: Option<Relation> = None;
    for row in rows {
        let mut one = Relation { height: like.height(), ..Relation::default() };
        for (at, cell) in row.iter().enumerate() {
            let values = like.values(cell)?;
            one.push(Field::new(format!("_col{at}"), values.kind), values.data);
        }
        all = Some(match all {
            None => one,
            Some(before) => combine(like.session.limits(), before, one, SetOperator::Union, true)?,
        });
    }
    all.ok_or_else(|| SqlError::new("VALUES needs a row"))
}

/// The rows of both sides. `all`: duplicates are kept.
pub(in crate::sql) fn combine(
    limits: &Limits,
    left: Relation,
    right: Relation,
    op: SetOperator,
    all: bool,
) -> Result<Relation> {
    let places = both_places(&left, &right)?;
    let (left, right) = (left.seen(), right.seen());
    limits.fits_rows(left.height.saturating_add(right.height), row_bytes(&left).max(row_bytes(&right)))?;
    let mut rows = Relation { height: left.height + right.height, ..Relation::default() };
    for (at, field) in combined(op, &left.fields, &right.fields)?.into_iter().enumerate() {
        let mut column = cast::cast(&left.values(at)?, &field.kind, left.height, false)?.data;
        column.append_owned(cast::cast(&right.values(at)?, &field.kind, right.height, false)?.data)?;
        rows.push(field, column.rechunk());
    }
    for (field, column) in places.into_iter().flatten() {
        rows.push(field, column);
    }
    if op == SetOperator::Union && all {
        return Ok(rows);
    }
    let groups = groups_of(&rows)?;
    // The numbers of equal rows on the left and the right, and how many of the left have been processed.
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

/// The columns with the position (object and record) of each row's event.
type Places = Vec<(Field, Series)>;

/// The positions of the rows of both sides, those of the left side first; `None` unless each row of both sides
/// comes from exactly one event whose position is known.
fn both_places(left: &Relation, right: &Relation) -> Result<Option<Places>> {
    let of = |rows: &Relation, name: &str| -> Vec<Series> {
        let columns = rows.fields.iter().zip(&rows.columns);
        columns.filter(|(field, _)| field.name == name).map(|(_, column)| column.clone()).collect()
    };
    let is_told = |rows: &Relation| {
        of(rows, OBJECT).len() == 1 && of(rows, RECORD).len() == 1 && of(rows, NTH).is_empty()
    };
    if !is_told(left) || !is_told(right) {
        return Ok(None);
    }
    let sides = |rows: &Relation, side: i64, count: usize| {
        let whole = |side: i64| i64::column(vec![Some(side); rows.height]);
        let mut sides = vec![whole(side)];
        sides.extend(of(rows, SIDE));
        sides.resize_with(count, || whole(0));
        sides
    };
    let count = 1 + of(left, SIDE).len().max(of(right, SIDE).len());
    let places = |rows: &Relation, side| {
        sides(rows, side, count)
            .into_iter()
            .chain(of(rows, OBJECT))
            .chain(of(rows, RECORD))
            .collect::<Vec<_>>()
    };
    let names = std::iter::repeat_n(SIDE, count).chain([OBJECT, RECORD]);
    let mut all = Places::new();
    for ((name, mut column), more) in names.zip(places(left, 0)).zip(places(right, 1)) {
        column.append_owned(more)?;
        let kind = if name == OBJECT { Kind::Varchar } else { Kind::Bigint };
        all.push((Field { hidden: true, ..Field::new(name, kind) }, column.rechunk()));
    }
    Ok(Some(all))
}

/// Groups the equal rows of a relation.
pub(in crate::sql) fn groups_of(rows: &Relation) -> Result<Groups> {
    let told = rows.fields.iter().enumerate().filter(|(_, field)| !is_place(field));
    let keys = told.map(|(at, _)| key_column(&rows.values(at)?, rows.height)).collect::<Result<Vec<_>>>()?;
    Groups::by(&keys, rows.height)
}
