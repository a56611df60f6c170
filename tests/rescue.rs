//! Restoring a lost image with the same digest: which places are listed, and that the commands work, with a
//! real registry.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";

fn hash(bytes: &[u8]) -> String {
    format!("sha256:{}", Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn digest(name: &str) -> String {
    hash(format!("manifest {name}").as_bytes())
}

/// Evidence in a folder: records, and snapshots beside them.
struct Evidence {
    folder: tempfile::TempDir,
    records: Vec<Value>,
}

impl Evidence {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), records: Vec::new() }
    }

    fn record(mut self, time: &str, source: &str, name: &str, request: Value, response: Value) -> Self {
        let number = self.records.len();
        let session = "arn:aws:sts::111122223333:assumed-role/codebuild-shop/AWSCodeBuild-0d1c2b3a-4444-4555-8666-777788889999";
        self.records.push(json!({
            "eventVersion": "1.08", "userIdentity": {"type": "AssumedRole", "arn": session, "accountId": ACCOUNT}, "eventTime": time,
            "eventSource": source, "eventName": name, "awsRegion": REGION, "sourceIPAddress": "198.51.100.7", "userAgent": "docker/27",
            "requestParameters": request, "responseElements": response, "readOnly": false, "eventType": "AwsApiCall",
            "eventID": format!("5a5a5a5a-0000-4000-8000-{number:012}"), "recipientAccountId": ACCOUNT,
        }));
        self
    }

    fn push(self, time: &str, repository: &str, digest: &str, tag: &str) -> Self {
        let id = json!({"imageDigest": digest, "imageTag": tag});
        let request = json!({"registryId": ACCOUNT, "repositoryName": repository, "imageTag": tag});
        self.record(
            time,
            "ecr.amazonaws.com",
            "PutImage",
            request,
            json!({"image": {"registryId": ACCOUNT, "repositoryName": repository, "imageId": id}}),
        )
    }

    fn delete(self, time: &str, repository: &str, digest: &str) -> Self {
        let ids = json!([{"imageDigest": digest}]);
        let request = json!({"registryId": ACCOUNT, "repositoryName": repository, "imageIds": ids});
        self.record(
            time,
            "ecr.amazonaws.com",
            "BatchDeleteImage",
            request,
            json!({"imageIds": ids, "failures": []}),
        )
    }

    fn with(self, name: &str, document: &Value) -> Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, document.to_string()).expect("written");
        let file = fs::File::options().append(true).open(&path).expect("there");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_618_400)).expect("dated");
        self
    }

    /// A list of one image, in an account and a region.
    fn listed(self, account: &str, region: &str, repository: &str, digest: &str, status: &str) -> Self {
        let image = json!({"registryId": account, "repositoryName": repository, "imageDigest": digest, "imageTags": ["kept"],
            "imagePushedAt": "2026-02-01T10:00:00+00:00", "imageStatus": status});
        self.with(
            &format!("{account}/{region}/{}.json", repository.replace('/', "_")),
            &json!({"imageDetails": [image]}),
        )
    }

    fn run(&self, verb: &str, what: &str) -> (Value, i32, String) {
        fs::write(self.folder.path().join("log.json"), json!({"Records": self.records}).to_string())
            .expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
        command.current_dir(self.folder.path()).arg(verb);
        if !what.is_empty() {
            command.arg(what);
        }
        let output = command.args([".", "--format", "json"]).output().expect("the binary runs");
        let document = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (
            document,
            output.status.code().expect("a code"),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    fn rescue(&self, what: &str) -> Value {
        let (mut document, code, said) = self.run("rescue", what);
        assert_eq!(code, 0, "{said}");
        document["rescue"].take()
    }
}

fn reference(repository: &str, digest: &str) -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}@{digest}")
}

fn from(rescue: &Value) -> Vec<&str> {
    rescue["sources"]
        .as_array()
        .expect("sources")
        .iter()
        .map(|source| source["from"].as_str().expect("a word"))
        .collect()
}

/// Pushed, and deleted.
fn lost() -> Evidence {
    let lost = digest("lost");
    Evidence::new().push("2026-03-01T07:00:00Z", "shop/api", &lost, "v1").delete(
        "2026-03-02T07:00:00Z",
        "shop/api",
        &lost,
    )
}

#[test]
fn every_place_that_still_has_it_is_told_newest_evidence_first() {
    let lost_digest = digest("lost");
    let evidence = lost()
        .push("2026-03-01T08:00:00Z", "shop/mirror", &lost_digest, "v1")
        .listed(ACCOUNT, "eu-west-1", "shop/api", &lost_digest, "ACTIVE")
        .listed("444455556666", REGION, "shop/api", &lost_digest, "ACTIVE")
        .listed(ACCOUNT, "us-east-1", "cold/api", &lost_digest, "ARCHIVED")
        .listed(ACCOUNT, "us-west-2", "shop/api", &digest("other"), "ACTIVE");
    let rescue = evidence.rescue(&reference("shop/api", &lost_digest));
    assert_eq!(rescue["state"], "deleted");
    // Three from the snapshot's time, sorted by distance; then those of the logs.
    assert_eq!(from(&rescue), ["region", "region", "account", "repository", "manifest"], "{rescue}");
    let account = &rescue["sources"][2];
    let command = account["commands"][0].as_str().expect("a command");
    let expected = format!(
        "skopeo copy --all --preserve-digests docker://444455556666.dkr.ecr.{REGION}.amazonaws.com/shop/api@{lost_digest} docker://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop/api:v1"
    );
    assert_eq!(command, expected);
    assert_eq!(account["evidence"][0]["event_name"], "describe-images");
    let near = &rescue["sources"][3];
    let put =
        near["commands"].as_array().expect("commands").last().and_then(Value::as_str).expect("a command");
    assert!(
        put.starts_with("aws ecr put-image --region eu-central-1")
            && put.contains("batch-get-image")
            && put.contains("shop/mirror"),
        "{put}"
    );
    let archived = rescue["sources"]
        .as_array()
        .expect("sources")
        .iter()
        .find(|one| one["repository"]["name"] == "cold/api")
        .expect("it");
    assert!(
        archived["commands"][0]
            .as_str()
            .expect("a command")
            .contains("update-image-storage-class --region us-east-1"),
        "{archived}"
    );
    assert!(
        rescue["repairs"][0].as_str().expect("a sentence").contains("without a new deployment"),
        "{rescue}"
    );
}

#[test]
fn what_the_archive_has_comes_back_from_there() {
    let lost_digest = digest("lost");
    let evidence = Evidence::new().push("2026-03-01T07:00:00Z", "shop/api", &lost_digest, "v1").listed(
        ACCOUNT,
        REGION,
        "shop/api",
        &lost_digest,
        "ARCHIVED",
    );
    let rescue = evidence.rescue(&lost_digest);
    assert_eq!(from(&rescue), ["archive"]);
    let command = rescue["sources"][0]["commands"][0].as_str().expect("a command");
    assert!(
        command.starts_with("aws ecr update-image-storage-class")
            && command.ends_with("--target-storage-class STANDARD"),
        "{command}"
    );
}

#[test]
fn what_is_there_needs_no_rescue() {
    let evidence = Evidence::new().push("2026-03-01T07:00:00Z", "shop/api", &digest("kept"), "v1").push(
        "2026-03-01T08:00:00Z",
        "shop/b",
        &digest("kept"),
        "v1",
    );
    let rescue = evidence.rescue("shop/api:v1");
    assert_eq!(from(&rescue), ["here"]);
    assert_eq!((&rescue["repairs"], &rescue["does_not_repair"]), (&json!([]), &json!([])));
}

#[test]
fn a_host_that_runs_it_has_it() {
    let lost_digest = digest("lost");
    let image = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop/api:v1");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pay-1", "namespace": "shop"}, "spec": {"containers": [{"name": "app", "image": image}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "app", "image": image, "imageID": reference("shop/api", &lost_digest), "state": {"running": {}}}]}});
    let rescue = lost()
        .with("pods.json", &json!({"apiVersion": "v1", "kind": "List", "items": [pod]}))
        .rescue(&reference("shop/api", &lost_digest));
    assert_eq!(from(&rescue), ["node", "manifest"]);
    assert!(
        rescue["sources"][0]["commands"][0]
            .as_str()
            .expect("a command")
            .contains(&format!("grep {lost_digest}"))
    );
}

/// If a rule shows what a cache copies, its address is printed; once, only the existence of a cache was
/// mentioned.
#[test]
fn a_cache_fetches_it_again_from_the_upstream_that_its_rule_names() {
    let lost_digest = digest("lost");
    let rule = json!({"ecrRepositoryPrefix": "hub", "upstreamRegistryUrl": "registry-1.docker.io"});
    let cached = |evidence: Evidence| {
        let response = json!({"image": {"registryId": ACCOUNT, "repositoryName": "hub/library/nginx", "imageId": {"imageDigest": lost_digest, "imageTag": "1.27"}}});
        let request = json!({"registryId": ACCOUNT, "repositoryName": "hub/library/nginx"});
        let evidence = evidence.record(
            "2026-03-02T07:00:00Z",
            "ecr.amazonaws.com",
            "BatchImportUpstreamImage",
            request,
            response,
        );
        evidence.delete("2026-03-20T07:00:00Z", "hub/library/nginx", &lost_digest)
    };
    let place = |evidence: &Evidence| {
        let rescue = evidence.rescue(&reference("hub/library/nginx", &lost_digest));
        assert!(from(&rescue).contains(&"upstream"), "{rescue:#}");
        let upstream =
            rescue["sources"].as_array().unwrap().iter().find(|source| source["from"] == "upstream");
        upstream.unwrap()["place"].as_str().unwrap().to_owned()
    };
    let unruled = cached(Evidence::new());
    assert!(place(&unruled).starts_with("what hub/library/nginx is a pull-through cache of"));
    let ruled = cached(Evidence::new().record(
        "2026-03-01T07:00:00Z",
        "ecr.amazonaws.com",
        "CreatePullThroughCacheRule",
        rule.clone(),
        rule,
    ));
    assert!(
        place(&ruled).starts_with("registry-1.docker.io/library/nginx, of which hub/library/nginx"),
        "{}",
        place(&ruled)
    );
}

#[test]
fn where_it_is_nowhere_who_made_it_is_told() {
    let lost_digest = digest("lost");
    let build = json!({"build": {"arn": "arn:aws:codebuild:eu-central-1:111122223333:build/shop-api:0d1c2b3a-4444-4555-8666-777788889999",
        "id": "shop-api:0d1c2b3a-4444-4555-8666-777788889999", "projectName": "shop-api", "sourceVersion": "main",
        "resolvedSourceVersion": "8c1f0c2d9a4be7d1c5a1", "environment": {"image": "aws/codebuild/standard:7.0"}}});
    let evidence = lost().record(
        "2026-03-01T06:55:00Z",
        "codebuild.amazonaws.com",
        "StartBuild",
        json!({"projectName": "shop-api"}),
        build,
    );
    let rescue = evidence.rescue(&lost_digest);
    let made: Vec<&str> = rescue["made_by"]
        .as_array()
        .expect("sentences")
        .iter()
        .map(|one| one["text"].as_str().expect("text"))
        .collect();
    assert!(
        made[0].contains("build/shop-api:0d1c2b3a") && made[0].contains("8c1f0c2d9a4be7d1c5a1"),
        "{made:?}"
    );
    assert!(made[1].contains("another digest"), "{made:?}");
    assert_eq!(from(&rescue), ["manifest"], "its record alone is left");
    let before = lost().rescue(&lost_digest);
    assert!(
        before["made_by"][0]["text"]
            .as_str()
            .expect("text")
            .contains("batch-get-builds --ids PROJECT:0d1c2b3a"),
        "{before}"
    );
}

#[test]
fn a_finding_is_named_by_its_id() {
    let lost_digest = digest("lost");
    let evidence = lost().push("2026-03-01T08:00:00Z", "shop/mirror", &lost_digest, "v1");
    let function = json!({"Configuration": {"FunctionName": "f", "FunctionArn": "arn:aws:lambda:eu-central-1:111122223333:function:f", "PackageType": "Image"},
        "Code": {"ResolvedImageUri": reference("shop/api", &lost_digest)}});
    let evidence = evidence.with("f.json", &function);
    let (detected, _, _) = evidence.run("detect", "");
    let id = detected["findings"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(from(&evidence.rescue(&id)), ["repository", "manifest"]);
    for (what, expected) in [
        ("0000000000000000", "no finding has the id"),
        ("nothing at all !", "no image reference"),
        ("shop/unknown:v9", "these sources do not show which image"),
    ] {
        let (_, code, said) = evidence.run("rescue", what);
        assert_eq!(code, 2, "{what}");
        assert!(said.contains(expected), "{what}: {said}");
    }
}

#[test]
fn hostile_names_reach_no_shell() {
    let lost_digest = digest("lost");
    let name = "shop/$(touch pwned)'; touch pwned; '";
    let evidence = lost().push("2026-03-01T08:00:00Z", name, &lost_digest, "v1;touch pwned");
    let rescue = evidence.rescue(&reference("shop/api", &lost_digest));
    let commands = rescue["sources"][0]["commands"].as_array().expect("commands").clone();
    let shell = evidence.folder.path().join("bin");
    fs::create_dir(&shell).expect("made");
    for command in commands.iter().filter_map(Value::as_str) {
        // Without programs of these names on the path, the shell only parses the words.
        let Ok(output) = Command::new("/bin/sh")
            .args(["-c", command])
            .env("PATH", &shell)
            .current_dir(evidence.folder.path())
            .output()
        else {
            return;
        };
        assert!(!output.status.success());
    }
    assert!(!evidence.folder.path().join("pwned").exists());
}

/// A registry on loopback, ended with the test.
struct Registry {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Registry {
    /// `None` if the program is not installed.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let config = folder.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:{port}\n",
            folder.path().join("data").display()
        );
        fs::write(&config, text).expect("written");
        let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok();
        let child = ["docker-registry", "registry"]
            .iter()
            .find_map(|program| quiet(Command::new(program).arg("serve").arg(&config)))?;
        let registry = Self { child, port, _folder: folder };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(registry);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the registry does not answer");
    }

    /// The status line of the response.
    fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connected");
        let accept = "application/vnd.oci.image.manifest.v1+json";
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.lines().next().unwrap_or_default().to_owned()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes an image in the OCI layout; returns its digest.
fn layout(folder: &Path) -> String {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("made");
    let blob = |bytes: &[u8]| {
        let digest = hash(bytes);
        fs::write(blobs.join(&digest["sha256:".len()..]), bytes).expect("written");
        (digest, bytes.len())
    };
    let mut layer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // An empty tar archive.
    layer.write_all(&[0; 1024]).expect("written");
    let (layer, layer_size) = blob(&layer.finish().expect("packed"));
    let config =
        json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [hash(&[0; 1024])]}, "config": {}}).to_string();
    let (config, config_size) = blob(config.as_bytes());
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": layer_size}]});
    let (digest, size) = blob(manifest.to_string().as_bytes());
    let index = json!({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size,
        "annotations": {"org.opencontainers.image.ref.name": "v1"}}]});
    fs::write(folder.join("index.json"), index.to_string()).expect("written");
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
    digest
}

/// The printed command restores the image with its digest in a registry that follows the protocol.
#[test]
fn a_printed_copy_command_brings_the_digest_back() {
    if Command::new("skopeo").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no skopeo (Debian has it under that name)");
        return;
    }
    let Some(registry) = Registry::start() else {
        eprintln!("SKIPPED: there is no registry to be had (Debian: docker-registry)");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let digest = layout(folder.path());
    let local: PathBuf = folder.path().to_owned();
    // The host of the registry represents both accounts.
    let plain = |command: &str| {
        let hosts = ["444455556666", ACCOUNT].iter().fold(command.to_owned(), |command, account| {
            command.replace(
                &format!("{account}.dkr.ecr.{REGION}.amazonaws.com/"),
                &format!("127.0.0.1:{}/a{account}/", registry.port),
            )
        });
        hosts.replace("skopeo copy ", "skopeo copy --src-tls-verify=false --dest-tls-verify=false ")
    };
    let run = |command: &str| {
        let output = Command::new("sh").args(["-c", command]).output().expect("a shell");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    };
    for account in [ACCOUNT, "444455556666"] {
        run(&plain(&format!(
            "skopeo copy --insecure-policy --preserve-digests oci:{}:v1 docker://{account}.dkr.ecr.{REGION}.amazonaws.com/shop/api:v1",
            local.display()
        )));
    }
    let path = format!("/v2/a{ACCOUNT}/shop/api/manifests/{digest}");
    assert!(registry.ask("HEAD", &path).contains("200"), "{}", registry.ask("HEAD", &path));
    assert!(registry.ask("DELETE", &path).contains("202"));
    assert!(registry.ask("HEAD", &path).contains("404"), "it is lost");

    let evidence = Evidence::new()
        .push("2026-03-01T07:00:00Z", "shop/api", &digest, "v1")
        .delete("2026-03-02T07:00:00Z", "shop/api", &digest)
        .listed("444455556666", REGION, "shop/api", &digest, "ACTIVE");
    let rescue = evidence.rescue(&reference("shop/api", &digest));
    let command = rescue["sources"][0]["commands"][0].as_str().expect("a command");
    run(&plain(&command.replace("skopeo copy ", "skopeo copy --insecure-policy ")));
    assert!(registry.ask("HEAD", &path).contains("200"), "the very same digest is back");
}
