//! The logical plan as text: one operator on each line, with its inputs on the lines below.

use std::fmt::{self, Display, Write};

use sqlparser::ast::{Expr, OrderByOptions, SelectItem, SelectItemQualifiedWildcardKind};

use super::{JoinKind, Leaf, Node, Operator, Plan};
use crate::sql::syntax::grouping::Grouping;
use crate::sql::syntax::limits::{Limits, number};
use crate::sql::syntax::names;
use crate::sql::types::relation::Field;

/// Maximum length of an operator's expressions, in characters.
const SHOWN_MAX: usize = 160;
/// Maximum depth of operators that is shown.
const DEPTH_MAX: usize = 40;

impl Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        line(0, &format!("Output {}", columns(self.columns())), &mut text)?;
        plan(self, 1, &mut text)?;
        f.write_str(text.trim_end())
    }
}

fn line(depth: usize, what: &str, text: &mut String) -> fmt::Result {
    let shown: String = what.chars().take(SHOWN_MAX).collect();
    let more = if shown.len() < what.len() { "…" } else { "" };
    writeln!(text, "{:width$}{shown}{more}", "", width = 2 * depth)
}

fn plan(plan: &Plan, depth: usize, text: &mut String) -> fmt::Result {
    if depth > DEPTH_MAX {
        return line(depth, "…", text);
    }
    node(&plan.top, depth, text)?;
    for common in &plan.commons {
        let kind = if plan.is_recursive { "With recursive" } else { "With" };
        line(depth, &format!("{kind} {}", names::written(&common.name)), text)?;
        self::plan(&common.plan, depth + 1, text)?;
    }
    Ok(())
}

fn node(node: &Node, depth: usize, text: &mut String) -> fmt::Result {
    if depth > DEPTH_MAX {
        return line(depth, "…", text);
    }
    line(depth, &said(node), text)?;
    for subquery in &node.subqueries {
        line(depth + 1, "Subquery in an expression", text)?;
        plan(&subquery.plan, depth + 2, text)?;
    }
    match &node.operator {
        Operator::Derived { plan, .. } | Operator::Query(plan) => self::plan(plan, depth + 1, text)?,
        _ => {}
    }
    node.inputs.iter().try_for_each(|input| self::node(input, depth + 1, text))
}

fn said(node: &Node) -> String {
    match &node.operator {
        Operator::Row => "Row".to_owned(),
        Operator::Values(rows) => {
            format!("Values, {} {}", rows.len(), if rows.len() == 1 { "row" } else { "rows" })
        }
        Operator::Scan { table, leaf, .. } => named(&format!("Scan {}", table.name), leaf),
        Operator::Common { common, leaf } => named(&format!("Scan {}", names::written(&common.name)), leaf),
        Operator::Given { leaf, .. } => named("Scan of the last step", leaf),
        Operator::Derived { lateral, leaf, .. } => {
            let what = if lateral.is_some() { "Lateral subquery" } else { "Subquery" };
            format!("{} ({})", named(what, leaf), columns(node.fields.iter()))
        }
        Operator::Query(_) => "Query".to_owned(),
        Operator::Parentheses(leaf) => {
            leaf.as_ref().map_or_else(|| "Parentheses".to_owned(), |leaf| named("Parentheses", leaf))
        }
        Operator::Unnest { arrays, keeps_rows, leaf, .. } => {
            let outer = if *keeps_rows { "Unnest, rows without elements too," } else { "Unnest" };
            format!(
                "{} ({})",
                named(&format!("{outer} {}", list(arrays.iter())), leaf),
                columns(node.fields.iter().skip(node.inputs.iter().map(|input| input.fields.len()).sum()))
            )
        }
        Operator::Join { kind, on, using } => join(*kind, on, using),
        Operator::Filter(conditions) => {
            let conditions: Vec<String> = conditions.iter().map(shown).collect();
            format!("Filter {}", conditions.join(" AND "))
        }
        Operator::Aggregate { grouping: Grouping { keys, sets }, calls, groupings } => {
            let by = if keys.is_empty() { String::new() } else { format!(" by {}", list(keys.iter())) };
            let sets = if sets.len() > 1 { format!(" in {} sets", sets.len()) } else { String::new() };
            let calls = list(calls.iter().chain(groupings));
            let calls = if calls.is_empty() { String::new() } else { format!(": {calls}") };
            format!("Aggregate{by}{sets}{calls}")
        }
        Operator::Window(calls) => format!("Window {}", list(calls.iter())),
        Operator::Project(items) => {
            format!("Project {}", items.iter().map(item).collect::<Vec<_>>().join(", "))
        }
        Operator::Distinct => "Distinct".to_owned(),
        Operator::Sort { keys, first } => {
            let keys: Vec<String> = keys.iter().map(key).collect();
            match first {
                Some(first) => format!("TopK {first} by {}", keys.join(", ")),
                None => format!("Sort by {}", keys.join(", ")),
            }
        }
        Operator::Limit(limits) => limit(limits),
        Operator::SetOperation { operator, all } => {
            format!("{operator}{}", if *all { " ALL" } else { "" })
        }
    }
}

fn limit(limits: &Limits) -> String {
    let count = limits.count.as_ref().map_or_else(String::new, |count| format!(" {}", shown(count)));
    let offset = limits.offset.as_ref().map_or_else(String::new, |offset| match number(offset) {
        Some(offset) => format!(" from row {}", offset.saturating_add(1)),
        None => format!(" behind {} rows", shown(offset)),
    });
    format!("Limit{count}{offset}")
}

fn join(kind: JoinKind, on: &[Expr], using: &[String]) -> String {
    let kind = match kind {
        JoinKind::Cross => "Cross join",
        JoinKind::Inner => "Join",
        JoinKind::Left => "Left join",
        JoinKind::Right => "Right join",
        JoinKind::Full => "Full join",
        JoinKind::Semi => "Semi join",
        JoinKind::Anti => "Anti join",
    };
    let on: Vec<String> = on.iter().map(shown).collect();
    match (on.as_slice(), using) {
        ([], []) => kind.to_owned(),
        ([], using) => format!("{kind} using {}", using.join(", ")),
        (on, _) => format!("{kind} on {}", on.join(" AND ")),
    }
}

/// Names and types.
fn columns<'f>(fields: impl Iterator<Item = &'f Field>) -> String {
    fields.map(|field| format!("{} {}", field.name, field.kind)).collect::<Vec<_>>().join(", ")
}

/// A table, with the name by which expressions refer to it.
fn named(what: &str, leaf: &Leaf) -> String {
    let sampled = if leaf.is_sampled() { ", sampled" } else { "" };
    match names::written(&leaf.alias) {
        "" => format!("{what}{sampled}"),
        alias if what.ends_with(alias) => format!("{what}{sampled}"),
        alias => format!("{what} AS {alias}{sampled}"),
    }
}

fn key((expr, options): &(Expr, OrderByOptions)) -> String {
    let direction = if options.asc == Some(false) { " DESC" } else { "" };
    format!("{}{direction}", shown(expr))
}

fn item(item: &SelectItem) -> String {
    match item {
        SelectItem::UnnamedExpr(expr) => shown(expr),
        SelectItem::ExprWithAlias { expr, alias } => format!("{} AS {}", shown(expr), alias.value),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            format!("{}.*", names::written(&names::last(name)))
        }
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), _) => {
            format!("{}.*", shown(expr))
        }
        SelectItem::Wildcard(_) => "*".to_owned(),
        other => other.to_string(),
    }
}

fn list<'e>(exprs: impl Iterator<Item = &'e Expr>) -> String {
    exprs.map(shown).collect::<Vec<_>>().join(", ")
}

/// An expression as the query has it; a subquery has a plan of its own.
fn shown(expr: &Expr) -> String {
    match expr {
        Expr::Exists { negated, .. } => format!("{}EXISTS (…)", if *negated { "NOT " } else { "" }),
        Expr::InSubquery { expr, negated, .. } => {
            format!("{} {}IN (…)", shown(expr), if *negated { "NOT " } else { "" })
        }
        Expr::Subquery(_) => "(…)".to_owned(),
        expr => names::as_written(expr).to_string(),
    }
}
