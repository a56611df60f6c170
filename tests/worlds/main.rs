//! Simulated worlds, whose truth is known: compares the engine with it, and with an independent second
//! engine.

#[path = "../support/json_of.rs"]
mod json_of;
#[path = "../support/oracle/mod.rs"]
mod oracle;
#[path = "../support/sim/mod.rs"]
mod sim;

mod against_the_oracle;
mod against_the_truth;
mod answers;
mod fates;
mod nights;
mod parity;
mod policies;

use json_of::json_of;
