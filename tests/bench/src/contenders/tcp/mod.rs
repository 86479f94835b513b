//! The bound: what hand-written TCP does with the same messages. There is no RPC in it, no flow
//! control but TCP's, and no error that is told to the peer.

mod client;
mod frame;
mod server;

pub(crate) use client::Client;
pub(crate) use server::serve;
