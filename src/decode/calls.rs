//! The calls that mean something for images, by service, with their names as CloudTrail writes them. The scan
//! asks for these alone, and names that another tool has spelled differently are told by these lists.

use super::Named;

/// For each service, the beginnings of the `eventName`s that matter. Most events are of no use for images: KMS
/// logs each use of each key, ECR each part of a layer.
pub const CALLS: &[Named] = &[
    ("ecr.amazonaws.com", ECR),
    ("ecs.amazonaws.com", ECS),
    ("lambda.amazonaws.com", LAMBDA),
    ("apprunner.amazonaws.com", APPRUNNER),
    ("batch.amazonaws.com", BATCH),
    ("sagemaker.amazonaws.com", SAGEMAKER),
    ("codebuild.amazonaws.com", CODEBUILD),
    ("events.amazonaws.com", RULES),
    ("scheduler.amazonaws.com", SCHEDULES),
    ("kms.amazonaws.com", KMS),
    ("iam.amazonaws.com", IAM),
];

pub(crate) const ECR: &[&str] = &[
    "PutImage",
    "ReplicateImage",
    "BatchImportUpstreamImage",
    "BatchDeleteImage",
    "PolicyExecutionEvent",
    "DryRunEvent",
    "CreateRepository",
    "DeleteRepository",
    "PutLifecyclePolicy",
    "DeleteLifecyclePolicy",
    "PutImageTagMutability",
    "UpdateImageStorageClass",
    "ImageActivationEvent",
    "BatchGetImage",
    "GetDownloadUrlForLayer",
    "SetRepositoryPolicy",
    "DeleteRepositoryPolicy",
    "GetAuthorizationToken",
    "RegisterPullTimeUpdateExclusion",
    "DeregisterPullTimeUpdateExclusion",
    "PutReplicationConfiguration",
    "CreateRepositoryCreationTemplate",
    "UpdateRepositoryCreationTemplate",
    "DeleteRepositoryCreationTemplate",
    "CreatePullThroughCacheRule",
    "UpdatePullThroughCacheRule",
    "DeletePullThroughCacheRule",
];

pub(crate) const ECS: &[&str] = &[
    "RegisterTaskDefinition",
    "RegisterDaemonTaskDefinition",
    "CreateService",
    "UpdateService",
    "CreateTaskSet",
    "CreateExpressGatewayService",
    "UpdateExpressGatewayService",
    "CreateDaemon",
    "UpdateDaemon",
    "RunTask",
    "StartTask",
    "DeleteService",
    "DeleteExpressGatewayService",
    "DeleteDaemon",
    "SubmitTaskStateChange",
    "SubmitContainerStateChange",
];

/// Lambda appends the version of its API to some of them. The first four change which image a function keeps, the
/// others matter only if they fail.
pub(crate) const LAMBDA: &[&str] = &[
    "CreateFunction",
    "UpdateFunctionCode",
    "PublishVersion",
    "DeleteFunction",
    "UpdateFunctionConfiguration",
    "Invoke",
    "PutProvisionedConcurrencyConfig",
    "PutFunctionConcurrency",
    "CreateAlias",
    "UpdateAlias",
];

pub(crate) const APPRUNNER: &[&str] = &["CreateService", "UpdateService", "DeleteService", "StartDeployment"];

pub(crate) const BATCH: &[&str] = &["RegisterJobDefinition", "DeregisterJobDefinition", "SubmitJob"];

pub(crate) const SAGEMAKER: &[&str] = &[
    "CreateModel",
    "DeleteModel",
    "CreateModelPackage",
    "DeleteModelPackage",
    "CreateEndpointConfig",
    "DeleteEndpointConfig",
    "CreateEndpoint",
    "UpdateEndpoint",
    "DeleteEndpoint",
    "CreateInferenceComponent",
    "UpdateInferenceComponent",
    "DeleteInferenceComponent",
    "CreateTrainingJob",
    "CreateProcessingJob",
    "CreateTransformJob",
];

pub(crate) const CODEBUILD: &[&str] = &[
    "CreateProject",
    "UpdateProject",
    "DeleteProject",
    "StartBuild",
    "StartBuildBatch",
    "RetryBuild",
    "RetryBuildBatch",
];

/// Of EventBridge's rules.
pub(crate) const RULES: &[&str] = &["PutTargets", "RemoveTargets", "DisableRule", "EnableRule", "DeleteRule"];

/// Of EventBridge's schedules.
pub(crate) const SCHEDULES: &[&str] = &["CreateSchedule", "UpdateSchedule", "DeleteSchedule"];

pub(crate) const KMS: &[&str] = &[
    "DisableKey",
    "EnableKey",
    "ScheduleKeyDeletion",
    "CancelKeyDeletion",
    "DeleteKey",
    "DeleteImportedKeyMaterial",
    "ImportKeyMaterial",
    "PutKeyPolicy",
    "CreateGrant",
    "RevokeGrant",
    "RetireGrant",
    "CreateAlias",
    "UpdateAlias",
];

pub(crate) const IAM: &[&str] = &[
    "AttachRolePolicy",
    "DetachRolePolicy",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "PutRolePermissionsBoundary",
    "DeleteRolePermissionsBoundary",
    "AttachUserPolicy",
    "DetachUserPolicy",
    "PutUserPolicy",
    "DeleteUserPolicy",
    "PutUserPermissionsBoundary",
    "DeleteUserPermissionsBoundary",
];
