//! Whole calls, from a generated client to a handler and back.

mod after_close;
mod as_futures;
mod balance;
mod bounds;
mod budgets;
mod cancel;
mod cancel_safety;
mod captures;
mod closed;
mod compression;
mod context;
mod crossing;
mod deadlines;
mod drain;
mod encoding;
mod false_eof;
mod faults;
mod flush;
mod frames;
mod half_close;
mod handles;
mod hostile;
mod isolation;
mod json;
mod kinds;
mod large;
mod left_over;
mod limits;
mod listening;
mod network;
mod no_room;
mod packed;
mod proxy;
mod reconnect;
mod refusals;
mod resolve;
mod runtimes;
mod shutdown;
mod status;
mod sticky;
mod stuck;
mod too_long;
mod unpacking;
mod warnings;

/// The program that tests start as another process.
const PEER: &str = env!("CARGO_BIN_EXE_peer");
