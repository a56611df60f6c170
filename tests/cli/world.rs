//! A closed world for the binary: a folder of its own, no environment, and snapshots of all output.
//!
//! A snapshot has the command, its exit code, stdout and stderr. `UPDATE_SNAPSHOTS=1 cargo test --test cli`
//! rewrites them; a missing or different one is a failure.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder to run in, which is removed afterwards.
pub struct World {
    folder: TempDir,
}

impl World {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, creating its folders.
    pub fn file(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Copies a folder of the repository.
    pub fn copy(&self, from: &Path, to: &str) {
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let target = format!("{to}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                self.copy(&entry.path(), &target)
            } else {
                self.file(&target, &fs::read(entry.path()).unwrap())
            }
        }
    }

    /// Names of everything in the folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A command for the binary in this folder, without environment and input.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
        command.args(args).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub fn code(&self, args: &[&str]) -> Option<i32> {
        self.run(args).status.code()
    }
}

/// Runs every case and compares; all differences are reported together.
pub fn compare(world: &World, cases: &[(&str, &[&str])]) {
    let mut wrong = Vec::new();
    for (name, args) in cases {
        let actual = render(args, &world.run(args));
        let path = folder().join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, &actual).unwrap();
        }
        match fs::read_to_string(&path) {
            Ok(expected) if expected == actual => {}
            Ok(expected) => wrong.push(format!("=== {name}: expected\n{expected}=== {name}: got\n{actual}")),
            Err(_) => wrong.push(format!(
                "=== {name}: there is no snapshot (UPDATE_SNAPSHOTS=1 writes it); got\n{actual}"
            )),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names of all existing snapshots.
pub fn snapshots() -> BTreeSet<String> {
    let files = fs::read_dir(folder())
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    files.map(|name| name.trim_end_matches(".txt").to_owned()).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/cli")
}

/// One run as text. Only the time that it took differs from run to run.
fn render(args: &[&str], output: &Output) -> String {
    let quoted: Vec<_> =
        args.iter()
            .map(|arg| {
                if arg.contains([' ', '*']) || arg.is_empty() {
                    format!("'{arg}'")
                } else {
                    (*arg).to_owned()
                }
            })
            .collect();
    let code = output.status.code().map_or("none".to_owned(), |code| code.to_string());
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!(
        "$ {}\nexit code {code}\n--- stdout\n{stdout}--- stderr\n{}",
        ["tagfall"].into_iter().chain(quoted.iter().map(String::as_str)).collect::<Vec<_>>().join(" "),
        without_times(&stderr)
    )
}

/// `… in 0.4 s` at the end of the summary line → `… in [TIME]`.
fn without_times(stderr: &str) -> String {
    let line = |line: &str| match line.rsplit_once(" in ") {
        Some((before, "under 0.1 s")) => format!("{before} in [TIME]\n"),
        Some((before, after))
            if after.ends_with(" s") && after.starts_with(|first: char| first.is_ascii_digit()) =>
        {
            format!("{before} in [TIME]\n")
        }
        _ => format!("{line}\n"),
    };
    stderr.lines().map(line).collect()
}
