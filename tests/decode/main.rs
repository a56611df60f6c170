//! Objects in every form: what is cut out of them, counted, and left out.

#[path = "../decode_world/mod.rs"]
mod decode_world;

mod containers;
mod oracle;
mod shared;
mod streams;
