//! Who is at the root of a chain, in words.

use super::calls::{Begun, Call, Caller};
use super::chain::{Answer, account, session_name};
use super::nodes::Node;
use crate::model::{LogText, Origin, OriginKind};

/// Who is behind a session that no other session began.
pub(super) fn origin(answer: &Answer<'_>, node: &Node) -> Origin {
    let (kind, name) = match answer.begun(node) {
        Some((joined, begun)) => of_call(answer, node, &joined.call, begun),
        None => of_caller(answer, node),
    };
    Origin { kind, name: name.into() }
}

type Told = (OriginKind, String);

/// By the call that began it.
fn of_call(answer: &Answer<'_>, node: &Node, call: &Call, begun: &Begun) -> Told {
    let caller = &call.caller;
    let kind = caller.kind.as_ref().map(LogText::raw).unwrap_or_default();
    match kind {
        _ if node.doubt.is_some() => {
            (OriginKind::Unknown, "not known: the logs contradict themselves".to_owned())
        }
        "AWSService" => service(answer, node, caller, begun),
        // Services of which the record has only the name.
        "" if caller.invoked_by.is_some() => service(answer, node, caller, begun),
        "WebIdentityUser" => web_identity(raw(&begun.provider), raw(&begun.subject)),
        "SAMLUser" => saml(begun),
        "IAMUser" | "Root" => person(caller),
        _ if begun.switched_from.is_some() => match raw(&begun.switched_from).rsplit_once('/') {
            Some((_, name)) => (
                OriginKind::Person,
                format!(
                    "{name}{}, in the console",
                    of_account(account(begun.switched_from.as_ref()).as_ref())
                ),
            ),
            None => (OriginKind::Person, "somebody in the console".to_owned()),
        },
        _ => match &caller.account {
            Some(account) => (OriginKind::Account, format!("account {}", account.raw())),
            None => (OriginKind::Unknown, "not known".to_owned()),
        },
    }
}

/// By what its calls say, if the call that began it is not known.
fn of_caller(answer: &Answer<'_>, node: &Node) -> Told {
    let Some(caller) = answer.caller(node).next() else {
        return (OriginKind::Unknown, "not known".to_owned());
    };
    let kind = caller.kind.as_ref().map(LogText::raw).unwrap_or_default();
    let provider =
        answer.caller(node).find_map(|caller| caller.provider.as_ref()).map(LogText::raw).unwrap_or_default();
    let issuer = answer.caller(node).find_map(|caller| caller.issuer.as_ref());
    let session = session_name(caller.arn.as_ref());
    match kind {
        "IAMUser" | "Root" => person(caller),
        "IdentityCenterUser" => {
            (OriginKind::Person, format!("{}, through IAM Identity Center", raw(&caller.on_behalf_of)))
        }
        "FederatedUser" => (OriginKind::Federation, format!("federated user {}", last(raw(&caller.arn)))),
        "AWSAccount" if caller.principal_id.is_none() => {
            (OriginKind::Account, format!("account {}", raw(&caller.account)))
        }
        _ if issuer.is_some_and(|role| is_permission_set(role.raw())) => {
            let name = session.as_ref().map(LogText::raw).unwrap_or_default();
            (OriginKind::Person, format!("{name}, through IAM Identity Center"))
        }
        _ if !provider.is_empty() => {
            (OriginKind::Federation, format!("somebody whom {} vouches for", last(provider)))
        }
        _ => match answer.caller(node).find_map(|caller| caller.issued_to.as_ref()) {
            Some(to) => (OriginKind::Service, to.raw().to_owned()),
            None => {
                (OriginKind::Unknown, "not known: the call that began it is not in these logs".to_owned())
            }
        },
    }
}

/// A service gets credentials for what it runs, which the session's name identifies.
fn service(answer: &Answer<'_>, node: &Node, caller: &Caller, begun: &Begun) -> Told {
    let name = begun.session_name.as_ref().map(LogText::raw).unwrap_or_default();
    let tag = |key: &str| begun.tags.iter().find_map(|tag| tag.raw().strip_prefix(key)?.strip_prefix('='));
    let issued_to = answer.caller(node).find_map(|caller| caller.issued_to.as_ref()).map(LogText::raw);
    let by = raw(&caller.invoked_by);
    match by {
        "codebuild.amazonaws.com" => {
            let build = name
                .strip_prefix("AWSCodeBuild-")
                .map_or_else(|| format!("session {name}"), |id| format!("build {id}"));
            (OriginKind::Pipeline, format!("CodeBuild, {build}"))
        }
        "codepipeline.amazonaws.com" => (OriginKind::Pipeline, format!("CodePipeline, session {name}")),
        "ecs-tasks.amazonaws.com" => (OriginKind::Service, format!("ECS, task {name}")),
        "ec2.amazonaws.com" => (OriginKind::Service, format!("EC2, instance {name}")),
        "lambda.amazonaws.com" => {
            (OriginKind::Service, format!("Lambda, function {}", issued_to.map_or(name, last_of_function)))
        }
        "rolesanywhere.amazonaws.com" => {
            (OriginKind::Federation, format!("IAM Roles Anywhere, session {name}"))
        }
        "pods.eks.amazonaws.com" => {
            let parts = [
                ("kubernetes-namespace", "namespace"),
                ("kubernetes-service-account", "service account"),
                ("kubernetes-pod-name", "pod"),
            ];
            let told: Vec<String> =
                parts.iter().filter_map(|(key, word)| Some(format!("{word} {}", tag(key)?))).collect();
            let cluster = tag("eks-cluster-name").map(|name| format!(", cluster {name}")).unwrap_or_default();
            let told = if told.is_empty() { format!("session {name}") } else { told.join(", ") };
            (OriginKind::Service, format!("EKS{cluster}, {told}"))
        }
        "" => (OriginKind::Service, format!("a service of AWS, session {name}")),
        _ => (
            OriginKind::Service,
            format!("{by}, {}", issued_to.map_or_else(|| format!("session {name}"), str::to_owned)),
        ),
    }
}

/// Who authenticated with a token of an OIDC provider, from its subject.
fn web_identity(provider: &str, subject: &str) -> Told {
    let issuer = provider.split_once(":oidc-provider/").map_or(provider, |(_, name)| name);
    if issuer.starts_with("token.actions.githubusercontent.com") {
        return (OriginKind::Pipeline, github(subject));
    }
    if let Some((namespace, account)) =
        subject.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
    {
        return (
            OriginKind::Service,
            format!("Kubernetes, namespace {namespace}, service account {account}, cluster {issuer}"),
        );
    }
    let pairs = |words: &[(&str, &str)]| {
        let parts: Vec<&str> = subject.split(':').collect();
        let told = parts.chunks(2).filter_map(|pair| {
            let [key, value] = pair else { return None };
            words.iter().find(|(name, _)| name == key).map(|(_, word)| format!("{word} {value}"))
        });
        told.collect::<Vec<_>>().join(", ")
    };
    if subject.starts_with("project_path:") {
        return (
            OriginKind::Pipeline,
            format!(
                "GitLab, {}",
                pairs(&[("project_path", "project"), ("ref_type", "ref type"), ("ref", "ref")])
            ),
        );
    }
    if issuer.starts_with("app.terraform.io") {
        let words = [
            ("organization", "organization"),
            ("project", "project"),
            ("workspace", "workspace"),
            ("run_phase", "phase"),
        ];
        return (OriginKind::Pipeline, format!("HCP Terraform, {}", pairs(&words)));
    }
    (OriginKind::Federation, vouched_for(subject, issuer))
}

/// `repo:acme/shop:ref:refs/heads/main`, `repo:acme/shop:environment:production`,
/// `repo:acme/shop:pull_request`; subjects may be customised and longer.
fn github(subject: &str) -> String {
    let mut told = vec!["GitHub Actions".to_owned()];
    let mut parts = subject.split(':').peekable();
    while let Some(part) = parts.next() {
        let word = match part {
            "repo" | "repository" => "repository",
            "environment" => "environment",
            "ref" => "ref",
            "job_workflow_ref" | "workflow_ref" => "workflow",
            "workflow" => "workflow",
            "actor" => "actor",
            "pull_request" => {
                told.push("a pull request".to_owned());
                continue;
            }
            other => {
                told.push(other.to_owned());
                continue;
            }
        };
        let Some(value) = parts.next() else { break };
        let (word, value) = match value.strip_prefix("refs/heads/") {
            Some(branch) => ("branch", branch),
            None => value.strip_prefix("refs/tags/").map_or((word, value), |tag| ("tag", tag)),
        };
        told.push(format!("{word} {value}"));
    }
    told.join(", ")
}

fn saml(begun: &Begun) -> Told {
    let (subject, issuer) = (raw(&begun.subject), raw(&begun.provider));
    if begun.role.as_ref().is_some_and(|role| is_permission_set(role.raw())) {
        let name = begun.session_name.as_ref().map_or(subject, LogText::raw);
        return (OriginKind::Person, format!("{name}, through IAM Identity Center"));
    }
    (OriginKind::Federation, vouched_for(subject, issuer))
}

fn vouched_for(subject: &str, issuer: &str) -> String {
    match (subject, issuer) {
        ("", "") => "somebody whom another identity provider vouches for".to_owned(),
        ("", issuer) => format!("somebody whom {issuer} vouches for"),
        (subject, "") => subject.to_owned(),
        (subject, issuer) => format!("{subject}, whom {issuer} vouches for"),
    }
}

fn person(caller: &Caller) -> Told {
    let account = caller.account.clone().or_else(|| account(caller.arn.as_ref()));
    let of = of_account(account.as_ref());
    if caller.kind.as_ref().is_some_and(|kind| *kind == "Root") {
        return (OriginKind::Person, format!("the root user{of}"));
    }
    let name = caller.user_name.as_ref().map(LogText::raw).unwrap_or_else(|| last(raw(&caller.arn)));
    let name = if name.is_empty() { raw(&caller.principal_id) } else { name };
    (OriginKind::Person, format!("user {name}{of}"))
}

fn of_account(account: Option<&LogText>) -> String {
    account.map(|account| format!(" of {}", account.raw())).unwrap_or_default()
}

/// Roles that only IAM Identity Center can create.
fn is_permission_set(role: &str) -> bool {
    role.contains(":role/aws-reserved/sso.amazonaws.com/")
}

fn raw(text: &Option<LogText>) -> &str {
    text.as_ref().map(LogText::raw).unwrap_or_default()
}

/// The part after the last slash.
fn last(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

/// `api` of `arn:aws:lambda:REGION:ACCOUNT:function:api`.
fn last_of_function(arn: &str) -> &str {
    arn.split_once(":function:").map_or(arn, |(_, name)| name)
}
