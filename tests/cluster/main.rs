//! A lake in a bucket, filled by one machine, by many, and by a Spark cluster.
#![cfg(all(feature = "sql", feature = "s3"))]

#[path = "../support/s3/mod.rs"]
mod s3;
#[path = "../cli/world.rs"]
#[allow(dead_code)]
mod world;

mod bucket;
mod moto;
mod place;
mod plans;
mod shards;
#[cfg(unix)]
mod spark;
#[cfg(target_os = "linux")]
mod speed;
mod tables;
mod together;
mod worlds;
