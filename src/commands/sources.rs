//! From the SOURCE arguments to feeds: the only place that opens sources, and that explains why one cannot be
//! opened.

use std::io::{self, IsTerminal};
#[cfg(feature = "sql")]
use std::path::Path;
#[cfg(feature = "sql")]
use std::sync::Arc;

use super::gather::budget;
use super::options::{Common, Sources};
use crate::failure::Failure;
#[cfg(feature = "sql")]
use crate::lake::LakeFeed;
use crate::model::{Coverage, Filter};
use crate::source::{self, FatalError, Feed, OpenError, Options, PlanError, Pruned};
use crate::ui::plan::PlannedSource;
use crate::ui::talk::Talk;

/// Opens every source, in the order given.
pub fn open(common: &Common, filter: &Filter) -> Result<Vec<Box<dyn Feed>>, Failure> {
    open_with(common.sources.as_slice(), &options(common.sources()), filter)
}

/// Opens sources with the given options.
pub fn open_with(
    specs: &[String],
    options: &Options,
    filter: &Filter,
) -> Result<Vec<Box<dyn Feed>>, Failure> {
    Ok(open_each(specs, options, filter)?.into_iter().map(Opened::into_feed).collect())
}

/// The same, each as what it is.
pub fn open_each(specs: &[String], options: &Options, filter: &Filter) -> Result<Vec<Opened>, Failure> {
    if specs.iter().filter(|spec| *spec == "-").count() > 1 {
        return Err(Failure::new("standard input is named twice").advise("give - once"));
    }
    specs.iter().map(|spec| open_one(spec, options, filter)).collect()
}

/// Tells a user at a terminal that standard input is being read.
pub fn note_stdin(common: &Common, talk: &Talk) {
    if common.reads_stdin() && io::stdin().is_terminal() {
        talk.note("reading standard input from the terminal; Ctrl-D ends it");
    }
}

/// A source that is open.
pub enum Opened {
    #[cfg(feature = "sql")]
    Lake(Arc<LakeFeed>),
    Objects(Box<dyn Feed>),
}

impl Opened {
    /// The lake, if it is one.
    #[cfg(feature = "sql")]
    pub fn lake(&self) -> Option<&Arc<LakeFeed>> {
        match self {
            Self::Lake(lake) => Some(lake),
            Self::Objects(_) => None,
        }
    }

    /// The same as a feed; a lake is shared with it.
    pub fn into_feed(self) -> Box<dyn Feed> {
        match self {
            #[cfg(feature = "sql")]
            Self::Lake(lake) => Box::new(lake),
            Self::Objects(feed) => feed,
        }
    }
}

fn open_one(spec: &str, options: &Options, filter: &Filter) -> Result<Opened, Failure> {
    #[cfg(feature = "sql")]
    if let Some(lake) = lake(spec, options)? {
        return LakeFeed::open(lake, filter)
            .map(Opened::Lake)
            .map_err(|error| Failure::new(format!("cannot read {spec}")).because(error));
    }
    source::open(spec, options, filter).map(Opened::Objects).map_err(|error| not_opened(&error))
}

/// The location of the lake, if the source is one that `ingest` has made; otherwise `None`.
#[cfg(feature = "sql")]
pub fn lake(spec: &str, options: &Options) -> Result<Option<crate::lake::Location>, Failure> {
    let place = place(Path::new(spec), options)?;
    if !source::store::is_s3(spec) {
        return Ok(place.is_lake().unwrap_or(false).then_some(place));
    }
    let asked = place.clone();
    // If the run is interrupted meanwhile, nothing is read at all.
    let Some(found) = super::interrupt::unless_asked(move || asked.is_lake()) else { return Ok(None) };
    match found {
        Ok(is_lake) => Ok(is_lake.then_some(place)),
        Err(error) => match error.fatal {
            Some(error) => Err(fatal(&error)),
            // If it cannot be listed, opening it as an archive gives the proper error.
            None => Ok(None),
        },
    }
}

/// The place of a lake that may not exist yet.
#[cfg(feature = "sql")]
pub fn place(lake: &Path, options: &Options) -> Result<crate::lake::Location, Failure> {
    match lake.to_str().filter(|lake| source::store::is_s3(lake)) {
        Some(address) => Ok(store(address, options)?.into()),
        None => Ok(lake.into()),
    }
}

/// A place in S3.
#[cfg(feature = "sql")]
pub fn store(spec: &str, options: &Options) -> Result<Arc<dyn source::store::ObjectStore>, Failure> {
    source::store::open_store(spec, options).map_err(|error| not_opened(&error))
}

/// Whether a source is a lake.
#[cfg(feature = "sql")]
pub fn is_lake(spec: &str, options: &Options) -> Result<bool, Failure> {
    lake(spec, options).map(|lake| lake.is_some())
}

#[cfg(not(feature = "sql"))]
pub const fn is_lake(_spec: &str, _options: &Options) -> Result<bool, Failure> {
    Ok(false)
}

/// What reading the sources would fetch.
pub fn plan(common: &Common, filter: &Filter) -> Result<Vec<PlannedSource>, Failure> {
    let options = options(common.sources());
    let plan = |spec: &String| {
        if is_lake(spec, &options)? {
            return Err(Failure::new(format!("cannot plan {spec}"))
                .because("it is a lake: what is read of it depends on the query")
                .advise("leave out --dry-run"));
        }
        let plan = source::plan(spec, &options, filter).map_err(|error| not_planned(&error))?;
        Ok(PlannedSource { source: spec.clone(), plan })
    };
    common.sources.iter().map(plan).collect()
}

/// The options of `source` for these sources.
pub fn options(sources: Sources<'_>) -> Options {
    Options {
        endpoint_url: sources.s3.endpoint_url.clone(),
        profile: sources.s3.profile.clone(),
        profile_of_environment: ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty())),
        no_sign_request: sources.s3.no_sign_request,
        request_payer: sources.s3.request_payer(),
        memory_bytes_max: sources.max_memory,
        part_bytes: Some(budget(sources).room().share_bytes()),
        jobs: sources.jobs,
        many: sources.specs.len() > 1,
        ..Options::default()
    }
}

/// What the filters left out by key, over all sources.
pub fn pruned(feeds: &[Box<dyn Feed>]) -> Pruned {
    let mut all = Pruned::default();
    for pruned in feeds.iter().map(|feed| feed.pruned()) {
        add(&mut all, pruned);
    }
    all
}

/// The same for the sources of a plan.
pub fn pruned_by(plan: &[PlannedSource]) -> Pruned {
    let mut all = Pruned::default();
    plan.iter().for_each(|source| add(&mut all, source.plan.pruned.clone()));
    all
}

pub fn add(all: &mut Pruned, more: Pruned) {
    all.places = all.places.saturating_add(more.places);
    all.no_evidence = all.no_evidence.saturating_add(more.no_evidence);
    all.accounts.extend(more.accounts);
    all.regions.extend(more.regions);
    all.days = match (all.days.take(), more.days) {
        (Some(ours), Some(theirs)) => Some((ours.0.min(theirs.0), ours.1.max(theirs.1))),
        (ours, theirs) => ours.or(theirs),
    };
}

/// Handles feeds that ended early. If credentials expired or the service became unavailable on the way, what
/// was read before is a partial result: `coverage` is marked, and the failure is returned to be reported.
/// Other errors are the result of the run.
pub fn check(feeds: &[Box<dyn Feed>], coverage: &mut Coverage) -> Result<Option<Failure>, Failure> {
    if let Some(error) = feeds.iter().find_map(|feed| source::could_not_run(&**feed)) {
        return Err(fatal(&error));
    }
    let Some(error) = feeds.iter().find_map(|feed| feed.fatal()) else { return Ok(None) };
    if coverage.objects_read == 0 {
        return Err(fatal(&error));
    }
    coverage.partial = true;
    Ok(Some(fatal(&error)))
}

fn fatal(error: &FatalError) -> Failure {
    Failure::new(error.what()).because(&error.detail).advise(error.advice())
}

pub fn not_opened(error: &OpenError) -> Failure {
    match error {
        OpenError::NotFound { path } => {
            let failure =
                Failure::new(format!("cannot read {path}")).because("there is no such file or folder");
            match bucket_address(path) {
                Some(address) => failure.advise(format!("objects in S3 are named like this: {address}")),
                None if path.contains("/AWSLogs") => {
                    failure.advise(format!("a bucket needs its scheme: s3://{path}"))
                }
                None => failure.advise("check the path"),
            }
        }
        OpenError::Unreadable { path, reason } => {
            Failure::new(format!("cannot read {path}")).because(reason).advise("check its permissions")
        }
        OpenError::BadAddress { address, reason } => {
            Failure::new(format!("{address} is not an address in S3"))
                .because(reason)
                .advise("write s3://bucket or s3://bucket/prefix")
        }
        OpenError::WithoutS3 { address } => {
            let failure =
                Failure::new(format!("cannot read {address}")).because("this tagfall was built without S3");
            failure.advise(
                "build it with the feature `s3`, or copy the objects (aws s3 sync) and name the folder",
            )
        }
        OpenError::Start { address, reason } => {
            Failure::new(format!("cannot read {address}")).because(reason)
        }
    }
}

/// The `s3://` address for an ARN, or for a URL of S3 or its console.
fn bucket_address(name: &str) -> Option<String> {
    if let Some((partition, rest)) = name.strip_prefix("arn:").and_then(|rest| rest.split_once(":s3:::")) {
        return partition.starts_with("aws").then(|| format!("s3://{rest}"));
    }
    let url = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://"))?;
    let (host, path) = url.split_once('/').unwrap_or((url, ""));
    let host = [".amazonaws.com", ".amazonaws.com.cn", ".aws.amazon.com"]
        .iter()
        .find_map(|end| host.strip_suffix(end))?;
    let (path, asked) = path.split_once('?').unwrap_or((path, ""));
    if let Some(bucket) = path
        .strip_prefix("s3/buckets/")
        .or_else(|| path.strip_prefix("s3/object/"))
        .filter(|_| host.contains("console"))
    {
        let prefix = asked.split('&').find_map(|part| part.strip_prefix("prefix=")).unwrap_or_default();
        return Some(format!("s3://{bucket}/{prefix}"));
    }
    let is_s3 = |part: &str| part == "s3" || part.starts_with("s3.") || part.starts_with("s3-");
    if is_s3(host) {
        return Some(format!("s3://{path}"));
    }
    let (bucket, _) = host
        .match_indices('.')
        .map(|(at, _)| host.split_at(at))
        .find(|(_, rest)| is_s3(rest.trim_start_matches('.')))?;
    Some(format!("s3://{bucket}/{path}"))
}

pub fn not_planned(error: &PlanError) -> Failure {
    match error {
        PlanError::Open(error) => not_opened(error),
        PlanError::Fatal(error) => fatal(error),
        PlanError::Disk(reason) => not_sorted(reason),
        PlanError::Stdin => Failure::new("cannot plan standard input")
            .because("its contents are known only when it is read")
            .advise("leave out -"),
    }
}

/// Why the list of objects could not be put in order.
pub fn not_sorted(reason: impl std::fmt::Display) -> Failure {
    Failure::new("cannot sort the list of objects")
        .because(reason)
        .advise("make room in the folder for temporary files, or name another one with TMPDIR")
}

#[cfg(test)]
mod tests {
    use super::bucket_address;

    #[test]
    fn names_of_buckets_in_other_words() {
        for (name, expected) in [
            ("arn:aws:s3:::my-trail", "s3://my-trail"),
            ("arn:aws-cn:s3:::my-trail/AWSLogs/*", "s3://my-trail/AWSLogs/*"),
            ("https://my-trail.s3.eu-west-2.amazonaws.com/AWSLogs/", "s3://my-trail/AWSLogs/"),
            ("https://my.trail.s3.amazonaws.com", "s3://my.trail/"),
            ("https://my-trail.s3-eu-west-1.amazonaws.com/a", "s3://my-trail/a"),
            ("https://s3.eu-west-2.amazonaws.com/my-trail/a", "s3://my-trail/a"),
            (
                "https://s3.console.aws.amazon.com/s3/buckets/my-trail?region=x&prefix=AWSLogs/",
                "s3://my-trail/AWSLogs/",
            ),
        ] {
            assert_eq!(bucket_address(name).unwrap_or_default(), expected, "{name}");
        }
        assert_eq!(bucket_address("my-trail/AWSLogs"), None);
    }
}
