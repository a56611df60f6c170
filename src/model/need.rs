//! What needs images besides ECS: functions, services, projects, schedules, jobs, endpoints.

use std::borrow::Cow;

use super::TaskImage;

/// What one record says about something that runs images.
#[derive(Debug, Clone)]
pub struct Need<'r> {
    /// ARN of the function, service, project, target, schedule, endpoint, definition, job or build.
    pub who: Cow<'r, str>,
    pub kind: NeedKind,
    pub images: Vec<TaskImage<'r>>,
    /// ARNs of definitions that name the images: a task or job definition, a model, an endpoint
    /// configuration, a project. For [`NeedKind::Copies`], the function whose image is kept.
    pub through: Vec<Cow<'r, str>>,
    /// For a build, the version of the source that it builds.
    pub source: Option<Cow<'r, str>>,
}

/// How something needs an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeedKind {
    /// Keeps the image that the reference means now, until something newer replaces it: Lambda functions,
    /// App Runner services, SageMaker endpoints.
    Keeps,
    /// Resolves the reference again each time it runs: CodeBuild projects, targets of EventBridge rules,
    /// schedules, App Runner services with automatic deployments.
    Asks,
    /// Names images for others to run: Batch job definitions, SageMaker models and endpoint configurations.
    Defines,
    /// Runs once: a job, a build.
    Once,
    /// A published version: keeps what the function has now, also after the function's next update.
    Copies,
    /// Needs no image any more.
    Ends,
    /// A call failed because the image was missing.
    Fails,
}

impl<'r> Need<'r> {
    pub fn new(kind: NeedKind, who: impl Into<Cow<'r, str>>, images: Vec<TaskImage<'r>>) -> Self {
        Self { who: who.into(), kind, images, through: Vec::new(), source: None }
    }

    /// Adds the definitions that name the images.
    pub fn through(mut self, definitions: impl IntoIterator<Item = Cow<'r, str>>) -> Self {
        self.through.extend(definitions);
        self
    }
}
