//! `tagfall completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Ending};
use crate::failure::Failure;
use crate::ui::output::Destination;

/// Write a script that lets a shell complete the command line
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tagfall completions bash > ~/.local/share/bash-completion/completions/tagfall")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Args {
    pub fn run(&self) -> Result<Ending, Failure> {
        // The generator panics when it cannot write, so that it writes to memory.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "tagfall", &mut script);
        Destination::Stdout.write(|out| out.write_all(&script))?;
        Ok(Ending::default())
    }
}
