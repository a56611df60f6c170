//! Reading from S3: real servers over HTTP on loopback, with a proxy that injects faults.
#![cfg(feature = "s3")]

#[path = "../support/integrity/mod.rs"]
mod integrity;
#[path = "../support/s3/mod.rs"]
mod s3;
#[path = "../support/sim/mod.rs"]
mod sim;

mod adversary;
#[cfg(feature = "sql")]
mod archives;
mod faults;
mod field;
mod habits;
mod hang;
mod known_objects;
mod large;
mod parity;
#[cfg(unix)]
mod process;
mod resume;
mod source;
mod speed;
mod verify;
