//! Objects in a bucket that an earlier run has read are not fetched again unless they have changed.

use crate::s3;
use std::collections::BTreeSet;
use std::sync::Arc;

use s3::{Memory, Server};
use tagfall::model::Filter;
use tagfall::source::{self, Fetched, Known, Options, Origin};

#[derive(Debug)]
struct Remembered(BTreeSet<(String, String)>);

impl Known for Remembered {
    fn knows(&self, origin: &Origin) -> bool {
        self.0.contains(&(origin.address.clone(), origin.stamp.clone()))
    }
}

/// What was read, by address and version, and how many objects were known.
fn read(endpoint: &str, known: BTreeSet<(String, String)>) -> (BTreeSet<(String, String)>, usize) {
    let options = Options { known: Some(Arc::new(Remembered(known))), ..s3::options(endpoint) };
    let feed = source::open("s3://trail/AWSLogs/", &options, &Filter::default()).unwrap();
    let (mut found, mut skipped, mut buffer) = (BTreeSet::new(), 0, Vec::new());
    while let Some(delivery) = feed.next(&mut buffer) {
        let origin = delivery.origin.unwrap();
        match delivery.outcome {
            Fetched::Known => {
                assert!(buffer.is_empty());
                skipped += 1;
            }
            outcome => {
                assert_eq!(outcome, Fetched::Whole);
                found.insert((origin.address, origin.stamp));
            }
        }
    }
    assert_eq!(feed.fatal(), None);
    (found, skipped)
}

#[test]
fn only_new_and_changed_objects_are_fetched() {
    let key =
        |number: u32| format!("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/{number:04}.json.gz");
    let bucket = Arc::new(Memory::new("trail", (0..40).map(|number| (key(number), vec![b'x'; 100]))));
    let server = Server::memory(&bucket);
    let (known, skipped) = read(&server.endpoint(), BTreeSet::new());
    assert_eq!((known.len(), skipped, bucket.gets().len()), (40, 0, 40));
    assert!(known.iter().any(|(address, _)| *address == format!("s3://trail/{}", key(7))));
    bucket.put(&key(7), vec![b'y'; 100]);
    bucket.put(&key(40), vec![b'z'; 100]);
    let (fresh, skipped) = read(&server.endpoint(), known);
    let addresses: Vec<_> = fresh.into_iter().map(|(address, _)| address).collect();
    assert_eq!(addresses, [7, 40].map(|number| format!("s3://trail/{}", key(number))));
    assert_eq!((skipped, bucket.gets().len()), (39, 42), "what is known costs no request");
}
