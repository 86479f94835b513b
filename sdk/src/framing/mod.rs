//! The part of bytes that all wires share: what is to be sent, and how it is appended.
//! Pure: no I/O, no clock, no frame of any wire.

mod body;
mod by_ref;
mod frame_buf;
mod head;
mod id;
mod messages;
mod outbox;
mod piece;
mod prefix;
mod write;

#[cfg(test)]
pub(crate) use body::Piece;
pub(crate) use body::{Body, UnaryContent};
pub(crate) use frame_buf::FrameBuf;
pub(crate) use head::{Answer, DRAINING_TEXT, Head, MAX_ENTRIES, Outcome};
pub(crate) use id::{IdRange, Side, StreamId};
pub(crate) use messages::{Framing, Messages};
pub(crate) use outbox::Outbox;
pub(crate) use piece::{COPIED, MESSAGE_COST, keeps_little};
pub(crate) use prefix::{Prefix, Uncommitted};
pub(crate) use write::{Largest, WriteError};
