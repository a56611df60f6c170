//! Simulated worlds, whose truth is known: the engine against it, and against a second engine written on its
//! own.

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
