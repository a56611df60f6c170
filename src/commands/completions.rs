//! `tagfall completions SHELL`.

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Ending};
use crate::failure::Failure;
use crate::ui::output::Destination;

/// Write a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: tagfall completions bash > ~/.local/share/bash-completion/completions/tagfall"
)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Args {
    pub fn run(&self) -> Result<Ending, Failure> {
        // The generator panics if it cannot write, so it writes to memory.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "tagfall", &mut script);
        Destination::Stdout.write(|out| out.write_all(&script))?;
        Ok(Ending::default())
    }
}

/// The command line as a shell sees it.
#[cfg(not(feature = "sql"))]
fn command() -> Command {
    Cli::command()
}

/// The same, with completion of named queries and of all tables' columns.
#[cfg(feature = "sql")]
fn command() -> Command {
    use std::collections::BTreeMap;

    use clap::builder::{PossibleValue, PossibleValuesParser};

    use crate::sql::named;
    use crate::tables;

    let queries = || named::ALL.iter().map(|query| PossibleValue::new(query.mention).help(query.question()));
    let names = || named::ALL.iter().map(|query| PossibleValue::new(query.name).help(query.question()));
    let mut columns: BTreeMap<&'static str, Vec<&'static str>> = BTreeMap::new();
    for table in tables::ALL {
        (table.columns)().iter().for_each(|column| columns.entry(column.name).or_default().push(table.name));
    }
    let columns = columns
        .into_iter()
        .map(|(column, tables)| PossibleValue::new(column).help(format!("column of {}", tables.join(", "))));
    let of_query: Vec<PossibleValue> = queries().chain(columns).collect();
    let of_queries: Vec<PossibleValue> = names().collect();
    Cli::command()
        .mut_subcommand("query", |query| {
            query.mut_arg("query", |query| query.value_parser(PossibleValuesParser::new(of_query)))
        })
        .mut_subcommand("queries", |queries| {
            queries.mut_arg("name", |name| name.value_parser(PossibleValuesParser::new(of_queries)))
        })
}
