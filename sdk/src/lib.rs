//! Typed streaming RPC over the tRPC wire: streams you cannot misuse.
#![cfg_attr(
    not(feature = "runtime"),
    allow(dead_code, reason = "the core is built to be tested without its users")
)]

#[cfg(feature = "runtime")]
pub mod client;
pub mod combinators;
mod conn;
mod error;
#[allow(dead_code, reason = "the rooms that use it come next")]
#[allow(unused_imports, reason = "the rooms that use it come next")]
mod wire;

pub use error::{Code, Error, ErrorKind, Origin, Result, Status};
pub use metadata::Metadata;

#[cfg(feature = "runtime")]
pub use {
    client::Channel,
    server::Server,
    service::{CallOptions, Context},
    stream::{AsyncReader, AsyncReaderWriter, AsyncWriter, Message, Reply, Response},
    transport::PeerAddr,
    trill_macros::service,
};
