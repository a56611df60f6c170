//! Task definitions and services: which digest a deployment pinned, and until when.

use std::collections::BTreeMap;

use super::fold::Repository;
use super::meaning::{Reference, Repo};

/// A service got a new deployment; its digests stay until the next.
#[derive(Debug, Clone)]
struct Deployment {
    time: u64,
    definition: Option<String>,
    pins: Vec<(Repo, String)>,
}

#[derive(Debug, Clone, Default)]
pub struct Deployments {
    definitions: BTreeMap<String, Vec<Reference>>,
    /// Family → its newest definition.
    newest: BTreeMap<String, String>,
    services: BTreeMap<String, Vec<Deployment>>,
    tasks: BTreeMap<String, Task>,
}

/// A task, the digests it resolved, and when it was over.
#[derive(Debug, Clone)]
struct Task {
    since: u64,
    resolved: Vec<String>,
    stopped: Option<u64>,
}

impl Deployments {
    pub fn define(&mut self, definition: &str, family: &str, images: &[Reference]) {
        self.definitions.insert(definition.to_owned(), images.to_vec());
        self.newest.insert(family.to_owned(), definition.to_owned());
    }

    /// A deployment of a named definition, or of the one in use. A tag is resolved as it stands now.
    pub fn deploy(&mut self, service: &str, named: Option<&str>, time: u64, repositories: &BTreeMap<Repo, Repository>) {
        let history = self.services.entry(service.to_owned()).or_default();
        let named = named.map(|name| self.newest.get(name).cloned().unwrap_or_else(|| name.to_owned()));
        let definition = named.or_else(|| history.last()?.definition.clone());
        let images = definition.as_ref().and_then(|definition| self.definitions.get(definition)).cloned().unwrap_or_default();
        let resolve = |image: Reference| {
            let digest = image.digest.or_else(|| repositories.get(&image.repo)?.tags.get(&image.tag?).cloned())?;
            Some((image.repo, digest))
        };
        history.push(Deployment { time, definition, pins: images.into_iter().filter_map(resolve).collect() });
    }

    /// A task that resolved a digest and was not reported stopped needs it still.
    pub fn task(&mut self, task: &str, stopped: bool, resolved: &[String], time: u64) {
        let task = self.tasks.entry(task.to_owned()).or_insert_with(|| Task { since: time, resolved: Vec::new(), stopped: None });
        task.resolved.extend_from_slice(resolved);
        if stopped {
            task.stopped = Some(time);
        }
    }

    pub fn stop(&mut self, service: &str, time: u64) {
        self.services.entry(service.to_owned()).or_default().push(Deployment { time, definition: None, pins: Vec::new() });
    }

    /// Whether a task that resolved the digest runs just before `time`, or some service's newest deployment then pins it.
    pub fn pinned_at(&self, repo: &Repo, digest: &str, time: u64) -> bool {
        let runs = |task: &Task| task.since < time && task.stopped.is_none_or(|stopped| stopped >= time);
        let by_task = self.tasks.values().any(|task| runs(task) && task.resolved.iter().any(|resolved| resolved == digest));
        by_task
            || self.services.values().any(|history| {
                let newest = history.iter().rfind(|deployment| deployment.time < time);
                newest.is_some_and(|newest| newest.pins.iter().any(|(of, pinned)| of == repo && pinned == digest))
            })
    }
}
