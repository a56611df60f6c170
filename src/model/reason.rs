//! Why it was this image that a rule took.

use serde::Serialize;

use super::EventRef;
use super::timeline::words;

/// One of several: a rule takes an image for what it is, for what stands beside it, and because somebody put the rule there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    pub kind: ReasonKind,
    /// A sentence or two.
    pub text: String,
    /// What it rests on, in order of time.
    pub evidence: Vec<EventRef>,
}

words! {
    ReasonKind {
        /// A count rule: which newer images came, and who pushed them.
        Outnumbered = "outnumbered",
        /// Age counts from the first push of the digest, whatever tags it got since.
        AgeFromPush = "age-from-push",
        /// Which pull counted last, and which did not.
        PullTime = "pull-time",
        /// Which of its tags the rule selects, by which prefix or pattern.
        TagMatched = "tag-matched",
        /// A rule that looks as if it protected the image, and why it did not.
        ProtectionMissed = "protection-missed",
        /// A reference artifact goes with the image that it is about.
        SubjectGone = "subject-gone",
        /// A copy goes with its source.
        SourceGone = "source-gone",
        /// Who put the policy, and when.
        PolicyPut = "policy-put",
        /// What was changed after the loss, which brings nothing back.
        ChangedSince = "changed-since",
    }
}
