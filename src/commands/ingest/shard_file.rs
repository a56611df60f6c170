//! A shard of a plan as a file: a line with the plan's properties, then for each source a line with its name,
//! and one line for each object.

use std::io::{self, BufRead, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::commands::sources;
use crate::failure::Failure;
use crate::lake::PlanName;
use crate::model::{Filter, Timestamp};
use crate::source::store::{Condition, is_s3};
use crate::source::{Item, Options};

/// The version of the format.
const VERSION: u32 = 1;

/// Properties that are the same in all shards of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of this format.
    pub tagfall_shard: u32,
    /// 32 hex digits, the same for two plans of the same objects in the same versions.
    pub plan: String,
    pub shard: u32,
    pub of: u32,
    /// The `eventSource`s to keep; empty for all.
    pub select: Vec<String>,
    /// The filters by which objects were selected; members of archives are selected by the same. Times are in
    /// milliseconds since the epoch.
    pub since: Option<i64>,
    pub until: Option<i64>,
    pub accounts: Vec<String>,
    pub regions: Vec<String>,
    /// Whether more than one source was given: then object names are preceded by the source.
    pub many: bool,
    /// Files, folders and keys that were left out by name; only the first shard has this number.
    pub left_out: u64,
}

/// A shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shard {
    pub header: Header,
    /// Each source and its objects.
    pub sources: Vec<(String, Vec<Item>)>,
}

/// The line before the objects of a source.
#[derive(Serialize, Deserialize)]
struct Source {
    source: String,
}

impl Header {
    pub fn new(select: Vec<String>, filter: &Filter, many: bool, shards: u32) -> Self {
        Self {
            tagfall_shard: VERSION,
            of: shards,
            select,
            since: filter.since.map(Timestamp::millis),
            until: filter.until.map(Timestamp::millis),
            accounts: filter.accounts.clone(),
            regions: filter.regions.clone(),
            many,
            ..Self::default()
        }
    }

    pub fn plan(&self) -> PlanName {
        PlanName { id: self.plan.clone(), shards: self.of }
    }

    pub fn filter(&self) -> Filter {
        let time = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        let (since, until) = (time(self.since), time(self.until));
        Filter {
            since,
            until,
            accounts: self.accounts.clone(),
            regions: self.regions.clone(),
            ..Filter::default()
        }
    }
}

impl Shard {
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write_line(out, &self.header)?;
        for (source, items) in &self.sources {
            write_line(out, &Source { source: source.clone() })?;
            items.iter().try_for_each(|item| write_line(out, item))?;
        }
        Ok(())
    }

    fn read(text: impl BufRead) -> Result<Self, String> {
        let mut lines = text.lines();
        let first = lines.next().transpose().map_err(|error| error.to_string())?.unwrap_or_default();
        let header: Header = serde_json::from_str(&first)
            .map_err(|_| "it is no shard of a plan that tagfall has made".to_owned())?;
        if header.tagfall_shard != VERSION || header.shard == 0 || header.shard > header.of {
            return Err("it was made by another version of tagfall".to_owned());
        }
        let mut shard = Self { header, sources: Vec::new() };
        for (number, line) in lines.enumerate() {
            let line = line.map_err(|error| error.to_string())?;
            let damaged = |error: serde_json::Error| format!("line {}: {error}", number + 2);
            if line.starts_with("{\"source\":") {
                let Source { source } = serde_json::from_str(&line).map_err(damaged)?;
                shard.sources.push((source, Vec::new()));
            } else {
                let item = serde_json::from_str(&line).map_err(damaged)?;
                shard.sources.last_mut().ok_or("no source stands before its objects")?.1.push(item);
            }
        }
        Ok(shard)
    }

    /// Reads a shard from a file or from S3.
    pub fn open(spec: &str, options: &Options) -> Result<Self, Failure> {
        let failed = |reason: String| {
            Failure::new(format!("cannot read the shard {spec}"))
                .because(reason)
                .advise("name a file that tagfall plan has written")
        };
        let shard = match split(spec) {
            Some((folder, name)) => {
                let got = sources::store(folder, options)?
                    .get(name, None)
                    .map_err(|error| failed(error.to_string()))?;
                Self::read(got.ok_or_else(|| failed("there is no such object".to_owned()))?.bytes.as_slice())
            }
            None => Self::read(io::BufReader::new(
                std::fs::File::open(spec).map_err(|error| failed(error.to_string()))?,
            )),
        };
        shard.map_err(failed)
    }

    /// Writes the shard to a folder, or below a prefix of a bucket.
    pub fn save(&self, folder: &str, options: &Options) -> Result<(), Failure> {
        let failed = |reason: String| {
            Failure::new(format!("cannot write the plan to {folder}"))
                .because(reason)
                .advise("name a folder, or s3://bucket/prefix, with -o")
        };
        let name = format!("shard-{:05}.ndjson", self.header.shard);
        let mut text = Vec::new();
        self.write(&mut text).map_err(|error| failed(error.to_string()))?;
        if is_s3(folder) {
            return sources::store(folder, options)?
                .put(&name, text, Condition::Always)
                .map(drop)
                .map_err(|error| failed(error.to_string()));
        }
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(Path::new(folder).join(name), text))
            .map_err(|error| failed(error.to_string()))
    }
}

/// Splits the address of an object in S3 into prefix and name.
fn split(spec: &str) -> Option<(&str, &str)> {
    spec.rsplit_once('/').filter(|_| is_s3(spec))
}

fn write_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Is;

    #[test]
    fn a_shard_comes_back_as_it_was_written_and_what_is_none_is_refused() {
        let item = |key: &str, is| Item { key: key.to_owned(), size: 7, etag: "e".to_owned(), is };
        let header = Header {
            plan: "p".to_owned(),
            shard: 1,
            ..Header::new(vec!["ecr.amazonaws.com".to_owned()], &Filter::default(), true, 2)
        };
        let items = vec![
            item("a\n\"b", Is::Object),
            item("c", Is::OtherKind),
            item("d", Is::Unlistable("why".to_owned())),
        ];
        let shard = Shard {
            header,
            sources: vec![("s3://trail/AWSLogs/".to_owned(), items), ("logs".to_owned(), Vec::new())],
        };
        let mut text = Vec::new();
        shard.write(&mut text).unwrap();
        assert_eq!(Shard::read(text.as_slice()), Ok(shard));
        for text in ["", "{}", "{\"Records\":[]}", "not json"] {
            assert!(Shard::read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Shard::read(&text[..text.len() - 9]).is_err(), "half of it is none");
    }
}
