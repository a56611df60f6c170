//! Replaces common table expressions by their definitions, and gives each occurrence of the events table a
//! unique name.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart, Query, TableAlias, TableFactor, Visit};

use super::events_table::EventsTable;
use crate::sql::syntax::names::is_events;
use crate::sql::syntax::visit::{Visitor, VisitorMut, relations, visit, visit_mut};
use crate::sql::syntax::{data_store, names};

/// Maximum number of occurrences: a common table expression that uses another one twice doubles them.
const MENTIONS_MAX: usize = 16;
/// Maximum number of tables of all kinds after common table expressions are replaced.
const TABLES_MAX: usize = 200;
/// A name that no query can contain.
const NAME: &str = "\0events";

/// The occurrences of the events table in a query, without keys; `None` if they cannot be distinguished.
pub(in crate::sql) fn inline(tree: &mut Query) -> Option<Vec<EventsTable>> {
    write_out_with(tree)?;
    let mut namer = Namer { events_tables: Vec::new(), is_plain: true };
    let _ = visit_mut(tree, &mut namer);
    (namer.is_plain && !namer.events_tables.is_empty() && namer.events_tables.len() <= MENTIONS_MAX)
        .then_some(namer.events_tables)
}

/// Puts common table expressions in the places where they are named; `None` if that makes the query too large, or
/// they are recursive.
pub(in crate::sql) fn write_out_with(tree: &mut Query) -> Option<()> {
    let with = tree.with.take();
    if has_with(tree) || with.as_ref().is_some_and(|with| with.recursive) {
        return None;
    }
    let mut commons: Vec<(String, Query, TableAlias)> = Vec::new();
    // The number of tables that each common table expression expands to. Counted first, because the expansion
    // could be exponential.
    let mut tables: HashMap<String, usize> = HashMap::new();
    for table in with.into_iter().flat_map(|with| with.cte_tables) {
        let (mut query, name) = (*table.query, table.alias.name.value.clone());
        let count = tables_in(&query, &tables);
        if has_with(&query) || count > TABLES_MAX {
            return None;
        }
        Inliner(&commons).visit(&mut query);
        tables.insert(name.clone(), count);
        commons.push((name, query, table.alias));
    }
    if tables_in(tree, &tables) > TABLES_MAX {
        return None;
    }
    Inliner(&commons).visit(tree);
    Some(())
}

fn tables_in(query: &Query, commons: &HashMap<String, usize>) -> usize {
    let mut count = 0_usize;
    let _ = relations(query, &mut |name| {
        count = count.saturating_add(commons.get(&names::last(name)).copied().unwrap_or(1));
        ControlFlow::Continue(())
    });
    count
}

fn has_with(query: &Query) -> bool {
    struct Finder;
    impl Visitor for Finder {
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            if query.with.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    visit(query, &mut Finder).is_break()
}

struct Inliner<'c>(&'c [(String, Query, TableAlias)]);

impl Inliner<'_> {
    fn visit(&mut self, query: &mut Query) {
        let _ = visit_mut(query, self);
    }
}

impl VisitorMut for Inliner<'_> {
    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name, alias: Some(alias), sample, args: None, .. } = factor else {
            return ControlFlow::Continue(());
        };
        let table = names::last(name);
        let Some((_, query, own)) = self.0.iter().find(|(known, ..)| *known == table) else {
            return ControlFlow::Continue(());
        };
        let mut alias = alias.clone();
        if alias.columns.is_empty() {
            alias.columns.clone_from(&own.columns);
        }
        *factor = TableFactor::Derived {
            lateral: false,
            subquery: Box::new(query.clone()),
            alias: Some(alias),
            sample: sample.clone(),
        };
        ControlFlow::Continue(())
    }
}

struct Namer {
    events_tables: Vec<EventsTable>,
    is_plain: bool,
}

impl VisitorMut for Namer {
    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name, alias: Some(alias), sample, version, args, .. } = factor else {
            return ControlFlow::Continue(());
        };
        let table = names::last(name);
        if !is_events(&table) {
            return ControlFlow::Continue(());
        }
        self.is_plain &= sample.is_none() && version.is_none() && args.is_none() && alias.columns.is_empty();
        let own = format!("{NAME}{}", self.events_tables.len());
        *name = ObjectName::from(Ident::new(&own));
        self.events_tables.push(EventsTable {
            name: own,
            alias: alias.name.value.clone(),
            is_store: table == data_store::TABLE,
            keys: Vec::new(),
        });
        ControlFlow::Continue(())
    }
}

/// The number of the occurrence that a table's name stands for.
pub(super) fn events_table(name: &ObjectName) -> Option<usize> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => ident.value.strip_prefix(NAME)?.parse().ok(),
        _ => None,
    }
}

/// Whether a table's name is that of an occurrence of the events table.
pub(in crate::sql) fn is_mention(name: &ObjectName) -> bool {
    events_table(name).is_some()
}

/// Whether `node` contains an occurrence of the events table.
pub(super) fn has_events_table(node: &impl Visit) -> bool {
    struct Finder;
    impl Visitor for Finder {
        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            match factor {
                TableFactor::Table { name, .. } if events_table(name).is_some() => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    visit(node, &mut Finder).is_break()
}
