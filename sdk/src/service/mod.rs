//! The parts of a call that both sides share: method tables, options, holds on calls.
//!
//! They know [`Link`](crate::driver::Link) and the vocabulary that comes with it, and nothing of
//! sockets and of the tasks of connections. Deliberately absent: servers and clients.

mod call;
mod options;
#[cfg(test)]
pub(crate) mod recorder;
mod spec;

pub use options::CallOptions;
pub use spec::{MethodKind, MethodSpec, ServiceSpec};

pub(crate) use call::{CallRef, UnsentRequest};
pub(crate) use options::{Limit, option_setters};
