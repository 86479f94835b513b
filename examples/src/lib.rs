//! The parts that the example programs share.

pub mod memory;

pub use trill_greeter::{conversation, greeter};
