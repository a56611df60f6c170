//! A seeded simulator of ECR, ECS and CloudTrail's delivery, which records the truth.
//!
//! `World::generate(seed)` simulates some days of pushes, races, lifecycle runs, deployments and deletions.
//! `Truth::of` derives the true history of each image from the registry alone. `Archive::deliver` divides the
//! logged records into objects, with the truth about what a reader can get out of them. The same seed always
//! gives the same bytes.
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

/// The seeds of a run: `SEED=7` repeats one, `SIM_RUNS=n` sets their number, `SIM_FROM=n` the first of them.
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
