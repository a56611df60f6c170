//! Files of rows: Parquet that every reader knows, as [`write()`] makes it and [`Reader`] takes it apart.
//!
//! - `columns`, `leaf`, `dictionary`, `levels`, `pages`, `packer`: rows → column chunks;
//! - `filters`, `footer`: what follows the last chunk;
//! - `reader`: the columns, fields and rows that are asked for, read back; [`codes`]: columns of texts as
//!   their numbers.
//!
//! Nothing else in a lake knows that its files are Parquet.

pub mod codes;
mod columns;
mod dictionary;
mod filters;
mod footer;
mod leaf;
mod levels;
mod packer;
mod pages;
#[cfg(test)]
mod peer;
mod reader;
mod write;

pub(super) use reader::{Reader, Wanted};
pub(super) use write::write;
