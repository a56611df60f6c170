//! Objects in every form: which records are found, counted, and left out.

#[path = "../decode_world/mod.rs"]
mod decode_world;

mod containers;
mod drift;
mod oracle;
mod shared;
mod streams;
