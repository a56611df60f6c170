//! A shard of a plan as a file: a line with the plan's properties, then for each source a line with its name,
//! and one line for each object.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::commands::sources;
use crate::failure::Failure;
use crate::lake::PlanName;
use crate::model::{Filter, Timestamp};
use crate::source::store::is_s3;
use crate::source::{Item, Options};

/// The version of the format.
const VERSION: u32 = 2;

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
    #[serde(flatten)]
    pub body: Body,
}

/// What follows the first line, so that a file that was cut off or changed is noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// How many objects.
    #[serde(default)]
    pub objects: u64,
    /// 32 hex digits: XXH3 of the bytes.
    #[serde(default)]
    pub checksum: String,
}

/// Adds up a body, line by line.
#[derive(Clone, Default)]
struct Summing {
    objects: u64,
    hash: Xxh3,
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
struct Source<'s> {
    source: std::borrow::Cow<'s, str>,
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

    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write_line(out, self)
    }
}

impl Summing {
    fn take(&mut self, line: &[u8], is_object: bool) {
        self.hash.update(line);
        self.objects += u64::from(is_object);
    }

    fn body(&self) -> Body {
        Body { objects: self.objects, checksum: format!("{:032x}", self.hash.digest128()) }
    }
}

/// The lines of a shard's objects, one after the other.
#[derive(Default)]
pub struct Lines {
    /// The source of the last one.
    source: Option<usize>,
    line: Vec<u8>,
    sum: Summing,
}

impl Lines {
    /// What there is so far.
    pub fn body(&self) -> Body {
        self.sum.body()
    }

    /// The next object, with the number and the name of its source. The bytes are there until the next call.
    pub fn next(&mut self, (number, source): (usize, &str), item: &Item) -> io::Result<&[u8]> {
        self.line.clear();
        if self.source != Some(number) {
            self.source = Some(number);
            write_line(&mut self.line, &Source { source: source.into() })?;
        }
        write_line(&mut self.line, item)?;
        self.sum.take(&self.line, true);
        Ok(&self.line)
    }
}

impl Shard {
    fn read(mut text: impl BufRead) -> Result<Self, String> {
        let mut line = Vec::new();
        text.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        let header: Header = serde_json::from_slice(&line)
            .map_err(|_| "it is no shard of a plan that tagfall has made".to_owned())?;
        if header.tagfall_shard != VERSION || header.shard == 0 || header.shard > header.of {
            return Err("it was made by another version of tagfall".to_owned());
        }
        let (mut shard, mut sum) = (Self { header, sources: Vec::new() }, Summing::default());
        for number in 2_u64.. {
            line.clear();
            if text.read_until(b'\n', &mut line).map_err(|error| error.to_string())? == 0 {
                break;
            }
            let damaged = |error: serde_json::Error| format!("line {number}: {error}");
            let is_source = line.starts_with(b"{\"source\":");
            sum.take(&line, !is_source);
            if is_source {
                let Source { source } = serde_json::from_slice(&line).map_err(damaged)?;
                shard.sources.push((source.into_owned(), Vec::new()));
            } else {
                let item = serde_json::from_slice(&line).map_err(damaged)?;
                shard.sources.last_mut().ok_or("no source stands before its objects")?.1.push(item);
            }
        }
        if sum.body() == shard.header.body {
            return Ok(shard);
        }
        Err(format!(
            "it is not as it was written: {} of {} objects are there{}",
            sum.objects,
            shard.header.body.objects,
            if sum.objects == shard.header.body.objects { ", and something is changed" } else { "" }
        ))
    }

    /// Reads a shard from a file or from S3.
    pub fn open(spec: &str, options: &Options) -> Result<Self, Failure> {
        let failed = |reason: String| {
            Failure::new(format!("cannot read the shard {spec}")).because(reason).advise(
                "name a file that tagfall plan has written; the same plan again gives the same shards",
            )
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
        let sources =
            vec![("s3://trail/AWSLogs/".to_owned(), items), ("logs".to_owned(), vec![item("e", Is::Object)])];
        let (mut lines, mut body) = (Lines::default(), Vec::new());
        for (number, (source, items)) in sources.iter().enumerate() {
            for item in items {
                body.extend_from_slice(lines.next((number, source), item).unwrap());
            }
        }
        let shard = Shard { header: Header { body: lines.body(), ..header }, sources };
        let mut text = Vec::new();
        shard.header.write(&mut text).unwrap();
        text.extend_from_slice(&body);
        assert_eq!(Shard::read(text.as_slice()), Ok(shard));
        for text in ["", "{}", "{\"Records\":[]}", "not json"] {
            assert!(Shard::read(text.as_bytes()).is_err(), "{text}");
        }
        // Cut off in the middle of a line, or behind one; or changed, and still readable.
        assert!(Shard::read(&text[..text.len() - 9]).is_err(), "half of it is none");
        let whole_lines = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        assert!(Shard::read(&text[..whole_lines]).unwrap_err().contains("3 of 4 objects"));
        let at = body.windows(3).position(|three| three == b"\"c\"").unwrap() + text.len() - body.len();
        text[at + 1] = b'x';
        assert!(Shard::read(text.as_slice()).unwrap_err().contains("is changed"));
    }
}
