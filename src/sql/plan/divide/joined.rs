//! Joined tables: an equality between two tables makes a key of one a key of the other.

use sqlparser::ast::{
    BinaryOperator, Expr, Ident, Join, JoinConstraint, JoinOperator, TableFactor, TableWithJoins,
};

use super::{Divider, inline, names};
use crate::sql::syntax::names::parts_of;
use crate::sql::syntax::walk;
use crate::sql::types::columns;
use crate::sql::types::relation::Relation;
use crate::tables::Kind;

/// How a table is joined to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Pairs of rows for which the condition is true.
    Inner,
    /// The same, and the rows of the left side without a match.
    Left,
    Right,
    Full,
    /// Rows of the left side, depending on whether they have a match.
    Semi,
}

/// A table of FROM, and how it is joined to those before it.
#[derive(Clone, Copy)]
struct Table<'q> {
    factor: &'q TableFactor,
    join: Option<&'q Join>,
}

impl<'q> Table<'q> {
    fn all(from: &'q [TableWithJoins]) -> Vec<Self> {
        let joins = |table: &'q TableWithJoins| {
            table.joins.iter().map(|join| Self { factor: &join.relation, join: Some(join) })
        };
        from.iter()
            .flat_map(|table| {
                std::iter::once(Self { factor: &table.relation, join: None }).chain(joins(table))
            })
            .collect()
    }

    fn side(&self) -> Option<(Side, Option<&'q JoinConstraint>)> {
        use JoinOperator as Op;
        let Some(join) = self.join else { return Some((Side::Inner, None)) };
        Some(match &join.join_operator {
            Op::CrossJoin(JoinConstraint::None) => (Side::Inner, None),
            Op::Join(constraint) | Op::Inner(constraint) => (Side::Inner, Some(constraint)),
            Op::Left(constraint) | Op::LeftOuter(constraint) => (Side::Left, Some(constraint)),
            Op::Right(constraint) | Op::RightOuter(constraint) => (Side::Right, Some(constraint)),
            Op::FullOuter(constraint) => (Side::Full, Some(constraint)),
            Op::Semi(constraint)
            | Op::LeftSemi(constraint)
            | Op::Anti(constraint)
            | Op::LeftAnti(constraint) => (Side::Semi, Some(constraint)),
            _ => return None,
        })
    }
}

/// Whether a join handles each row of the left side separately, or drops it.
pub(super) fn is_outward(operator: &JoinOperator) -> bool {
    use JoinOperator as Op;
    matches!(
        operator,
        Op::CrossJoin(JoinConstraint::None) | Op::Join(_) | Op::Inner(_) | Op::Left(_) | Op::LeftOuter(_)
    )
}

/// Both sides of an equality, the left table's first.
type Equal = (Expr, Expr);

impl Divider<'_> {
    /// The rows of the first tables of FROM; they are empty.
    fn prefix(&self, tables: &[Table<'_>]) -> Option<Relation> {
        let each = tables.iter().map(|table| self.bound.table(table.factor)).collect::<Option<Vec<_>>>()?;
        each.into_iter().reduce(Relation::beside)
    }

    /// The expressions by which the rows of FROM may be divided: those that are equal in its joins.
    pub(super) fn candidates(&self, tables: &[TableWithJoins], condition: Option<&Expr>) -> Vec<Vec<Expr>> {
        let tables = Table::all(tables);
        let mut found = Vec::new();
        for count in 1..tables.len() {
            let equal = self.equalities(&tables, count, condition).unwrap_or_default();
            let lefts: Vec<Expr> = equal.into_iter().map(|(left, _)| left).collect();
            if lefts.len() > 1 {
                found.push(lefts.clone());
            }
            found.extend(lefts.into_iter().map(|left| vec![left]));
        }
        found
    }

    /// The equalities between the table at `at` and those before it.
    fn equalities(&self, tables: &[Table<'_>], at: usize, condition: Option<&Expr>) -> Option<Vec<Equal>> {
        let table = tables.get(at)?;
        if !inline::has_events_table(table.factor) {
            return None;
        }
        let (side, constraint) = table.side()?;
        let left = self.prefix(tables.get(..at)?)?;
        let right = self.prefix(&[Table { join: None, ..*table }])?;
        let mut equal = Vec::new();
        match constraint {
            Some(JoinConstraint::On(on)) => equal
                .extend(walk::conjuncts(on).into_iter().filter_map(|on| self.equality(&left, &right, on))),
            Some(JoinConstraint::Using(names)) => {
                for name in names.iter().map(crate::sql::syntax::names::last) {
                    let of = |rows: &Relation| {
                        let field =
                            rows.fields.iter().find(|field| field.name.eq_ignore_ascii_case(&name))?;
                        Some(Expr::CompoundIdentifier(vec![
                            Ident::new(field.qualifier.clone()?),
                            Ident::new(&name),
                        ]))
                    };
                    equal.extend(
                        of(&left).zip(of(&right)).filter(|(a, b)| self.are_alike((&left, a), (&right, b))),
                    );
                }
            }
            Some(JoinConstraint::Natural) => return None,
            Some(JoinConstraint::None) | None => {}
        }
        if side == Side::Inner
            && tables.iter().all(|table| table.side().is_some_and(|(side, _)| side == Side::Inner))
        {
            let conditions = condition.map(walk::conjuncts).unwrap_or_default();
            equal.extend(
                conditions.into_iter().filter_map(|condition| self.equality(&left, &right, condition)),
            );
        }
        Some(equal)
    }

    pub(super) fn equality(&self, left: &Relation, right: &Relation, condition: &Expr) -> Option<Equal> {
        let Expr::BinaryOp { left: a, op: BinaryOperator::Eq, right: b } = condition else { return None };
        let is = |(first, second): (&Expr, &Expr)| {
            let one = self.kind(right, first).is_none() && self.kind(left, second).is_none();
            (one && self.are_alike((left, first), (right, second))).then(|| (first.clone(), second.clone()))
        };
        is((a, b)).or_else(|| is((b, a)))
    }

    /// Whether equal values of both expressions have equal hashes.
    fn are_alike(&self, (left, a): (&Relation, &Expr), (right, b): (&Relation, &Expr)) -> bool {
        let kind = self.kind_to_divide_by(left, a);
        kind.is_some() && kind == self.kind_to_divide_by(right, b)
    }

    /// The kind of an expression's values, where those that are equal have equal hashes.
    pub(super) fn kind_to_divide_by(&self, rows: &Relation, expr: &Expr) -> Option<Kind> {
        let is_kept = |kind: &Kind| {
            !matches!(
                kind,
                Kind::Double
                    | Kind::Array(_)
                    | Kind::Row(_)
                    | Kind::Map(..)
                    | Kind::Unknown
                    | Kind::Decimal { .. }
            )
        };
        // The date of a partition is converted to the notation of what it is compared with.
        self.kind(rows, expr).filter(is_kept).filter(|_| !is_date(rows, expr))
    }

    /// Requires that rows of FROM with equal `by` are in one share; `exact`: this must also hold for rows in
    /// which a `by` is filled with NULL by an outer join.
    pub(super) fn rows(
        &mut self,
        tables: &[TableWithJoins],
        condition: Option<&Expr>,
        by: &[Expr],
        exact: bool,
    ) -> Option<()> {
        let tables = Table::all(tables);
        self.joined(&tables, condition, by, exact)
    }

    fn joined(
        &mut self,
        tables: &[Table<'_>],
        condition: Option<&Expr>,
        by: &[Expr],
        exact: bool,
    ) -> Option<()> {
        let (last, before) = tables.split_last()?;
        if before.is_empty() {
            return self.table(last.factor, by, exact);
        }
        let (side, _) = last.side()?;
        let left = self.prefix(before)?;
        let is_of = |rows: &Relation| by.iter().all(|expr| self.kind(rows, expr).is_some());
        if !inline::has_events_table(last.factor) {
            let is_kept = matches!(side, Side::Inner | Side::Left | Side::Semi) && is_of(&left);
            return if is_kept { self.joined(before, condition, by, exact) } else { None };
        }
        let right = self.prefix(&[Table { join: None, ..*last }])?;
        let equal = self.equalities(tables, tables.len() - 1, condition)?;
        if is_of(&left) {
            let partner =
                |expr: &Expr| equal.iter().find(|(known, _)| known == expr).map(|(_, other)| other.clone());
            let others = by.iter().map(partner).collect::<Option<Vec<_>>>()?;
            if exact && matches!(side, Side::Right | Side::Full) {
                return None;
            }
            self.joined(before, condition, by, exact || side != Side::Inner)?;
            return self.table(last.factor, &others, exact || side != Side::Inner);
        }
        if is_of(&right) && side != Side::Semi {
            let partner =
                |expr: &Expr| equal.iter().find(|(_, known)| known == expr).map(|(other, _)| other.clone());
            let others = by.iter().map(partner).collect::<Option<Vec<_>>>()?;
            if exact && matches!(side, Side::Left | Side::Full) {
                return None;
            }
            self.joined(before, condition, &others, exact || side != Side::Inner)?;
            return self.table(last.factor, by, exact || side != Side::Inner);
        }
        None
    }

    fn table(&mut self, factor: &TableFactor, by: &[Expr], exact: bool) -> Option<()> {
        match factor {
            TableFactor::Table { name, .. } => {
                let events_table = self.events_tables.get_mut(inline::events_table(name)?)?;
                let keys = by
                    .iter()
                    .map(|expr| names::of_table(expr, &events_table.alias))
                    .collect::<Option<Vec<_>>>()?;
                if !events_table.keys.is_empty() && events_table.keys != keys {
                    return None;
                }
                events_table.keys = keys;
                Some(())
            }
            TableFactor::Derived { lateral: false, sample: None, subquery, alias } => {
                let by = by
                    .iter()
                    .map(|expr| names::of_derived(expr, alias.as_ref(), subquery))
                    .collect::<Option<Vec<_>>>()?;
                self.query(subquery, &by, exact)
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                self.rows(std::slice::from_ref(table_with_joins), None, by, exact)
            }
            _ => None,
        }
    }
}

/// Whether an expression is the date of a partition.
fn is_date(rows: &Relation, expr: &Expr) -> bool {
    if let Expr::Nested(inner) = expr {
        return is_date(rows, inner);
    }
    parts_of(expr)
        .and_then(|parts| columns::find(&rows.fields, parts).ok().flatten())
        .and_then(|(at, _)| rows.fields.get(at))
        .is_some_and(|field| field.is_date)
}
