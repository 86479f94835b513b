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
mod metadata;
#[cfg(feature = "runtime")]
pub mod server;
#[cfg(feature = "runtime")]
mod service;
#[cfg(feature = "runtime")]
pub mod stream;
#[cfg(feature = "runtime")]
mod sync;
#[cfg(feature = "runtime")]
mod transport;
mod wire;

#[cfg(feature = "runtime")]
#[doc(hidden)]
pub mod __private;

pub use prost;

pub use combinators::{
    do_for, do_for_each, do_until, do_until_stop, do_while, do_with, repeat, try_when_all, when_all,
    when_any, when_any_ok,
};
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
