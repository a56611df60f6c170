//! Why a rule took this image and not another.

use serde::Serialize;

use super::EventRef;
use super::timeline::words;

/// One of possibly several reasons: what the image is, which other images there are, and who put the rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    pub kind: ReasonKind,
    /// One or two sentences.
    pub text: String,
    /// The events that it rests on, in order of time.
    pub evidence: Vec<EventRef>,
}

words! {
    ReasonKind {
        /// A count rule: which newer images came, and who pushed them.
        Outnumbered = "outnumbered",
        /// Age counts from the first push of the digest, whatever tags it got later.
        AgeFromPush = "age-from-push",
        /// Which pull ECR recorded last, and which it did not record.
        PullTime = "pull-time",
        /// Which of its tags the rule selects, by which prefix or pattern.
        TagMatched = "tag-matched",
        /// A rule that looks as if it protected the image, and why it did not.
        ProtectionMissed = "protection-missed",
        /// A reference artifact is deleted with the image that it is about.
        SubjectGone = "subject-gone",
        /// A copy is deleted with its source.
        SourceGone = "source-gone",
        /// Who put the policy, and when.
        PolicyPut = "policy-put",
        /// What was changed after the loss, which does not bring the image back.
        ChangedSince = "changed-since",
    }
}
