//! FRONT DOOR: channels to servers.
//!
//! `subchannels` decides which connections there are to be, as a value; `keeper` has the tasks that
//! make, drive and replace them, and `runtime` what they run in; `pool` is where calls find them.

mod backoff;
mod balance;
mod builder;
pub(crate) mod call;
mod channel;
mod connect;
mod flush;
mod keeper;
mod pool;
mod resolve;
mod runtime;
mod share;
mod state;
mod subchannels;
#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use balance::Balance;
pub use builder::ChannelBuilder;
pub use call::{Bidi, ClientStream, OneWay, ResponseFuture, ServerStream, Unary};
pub use channel::Channel;
pub use resolve::{Dns, Resolve};
pub use state::{State, StateWatch};

pub use crate::driver::Cancel;
