//! The binary: everything it does is in the library's `commands`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tagfall::commands::main()
}
