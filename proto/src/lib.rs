//! The tRPC wire protocol's own messages and return codes.

mod code;

pub use code::Code;
