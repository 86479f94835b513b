//! FRONT DOOR: servers.

mod accept;
mod bound;
mod builder;
pub(crate) mod call;
mod connection_set;
mod connections;
mod files;
mod pace;
mod peers;
#[cfg(feature = "testing")]
mod unbound;
mod waiting;

pub use bound::{Bound, ServerHandle};
pub use builder::{Server, ServerBuilder};
#[cfg(feature = "testing")]
pub(crate) use unbound::Unbound;

pub use crate::driver::{AppErrors, Buffered, Refused};
