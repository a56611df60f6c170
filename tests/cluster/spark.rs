//! A lake filled by a Spark cluster: a standalone master and two workers on loopback, with an S3 server that
//! supports conditional writes.
//!
//! Needs Java and PySpark 3.5 or 4.x. `TAGFALL_PYSPARK` is a Python that has it; then a cluster that does not
//! start is a failure. Without it the test tries `python3`, and says that it is skipped if there is none.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::place::Location;
use crate::s3;

/// Far more than starting a Java process takes.
const SOON: Duration = Duration::from_secs(240);

/// The Python that has PySpark, and PySpark's folder; `None`, with a message, if the test is skipped.
pub fn pyspark() -> Option<(PathBuf, PathBuf)> {
    let named = std::env::var_os("TAGFALL_PYSPARK");
    let python = PathBuf::from(named.clone().unwrap_or_else(|| "python3".into()));
    let home = Command::new(&python).args(["-c", "import pyspark; print(pyspark.__path__[0])"]).output();
    let home = home
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8(output.stdout).unwrap().trim().to_owned());
    let java = Command::new("java").arg("-version").output().is_ok_and(|output| output.status.success());
    match home {
        Some(home) if java => Some((python, home.into())),
        _ if named.is_some() => {
            panic!("TAGFALL_PYSPARK is set: {} has no PySpark, or there is no Java", python.display())
        }
        _ => {
            eprintln!(
                "SKIPPED: tests/cluster/spark.rs needs Java and PySpark (pip install 'pyspark>=3.5,<3.6'); TAGFALL_PYSPARK names its Python"
            );
            None
        }
    }
}

/// A master and two workers of one core each, until dropped.
struct Cluster {
    python: PathBuf,
    home: PathBuf,
    master: String,
    children: Vec<Child>,
}

impl Cluster {
    fn start(folder: &Path) -> Option<Self> {
        let (python, home) = pyspark()?;
        let log = folder.join("master.log");
        let mut cluster = Self { python, home, master: String::new(), children: Vec::new() };
        cluster.launch(
            &[
                "org.apache.spark.deploy.master.Master",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--webui-port",
                "0",
            ],
            folder,
            &log,
        );
        let url = wait_for(&log, "Starting Spark master at ");
        cluster.master = url.split_whitespace().next().unwrap().to_owned();
        for number in 1..=2 {
            let (log, work) =
                (folder.join(format!("worker{number}.log")), folder.join(format!("work{number}")));
            let worker = "org.apache.spark.deploy.worker.Worker";
            let args = [
                worker,
                "--host",
                "127.0.0.1",
                "--webui-port",
                "0",
                "--cores",
                "1",
                "--memory",
                "700m",
                "--work-dir",
            ];
            cluster.launch(
                &[&args[..], &[work.to_str().unwrap(), &cluster.master.clone()]].concat(),
                folder,
                &log,
            );
            wait_for(&log, "Successfully registered with master");
        }
        Some(cluster)
    }

    fn launch(&mut self, args: &[&str], folder: &Path, log: &Path) {
        let log = fs::File::create(log).unwrap();
        let mut command = Command::new(self.home.join("bin/spark-class"));
        command
            .args(args)
            .current_dir(folder)
            .env("SPARK_HOME", &self.home)
            .env("SPARK_DAEMON_MEMORY", "256m")
            .env("SPARK_LOCAL_IP", "127.0.0.1");
        self.children
            .push(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }

    /// The command that starts the driver.
    fn driver(
        &self,
        place: &Location,
        binary: &Path,
        lake: &str,
        sources: &[&str],
        conf: &[&str],
    ) -> Command {
        let mut command = Command::new(self.home.join("bin/spark-submit"));
        command
            .env("SPARK_HOME", &self.home)
            .env("PYSPARK_PYTHON", &self.python)
            .env("SPARK_LOCAL_IP", "127.0.0.1");
        command.args(["--master", &self.master, "--driver-memory", "512m", "--executor-memory", "512m"]);
        for setting in [
            "spark.ui.enabled=false",
            "spark.driver.host=127.0.0.1",
            "spark.speculation=true",
            "spark.log.level=WARN",
        ]
        .iter()
        .chain(conf)
        {
            command.args(["--conf", setting]);
        }
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/spark/tagfall_spark.py"));
        command.args(["--lake", lake, "--plan", &format!("{lake}-plan"), "--shards", "6", "--merges", "3"]);
        for name in [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_REGION",
            "AWS_EC2_METADATA_DISABLED",
            "AWS_ENDPOINT_URL",
        ] {
            command.args(["--env", name]);
        }
        command.arg("--ship").arg(binary).args(sources).current_dir(place.world.path(""));
        command.envs(s3::environment(&place.server.endpoint()));
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            // Workers stop their executors when they are told to stop.
            let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        }
        let begun = Instant::now();
        for child in &mut self.children {
            while child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The text after `mark` in a log, once it is there.
fn wait_for(log: &Path, mark: &str) -> String {
    let begun = Instant::now();
    loop {
        let lines = BufReader::new(fs::File::open(log).unwrap()).lines().map_while(Result::ok);
        if let Some(found) =
            lines.filter_map(|line| line.split_once(mark).map(|(_, rest)| rest.to_owned())).next()
        {
            return found;
        }
        assert!(begun.elapsed() < SOON, "{mark:?} does not come: {}", fs::read_to_string(log).unwrap());
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl Location {
    /// A program that does something else first, and then runs ours.
    fn wrapped(&self, name: &str, first: &str) -> PathBuf {
        let path = self.world.path(&format!("{name}/tagfall"));
        let marks = self.world.path(&format!("{name}/marks"));
        fs::create_dir_all(&marks).unwrap();
        let text = format!(
            "#!/bin/sh\nmarks={}\n{first}\nexec {} \"$@\"\n",
            marks.display(),
            env!("CARGO_BIN_EXE_tagfall")
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The driver uses only the grammar of the oldest supported Python, and modules that all of them have.
#[test]
fn the_driver_is_python_of_3_9_to_3_13() {
    let program = "import ast, sys
text = open(sys.argv[1]).read()
for minor in range(9, 14):
    tree = ast.parse(text, feature_version=(3, minor))
names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
names |= {node.module.split('.')[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
print(' '.join(sorted(names)))";
    let driver = concat!(env!("CARGO_MANIFEST_DIR"), "/spark/tagfall_spark.py");
    let output = match Command::new("python3").args(["-c", program, driver]).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return eprintln!("SKIPPED: the driver's grammar needs python3");
        }
        output => output.unwrap(),
    };
    let names = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(names.trim(), "argparse collections json os pyspark shutil stat subprocess sys threading");
}

/// One cluster for all cases, because starting it is slow.
#[test]
fn a_cluster_makes_the_lake_that_one_machine_makes_whatever_fails_on_the_way() {
    let place = Location::with_a_damaged_object();
    let folder = place.world.path("cluster");
    fs::create_dir_all(&folder).unwrap();
    let Some(cluster) = Cluster::start(&folder) else { return };
    let sources = ["s3://trail/incident/", "s3://trail/quiet/"];
    assert_eq!(
        place.run(&[&["ingest"], &sources[..], &["--lake", "one"]].concat()).status.code(),
        Some(3),
        "an object is damaged"
    );

    // A child that fails once.
    let fails_once =
        place.wrapped("fails", "case \"$*\" in *shard-00002*) if mkdir $marks/failed 2>/dev/null; then echo 'out of luck' >&2; exit 7; fi;; esac");
    let output = cluster.driver(&place, &fails_once, "s3://trail/fails", &sources, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(
        place.world.path("fails/marks/failed").exists() && text(&output).contains("out of luck"),
        "its stderr is kept: {}",
        text(&output)
    );
    place.compare("one", "s3://trail/fails");

    // If a child fails every time, the run fails, and nothing is committed.
    let fails = place.wrapped("never", "case \"$*\" in *--shard*) echo 'no luck at all' >&2; exit 2;; esac");
    let output = cluster
        .driver(&place, &fails, "s3://trail/never", &sources, &["spark.task.maxFailures=2"])
        .output()
        .unwrap();
    assert!(!output.status.success() && text(&output).contains("no luck at all"), "{}", text(&output));
    assert_eq!(place.run(&["detect", "s3://trail/never"]).status.code(), Some(2));

    // An executor that is killed during a shard: the parent of its Python is Spark's daemon, whose parent is
    // the executor.
    let kills = "case \"$*\" in *shard-00003*) if mkdir $marks/killed 2>/dev/null; then
        worker=$(ps -o ppid= -p $PPID | tr -d ' '); kill -9 $(ps -o ppid= -p $worker | tr -d ' ') $PPID; sleep 2; fi;; esac";
    let output = cluster
        .driver(&place, &place.wrapped("kills", kills), "s3://trail/kills", &sources, &[])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(place.world.path("kills/marks/killed").exists());
    place.compare("one", "s3://trail/kills");

    // The driver is killed before the commit, and run again.
    let kills = "case \"$*\" in *--commit*) if mkdir $marks/killed 2>/dev/null; then kill -9 $PPID; sleep 1; exit 9; fi;; esac";
    let binary = place.wrapped("driver", kills);
    let output = cluster.driver(&place, &binary, "s3://trail/driver", &sources, &[]).output().unwrap();
    assert!(!output.status.success(), "{}", text(&output));
    assert_eq!(
        place.run(&["detect", "s3://trail/driver"]).status.code(),
        Some(2),
        "nothing counts before the commit"
    );
    let output = cluster.driver(&place, &binary, "s3://trail/driver", &sources, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    place.compare("one", "s3://trail/driver");
}

/// A job of Glue has its arguments in pairs, among Glue's own, and none without a name.
#[test]
fn the_driver_takes_its_arguments_as_glue_hands_them() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: tests/cluster/spark.rs needs python3");
        return;
    }
    let program = "import sys, json; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv.pop(1)); import tagfall_spark
asked = tagfall_spark.parsed(None); print(json.dumps([asked.sources, asked.lake, asked.plan, asked.shards, asked.more]))";
    let run = |args: &[&str]| {
        let mut command = Command::new("python3");
        command.args(["-c", program, concat!(env!("CARGO_MANIFEST_DIR"), "/spark")]).args(args);
        command.output().unwrap()
    };
    let told = |args: &[&str]| {
        let output = run(args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let expected = json!([["s3://trail/a b/"], "s3://lakes/x", "s3://lakes/plan", 8, ["--jobs=1"]]);
    let glue = [
        "--job-language",
        "python",
        "--JOB_NAME",
        "fill",
        "--lake",
        "s3://lakes/x",
        "--enable-metrics",
        "true",
        "--plan",
        "s3://lakes/plan",
        "--source",
        "s3://trail/a b/",
        "--shards",
        "8",
        "--JOB_ID",
        "j_1",
        "--more",
        "--jobs=1",
        "--TempDir",
        "s3://temporary/",
        "--JOB_RUN_ID",
        "jr_2",
    ];
    assert_eq!(told(&glue), expected);
    let plain = [
        "--lake",
        "s3://lakes/x",
        "--plan",
        "s3://lakes/plan",
        "--shards",
        "8",
        "--more=--jobs=1",
        "s3://trail/a b/",
    ];
    assert_eq!(told(&plain), expected);
    for wrong in [&plain[..7], &[&plain[..], &["--shard", "8"]].concat()] {
        assert_eq!(run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}
