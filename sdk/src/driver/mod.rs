//! The tasks of a connection, its lock and its wakers.
//!
//! [`task`] moves bytes between a socket and a [`Connection`]; [`shared`] is how handles and the
//! driver share that connection. The rooms above see [`Link`], and what it re-exports of the
//! protocol's vocabulary.
//!
//! Deliberately absent: what a message means, which methods exist, who may call.

#[cfg(feature = "testing")]
mod census;
mod flusher;
mod give_way;
mod link;
#[cfg(all(test, trill_loom))]
pub(crate) mod models;
mod read_buffer;
mod send_buffer;
mod shared;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod wakers;
mod writer;

#[cfg(feature = "testing")]
pub use census::Census;
#[cfg(feature = "testing")]
pub(crate) use census::LinkWatch;
pub(crate) use give_way::{give_way, pay};
pub(crate) use link::{BodyCharge, CallTerms, Link, WeakLink};
pub(crate) use send_buffer::Sender;
pub(crate) use task::{Dispatch, Driver};
pub(crate) use wakers::Watcher;

pub(crate) use crate::conn::{
    Admission, Admitted, Answer, Body, COPIED, CallKey, Cause, Config, ConnError, Connection,
    Consumed, DEFAULT_WINDOW, Ending, Fit, Head, Inbox, IncomingCall, IncomingStream, MAX_HEADER,
    MIN_WINDOW, Outbox, Outcome, Overrun, Peer, Pools, RefusedCall, SendError, SendTicket, Shape,
    StreamKey, Take, UnaryContent, too_large,
};
pub use crate::conn::{Buffered, Refused};

// The connection probes where the system would notice a dead peer too late.
const _: () =
    assert!(crate::conn::PROBE_BELOW.as_millis() == crate::transport::NOTICED_FROM.as_millis());
