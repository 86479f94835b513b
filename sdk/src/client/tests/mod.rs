//! Channels over connections that a test makes, with a clock that stands still: who is connected
//! to, when, and what calls see of it.

mod closing;
mod draining;
mod network;
mod resolver;
mod retries;
mod runtimes;
mod several;
