//! Where a plan is written to: a folder, or a prefix of a bucket.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::commands::ingest::shard_file::Header;
use crate::commands::sources;
use crate::failure::Failure;
use crate::source::Options;
use crate::source::store::{Condition, ObjectStore, is_s3};
use crate::ui::output::Destination;

/// The place.
pub struct Place {
    /// As the user has named it.
    name: String,
    kind: Kind,
}

enum Kind {
    Folder(PathBuf),
    Bucket(Arc<dyn ObjectStore>),
}

/// What shards are called, around their number.
const NAME: (&str, &str) = ("shard-", ".ndjson");
const DIGITS: usize = 5;
/// What every one begins with.
const START: &[u8] = b"{\"tagfall_shard\":";

fn name_of(shard: u32) -> String {
    format!("{}{shard:0DIGITS$}{}", NAME.0, NAME.1)
}

/// The number in a name that [`name_of`] has made.
fn number_in(name: &str) -> Option<u32> {
    let number = name.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?.parse().ok()?;
    (name_of(number) == name).then_some(number)
}

impl Place {
    pub fn open(name: &str, options: &Options) -> Result<Self, Failure> {
        let kind = if is_s3(name) {
            Kind::Bucket(sources::store(name, options)?)
        } else {
            Kind::Folder(PathBuf::from(name))
        };
        let place = Self { name: name.to_owned(), kind };
        if let Kind::Folder(folder) = &place.kind {
            std::fs::create_dir_all(folder).map_err(|error| place.failed(error))?;
        }
        Ok(place)
    }

    /// Writes one shard, as a whole or not at all. For a bucket it is in memory until it is written.
    pub fn write(
        &self,
        header: &Header,
        body: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let name = name_of(header.shard);
        let mut render = |out: &mut dyn Write| header.write(out).and_then(|()| body(out));
        match &self.kind {
            Kind::Folder(folder) => Destination::File(folder.join(name)).write(render).map(drop),
            Kind::Bucket(store) => {
                let mut bytes = Vec::new();
                render(&mut bytes).map_err(|error| self.failed(error))?;
                store.put(&name, bytes, Condition::Always).map(drop).map_err(|error| self.failed(error))
            }
        }
    }

    /// Names of shards that are there with numbers beyond `shards`.
    pub fn beyond(&self, shards: u32) -> Result<Vec<String>, Failure> {
        let mut names: Vec<String> = match &self.kind {
            Kind::Folder(folder) => {
                let entries = std::fs::read_dir(folder).map_err(|error| self.failed(error))?;
                entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
            }
            Kind::Bucket(store) => {
                let entries = store.list(NAME.0).map_err(|error| self.failed(error))?;
                entries.into_iter().map(|entry| entry.key).collect()
            }
        };
        names.retain(|name| number_in(name).is_some_and(|number| number > shards) && self.is_shard(name));
        Ok(names)
    }

    /// Whether a file is one of a plan, and not somebody else's of such a name.
    fn is_shard(&self, name: &str) -> bool {
        let mut start = Vec::new();
        match &self.kind {
            Kind::Folder(folder) => {
                if let Ok(file) = std::fs::File::open(folder.join(name)) {
                    let _ = file.take(START.len() as u64).read_to_end(&mut start);
                }
            }
            Kind::Bucket(store) => {
                if let Ok(Some(got)) = store.get(name, Some(0..START.len() as u64)) {
                    start = got.bytes;
                }
            }
        }
        start == START
    }

    pub fn remove(&self, name: &str) -> Result<(), Failure> {
        match &self.kind {
            Kind::Folder(folder) => {
                std::fs::remove_file(folder.join(name)).map_err(|error| self.failed(error))
            }
            Kind::Bucket(store) => store.delete(name).map_err(|error| self.failed(error)),
        }
    }

    fn failed(&self, reason: impl std::fmt::Display) -> Failure {
        Failure::new(format!("cannot write the plan to {}", self.name))
            .because(reason)
            .advise("name a folder, or s3://bucket/prefix, with -o")
    }
}
