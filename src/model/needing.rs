//! Names of what needs an image, for people: ARNs shortened to kind and name.

/// `service prod/web`, `task definition web:7`, `function orders`, `CodeBuild project ci`; with the account
/// if it is not `owner`. ARNs of unknown kinds stay as they are, so that nothing is lost.
pub fn needing_in_words(name: &str, owner: &str) -> String {
    let mut parts = name.splitn(6, ':');
    let (Some("arn"), Some(_), Some(service), Some(_), Some(account), Some(resource)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return name
            .split_once(':')
            .filter(|(kind, _)| matches!(*kind, "service" | "family"))
            .map_or_else(|| name.to_owned(), |(kind, rest)| format!("{kind} {rest}"));
    };
    let (kind, rest) = resource.split_once(['/', ':']).unwrap_or(("", resource));
    let last = || rest.rsplit('/').next().unwrap_or(rest);
    let words = match (service, kind) {
        ("ecs", "service") => format!("service {rest}"),
        ("ecs", "task-definition") => format!("task definition {rest}"),
        ("ecs", "task") => format!("task {}", last()),
        ("lambda", "function") => format!("function {rest}"),
        // The last part is an id.
        ("apprunner", "service") => format!("App Runner service {}", rest.split('/').next().unwrap_or(rest)),
        ("batch", "job-definition") => format!("Batch job definition {rest}"),
        ("batch", "job") => format!("Batch job {rest}"),
        ("sagemaker", "model") => format!("SageMaker model {rest}"),
        ("sagemaker", "endpoint") => format!("SageMaker endpoint {rest}"),
        ("sagemaker", "endpoint-config") => format!("SageMaker endpoint configuration {rest}"),
        ("codebuild", "project") => format!("CodeBuild project {rest}"),
        ("codebuild", "build") => format!("CodeBuild build {rest}"),
        ("events", "rule") => format!("EventBridge rule {rest}"),
        ("scheduler", "schedule") => format!("schedule {rest}"),
        _ => return name.to_owned(),
    };
    if account.is_empty() || owner.is_empty() || account == owner {
        words
    } else {
        format!("{words} of {account}")
    }
}

/// The same with a capital letter, for the beginning of a sentence.
pub fn needing_first(name: &str, owner: &str) -> String {
    let words = needing_in_words(name, owner);
    if words == name {
        return words;
    }
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_without_what_an_arn_says_beside() {
        let told = |name: &str| needing_in_words(name, "111122223333");
        let arn = |service: &str, rest: &str| format!("arn:aws:{service}:eu-central-1:111122223333:{rest}");
        assert_eq!(told(&arn("ecs", "service/prod/web")), "service prod/web");
        assert_eq!(told(&arn("ecs", "task-definition/web:7")), "task definition web:7");
        assert_eq!(
            told("arn:aws:ecs:eu-central-1:444455556666:service/prod/web"),
            "service prod/web of 444455556666"
        );
        assert_eq!(told(&arn("lambda", "function:orders")), "function orders");
        assert_eq!(told(&arn("lambda", "function:orders:7")), "function orders:7");
        assert_eq!(
            told(&arn("apprunner", "service/shop/8fe1e10304f84fd2b0df550fe98a71fa")),
            "App Runner service shop"
        );
        assert_eq!(told(&arn("codebuild", "project/ci")), "CodeBuild project ci");
        for same in ["somebody", "", "arn:aws:x:y:z:w/v", "arn:"] {
            assert_eq!(told(same), same);
        }
        assert_eq!(told("service:shop"), "service shop");
    }
}
