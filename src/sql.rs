//! SQL as Athena users write it, over CloudTrail records.
//!
//! A query goes through five stages, each a module:
//!
//! 1. [`parse`](Query::parse): text → syntax tree, in Trino's dialect; names become lower case;
//! 2. `bind`: resolves every name and determines all types. The later stages read the bound tree, in which
//!   equal expressions are equal trees, and ask it for types;
//! 3. `scan`: determines which columns are needed, and turns what the `WHERE` clauses say about event source,
//!   event name, time, region and account into a [`Scan`], so that the reader can skip objects by their keys
//!   and records without parsing them;
//! 4. the caller loads what the scan asks for into a [`Catalog`];
//! 5. [`run`](Query::run): the tree is evaluated column by column on polars' arrays.
//!
//! The evaluator is our own, and not polars' SQL, because that has no counterpart to Trino's three-valued
//! logic, `UNNEST`, lambdas, correlated subqueries and JSON paths, and because errors have to name the
//! function and its position in the text.
//!
//! Over a lake, the fourth stage is skipped if possible: `preaggregation` counts groups by dictionary numbers
//! while the lake is read, and `flow` evaluates piece by piece what depends on each event alone, and passes
//! rows on as they come. Queries that compare several events are evaluated by hash partitions (shares) of the
//! events (`divide`). What does not fit into memory is written to disk (`spill`).
//!
//! Two rules keep the stages independent. The scan only leaves out rows that the query would drop, because
//! every condition is applied again later. And a query is bound before anything is read, so that mistakes in
//! names or types are reported at once.

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
