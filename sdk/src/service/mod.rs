//! ROOM 5: what both sides of a call share: method tables, options, holds on calls.
//!
//! Of the transport this room knows [`Link`](crate::driver::Link) and the vocabulary that comes
//! with it; of sockets and tasks of connections it knows nothing. Deliberately absent: servers and
//! clients.

mod call;
mod options;
mod spec;

pub use options::CallOptions;
pub use spec::{MethodKind, MethodSpec, ServiceSpec};

pub(crate) use call::{CallRef, Request};
pub(crate) use options::Limit;
