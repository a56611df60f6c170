//! What people install: archive, Debian package, image and GitHub Action, made by the files in `packaging/` and run as users run
//! them. Where a tool is not there (`dpkg-deb`, `readelf`, `bash`, `chroot` as root), the test says that it is skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tagfall");
const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn has(tool: &str) -> bool {
    let there = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().is_ok_and(|out| out.status.success());
    if !there {
        eprintln!("skipped: there is no {tool}");
    }
    there
}

fn run(command: &mut Command) -> Output {
    command.current_dir(HERE).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs one of the scripts; its standard output.
fn script(name: &str, arguments: &[&str]) -> String {
    let out = run(Command::new(format!("{HERE}/packaging/{name}")).args(arguments).env("LEVEL", "1"));
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// What the installed program finds in the fixture is what this one finds.
fn finds_the_incident(command: &mut Command) {
    let expected = run(Command::new(PROGRAM).args(["detect", "fixtures/incident", "--format", "json"]));
    let out = run(command.args(["detect", "fixtures/incident", "--format", "json"]));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(!out.stdout.is_empty() && out.stdout == expected.stdout);
}

/// The commands that `tagfall --help` lists.
fn commands() -> Vec<String> {
    let help = String::from_utf8(run(Command::new(PROGRAM).arg("--help")).stdout).unwrap();
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_archive_has_the_program_its_manual_and_completions() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let archive = PathBuf::from(script("archive.sh", &[PROGRAM, "some-target", folder]));
    let first = fs::read(&archive).unwrap();
    script("archive.sh", &[PROGRAM, "some-target", folder]);
    assert!(fs::read(&archive).unwrap() == first, "the same program gives the same archive");

    let checksum = format!("{}.sha256", archive.display());
    assert!(Command::new("sha256sum").args(["--quiet", "-c", &checksum]).current_dir(out.path()).status().unwrap().success());
    assert!(Command::new("tar").arg("xzf").arg(&archive).current_dir(out.path()).status().unwrap().success());
    let root = out.path().join(format!("tagfall-{}-some-target", env!("CARGO_PKG_VERSION")));
    finds_the_incident(&mut Command::new(root.join("bin/tagfall")));
    for command in commands().iter().filter(|command| *command != "help") {
        let page = fs::read_to_string(root.join(format!("share/man/man1/tagfall-{command}.1"))).unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
    }
    for (file, word) in [
        ("bash-completion/completions/tagfall", "detect"),
        ("zsh/site-functions/_tagfall", "#compdef tagfall"),
        ("fish/vendor_completions.d/tagfall.fish", "complete -c tagfall"),
    ] {
        assert!(fs::read_to_string(root.join("share").join(file)).unwrap().contains(word), "{file}");
    }
}

#[test]
fn the_debian_package_asks_for_the_glibc_that_the_program_needs() {
    if !has("dpkg-deb") || !has("readelf") {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let package = script("deb.sh", &[PROGRAM, "amd64", out.path().to_str().unwrap()]);
    let field = |name: &str| String::from_utf8(run(Command::new("dpkg-deb").args(["--field", &package, name])).stdout).unwrap().trim().to_owned();
    assert_eq!((field("Package"), field("Version")), ("tagfall".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
    let needed = script("glibc.sh", &[PROGRAM]);
    assert!(field("Depends").starts_with(&format!("libc6 (>= {needed})")), "{}", field("Depends"));
    // A program that needs a newer one than is allowed is not let through.
    let refused = run(Command::new(format!("{HERE}/packaging/glibc.sh")).args([PROGRAM, "2.2"]));
    assert_eq!(refused.status.code(), Some(1));

    let root = out.path().join("root");
    assert!(run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&root)).status.success());
    finds_the_incident(&mut Command::new(root.join("usr/bin/tagfall")));
    assert!(root.join("usr/share/man/man1/tagfall-detect.1.gz").is_file());
}

#[test]
fn the_image_has_all_that_the_program_loads() {
    if !has("ldd") || !has("chroot") {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let root = out.path().join("image");
    script("image.sh", &[PROGRAM, root.to_str().unwrap()]);
    copy(&Path::new(HERE).join("fixtures/incident"), &root.join("logs/incident"));
    // As the image runs: nothing else there, and not as root.
    let mut command = Command::new("chroot");
    let out =
        run(command.args(["--userspec=65532:65532"]).arg(&root).args(["/usr/bin/tagfall", "detect", "/logs/incident", "--fail-on", "critical"]));
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    if said.contains("chroot:") {
        eprintln!("skipped: chroot is root's ({said})");
        return;
    }
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(String::from_utf8_lossy(&out.stdout).contains("1 finding: 1 critical"));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Runs the Action's step as GitHub does. What it wrote to the summary and to the outputs, its standard output and its code.
fn action(inputs: &[(&str, &str)]) -> (String, String, String, Option<i32>) {
    let out = tempfile::tempdir().unwrap();
    let (summary, outputs) = (out.path().join("summary.md"), out.path().join("outputs"));
    let mut command = Command::new("bash");
    command.arg("packaging/action.sh").env("TAGFALL_ACTION_PROGRAM", PROGRAM);
    command.env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_OUTPUT", &outputs);
    command.envs(inputs.iter().map(|(name, value)| (format!("TAGFALL_ACTION_{name}"), value)));
    let done = run(&mut command);
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    (read(&summary), read(&outputs), String::from_utf8(done.stdout).unwrap(), done.status.code())
}

#[test]
fn the_github_action_writes_a_summary_and_ends_as_tagfall_does() {
    if !has("bash") {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name).to_str().unwrap().to_owned();
    let (sarif, known) = (path("findings.sarif"), path("known.json"));
    let inputs = [("SOURCES", "fixtures/incident\n\n"), ("FAIL_ON", "high"), ("SARIF", &sarif), ("KNOWN", &known)];
    let (summary, outputs, said, code) = action(&inputs);
    assert_eq!((code, outputs.as_str()), (Some(1), "exit-code=1\n"));
    assert!(summary.contains("shop/checkout") && said.contains("::warning::"), "{summary}{said}");
    let sarif: serde_json::Value = serde_json::from_slice(&fs::read(&sarif).unwrap()).unwrap();
    assert_eq!(sarif["version"], "2.1.0");

    let (_, outputs, _, code) = action(&inputs);
    assert_eq!((code, outputs.as_str()), (Some(0), "exit-code=0\n"), "what is known does not fail the job again");

    let (summary, _, said, code) = action(&[("SOURCES", "no/such/folder")]);
    assert_eq!((code, summary.as_str()), (Some(2), ""));
    assert!(said.contains("::error::"), "{said}");
    assert_eq!(action(&[("SOURCES", " \n")]).3, Some(2));
}

#[test]
fn the_action_hands_every_input_to_its_script() {
    let action = fs::read_to_string(format!("{HERE}/action.yml")).unwrap();
    let script = fs::read_to_string(format!("{HERE}/packaging/action.sh")).unwrap();
    let mut handed = 0;
    for line in action.lines().filter_map(|line| line.trim().strip_prefix("TAGFALL_ACTION_")) {
        let (name, value) = line.split_once(": ").unwrap();
        let input = name.to_lowercase().replace('_', "-");
        assert_eq!(value, format!("${{{{ inputs.{input} }}}}"));
        assert!(script.contains(&format!("TAGFALL_ACTION_{name}")), "{name}");
        handed += 1;
    }
    let inputs = action.split("inputs:\n").nth(1).unwrap().split("outputs:").next().unwrap();
    let named = inputs.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).count();
    // All but the version, which is for the installation.
    assert_eq!(handed, named - 1);
}
