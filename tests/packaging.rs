//! The packages for installation: archive, Debian package, container image, Lambda zip and GitHub Action,
//! made by the files in `packaging/` and run like a user does. If a tool is missing (`dpkg-deb`, `readelf`,
//! `bash`, `chroot` as root), the test says that it is skipped.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tagfall");
const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn has(tool: &str) -> bool {
    let there = Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .output()
        .is_ok_and(|out| out.status.success());
    if !there {
        eprintln!("skipped: there is no {tool}");
    }
    there
}

fn run(command: &mut Command) -> Output {
    command.current_dir(HERE).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs one of the scripts; returns its standard output.
fn script(name: &str, arguments: &[&str]) -> String {
    let out = run(Command::new(format!("{HERE}/packaging/{name}")).args(arguments).env("LEVEL", "1"));
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// Checks that the installed program finds the same as this one in the fixture.
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
    assert!(
        Command::new("sha256sum")
            .args(["--quiet", "-c", &checksum])
            .current_dir(out.path())
            .status()
            .unwrap()
            .success()
    );
    assert!(Command::new("tar").arg("xzf").arg(&archive).current_dir(out.path()).status().unwrap().success());
    let root = out.path().join(format!("tagfall-{}-some-target", env!("CARGO_PKG_VERSION")));
    // The path that `cargo binstall` expects.
    let manifest = fs::read_to_string(format!("{HERE}/Cargo.toml")).unwrap();
    let (_, binstall) = manifest.split_once("[package.metadata.binstall]\n").unwrap();
    let told = |key: &str| {
        let value = binstall
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
            .unwrap();
        let known = [
            ("name", "tagfall"),
            ("version", env!("CARGO_PKG_VERSION")),
            ("target", "some-target"),
            ("bin", "tagfall"),
            ("repo", "R"),
        ];
        known
            .iter()
            .fold(value.to_owned(), |text, (name, value)| text.replace(&format!("{{ {name} }}"), value))
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        told("pkg-url"),
        format!("R/releases/download/v{version}/{}", archive.file_name().unwrap().to_str().unwrap())
    );
    assert_eq!(out.path().join(told("bin-dir")), root.join("bin/tagfall"));
    finds_the_incident(&mut Command::new(root.join("bin/tagfall")));
    for command in commands().iter().filter(|command| *command != "help") {
        let page = fs::read_to_string(root.join(format!("share/man/man1/tagfall-{command}.1")))
            .unwrap_or_else(|error| panic!("{command}: {error}"));
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
    let field = |name: &str| {
        String::from_utf8(run(Command::new("dpkg-deb").args(["--field", &package, name])).stdout)
            .unwrap()
            .trim()
            .to_owned()
    };
    assert_eq!(
        (field("Package"), field("Version")),
        ("tagfall".to_owned(), env!("CARGO_PKG_VERSION").to_owned())
    );
    let needed = script("glibc.sh", &[PROGRAM]);
    assert!(field("Depends").starts_with(&format!("libc6 (>= {needed})")), "{}", field("Depends"));
    // A program that needs a newer glibc than allowed is refused.
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
    // As in the image: with no other files, and not as root.
    let mut command = Command::new("chroot");
    let out = run(command.args(["--userspec=65532:65532"]).arg(&root).args([
        "/usr/bin/tagfall",
        "detect",
        "/logs/incident",
        "--fail-on",
        "critical",
    ]));
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

/// Handles one request to the runtime API with the HTTP response `answer`; returns the request's first line
/// and body.
fn served(listener: &TcpListener, answer: &str) -> (String, String) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.to_lowercase().trim_end().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("expect", _)) => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    stream.write_all(answer.as_bytes()).unwrap();
    (first.trim_end().trim_end_matches(" HTTP/1.1").to_owned(), String::from_utf8(body).unwrap())
}

/// Invokes the function in `folder` twice with these settings; `taken` is the response to its first answer.
/// Returns what it sent, and how it ended.
fn invoked(
    folder: &Path,
    settings: &[(&str, &str)],
    taken: &str,
) -> (Vec<(String, String)>, std::process::ExitStatus) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = Command::new(folder.join("bootstrap"));
    command
        .current_dir(HERE)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(settings.iter().copied())
        .env("_HANDLER", "detect");
    command
        .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr().unwrap().to_string())
        .env("LAMBDA_TASK_ROOT", folder);
    let mut function = command.stderr(Stdio::null()).spawn().unwrap();
    let end = "Content-Length: 2\r\nConnection: close\r\n\r\n{}";
    let next = format!(
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n{end}"
    );
    let mut sent = vec![served(&listener, &next), served(&listener, &format!("HTTP/1.1 {taken}\r\n{end}"))];
    if taken.starts_with('4') {
        sent.push(served(&listener, &format!("HTTP/1.1 202 Accepted\r\n{end}")));
    }
    // Lambda ends this environment: the loop ends.
    sent.push(served(&listener, &format!("HTTP/1.1 500 Internal Server Error\r\n{end}")));
    (sent, function.wait().unwrap())
}

#[test]
fn the_zip_for_lambda_answers_the_runtime_api() {
    if !has("python3") || !has("curl") {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let package = script("lambda.sh", &[PROGRAM, "x86_64", out.path().to_str().unwrap()]);
    let first = fs::read(&package).unwrap();
    script("lambda.sh", &[PROGRAM, "x86_64", out.path().to_str().unwrap()]);
    assert!(fs::read(&package).unwrap() == first, "the same program gives the same zip");
    let folder = out.path().join("function");
    let mut zip = zip::ZipArchive::new(fs::File::open(&package).unwrap()).unwrap();
    assert!(
        (0..zip.len()).all(|at| zip
            .by_index(at)
            .unwrap()
            .unix_mode()
            .is_some_and(|mode| mode & 0o111 == 0o111))
    );
    zip.extract(&folder).unwrap();

    let incident = format!("{HERE}/fixtures/incident");
    let (sent, ended) =
        invoked(&folder, &[("TAGFALL_SOURCES", &incident), ("TAGFALL_FAIL_ON", "high")], "202 Accepted");
    let places: Vec<&str> = sent.iter().map(|(place, _)| place.as_str()).collect();
    let invocation = "/2018-06-01/runtime/invocation";
    let next = format!("GET {invocation}/next");
    let answer = format!("POST {invocation}/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response");
    let error = format!("POST {invocation}/8476a536-e9f4-11e8-9739-2dfe598c3fcd/error");
    assert_eq!(places, [&next, &answer, &next]);
    let document: serde_json::Value = serde_json::from_str(&sent[1].1).unwrap();
    assert_eq!(document["findings"].as_array().unwrap().len(), 1);
    assert!(ended.success());

    // There is nothing to read.
    let (sent, _) = invoked(&folder, &[("TAGFALL_SOURCES", "/no/such \"folder\"")], "202 Accepted");
    assert_eq!(sent[1].0, error);
    let said: serde_json::Value = serde_json::from_str(&sent[1].1).unwrap();
    assert_eq!(said["errorType"], "tagfall.CouldNotRun");
    assert!(said["errorMessage"].as_str().unwrap().contains("no/such"), "{said}");

    // More than Lambda accepts.
    let (sent, _) = invoked(&folder, &[("TAGFALL_SOURCES", &incident)], "413 Payload Too Large");
    assert_eq!((sent[1].0.as_str(), sent[2].0.as_str()), (answer.as_str(), error.as_str()));
    let said: serde_json::Value = serde_json::from_str(&sent[2].1).unwrap();
    assert_eq!(said["errorType"], "tagfall.AnswerTooLarge");
}

/// Runs the Action's step as GitHub does. Returns summary, outputs, standard output and exit code.
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
    let inputs =
        [("SOURCES", "fixtures/incident\n\n"), ("FAIL_ON", "high"), ("SARIF", &sarif), ("KNOWN", &known)];
    let (summary, outputs, said, code) = action(&inputs);
    assert_eq!((code, outputs.as_str()), (Some(1), "exit-code=1\n"));
    assert!(summary.contains("shop/checkout") && said.contains("::warning::"), "{summary}{said}");
    let sarif: serde_json::Value = serde_json::from_slice(&fs::read(&sarif).unwrap()).unwrap();
    assert_eq!(sarif["version"], "2.1.0");

    let (_, outputs, _, code) = action(&inputs);
    assert_eq!(
        (code, outputs.as_str()),
        (Some(0), "exit-code=0\n"),
        "what is known does not fail the job again"
    );

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
    // All inputs but the version, which is for the installation.
    assert_eq!(handed, named - 1);
}
