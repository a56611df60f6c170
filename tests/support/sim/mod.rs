//! A seeded simulator of ECR, ECS and CloudTrail's delivery, that keeps the truth.
//!
//! `World::generate(seed)` lives through some days of pushes, races, lifecycle runs, deployments and
//! deletions. `Truth::of` says what really became of each image, from the registry alone. `Archive::deliver`
//! packs what the trail saw into objects and says what a reader can still get out of each. The same seed
//! gives the same bytes for ever.
#![allow(dead_code, reason = "each test binary uses its own part of the simulator")]

pub mod answers;
pub mod archive;
pub mod clock;
pub mod damage;
pub mod delivery;
pub mod ecs;
pub mod functions;
pub mod lifecycle;
pub mod manifest;
pub mod policy;
pub mod push;
pub mod record;
pub mod registry;
pub mod rng;
pub mod scenes;
pub mod truth;
pub mod world;

pub use archive::Archive;
pub use world::World;

/// The seeds of a run: `SEED=7` replays one, `SIM_RUNS=n` asks for more, `SIM_FROM=n` for others.
pub fn seeds(default: u64) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("SEED") {
        Some(seed) => vec![seed],
        None => {
            let from = number("SIM_FROM").unwrap_or(1);
            (from..from + number("SIM_RUNS").unwrap_or(default)).collect()
        }
    }
}
