//! `tagfall queries [NAME]`: the queries that come with the program.

use super::Ending;
#[cfg(not(feature = "sql"))]
use crate::failure::Failure;

/// List the named queries that come with the program, or show one of them
#[derive(Debug, clap::Args)]
#[cfg_attr(not(feature = "sql"), allow(dead_code))]
pub struct Args {
    /// Show this query: its question, how to read it, its columns, its parameters and its SQL
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

#[cfg(not(feature = "sql"))]
impl Args {
    pub fn run(&self) -> Result<Ending, Failure> {
        Err(without_sql())
    }
}

/// The error of SQL commands in a build without SQL.
#[cfg(not(feature = "sql"))]
pub fn without_sql() -> Failure {
    Failure::new("cannot run queries")
        .because("this tagfall was built without SQL")
        .advise("build it with the feature `sql`")
}

#[cfg(feature = "sql")]
mod run {
    use std::io::{self, Write};

    use super::{Args, Ending};
    use crate::failure::Failure;
    use crate::model::Timestamp;
    use crate::sql::{Query, named};
    use crate::ui::output::Destination;

    impl Args {
        pub fn run(&self) -> Result<Ending, Failure> {
            let destination = Destination::prepare(None)?;
            match &self.name {
                None => destination.write(|out| named::ALL.iter().try_for_each(|query| line(out, query)))?,
                Some(name) => {
                    let query = named::find(name).ok_or_else(|| {
                        Failure::new(format!("there is no query called {name}"))
                            .advise("tagfall queries, without a name, lists them")
                    })?;
                    destination.write(|out| out.write_all(query.sql.as_bytes()))?
                }
            };
            Ok(Ending::default())
        }
    }

    /// `@tag-history (repo, tag)  What has tag T of repository R pointed to, and when?`
    fn line(out: &mut dyn Write, query: &named::Named) -> io::Result<()> {
        let parameters = Query::parse(query.sql, &[], Timestamp::from_millis(0))
            .map(|query| query.params())
            .unwrap_or_default();
        let names: Vec<String> =
            parameters.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        writeln!(out, "@{:<34} {}", query.name, query.question())?;
        if names.is_empty() { Ok(()) } else { writeln!(out, "{:36}--param {}", "", names.join(" --param ")) }
    }
}
