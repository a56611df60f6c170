//! Another S3 server: moto's, in Python.
//!
//! Needs `moto[s3,server]`. `TAGFALL_MOTO` is a Python that has it; then a server that does not start is a
//! failure. Without it the test tries `python3`, and says that it is skipped if there is none.
//!
//! Differences to AWS: it never answers 409 (`ConditionalRequestConflict`), does not check signatures, lists
//! times in whole seconds (as AWS does), and evaluates conditions without a lock, so that both of two
//! simultaneous writes may succeed. Therefore one run is held up here while the other one commits.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::place::{Location, said};
use crate::s3::{Fault, Proxy, Request};

struct Moto {
    child: Child,
    address: SocketAddr,
}

impl Moto {
    fn start() -> Option<Self> {
        let named = std::env::var_os("TAGFALL_MOTO");
        let python = named.clone().unwrap_or_else(|| "python3".into());
        let there = Command::new(&python)
            .args(["-c", "import moto.server"])
            .output()
            .is_ok_and(|output| output.status.success());
        if !there {
            assert!(named.is_none(), "TAGFALL_MOTO is set, and there is no moto");
            eprintln!(
                "SKIPPED: tests/cluster/moto.rs needs moto (pip install 'moto[s3,server]'); TAGFALL_MOTO names its Python"
            );
            return None;
        }
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let port = address.port().to_string();
        let mut command = Command::new(python);
        command
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let moto = Self { child: command.spawn().unwrap(), address };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(120), "moto does not come up");
            std::thread::sleep(Duration::from_millis(100));
        }
        moto.make_bucket();
        Some(moto)
    }

    fn make_bucket(&self) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let host = self.address;
        write!(stream, "PUT /trail HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n")
            .unwrap();
        write!(stream, "Authorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_lake_on_another_server_is_the_same_lake() {
    let Some(moto) = Moto::start() else { return };
    let place = Arc::new(Location::with_a_damaged_object());
    let endpoint = format!("http://{}", moto.address);
    let run = |args: &[&str]| {
        let output = place.run_at(&endpoint, args);
        assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{args:?}: {}", said(&output));
        output
    };
    let answers =
        |lake: &str| Location::asked(lake).map(|args| String::from_utf8(run(&args).stdout).unwrap());
    for source in ["incident", "quiet"] {
        run(&["ingest", source, "--lake", "one"]);
        run(&["ingest", source, "--lake", "s3://trail/one"]);
    }
    assert!(answers("one") == answers("s3://trail/one"));
    assert!(said(&run(&["ingest", "quiet", "--lake", "s3://trail/one"])).contains("read 0 objects"));
    assert_eq!(run(&["lake", "check", "s3://trail/one"]).status.code(), Some(0));
    // Of two runs at once, the one that commits second does so on top of the other.
    let (other, at, done) = (Arc::clone(&place), endpoint.clone(), AtomicBool::new(false));
    let proxy = Proxy::start(moto.address, move |request: &Request<'_>| {
        if request.method == "PUT"
            && request.target.contains("two/_tagfall/manifest.json")
            && !done.swap(true, Ordering::SeqCst)
        {
            assert_eq!(
                other.run_at(&at, &["ingest", "incident", "--lake", "s3://trail/two"]).status.code(),
                Some(3)
            );
        }
        Fault::None
    });
    let output = place.run_at(&proxy.endpoint(), &["ingest", "quiet", "--lake", "s3://trail/two"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(answers("one") == answers("s3://trail/two"));
    // Several machines.
    run(&["plan", "incident", "quiet", "--shards", "3", "-o", "s3://trail/plan"]);
    for number in [2, 1, 3, 2] {
        run(&[
            "ingest",
            "--shard",
            &format!("s3://trail/plan/shard-{number:05}.ndjson"),
            "--lake",
            "s3://trail/many",
        ]);
    }
    run(&["ingest", "--merge", "1/1", "--lake", "s3://trail/many"]);
    run(&["ingest", "--commit", "--lake", "s3://trail/many"]);
    run(&["ingest", "incident", "quiet", "--lake", "many"]);
    assert!(answers("many") == answers("s3://trail/many"));
}
