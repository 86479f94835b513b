//! FRONT DOOR: servers.

mod bound;
mod builder;
mod connections;
mod pace;
mod places;

pub use bound::{Bound, ServerHandle};
pub use builder::{Server, ServerBuilder};

pub use crate::transport::AppErrors;
