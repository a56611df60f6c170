//! Finds every occurrence of `cloudtrail_logs` in a plan, with the conditions that its rows must meet.
//!
//! If it occurs in a common or derived table, the conditions of the surrounding queries also count, if they
//! refer to columns that are passed through unchanged (see [`pushdown`]). A common table is visited once for
//! each of its occurrences, because everything that any of them can use has to be read.

use std::collections::BTreeSet;

use sqlparser::ast::Expr;

use super::logical::{JoinKind, Leaf, Node, Operator, Plan};
use super::pushdown::{self, Constants};

/// Common tables that name each other can double the number of occurrences with each step; beyond this,
/// nothing is concluded.
const MENTIONS_MAX: usize = 200;
const STEPS_MAX: usize = 2_000;

/// One occurrence of `cloudtrail_logs`.
pub(in crate::sql) struct TableScan {
    pub alias: String,
    pub conditions: Vec<Expr>,
}

/// The occurrences in a query; `None` if some cannot be analysed, and therefore nothing can be concluded.
pub(in crate::sql) fn of(plan: &Plan) -> Option<Vec<TableScan>> {
    let mut walker = Walker { found: Vec::new(), places: BTreeSet::new(), used: BTreeSet::new(), steps: 0 };
    walker.plan(plan, Vec::new());
    let mut followed = walker.steps <= STEPS_MAX && walker.found.len() <= MENTIONS_MAX;
    plan.each(&mut |node| {
        followed &= node.events().is_none_or(|leaf| walker.places.contains(&leaf.place));
    });
    followed.then_some(walker.found)
}

struct Walker {
    found: Vec<TableScan>,
    /// The positions of the names that were followed.
    places: BTreeSet<(u64, u64)>,
    /// The common tables that have been named.
    used: BTreeSet<String>,
    steps: usize,
}

impl Walker {
    /// `more` are conditions that hold for every row of the query that is needed.
    fn plan(&mut self, plan: &Plan, more: Vec<Expr>) {
        self.steps += 1;
        if self.steps > STEPS_MAX || self.found.len() > MENTIONS_MAX {
            return;
        }
        self.node(&plan.top, more);
        for common in &plan.commons {
            if !self.used.contains(&common.name) {
                self.plan(&common.plan, Vec::new());
            }
        }
    }

    /// `conditions` hold for every row of the operator that is needed.
    fn node(&mut self, node: &Node, mut conditions: Vec<Expr>) {
        if node.is_from() {
            return self.from(node, conditions, &constants(node));
        }
        self.subqueries(node);
        match &node.operator {
            // Subqueries in expressions are limited by the conditions of their own WHERE only.
            Operator::Query(plan) => self.plan(plan, Vec::new()),
            Operator::Filter(more) => {
                let mut all = more.clone();
                all.append(&mut conditions);
                conditions = all;
            }
            // A condition on groups says nothing of rows.
            Operator::Aggregate { .. } | Operator::SetOperation { .. } => conditions.clear(),
            _ => {}
        }
        for input in &node.inputs {
            self.node(input, conditions.clone());
        }
    }

    fn subqueries(&mut self, node: &Node) {
        node.subqueries.iter().for_each(|subquery| self.plan(&subquery.plan, Vec::new()));
    }

    /// A table, or a join, in a FROM.
    fn from(&mut self, node: &Node, mut conditions: Vec<Expr>, constants: &Constants) {
        self.subqueries(node);
        match &node.operator {
            Operator::Scan { leaf, .. } => {
                self.places.insert(leaf.place);
                if node.events().is_some() {
                    conditions.retain(|_| !leaf.is_renamed());
                    conditions.iter_mut().for_each(|condition| constants.put_into(condition));
                    self.found.push(TableScan { alias: leaf.alias.clone(), conditions });
                }
            }
            Operator::Common { common, leaf } => {
                self.places.insert(leaf.place);
                self.used.insert(common.name.clone());
                let is_renamed = leaf.is_renamed() || common.is_renamed();
                self.inner(&common.plan, leaf, is_renamed, &conditions, constants);
            }
            Operator::Given { leaf, .. } => {
                self.places.insert(leaf.place);
            }
            Operator::Derived { plan, leaf, .. } => {
                self.inner(plan, leaf, leaf.is_renamed(), &conditions, constants);
            }
            Operator::Parentheses(_) => {
                if let Some(input) = node.input() {
                    self.from(input, Vec::new(), &self::constants(input));
                }
            }
            Operator::Join { kind, on, .. } => {
                let [left, right] = node.inputs.as_slice() else { return };
                let with_on = || conditions.iter().chain(on).cloned().collect::<Vec<_>>();
                // What a join fills up with NULLs must not be limited by what is asked of its rows.
                let (on_left, on_right) = match kind {
                    JoinKind::Cross | JoinKind::Inner => (with_on(), with_on()),
                    JoinKind::Left => (conditions.clone(), on.clone()),
                    JoinKind::Semi | JoinKind::Anti => (conditions.clone(), Vec::new()),
                    JoinKind::Right => (on.clone(), conditions.clone()),
                    JoinKind::Full => (Vec::new(), Vec::new()),
                };
                self.from(left, on_left, constants);
                self.from(right, on_right, constants);
            }
            _ => {
                for input in &node.inputs {
                    self.from(input, conditions.clone(), constants);
                }
            }
        }
    }

    /// A query in `FROM`.
    fn inner(
        &mut self,
        plan: &Plan,
        leaf: &Leaf,
        is_renamed: bool,
        conditions: &[Expr],
        constants: &Constants,
    ) {
        let outputs = if is_renamed { None } else { pushdown::Outputs::of(plan) };
        let pushed = outputs.map(|outputs| {
            conditions
                .iter()
                .filter_map(|condition| outputs.inside(condition, &leaf.alias, constants))
                .collect()
        });
        self.plan(plan, pushed.unwrap_or_default());
    }
}

/// The values of tables with one row, such as `params`, in this `FROM`. None with outer joins, which may make
/// them NULL.
fn constants(from: &Node) -> Constants {
    let mut constants = Constants::default();
    if !add_constants(from, &mut constants) {
        return Constants::default();
    }
    constants
}

/// Whether no join makes NULLs.
fn add_constants(node: &Node, constants: &mut Constants) -> bool {
    match &node.operator {
        Operator::Common { common, leaf } if !leaf.is_renamed() && !common.is_renamed() => {
            constants.add(&leaf.alias, &common.plan);
            true
        }
        Operator::Derived { plan, leaf, .. } if !leaf.is_renamed() => {
            constants.add(&leaf.alias, plan);
            true
        }
        Operator::Join { kind: JoinKind::Cross | JoinKind::Inner, .. }
        | Operator::Unnest { keeps_rows: false, .. } => {
            node.inputs.iter().all(|input| add_constants(input, constants))
        }
        Operator::Join { .. } | Operator::Unnest { .. } => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Timestamp;
    use crate::sql::Query;

    /// The names of the events that are read.
    fn names(sql: &str) -> Option<String> {
        let query = Query::parse(sql, &[], Timestamp::from_millis(0)).unwrap();
        query.scan().names.as_ref().map(|names| names.join(" "))
    }

    #[test]
    fn conditions_reach_the_scans_that_no_join_fills_up() {
        let pushes = "(SELECT eventid, requestid, awsregion FROM events WHERE eventname = 'PutImage')";
        for (from, expected) in [
            ("events a", Some("A")),
            ("events a LEFT JOIN steps s ON a.eventid = s.kind", Some("A")),
            ("steps s RIGHT JOIN events a ON a.eventid = s.kind", Some("A")),
            ("events a RIGHT JOIN steps s ON a.eventid = s.kind", None),
            ("steps s LEFT JOIN events a ON a.eventid = s.kind", None),
            ("steps s LEFT JOIN events a ON a.eventname = 'B'", Some("B")),
            // Both sides of the inner join, whatever is joined to its rows.
            ("steps s JOIN events a ON true LEFT JOIN steps t ON t.kind = s.kind", Some("A")),
            ("events a CROSS JOIN UNNEST(a.resources) AS r LEFT JOIN steps t ON t.kind = r.arn", Some("A")),
            ("events a FULL JOIN steps s ON true", None),
        ] {
            let sql = format!("SELECT 1 FROM {from} WHERE a.eventname = 'A'");
            assert_eq!(names(&sql).as_deref(), expected, "{sql}");
        }
        let sql = format!(
            "SELECT 1 FROM events a JOIN {pushes} b ON a.eventid = b.eventid WHERE a.eventname = 'A'"
        );
        assert_eq!(names(&sql).as_deref(), Some("A PutImage"));
    }
}
