//! No fault makes a run hang: a server that accepts connections and never answers, a listing or an error that
//! stops or drips.

use crate::s3;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use s3::{Fault, Memory, Proxy, Read, Request, Server, quick, read};
use tagfall::source::{FatalKind, Options, Patience};

/// Far more than any case needs, but finite.
const FOREVER: Duration = Duration::from_secs(50);

fn world(decide: impl Fn(&Request<'_>) -> Fault + Send + Sync + 'static) -> (Server, Proxy) {
    let key = |number: u32| {
        format!("AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/{:02}/{number:04}.json.gz", 1 + number % 3)
    };
    let memory =
        Arc::new(Memory::new("trail", (0..60).map(|number| (key(number), vec![number as u8; 3_000]))));
    let server = Server::memory(&memory);
    let proxy = Proxy::start(server.address, decide);
    (server, proxy)
}

fn impatient(endpoint: &str) -> Options {
    let patience = Patience {
        response: Duration::from_secs(1),
        silence: Duration::from_millis(300),
        drip: Duration::from_millis(600),
        drip_bytes_min: 2_048,
        ..Patience::DEFAULT
    };
    Options { patience, ..quick(endpoint) }
}

/// Reads in a separate thread, which is abandoned if it hangs.
fn read_in_time(endpoint: &str) -> Read {
    let options = impatient(endpoint);
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || drop(done.send(read("s3://trail/AWSLogs/", &options))));
    result.recv_timeout(FOREVER).expect("the run hangs")
}

#[test]
fn a_listing_that_stops_or_drips_is_asked_for_again() {
    for fault in [Fault::Stall, Fault::Drip(Duration::from_millis(20))] {
        let (_server, proxy) =
            world(
                move |request| {
                    if request.is_list() && request.tried == 0 { fault.clone() } else { Fault::None }
                },
            );
        let read = read_in_time(&proxy.endpoint());
        assert!(read.fatal.is_none() && read.failed.is_empty(), "{:?} {:?}", read.fatal, read.failed);
        assert_eq!(read.whole.len(), 60);
        assert!(read.retries > 0);
    }
}

#[test]
fn a_listing_that_always_drips_ends_the_run_and_says_so() {
    let (_server, proxy) =
        world(|request| if request.is_list() { Fault::Drip(Duration::from_millis(20)) } else { Fault::None });
    let read = read_in_time(&proxy.endpoint());
    let error = read.fatal.expect("the feed ended as if all were well");
    assert!(error.kind == FatalKind::Unavailable && error.detail.contains("bytes in"), "{error}");
}

#[test]
fn an_error_that_never_ends_is_an_error() {
    let head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1000\r\n\r\n<Error>".to_vec();
    let (_server, proxy) = world(move |request| {
        if request.target.contains("0007.json") && request.tried < 2 {
            Fault::Answer(head.clone())
        } else {
            Fault::None
        }
    });
    let read = read_in_time(&proxy.endpoint());
    assert!(read.fatal.is_none() && read.failed.is_empty(), "{:?} {:?}", read.fatal, read.failed);
    assert_eq!(read.whole.len(), 60);
}

#[test]
fn a_server_that_accepts_and_never_answers_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    let error = read_in_time(&endpoint).fatal.expect("the feed ended as if all were well");
    assert_eq!(error.kind, FatalKind::Unreachable, "{error}");
}
