//! The nouns. This module imports nothing else of the crate; all other modules speak in these types.
//!
//! There are two families. The *input* types ([`Event`], [`Action`]) are what one CloudTrail record means,
//! borrowed from the buffer that it was read from. The *output* types ([`Timeline`], [`Finding`],
//! [`Coverage`] …) are what users get: owned, serialisable, with the field names that CONTRACT promises.

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
mod session;
mod snapshot;
mod suggestion;
mod tag;
mod text;
mod time;
mod timeline;
mod trace;
mod verdict;
mod verification;

pub use action::{
    Action, AlreadyExists, CacheRule, Deletion, ImageDescription, ImageId, ImageRun, Layer, LifecycleRule,
    ListedImage, Listing, ManifestKind, Mutability, PolicyRun, Push, PushOrigin, Refusal, RegistryChange,
    ReplicationRule, RunFailure, StorageClass, TaskImage, Template,
};
pub use caller::{Caller, IamPrincipal};
pub use coverage::{Coverage, Gap, ReadFailure, Repairs};
pub use digest::Digest;
pub use event::{Addendum, Event, EventRef, Recognized};
pub use exported::Exported;
pub use fate::{
    BornUntagged, Fate, FateEnd, FateEndKind, FateNext, FatePlace, FateRole, FirstEnd, GoesWith, Presence,
};
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
pub use repository::{Repository, RepositoryRef, is_region, partition};
pub use rescue::{Rescue, RescueFrom, RescueSource};
pub use seen::{Seen, note_name};
pub use session::{Grant, Session, SessionRecord};
pub use snapshot::{Contradiction, PlaceFrom, SnapshotRead, TimeFrom};
pub use suggestion::{Effect, Suggestion};
pub use tag::{TagEnd, TagSpan, TagTimeline};
pub use text::LogText;
pub use time::{DAY_MILLIS, DAY_SECONDS, HOUR_MILLIS, MINUTE_MILLIS, Timestamp};
pub use timeline::{ImageState, Order, StepKind, Timeline, TimelineStep, UntaggedBy};
pub use trace::{
    Asked, Issued, Joined, Origin, OriginKind, Trace, TraceCall, TraceGap, TraceGapKind, TraceSession,
};
pub use verdict::{Basis, Cause, Exists, Gone, Moment, Sentence, Verdict};
pub use verification::{
    Chain, ChainBegin, ChainGap, CheckedKind, CheckedObject, CoveredTime, GapCause, Sha256,
    SignaturesChecked, Standing, Standings, Verification, VerificationSummary,
};
