//! Simulated worlds, whose truth is known: compares the engine with it, and with an independent second
//! engine.

#[path = "../support/oracle/mod.rs"]
mod oracle;
#[path = "../support/sim/mod.rs"]
mod sim;

mod against_the_oracle;
mod against_the_truth;
mod answers;
mod fates;
mod nights;
mod parity;
mod policies;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The JSON document that the binary writes for a folder.
fn json_of(arguments: &[&str], folder: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    let output = command
        .args(arguments)
        .arg(folder)
        .args(["--format", "json", "--quiet"])
        .output()
        .expect("the binary runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}
