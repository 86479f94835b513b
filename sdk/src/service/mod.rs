//! ROOM 5: calls. What the generated stubs stand on.
//!
//! Of the transport this room knows [`Link`](crate::transport::Link) and the vocabulary that comes with it; of sockets and tasks
//! of connections it knows nothing. Deliberately absent: retries, naming, balancing.

mod batch;
mod call;
mod connecting;
mod context;
mod drain;
mod handler;
mod host;
#[cfg(all(test, trill_loom))]
mod models;
mod opening;
mod options;
mod request;
mod router;
mod run;
mod signal;
mod spec;
mod stub;
mod unary;

pub use batch::Started;
pub use context::Context;
pub use handler::ServerCall;
pub use opening::{Bidi, ClientStream, ServerStream};
pub use options::CallOptions;
pub use spec::{IntoService, MethodKind, MethodSpec, Service, ServiceSpec};
pub use stub::Stub;
pub use unary::{OneWay, ResponseFuture, Unary};

pub(crate) use host::Host;
pub(crate) use router::Router;
pub(crate) use run::text_of;
pub(crate) use signal::Signal;
