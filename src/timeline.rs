//! Steps → the life of each image.
//!
//! A [`Fold`] collects steps; each worker has one, and they are merged in any order. [`Fold::finish`] drops
//! second copies, sorts by time and `eventID`, and replays each repository on its own, in parallel. The
//! result is a [`History`].

mod bytes;
mod calls;
mod contradictions;
mod copies;
mod event_order;
mod fact;
mod fold;
mod grants;
mod history;
mod image;
mod keys;
mod materials;
mod names;
mod openings;
mod order;
mod parts;
mod policy;
mod policy_forecast;
mod presumed;
mod references;
mod registry;
mod replay;
mod replicas;
mod roles;
mod simulation;
mod tags;
#[cfg(test)]
pub(crate) mod tests;

pub use contradictions::{Contradicts, Disagreement};
pub use fact::Noted;
pub use fold::Fold;
pub use history::{Build, History};
pub use image::{Displacement, End, Image, Loss, RunFacts, Step, Use, UseKind};
pub use keys::KeyStep;
pub use materials::{Materials, Work};
pub use names::{DigestNo, EventNo, PolicyNo, RepositoryNo, Sym};
pub use policy::{KnownFrom, PolicyChange, PolicyInForce};
pub use policy_forecast::{ImageForecast, RepositoryForecast, Unclear};
pub use presumed::Because;
pub use replay::{RefusedPush, RepositoryHistory, TagState};
pub use replicas::{Destination, Upstream};
pub use roles::Role;
pub use simulation::{ExpectedRemoval, Scenario, Simulation};
pub use tags::{Ask, AskKind, TagLife, TagSpan};
