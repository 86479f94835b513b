//! Every name that generated code may mention. Not for people: it may change in any release.

pub use crate::client::call::Stub;
pub use crate::server::call::{IntoService, ServerCall, Service, Started};
pub use crate::service::{MethodKind, MethodSpec, ServiceSpec};
