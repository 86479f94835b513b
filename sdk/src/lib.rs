//! Typed streaming RPC over the tRPC wire: streams you cannot misuse.

pub mod combinators;
mod error;
#[allow(dead_code, reason = "the rooms that use it come next")]
#[allow(unused_imports, reason = "the rooms that use it come next")]
mod wire;

pub use error::{Code, Error, ErrorKind, Origin, Result, Status};
