//! Simulated worlds.
#[path = "support/sim/mod.rs"]
mod sim;

use sim::{Archive, Truth, World};

#[test]
fn stats() {
    for seed in sim::seeds(10) {
        let world = World::generate(seed);
        let truth = Truth::of(&world);
        let archive = Archive::deliver(&world, true);
        println!(
            "{seed}: {} records, {} images, {} pairs ({} certain), {} groups, {} objects",
            world.logged.len(),
            truth.images.len(),
            truth.pairs.len(),
            truth.pairs.iter().filter(|p| !truth.uncertain.contains(&(p.repo.clone(), p.lost.clone()))).count(),
            world.same_second.len(),
            archive.objects.len()
        );
    }
}
