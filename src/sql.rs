//! SQL as Athena users write it, over CloudTrail records.
//!
//! A query goes through five stages, each a module:
//!
//! 1. `syntax` ([`parse`](Query::parse)): text → syntax tree, in Trino's dialect; names become lower case;
//! 2. `bind`: resolves every name and determines all types, without running anything. In the bound tree, equal
//!    expressions are equal trees;
//! 3. `plan`: the logical plan, made of the bound tree: operators with their inputs, and their columns with types
//!    (`plan::logical`). Everything else is concluded from it. It is read to determine which columns are needed and
//!    whether the order of events matters, and to turn what the `WHERE` clauses say about event source, event name,
//!    time, region and account into a [`Scan`], so that the reader can skip objects by their keys and records without
//!    parsing them;
//! 4. the caller loads what the scan asks for into a [`Catalog`] (`collect`);
//! 5. `run` ([`run`](Query::run)): operators, column by column on polars' arrays. They are made of the logical plan
//!    (`plan::lower`) over the columns that have been read: each has what it needs to know of its inputs, and
//!    expressions in which names have become numbers of columns (`expression`). They are made once for all rows: the
//!    pieces of a lake, the steps of a recursive table, the rows that a correlated subquery stands at.
//!
//! The modules are layers (`tests/layers.rs` has their order): `run` above `plan` and `bind`, these above `eval`
//! (expressions), `functions` (scalar functions, aggregates and window functions, which see their rows through
//! `scope`) and `types` (values, rows, comparison). The columns of an operator follow from those of its inputs; the
//! type of a call is that of what the function makes of columns without rows. Expressions contain queries, and
//! queries contain expressions: both are resolved and evaluated through two traits, `scope::Resolver` and
//! `scope::Evaluator`, so that there are no circular imports between files.
//!
//! The evaluator is our own, and not polars' SQL, because that has no counterpart to Trino's three-valued
//! logic, `UNNEST`, lambdas, correlated subqueries and JSON paths, and because errors have to name the
//! function and its position in the text.
//!
//! Over a lake, the fourth stage is skipped if possible (`stream`): `preaggregation` counts groups by
//! dictionary numbers while the lake is read, and `flow` evaluates piece by piece what depends on each event
//! alone, and passes rows on as they come. Queries that compare several events are evaluated by hash
//! partitions (shares) of the events (`plan::divide`). What does not fit into memory is written to disk
//! (`stream::spill`).
//!
//! Two rules keep the stages independent. The scan only leaves out rows that the query would drop, because
//! every condition is applied again later. And a query is bound before anything is read, so that mistakes in
//! names or types are reported at once.

mod answer;
mod bind;
mod catalog;
mod collect;
mod error;
mod eval;
mod expression;
mod functions;
mod memory;
pub mod named;
mod panics;
mod plan;
mod query;
mod run;
mod scope;
mod strategy;
mod stream;
mod syntax;
mod types;

pub use answer::Answer;
pub use catalog::Catalog;
pub use collect::First;
pub use collect::{Collector, Doubtful, Gathered, Gathering, Places, Settled, Worked};
pub use error::{SqlError, TextPosition};
pub use memory::Limits;
pub use plan::scan::Scan;
pub use query::Query;
pub use stream::flow::export::Export;
pub use stream::line::Interrupted;
pub use stream::ordered::Ordered;
pub use stream::spill::Spill;
