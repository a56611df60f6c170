//! Whether the answer to a query can depend on the order of the events: if not, they need not be sorted.
//!
//! An example is a query that groups a table and counts. Only the order of its groups depends on that of the
//! events: they are in the order of their first events, which are found by the events' positions.

use sqlparser::ast::{Expr, Function, FunctionArgumentClause, FunctionArguments};

use super::logical::{Operator, Plan};
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

/// Whether a query groups only `cloudtrail_logs`, and no part of it depends on the order of rows.
pub(in crate::sql) fn is_order_insensitive(plan: &Plan) -> bool {
    let chain = plan.chain();
    let is_alone = plan.commons.is_empty()
        && chain.last().is_some_and(|table| table.events().is_some())
        && chain.iter().all(|node| node.subqueries.is_empty());
    let mut is_grouped = false;
    for node in chain {
        match &node.operator {
            Operator::Aggregate { grouping, calls, .. } => {
                if !calls.iter().all(is_call_order_insensitive) {
                    return false;
                }
                is_grouped = !grouping.keys.is_empty() || !calls.is_empty();
            }
            Operator::Window(_) => return false,
            _ => {}
        }
    }
    is_alone && is_grouped
}

fn is_call_order_insensitive(call: &Expr) -> bool {
    calls::as_call(call).is_ok_and(|function| {
        ORDER_INSENSITIVE.contains(&names::of_function(function).as_str())
            && arguments(function) <= 1
            && !is_ordered(function)
    })
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
    use crate::model::Timestamp;
    use crate::sql::bind::Bound;
    use crate::sql::syntax::dialect;

    fn order_insensitive(sql: &str) -> bool {
        let mut query = dialect::parse(sql).unwrap();
        names::lower(&mut query);
        is_order_insensitive(&Plan::of(&Bound::of(query, Timestamp::from_millis(0)).unwrap()))
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
            "SELECT count(*) FROM events UNION ALL SELECT length(eventid) FROM events",
            "WITH events AS (SELECT 1 AS n) SELECT n, count(*) FROM events GROUP BY n",
        ] {
            assert!(!order_insensitive(sql), "{sql}");
        }
    }
}
