//! Calls to a server, from their options to their answers. Every call of a client passes here.
//!
//! `stub` is what generated clients hold; `unary` and `streams` are the futures that it gives, and
//! `connecting` their wait for a connection. `guard` tells of each call's start and end.

mod connecting;
mod guard;
mod streams;
mod stub;
mod target;
mod unary;

pub use streams::{Bidi, ClientStream, ServerStream};
pub use stub::Stub;
pub use unary::{OneWay, ResponseFuture, Unary};
