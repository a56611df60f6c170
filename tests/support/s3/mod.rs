//! S3 on loopback for tests and benchmarks: a server that keeps its objects in memory, `s3s-fs` over a
//! folder, and a proxy that breaks things between client and server. Included with `#[path]`; not every test
//! uses all of it.
#![allow(dead_code, unused_imports)]

mod memory;
mod other;
mod proxy;
mod reader;
mod server;

pub use memory::{Memory, Refusal};
pub use other::fill;
pub use proxy::{Fault, Faults, Proxy, Request, error_answer};
pub use reader::{Read, environment, options, point, quick, read, read_with};
pub use server::{ACCESS_KEY_ID, SECRET_ACCESS_KEY, Server};
