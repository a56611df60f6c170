//! Who called, for people: the role and its account, with all of its sessions together.
//!
//! Each ECS task, node and build calls under a session of its own, so one deployment with nine tasks has
//! nine ARNs. The session's name tells what it is: an ECS task's is the task's id (32 hex digits), an
//! instance's is `i-…`, CodeBuild's is `AWSCodeBuild-…`, and that of GitHub Actions is mostly the same for
//! all runs.

use std::collections::{BTreeMap, BTreeSet};

use super::plural;

/// A caller without its session, so that sessions of one role compare as equal. Ordered by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal<'t> {
    /// Role, user or service, as far as the text tells.
    pub name: &'t str,
    /// The account it belongs to.
    pub account: Option<&'t str>,
}

/// The kind of a session, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Session<'t> {
    Task,
    Instance,
    CodeBuild,
    GitHub,
    Named(&'t str),
}

/// Separates an id from its account in the text of a principal without an ARN.
const OF_ACCOUNT: &str = " (account ";

/// Maximum number of sessions that are named one by one.
const NAMED_MAX: usize = 2;

impl<'t> Principal<'t> {
    /// Parses a caller: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, `AROA…:SESSION (account
    /// ACCOUNT)`, or any other text.
    pub fn of(actor: &'t str) -> Self {
        parts(actor).0
    }

    /// `deployer of 111122223333`.
    pub fn in_words(&self) -> String {
        match self.account {
            Some(account) if account == self.name => format!("account {account}"),
            Some(account) => format!("{} of {account}", self.name),
            None => self.name.to_owned(),
        }
    }
}

fn parts(actor: &str) -> (Principal<'_>, Option<&str>) {
    let (text, account) = match actor.split_once(OF_ACCOUNT) {
        Some((text, rest)) => (text, rest.strip_suffix(')')),
        None => (actor, None),
    };
    if let Some(arn) = text.strip_prefix("arn:") {
        let mut fields = arn.splitn(5, ':').skip(3);
        let (account, resource) =
            (fields.next().filter(|account| !account.is_empty()), fields.next().unwrap_or(text));
        let (name, session) = match resource.strip_prefix("assumed-role/") {
            Some(assumed) => {
                assumed.rsplit_once('/').map_or((assumed, None), |(role, session)| (role, Some(session)))
            }
            None => (resource.split_once('/').map_or(resource, |(_, name)| name), None),
        };
        return (Principal { name, account }, session);
    }
    // The id of a role is followed by its session, that of a user is not.
    match text.split_once(':').filter(|(id, _)| account.is_some() && !id.is_empty()) {
        Some((name, session)) => (Principal { name, account }, Some(session)),
        None if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            (Principal { name: text, account: Some(text) }, None)
        }
        None => (Principal { name: text, account }, None),
    }
}

fn session(name: &str) -> Session<'_> {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match name {
        _ if name.len() == 32 && hex(name) => Session::Task,
        _ if name.strip_prefix("i-").is_some_and(|id| matches!(id.len(), 8 | 17) && hex(id)) => {
            Session::Instance
        }
        _ if name.starts_with("AWSCodeBuild-") => Session::CodeBuild,
        "GitHubActions" => Session::GitHub,
        _ => Session::Named(name),
    }
}

/// Who made a call that is in the trail of account `recipient`: `deployer/build-7`, `alice`; for a caller
/// from another account with that account, `deployer/build-7 of 444455556666`; `somebody` for a text
/// without a name.
pub fn caller_in_words(actor: &str, recipient: &str) -> String {
    if actor.is_empty() {
        return "somebody".to_owned();
    }
    let (Principal { name, account }, session) = parts(actor);
    let name = session.map_or_else(|| name.to_owned(), |session| format!("{name}/{session}"));
    Principal { name: &name, account: account.filter(|account| *account != recipient) }.in_words()
}

/// Whether the session is that of a workload: an ECS task, or an instance that runs containers. People and
/// pipelines only check whether an image exists; a workload pulls what it is about to run.
pub fn is_workload(actor: &str) -> bool {
    parts(actor).1.is_some_and(|name| matches!(session(name), Session::Task | Session::Instance))
}

/// Each principal once, with its sessions: `checkout-task-execution of 111122223333, 9 tasks`.
pub fn folded<'t>(actors: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    let mut all: BTreeMap<Principal<'t>, BTreeSet<&'t str>> = BTreeMap::new();
    for actor in actors {
        let (principal, session) = parts(actor);
        all.entry(principal).or_default().extend(session);
    }
    all.into_iter()
        .map(|(principal, sessions)| format!("{}{}", principal.in_words(), sessions_in_words(&sessions)))
        .collect()
}

/// `, 9 tasks`, `, 2 instances and 1 build`, `, session deploy-7`; empty for a caller without sessions.
fn sessions_in_words(sessions: &BTreeSet<&str>) -> String {
    let mut kinds: BTreeMap<Session<'_>, usize> = BTreeMap::new();
    let mut named: Vec<&str> = Vec::new();
    for &name in sessions {
        match session(name) {
            Session::Named(name) => named.push(name),
            kind => *kinds.entry(kind).or_default() += 1,
        }
    }
    let mut parts: Vec<String> = kinds
        .into_iter()
        .map(|(kind, number)| match kind {
            Session::Task => plural(number, "task"),
            Session::Instance => plural(number, "instance"),
            Session::CodeBuild => plural(number, "CodeBuild build"),
            Session::GitHub | Session::Named(_) => "GitHub Actions".to_owned(),
        })
        .collect();
    match named.len() {
        0 => {}
        1..=NAMED_MAX => parts.push(format!("session {}", named.join(", "))),
        more => parts.push(plural(more, "session")),
    }
    if parts.is_empty() { String::new() } else { format!(", {}", parts.join(" and ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_one_role_are_told_together() {
        let tasks = (0..9)
            .map(|n| format!("arn:aws:sts::111122223333:assumed-role/checkout-task-execution/{n:032x}"));
        let others = [
            "arn:aws:sts::111122223333:assumed-role/NodeInstanceRole/i-0a1b2c3d4e5f60718",
            "arn:aws:iam::111122223333:user/build",
        ];
        let actors: Vec<String> = tasks.chain(others.map(str::to_owned)).collect();
        let expected = [
            "NodeInstanceRole of 111122223333, 1 instance",
            "build of 111122223333",
            "checkout-task-execution of 111122223333, 9 tasks",
        ];
        assert_eq!(folded(actors.iter().map(String::as_str)), expected);
    }

    #[test]
    fn a_caller_of_another_account_is_told_with_it() {
        let foreign = "AROAEXAMPLEWORKLOAD0:ffffffffffffffffffffffffffffffff (account 444455556666)";
        assert_eq!(folded([foreign]), ["AROAEXAMPLEWORKLOAD0 of 444455556666, 1 task"]);
        assert_eq!(folded(["444455556666"]), ["account 444455556666"]);
        assert_eq!(folded(["AWS Internal", "ecs.amazonaws.com"]), ["AWS Internal", "ecs.amazonaws.com"]);
    }

    #[test]
    fn other_sessions_are_named_while_they_are_few() {
        let role = |session: &str| format!("arn:aws-cn:sts::111122223333:assumed-role/ci/{session}");
        let told = |sessions: &[&str]| {
            folded(
                sessions.iter().map(|session| role(session)).collect::<Vec<_>>().iter().map(String::as_str),
            )
            .join("; ")
        };
        assert_eq!(told(&["GitHubActions", "GitHubActions"]), "ci of 111122223333, GitHub Actions");
        assert_eq!(
            told(&["AWSCodeBuild-1", "AWSCodeBuild-2", "tf-run"]),
            "ci of 111122223333, 2 CodeBuild builds and session tf-run"
        );
        assert_eq!(told(&["a", "b", "c"]), "ci of 111122223333, 3 sessions");
        for hostile in ["arn:", "arn:aws:sts::", ":", "", " (account ", "x (account )"] {
            assert_eq!(folded([hostile]).len(), 1, "{hostile}");
        }
    }
}
