//! Determines whether a query can be answered by counting, and what has to be counted.

use sqlparser::ast::{Expr, Value};

use super::cell::fits;
use super::over::{Leaf, Over};
use crate::model::Timestamp;
use crate::sql::bind::Bound;
use crate::sql::plan::logical::{self, Node, Operator};
use crate::sql::plan::sought::Sought;
use crate::sql::scope::Scope;
use crate::sql::syntax::calls::argument;
use crate::sql::syntax::grouping::Grouping;
use crate::sql::syntax::{calls, names};
use crate::sql::types::relation::Relation;
use crate::tables::Kind;

/// Indexes of the leaves that every plan has.
pub(super) const SOURCE: usize = 0;
pub(super) const TIME: usize = 1;
pub(super) const OBJECT: usize = 2;
const ALWAYS: [&str; 3] = ["eventsource", "eventtime", "object"];

/// What is to be counted.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Plan {
    pub(super) alias: String,
    pub(super) now: Timestamp,
    pub(super) leaves: Vec<Leaf>,
    /// The leaves that are not only keys or arguments as they are.
    pub(super) in_expressions: Vec<usize>,
    /// All of them must be true for a row that counts.
    pub(super) conditions: Vec<Over>,
    /// For some columns, the texts that the query needs: row groups without them are skipped.
    pub(super) sought: Vec<Sought>,
    pub(super) keys: Vec<(Expr, Over)>,
    pub(super) aggregates: Vec<Aggregate>,
}

/// An aggregate that is computed for each group.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub call: Expr,
    pub what: What,
    pub kind: Kind,
    /// The argument; `None` for `count(*)`.
    pub arg: Option<Over>,
    pub filter: Option<Over>,
}

/// What is computed from an aggregate's argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The number of rows in which it is not NULL.
    Count,
    /// The number of rows in which it is true.
    CountTrue,
    /// The number of distinct values.
    CountDistinct,
    Least,
    Greatest,
}

impl Plan {
    /// The plan for a query over `cloudtrail_logs` alone that does not depend on the order of rows; `None` if
    /// it cannot be counted. `columns` are those that the query needs, `None` for all. `sought` are the texts
    /// that row groups must contain.
    pub fn of(
        bound: &Bound,
        logical: &logical::Plan,
        columns: Option<&[String]>,
        sought: Vec<Sought>,
    ) -> Option<Self> {
        let chain = logical.chain();
        let (table, above) = chain.split_last()?;
        let leaf = table.events().filter(|leaf| !leaf.is_sampled() && !leaf.is_renamed())?;
        let rows = Relation::without_rows(table.fields.clone());
        let at = above.iter().position(|node| matches!(node.operator, Operator::Aggregate { .. }))?;
        let (aggregation, filters) = (&above.get(at)?.operator, above.get(at + 1..)?);
        let plan = bound.typed(&rows, |scope| {
            Self::over(scope, aggregation, filters, columns, (&leaf.alias, bound.now()))
        });
        Some(Self { sought, ..plan? })
    }

    /// Whether groups that do not fit into memory can go to disk: those with distinct values stay.
    pub fn can_be_put_aside(&self) -> bool {
        self.aggregates.iter().all(|aggregate| aggregate.what != What::CountDistinct)
    }

    /// The plan for an aggregation of the events that `filters` leave.
    fn over(
        scope: &Scope<'_>,
        aggregation: &Operator,
        filters: &[&Node],
        columns: Option<&[String]>,
        (alias, now): (&str, Timestamp),
    ) -> Option<Self> {
        let Operator::Aggregate { grouping: Grouping { keys, sets }, calls, groupings } = aggregation else {
            return None;
        };
        if sets.len() != 1 || !groupings.is_empty() {
            return None;
        }
        let mut leaves: Vec<Leaf> = ALWAYS.map(Leaf::column).into();
        let loaded = |name: &str| columns.is_none_or(|columns| columns.iter().any(|column| column == name));
        let mut over = |expr: &Expr| Over::of(scope, expr, &mut leaves, &loaded);
        let mut conditions = Vec::new();
        for filter in filters {
            let Operator::Filter(all) = &filter.operator else { return None };
            for condition in all {
                conditions.push(over(condition)?);
            }
        }
        let key = |key: &Expr| {
            over(key)
                .filter(|over| fits(&over.kind) && !over.leaves.is_empty())
                .map(|over| (key.clone(), over))
        };
        let keys = keys.iter().map(key).collect::<Option<Vec<_>>>()?;
        let aggregates = calls.iter().map(|call| aggregated(call, &mut over)).collect::<Option<Vec<_>>>()?;
        let args = aggregates.iter().flat_map(|aggregate: &Aggregate| {
            aggregate.arg.iter().filter(|arg| !arg.is_leaf()).chain(&aggregate.filter)
        });
        let keys_made = keys.iter().map(|(_, over)| over).filter(|over| !over.is_leaf());
        let in_expressions =
            conditions.iter().chain(keys_made).chain(args).flat_map(|over| over.leaves.clone()).collect();
        Some(Self {
            alias: alias.to_owned(),
            now,
            leaves,
            in_expressions,
            conditions,
            sought: Vec::new(),
            keys,
            aggregates,
        })
    }
}

/// An aggregate call, if it is one of those that can be counted.
fn aggregated(call: &Expr, over: &mut dyn FnMut(&Expr) -> Option<Over>) -> Option<Aggregate> {
    let function = calls::as_call(call).ok()?;
    let (arg, distinct) = argument(function)?;
    let name = names::of_function(function);
    let what = match (name.as_str(), arg) {
        ("count", Some(_)) if distinct => What::CountDistinct,
        ("count", _) => What::Count,
        ("count_if", Some(_)) if !distinct => What::CountTrue,
        ("approx_distinct" | "approx_count_distinct", Some(_)) => What::CountDistinct,
        // For booleans, true is greater than false.
        ("min" | "bool_and" | "every", Some(_)) => What::Least,
        ("max" | "bool_or", Some(_)) => What::Greatest,
        _ => return None,
    };
    let filter = function.filter.as_deref().map(|filter| over(filter).ok_or(())).transpose().ok()?;
    // A literal is never NULL.
    let arg = arg.filter(
        |arg| !matches!((what, arg), (What::Count, Expr::Value(value)) if value.value != Value::Null),
    );
    let arg = arg.map(|arg| over(arg).filter(|over| !over.leaves.is_empty()).ok_or(())).transpose().ok()?;
    let kind = match (what, &arg) {
        (What::Least | What::Greatest, Some(arg)) => arg.kind.clone(),
        _ => Kind::Bigint,
    };
    let of_truths = matches!(name.as_str(), "bool_and" | "bool_or" | "every");
    let fitting = arg.as_ref().is_none_or(|arg| fits(&arg.kind) && (!of_truths || arg.kind == Kind::Boolean));
    fitting.then(|| Aggregate { call: call.clone(), what, kind, arg, filter })
}
