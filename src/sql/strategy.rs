//! Describes in sentences how a query is evaluated, to explain its time and memory.

use std::fmt::Write;

use crate::lake::Visit;
use crate::sql::plan::divide::EventsTable;
use crate::sql::query::Query;
use crate::sql::stream::flow::ReductionKind;
use crate::sql::syntax::names;

impl Query {
    /// The logical plan: an operator on each line, below those that take its rows.
    pub fn operators(&self) -> String {
        self.logical().to_string()
    }

    /// How the query is evaluated over `cloudtrail_logs`. `lake`: the only source is a lake.
    pub fn way(&self, lake: bool) -> Vec<String> {
        let mut said = self.way_of_inner(lake);
        if self.has_outer() {
            said.push("answers the query around it from the rows that are left".to_owned());
        }
        said
    }

    fn way_of_inner(&self, lake: bool) -> Vec<String> {
        let mut said = Vec::new();
        if lake && self.plan().is_some() {
            said.push(
                "counts groups while the lake is read, by the numbers of its texts: no row is made"
                    .to_owned(),
            );
            said.push(
                "puts the groups of all threads together in parts; what does not fit into --max-memory goes to temporary files"
                    .to_owned(),
            );
            return said;
        }
        let Some(flow) = self.flow_of_rows() else {
            said.push(
                "gathers the rows, and works them out at once: they have to fit into --max-memory".to_owned(),
            );
            return said;
        };
        match (flow.events_tables(), lake && self.scan().limit.is_none()) {
            (Some(_), _) if flow.sequence().is_some() => {
                said.push(
                    "gathers the rows, and works them out at once; where they do not fit into --max-memory, they are sorted in temporary files as the windows want them, and gone through once"
                        .to_owned(),
                );
                return said;
            }
            (Some(events_tables), is_lake) => {
                let rest = match is_lake && self.stages().is_none() && flow.in_sequence().is_some() {
                    true => {
                        "where they do not fit into --max-memory, they are sorted in temporary files as the windows want them, and gone through once"
                    }
                    false => "those that do not fit into --max-memory go to temporary files",
                };
                said.push(format!("gathers the rows; {rest}"));
                said.push(format!("works them out on all threads, share by share: {}", by(events_tables)));
            }
            (None, true) => {
                let first = flow.first_columns();
                if !first.is_empty() {
                    said.push(format!(
                        "reads of each row group first {}, and the other columns of the rows that are left",
                        first.join(", ")
                    ));
                }
                said.extend(flow.sought_columns().map(|column| {
                    format!(
                        "passes over row groups by the least and the greatest {column}, and by its filter"
                    )
                }));
                match flow.visit() {
                    Visit::NewestFirst => said.push(
                        "begins with the newest events, and passes over row groups that are older than all \
                         that it keeps"
                            .to_owned(),
                    ),
                    Visit::OldestFirst => said.push(
                        "begins with the oldest events, and passes over row groups that are newer than all \
                         that it keeps"
                            .to_owned(),
                    ),
                    Visit::AsTheyStand => {}
                }
            }
            (None, false) => said.push(
                "gathers the rows in pieces; those that do not fit into --max-memory go to temporary files"
                    .to_owned(),
            ),
        }
        said.push(match flow.said() {
            ReductionKind::Export if lake && flow.events_tables().is_none() => "hands rows on as they come".to_owned(),
            ReductionKind::Export => "puts rows in the order of their events".to_owned(),
            ReductionKind::First(rows) => format!("keeps the first {rows} rows of each piece"),
            ReductionKind::Sorted => "puts rows in order; what does not fit into --max-memory is sorted in \
                temporary files, and merged".to_owned(),
            ReductionKind::Distinct => "keeps distinct rows; what does not fit into --max-memory goes to \
                temporary files".to_owned(),
            ReductionKind::Groups => {
                "groups each piece, and puts the groups together; what does not fit into --max-memory goes to \
                 temporary files".to_owned()
            }
        });
        said
    }
}

/// The expressions that are equal within a share.
fn by(events_tables: &[EventsTable]) -> String {
    let mut text = String::new();
    for events_table in events_tables {
        let keys: Vec<String> = events_table.keys.iter().map(ToString::to_string).collect();
        let _ = write!(
            text,
            "{}{} by {}",
            if text.is_empty() { "" } else { "; " },
            names::written(&events_table.alias),
            keys.join(", ")
        );
    }
    text
}
