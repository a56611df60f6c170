//! The nouns. This module imports nothing of ours: everything else speaks in these types.
//!
//! Two families live here. The *input* side ([`Event`], [`Action`]) is what one CloudTrail record means, borrowed from
//! the buffer it was read from. The *output* side ([`Timeline`], [`Finding`], [`Coverage`] …) is what a user holds in
//! hand: owned, serialisable, field names as promised.

mod action;
mod caller;
mod coverage;
mod digest;
mod event;
mod exported;
mod fate;
mod filter;
mod finding;
mod forecast;
mod identity;
mod key;
mod need;
mod needing;
mod plural;
mod principal;
mod reason;
mod reference;
mod repository;
mod rescue;
mod seen;
mod snapshot;
mod suggestion;
mod tag;
mod text;
mod time;
mod timeline;
mod verdict;
mod verification;

pub use action::{
    Action, AlreadyExists, CacheRule, Deletion, ImageDescription, ImageId, ImageRun, Layer, LifecycleRule, ListedImage, Listing, ManifestKind,
    Mutability, PolicyRun, Push, PushOrigin, Refusal, RegistryChange, ReplicationRule, RunFailure, StorageClass, TaskImage, Template,
};
pub use caller::{Caller, IamPrincipal};
pub use coverage::{Coverage, Gap, ReadFailure, Repairs};
pub use digest::Digest;
pub use event::{Addendum, Event, EventRef, Recognized};
pub use exported::Exported;
pub use fate::{BornUntagged, Fate, FateEnd, FateEndKind, FateNext, FatePlace, FateRole, FirstEnd, GoesWith, Presence};
pub use filter::Filter;
pub use finding::{Deleted, Finding, FindingKind, KeptImage, LostImage, Severity, Usage};
pub use forecast::{Forecast, KnownPolicy, LifecycleAction, Outcome, Outlook, RunKind, WhatIf, WhatIfTotals};
pub use identity::Identity;
pub use key::{KeyChange, KeyEvent};
pub use need::{Need, NeedKind};
pub use needing::{needing_first, needing_in_words};
pub use plural::{plural, plural_verb, times};
pub use principal::{Principal, caller_in_words, folded, is_workload};
pub use reason::{Reason, ReasonKind};
pub use reference::ImageReference;
pub use repository::{Repository, RepositoryRef, partition};
pub use rescue::{Rescue, RescueFrom, RescueSource};
pub use seen::Seen;
pub use snapshot::{Contradiction, PlaceFrom, SnapshotRead, TimeFrom};
pub use suggestion::{Effect, Suggestion};
pub use tag::{TagEnd, TagSpan, TagTimeline};
pub use text::LogText;
pub use time::Timestamp;
pub use timeline::{ImageState, Order, StepKind, Timeline, TimelineStep, UntaggedBy};
pub use verdict::{Basis, Cause, Exists, Gone, Moment, Sentence, Verdict};
pub use verification::{
    Chain, ChainBegin, ChainGap, CheckedKind, CheckedObject, CoveredTime, GapCause, Sha256, SignaturesChecked, Standing, Standings, Verification,
    VerificationSummary,
};
