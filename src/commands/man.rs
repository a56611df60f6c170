//! `tagfall man`.

use clap::CommandFactory;

use super::{Cli, Ending};
use crate::failure::Failure;
use crate::ui::output::Destination;

/// Write a manual page (roff) of tagfall, or of one of its commands
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tagfall man detect > tagfall-detect.1")]
pub struct Args {
    /// A command, such as `detect`
    command: Option<String>,
}

impl Args {
    pub fn run(&self) -> Result<Ending, Failure> {
        let page = clap_mangen::Man::new(self.subject()?);
        Destination::Stdout.write(|out| page.render(out))?;
        Ok(Ending::default())
    }

    /// The command that the page is about. `build` gives a verb the name that `man` finds it by:
    /// `tagfall-detect`.
    fn subject(&self) -> Result<clap::Command, Failure> {
        let mut all = Cli::command();
        all.build();
        let Some(name) = &self.command else { return Ok(all) };
        let known: Vec<_> = all.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        match all.find_subcommand(name) {
            Some(found) => Ok(found.clone()),
            None => Err(Failure::new(format!("there is no command {name}"))
                .advise(format!("name one of: {}", known.join(", ")))),
        }
    }
}
