//! Explains the words used on the page.

use maud::{Markup, html};

use crate::model::{FindingKind, Order, Severity};
use crate::ui::html::{item, part};

/// What each severity means for those who use the image.
pub const fn meaning(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => {
            "pulled after it was gone, named by a task that stopped, or pinned by a running service"
        }
        Severity::High => "pulled by digest while it had no tag, or pinned by a deployment when it went",
        Severity::Medium => "a race, and no evidence of use",
        Severity::Low => "an overwrite, and no evidence of use",
    }
}

const fn story(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::SameTagRace => {
            "two pushes of one tag shortly after another; a lifecycle run took the image that lost the tag"
        }
        FindingKind::SameTagOverwrite => "the same, further apart",
        FindingKind::DisplacedAlive => {
            "an image lost its last tag to another push and is still there: the lifecycle policy in force will take it"
        }
        FindingKind::ExpiredWhileTagged => {
            "a count or age rule took an image that had a tag, and somebody needed it"
        }
        FindingKind::DeletedByCall => "BatchDeleteImage took an image that somebody needed",
        FindingKind::RepositoryDeleted => "DeleteRepository took an image that somebody needed",
        FindingKind::NotListed => {
            "a snapshot lists the repository without an image that somebody needs, and no log says what took it"
        }
        FindingKind::Archived => {
            "a transition rule or UpdateImageStorageClass put the image out of reach; it can be restored"
        }
        FindingKind::ExpiredUntagged => {
            "a rule took an image that never had a tag here, and somebody needed it"
        }
        FindingKind::ChildLost => "an index is still there, and an image that it lists is gone",
        FindingKind::ReplicatedDeletion => {
            "a replica is gone because its source was deleted or expired, and deletions are replicated"
        }
        FindingKind::TagRemoved => "somebody asked for a tag that a call had removed",
        FindingKind::TagMovedBack => {
            "a tag moved to an older image, or back and forth between two pushers, and somebody pulled in between"
        }
        FindingKind::Unexplained => {
            "a task's stop reason or a failed call names an image, and nothing in these logs says why"
        }
        FindingKind::AskedBeforePushed => {
            "something failed for want of an image or a tag that came only afterwards"
        }
        FindingKind::NeverPushedHere => {
            "something failed for want of an image or a tag whose every push was refused"
        }
        FindingKind::IndexLostToItsChild => {
            "a tag points to one image of its index, and a task failed for want of another platform"
        }
        FindingKind::AccessTaken => {
            "the image is there, and was asked for while the KMS key of its repository could not be used, or is refused since the repository policy was changed"
        }
    }
}

const fn certainty(order: Order) -> &'static str {
    match order {
        Order::Observed => "the two pushes are in different seconds",
        Order::Inferred => "they are in one second, and later events leave one possibility",
        Order::Ambiguous => "they are in one second, and nothing in the logs tells which came first",
    }
}

pub fn page() -> Markup {
    part(
        "guide",
        "How to read this",
        &html! {
            dl {
                @for kind in FindingKind::ALL { (item(kind.word(), &html! { (story(*kind)) })) }
                @for order in Order::ALL { (item(order.word(), &html! { "order of two pushes: " (certainty(*order)) })) }
            }
            p {
                "In a picture time is not linear: each gap is as wide as the logarithm of its length, and says its length. A bar is an image: "
                span class="key tagged" { "with a tag" } ", " span class="key fuse" { "without one" } ", " span class="key gone" { "gone" }
                ". The thick thread is the tag. A dotted line is a pull, a red one with a cross a pull that found nothing; a cross on the red block is a "
                "task that stopped. Thin lines through all lanes are lifecycle runs (dotted) and changes of the lifecycle policy (dashed). Every "
                "statement rests on the events listed with it: the object is the log file, the number behind # the record in it, from 0."
            }
        },
    )
}
