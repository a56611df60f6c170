//! Ask anything: the SQL that an Athena user types, over CloudTrail records.
//!
//! A query goes through five stages, a module each:
//!
//! 1. [`parse`](Query::parse): text → syntax tree, in Trino's dialect; names lose their case;
//! 2. `bind`: what every name means, and of which type everything is. All that comes later reads the bound
//!    tree, where equal expressions are equal trees, and asks it for types;
//! 3. `scan`: which columns are needed, and what the `WHERE` clauses say about source, name, time, region and
//!    account becomes a [`Scan`], so that the reader can leave out objects by their key and records by a
//!    glance;
//! 4. the caller loads what the scan asks for into a [`Catalog`];
//! 5. [`run`](Query::run): the tree is evaluated column by column on polars' arrays.
//!
//! Why an evaluator of our own, and not polars' SQL: Trino's three-valued logic, `UNNEST`, lambdas,
//! correlated subqueries and JSON paths have no counterpart there, and an error has to name the function and
//! its place in the text.
//!
//! A query over a lake goes without the fourth stage where it can: `preaggregation` counts groups by numbers
//! while the lake is read, `flow` works out piece by piece what each event makes by itself, and lets rows go
//! out as they come. What has to look at several events works out share by share, events with equal keys
//! together (`divide`); what does not fit into memory goes to disk (`spill`).
//!
//! Two promises keep the stages honest. The scan only ever leaves out rows that the query would drop: every
//! condition is applied again. And a query is bound before anything is read, so that a mistake in its names
//! or types costs no time.

mod aggregate;
mod answer;
mod arithmetic;
mod bind;
mod bounds;
mod cast;
mod chains;
mod clock;
mod collect;
mod compare;
mod data_store;
mod decimal;
mod dialect;
mod divide;
mod error;
mod eval;
mod flow;
mod from;
mod functions;
mod group;
mod group_ids;
mod ip;
mod join;
mod lambda;
mod lateral;
mod like;
mod line;
mod memory;
pub mod named;
mod names;
mod nested;
mod order;
mod order_insensitive;
mod ordered;
mod panics;
mod params;
mod partition;
mod place;
mod preaggregation;
mod predicate;
mod prefilter;
mod pushdown;
mod query;
mod recursive;
mod relation;
mod scan;
mod select;
mod spelling;
mod spill;
mod stand_ins;
mod statements;
mod strategy;
mod subquery;
mod table_scans;
mod values;
mod walk;
mod window;
mod zone;

pub use answer::Answer;
pub use collect::{Collector, Doubtful, First, Gathered, Gathering, Places, Settled, Worked};
pub use error::{SqlError, TextPosition};
pub use flow::export::Export;
pub use line::Interrupted;
pub use memory::Limits;
pub use ordered::Ordered;
pub use query::{Catalog, Query};
pub use scan::Scan;
pub use spill::Spill;
