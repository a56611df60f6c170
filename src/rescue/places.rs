//! Places that still have the digest, from logs and snapshots.

use super::{Missed, commands};
use crate::model::{ImageState, PushOrigin, Repository, RescueFrom, RescueSource, StepKind, Timestamp};
use crate::timeline::{EventNo, Image, RepositoryHistory, Upstream, UseKind};

pub(super) fn all(missed: Missed<'_>) -> Vec<RescueSource> {
    let mut found: Vec<RescueSource> = here(missed)
        .into_iter()
        .chain(elsewhere(missed))
        .chain(upstream(missed))
        .chain(node(missed))
        .collect();
    found.extend(manifest(missed));
    found
}

/// The last event that shows the image in the repository.
fn last_seen(missed: Missed<'_>, image: &Image) -> EventNo {
    let shows = |kind: StepKind| {
        matches!(
            kind,
            StepKind::Push
                | StepKind::Replicate
                | StepKind::Seen
                | StepKind::Pull
                | StepKind::Restore
                | StepKind::Archive
        )
    };
    let last = image
        .steps
        .iter()
        .filter(|step| shows(step.kind))
        .max_by_key(|step| missed.history.noted(step.event).time);
    last.map_or(EventNo::NONE, |step| step.event)
}

fn source(
    missed: Missed<'_>,
    from: RescueFrom,
    repository: Option<Repository>,
    place: String,
    seen: EventNo,
) -> RescueSource {
    let evidence = seen.some().map(|event| missed.history.event(event));
    let seen_at: Option<Timestamp> = evidence.as_ref().map(|event| event.event_time);
    RescueSource {
        from,
        repository,
        place,
        seen_at,
        evidence: evidence.into_iter().collect(),
        commands: Vec::new(),
        needs: Vec::new(),
    }
}

/// Its own repository, or the archive of that.
fn here(missed: Missed<'_>) -> Option<RescueSource> {
    let image = missed.image?;
    let own = missed.history.repository(missed.repository);
    let seen = last_seen(missed, image);
    match image.state {
        ImageState::Tagged => Some(source(
            missed,
            RescueFrom::Here,
            Some(own),
            "it is there, and has a tag: nothing is lost".to_owned(),
            seen,
        )),
        ImageState::Untagged => {
            let place = "it is there, without a tag: a rule for untagged images may take it".to_owned();
            let mut found = source(missed, RescueFrom::Here, Some(own.clone()), place, seen);
            found.commands = vec![commands::put_manifest(&own, missed.digest, &own, &commands::tag(missed))];
            found.needs = vec!["ecr:BatchGetImage and ecr:PutImage".to_owned()];
            Some(found)
        }
        ImageState::Archived => {
            let mut found = source(
                missed,
                RescueFrom::Archive,
                Some(own.clone()),
                "the archive of its own repository".to_owned(),
                seen,
            );
            found.commands = vec![commands::restore(&own, missed.digest)];
            found.needs = vec!["ecr:UpdateImageStorageClass; it takes up to about 20 minutes".to_owned()];
            Some(found)
        }
        _ => None,
    }
}

/// Other repositories in the evidence, also of other accounts and regions.
fn elsewhere(missed: Missed<'_>) -> Vec<RescueSource> {
    let history = missed.history;
    let Some(number) = history.find_digest(&missed.digest) else { return Vec::new() };
    let others =
        history.repositories().iter().filter(|other| other.repository != missed.repository.repository);
    let mut found = Vec::new();
    for other in others {
        let whole = other
            .image(number)
            .filter(|image| commands::can_be_pulled(image.state) || image.state == ImageState::Archived);
        let index = || {
            other
                .parents
                .get(&number)
                .into_iter()
                .flatten()
                .filter_map(|parent| other.image(*parent))
                .find(|parent| commands::can_be_pulled(parent.state))
        };
        match whole {
            Some(image) => found.push(copy(missed, other, image, None)),
            None => {
                found.extend(index().map(|index| copy(missed, other, index, history.digest(index.digest))))
            }
        }
    }
    found
}

/// `index`: the digest of an index that lists the image there.
fn copy(
    missed: Missed<'_>,
    other: &RepositoryHistory,
    image: &Image,
    index: Option<crate::model::Digest>,
) -> RescueSource {
    let (own, theirs) = (missed.history.repository(missed.repository), missed.history.repository(other));
    let same_account = own.registry_id == theirs.registry_id;
    let same_registry = same_account && own.region == theirs.region;
    let from = match () {
        () if index.is_some() => RescueFrom::Index,
        () if same_registry => RescueFrom::Repository,
        () if same_account => RescueFrom::Region,
        () => RescueFrom::Account,
    };
    let what = match (image.origin, index) {
        (_, Some(index)) => format!("an index that lists it, {index}, in "),
        (PushOrigin::Replication, _) => "a replica in ".to_owned(),
        (PushOrigin::PullThroughCache, _) => "a pull-through cache's copy in ".to_owned(),
        (PushOrigin::Client, _) => String::new(),
    };
    let place =
        format!("{what}{} of {}, {}", theirs.name.raw(), theirs.registry_id.raw(), theirs.region.raw());
    let mut found = source(missed, from, Some(theirs.clone()), place, last_seen(missed, image));
    let tag = commands::tag(missed);
    let wanted = index.unwrap_or(missed.digest);
    found.commands = commands::copies(&theirs, wanted, &own, &tag);
    if same_registry && index.is_none() {
        found.commands.push(commands::put_manifest(&theirs, missed.digest, &own, &tag));
        found.needs.push(
            "The last command moves no layer: it works while they are still in the target repository, and \
             says LayersNotFoundException where not"
                .to_owned(),
        );
    }
    if image.state == ImageState::Archived {
        found.commands.insert(0, commands::restore(&theirs, wanted));
        found.needs.push(
            "It lies in the archive there: the first command brings it out (up to about 20 minutes), another \
             copies it then"
                .to_owned(),
        );
    }
    found.needs.push(format!(
        "Rights to pull from {} and to push to {}; log in first: {}",
        theirs.name.raw(),
        own.name.raw(),
        commands::logins(&[&theirs, &own]).join(", ")
    ));
    found
}

/// A pull-through cache fetches it again by its digest, as long as upstream has it.
fn upstream(missed: Missed<'_>) -> Option<RescueSource> {
    let image =
        missed.image.filter(|image| image.origin == PushOrigin::PullThroughCache && image.is_gone())?;
    let own = missed.history.repository(missed.repository);
    let place = match missed.history.upstream(missed.repository, i64::MAX) {
        Some(Upstream { host, name, .. }) => {
            let host = missed.history.text(host);
            format!("{host}/{name}, of which {} is a pull-through cache, while that has it", own.name.raw())
        }
        None => format!("what {} is a pull-through cache of, while that has it", own.name.raw()),
    };
    let mut found = source(missed, RescueFrom::Upstream, Some(own.clone()), place, last_seen(missed, image));
    found.commands = vec![commands::pull(&own, missed.digest)];
    found.needs =
        vec!["ecr:BatchImportUpstreamImage, and the cache rule with its credentials as they were".to_owned()];
    Some(found)
}

/// Something runs it, so that its host has it.
fn node(missed: Missed<'_>) -> Option<RescueSource> {
    let (history, image) = (missed.history, missed.image.filter(|image| image.is_gone())?);
    let runs =
        |kind: UseKind| matches!(kind, UseKind::Kept | UseKind::ResolvedByTask | UseKind::DeployedByDigest);
    let hosted = |name: &str| {
        name.starts_with("kubernetes ") || name.contains(":ecs:") || name.starts_with("service:")
    };
    let uses = image
        .uses
        .iter()
        .filter(|found| runs(found.kind) && found.until == i64::MAX && hosted(history.text(found.by)));
    let newest = uses.max_by_key(|found| (found.from, history.text(found.by)))?;
    let own = history.repository(missed.repository);
    let who = history.text(newest.by);
    let mut found = source(
        missed,
        RescueFrom::Node,
        None,
        format!("the cache of a host that runs it, for {who}"),
        newest.event,
    );
    if who.starts_with("kubernetes ") {
        found.commands = commands::from_node(missed.digest, &own, &commands::tag(missed));
        found.needs =
            vec![
            "The first command names the hosts; the second is run on one of them, as root, and needs skopeo \
             and a login".to_owned(),
            "containerd keeps the layers as they came unless it is set to discard_unpacked_layers; then the \
             export fails, and only a new build is left".to_owned(),
        ];
    } else {
        found.needs = vec![
            "On EC2 the host's Docker has it (`docker images --digests`), but compresses the layers again when it \
             pushes: the digest stays the same only with Docker's containerd image store. On Fargate nobody \
             has access to the host"
                .to_owned(),
        ];
    }
    Some(found)
}

/// The record of its push has the manifest; if its layers still exist, that is all it takes.
fn manifest(missed: Missed<'_>) -> Option<RescueSource> {
    let image = missed.image.filter(|image| image.is_gone() && image.end_is_of_image())?;
    let push = image.steps.iter().rfind(|step| step.kind == StepKind::Push)?;
    let own = missed.history.repository(missed.repository);
    let event = missed.history.event(push.event);
    let place = format!(
        "the record of its push has the manifest (requestParameters.imageManifest, #{} of {}), and its layers \
         stay while another image of the repository has them",
        event.record,
        event.object.raw()
    );
    let mut found = source(missed, RescueFrom::Manifest, Some(own.clone()), place, push.event);
    found.commands = vec![commands::put_record(&own, missed.digest, &commands::tag(missed))];
    found.needs = vec![
        "manifest.json must contain exactly that text, without a newline at its end: put-image refuses a \
         manifest that has another digest"
            .to_owned(),
        "put-image fails with LayersNotFoundException if the layers are gone".to_owned(),
    ];
    Some(found)
}
