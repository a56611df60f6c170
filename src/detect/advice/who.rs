//! Who needs an image: the ARN, taken apart into the names that a command needs.

/// A party that runs images.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// `definition` is `family:revision`, where it is known.
    EcsService {
        region: String,
        cluster: String,
        service: String,
        definition: Option<String>,
    },
    /// A task that belongs to no known service, or to a daemon service.
    EcsTask {
        region: String,
    },
    Function {
        region: String,
        name: String,
    },
    /// A published version of a function, which cannot be changed.
    FunctionVersion {
        region: String,
        name: String,
        version: String,
    },
    AppRunner {
        region: String,
        arn: String,
    },
    CodeBuild {
        region: String,
        project: String,
    },
    /// `name:revision`.
    Batch {
        region: String,
        definition: String,
    },
    Endpoint {
        region: String,
        name: String,
    },
    /// An endpoint configuration: it names models, and cannot be changed.
    EndpointConfig {
        region: String,
        name: String,
    },
    Model {
        region: String,
        name: String,
    },
    /// An EventBridge rule or a schedule, and the definition that it runs.
    Schedule {
        name: String,
        definition: Option<String>,
    },
    /// An EKS node or a container instance, known only by its pulls.
    Node,
    Other,
}

/// The region that an ARN names.
pub fn partition_region(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(2).filter(|region| !region.is_empty())
}

impl Who {
    /// Parses the name of a party that refers to an image, and of the definition through which it does.
    pub fn of(name: &str, through: &str) -> Self {
        let mut parts = name.splitn(6, ':');
        let (Some("arn"), Some(_), Some(service), Some(region), Some(_), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return if name.starts_with("service:") {
                Self::EcsTask { region: String::new() }
            } else {
                Self::Other
            };
        };
        let definition = || through.rsplit_once('/').map(|(_, definition)| definition.to_owned());
        let (kind, rest) = resource.split_once(['/', ':']).unwrap_or((resource, ""));
        let (region, rest) = (region.to_owned(), rest.to_owned());
        match (service, kind) {
            ("ecs", "service") => {
                let (cluster, service) = rest.split_once('/').unwrap_or(("default", &rest));
                Self::EcsService {
                    region,
                    cluster: cluster.to_owned(),
                    service: service.to_owned(),
                    definition: definition(),
                }
            }
            ("ecs", _) => Self::EcsTask { region },
            ("lambda", _) => match rest.split_once(':') {
                Some((name, version)) => {
                    Self::FunctionVersion { region, name: name.to_owned(), version: version.to_owned() }
                }
                None => Self::Function { region, name: rest },
            },
            ("apprunner", _) => Self::AppRunner { region, arn: name.to_owned() },
            ("codebuild", _) => {
                Self::CodeBuild { region, project: rest.split(':').next().unwrap_or_default().to_owned() }
            }
            ("batch", "job-definition") => Self::Batch { region, definition: rest },
            ("batch", _) => Self::Batch { region, definition: definition().unwrap_or_default() },
            // Its models, and the endpoints that use it, are listed on their own.
            ("sagemaker", "endpoint-config") => Self::EndpointConfig { region, name: rest },
            ("sagemaker", "endpoint" | "inference-component") => Self::Endpoint { region, name: rest },
            ("sagemaker", _) => Self::Model { region, name: rest },
            ("events" | "scheduler", _) => {
                Self::Schedule { name: resource.to_owned(), definition: definition() }
            }
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let who = |name: &str| Who::of(name, "arn:aws:ecs:eu-central-1:111122223333:task-definition/cart:5");
        let region = || "eu-central-1".to_owned();
        let service = Who::EcsService {
            region: region(),
            cluster: "prod".into(),
            service: "cart".into(),
            definition: Some("cart:5".into()),
        };
        assert_eq!(who("arn:aws:ecs:eu-central-1:111122223333:service/prod/cart"), service);
        let version = Who::FunctionVersion { region: region(), name: "f".into(), version: "7".into() };
        assert_eq!(who("arn:aws:lambda:eu-central-1:111122223333:function:f:7"), version);
        assert_eq!(
            who("arn:aws:lambda:eu-central-1:111122223333:function:f"),
            Who::Function { region: region(), name: "f".into() }
        );
        assert_eq!(
            who("arn:aws:codebuild:eu-central-1:111122223333:build/ci:1f"),
            Who::CodeBuild { region: region(), project: "ci".into() }
        );
        assert_eq!(who("service:cart"), Who::EcsTask { region: String::new() });
        for other in ["", "arn:", "arn:aws:ecs", "arn:aws:x:y:z:w", "somebody"] {
            assert_eq!(who(other), Who::Other, "{other}");
        }
    }
}
