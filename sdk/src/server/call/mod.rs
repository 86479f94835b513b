//! Calls of a server, from their admission to their answers. Every call of a peer passes here.
//!
//! `router` finds the method and starts the handler, `batch` those that arrived together;
//! `handler` decodes and answers, `run` watches over the handler's future.
//! `guard` tells of each call's start and end.

mod batch;
mod context;
mod drain_signal;
mod guard;
mod handler;
#[cfg(all(test, trill_loom))]
mod models;
mod request;
mod router;
mod run;
mod server_state;
mod service;
#[cfg(all(test, not(trill_loom)))]
mod tests;

pub use context::Context;
pub use handler::ServerCall;
pub use run::Started;
pub use service::{IntoService, Service};

pub(crate) use router::Router;
pub(crate) use server_state::ServerState;
