//! The parts that the example programs share.

pub mod conversation;
pub mod greeter;
pub mod memory;
