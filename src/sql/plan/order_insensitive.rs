//! Whether the answer to a query can depend on the order of the events: if not, they need not be sorted.
//!
//! An example is a query that groups a table and counts. Only the order of its groups depends on that of the
//! events: they are in the order of their first events, which are found by the events' positions.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArgumentClause, FunctionArguments, GroupByExpr, Query, SetExpr, TableFactor,
};

use crate::sql::syntax::names::is_events;
use crate::sql::syntax::visit::{Visitor, visit};
use crate::sql::syntax::{calls, names};

/// Aggregates that do not depend on the order of rows. Sums of doubles do, in the last digits.
const ORDER_INSENSITIVE: &[&str] = &[
    "count",
    "count_if",
    "min",
    "max",
    "approx_distinct",
    "approx_count_distinct",
    "bool_and",
    "bool_or",
    "every",
];

/// Whether `query` groups only `cloudtrail_logs`, and no part of it depends on the order of rows.
pub(in crate::sql) fn is_order_insensitive(query: &Query) -> bool {
    let SetExpr::Select(select) = &*query.body else { return false };
    let [table] = select.from.as_slice() else { return false };
    let alone = query.with.is_none() && table.joins.is_empty();
    let events = matches!(&table.relation, TableFactor::Table { name, .. } if is_events(&names::last(name)));
    let keys = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if !keys.is_empty());
    let mut finder = Finder { queries: 0, aggregates: 0 };
    alone && events && visit(query, &mut finder).is_continue() && (keys || finder.aggregates > 0)
}

struct Finder {
    queries: usize,
    aggregates: usize,
}

impl Visitor for Finder {
    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.queries += 1;
        if self.queries > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let name = names::of_function(function);
        let is_aggregate = calls::is_aggregate(&name);
        self.aggregates += usize::from(is_aggregate);
        let order_insensitive =
            !is_aggregate || (ORDER_INSENSITIVE.contains(&name.as_str()) && arguments(function) <= 1);
        if order_insensitive && function.over.is_none() && !is_ordered(function) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

fn arguments(function: &Function) -> usize {
    match &function.args {
        FunctionArguments::List(list) => list.args.len(),
        _ => 0,
    }
}

fn is_ordered(function: &Function) -> bool {
    let clauses = match &function.args {
        FunctionArguments::List(list) => list.clauses.as_slice(),
        _ => &[],
    };
    !function.within_group.is_empty()
        || clauses.iter().any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::syntax::dialect;

    fn order_insensitive(sql: &str) -> bool {
        let mut query = dialect::parse(sql).unwrap();
        names::lower(&mut query);
        is_order_insensitive(&query)
    }

    #[test]
    fn groups_that_are_counted_have_no_order() {
        for sql in [
            "SELECT eventname, count(*) FROM cloudtrail_logs GROUP BY 1",
            "SELECT count(DISTINCT eventid), MAX(eventtime) FROM events e WHERE e.eventname LIKE 'Put%'",
            "SELECT useridentity.arn, min(eventtime) FILTER (WHERE errorcode IS NULL) FROM events GROUP BY \
             useridentity.arn HAVING count(*) > 1 ORDER BY 2",
        ] {
            assert!(order_insensitive(sql), "{sql}");
        }
    }

    #[test]
    fn what_can_tell_the_order_of_rows_is_given_it() {
        for sql in [
            "SELECT eventname FROM events",
            "SELECT eventname, arbitrary(eventid) FROM events GROUP BY 1",
            "SELECT array_agg(eventid) FROM events",
            "SELECT eventname, sum(CAST(json_extract_scalar(requestparameters, '$.x') AS double)) FROM events \
             GROUP BY 1",
            "SELECT max_by(eventid, eventtime) FROM events",
            "SELECT max(eventtime, 3) FROM events",
            "SELECT eventname, row_number() OVER (ORDER BY count(*)) FROM events GROUP BY 1",
            "SELECT a.eventname, count(*) FROM events a JOIN events b ON a.eventid = b.requestid GROUP BY 1",
            "SELECT n, count(*) FROM (SELECT eventname n FROM events) GROUP BY n",
            "SELECT eventname, count(*) FROM events WHERE eventid IN (SELECT requestid FROM events) GROUP BY \
             1",
            "SELECT kind, count(*) FROM steps GROUP BY kind",
            "WITH events AS (SELECT 1 AS n) SELECT n, count(*) FROM events GROUP BY n",
        ] {
            assert!(!order_insensitive(sql), "{sql}");
        }
    }
}
