//! Runs the binary on a folder.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The JSON document that the binary writes for a folder.
pub fn json_of(arguments: &[&str], folder: &Path) -> Value {
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
