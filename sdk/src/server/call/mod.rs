//! Calls of a server, from their admission to their answers. Every call of a peer passes here.
//!
//! `router` finds the method and starts the handler, `batch` those that arrived together;
//! `handler` decodes and answers, `run` watches over the handler's future.

mod batch;
mod context;
mod drain;
mod handler;
mod host;
#[cfg(all(test, trill_loom))]
mod models;
mod request;
mod router;
mod run;
mod service;

pub use context::Context;
pub use handler::ServerCall;
pub use run::Started;
pub use service::{IntoService, Service};

pub(crate) use host::Host;
pub(crate) use router::Router;
