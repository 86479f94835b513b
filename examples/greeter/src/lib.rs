//! The greeter's services, and a client that calls them.

pub mod conversation;
pub mod greeter;
