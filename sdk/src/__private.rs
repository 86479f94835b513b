//! Every name that generated code may mention. Not for people: it may change in any release.

pub use crate::service::{
    IntoService, MethodKind, MethodSpec, ServerCall, Service, ServiceSpec, Started, Stub,
};
