//! A simulation: for a seed, a random schedule of calls and of faults on several connections, all
//! in virtual time and the same in each run.
//!
//! A [`Plan`] is drawn from the seed. Clients (`client.rs`) and handlers (`server.rs`) act it out,
//! the network (`faults.rs`) misbehaves, and a model of what was sent and how it ended (`model.rs`)
//! says what may be seen. It checks, in every run:
//!
//! - an end is clean only if the peer made it, and everything sent before was read (promise 1);
//! - what is read is exactly a prefix of what was written, in order, and all of it when the end is
//!   clean (promise 2);
//! - a shutdown ends in time (promise 4);
//! - what a connection holds stays below its bounds (promise 5);
//! - once a client has dropped its handles, the handler is over within a round trip, if the network
//!   is well (promise 6);
//! - small calls on the same connection keep their pace whatever the others do, if the network is
//!   well (promise 7);
//! - nothing is left at the end: no task, no stream, no byte, no waker (promise 10);
//! - nothing hangs, and no error comes without a cause.
//!
//! A run that fails names the seed, and the command that runs it again.

mod client;
mod faults;
mod message;
mod model;
mod plan;
mod run;
mod server;
mod watch;

pub use plan::Plan;
pub use run::{Failure, Report, run};
