//! Typed streaming RPC over the tRPC wire: streams you cannot misuse.

pub mod combinators;
mod error;

pub use error::{Code, Error, ErrorKind, Origin, Result, Status};
