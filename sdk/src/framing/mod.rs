//! The part of bytes that all wires share: what is to be sent, and how it is appended.
//! Pure: no I/O, no clock, no frame of any wire.

mod body;
mod by_ref;
mod id;
mod outbox;
mod piece;
mod target;

pub(crate) use body::Body;
#[cfg(test)]
pub(crate) use body::Piece;
pub(crate) use id::{Side, StreamId};
pub(crate) use outbox::Outbox;
pub(crate) use piece::{COPIED, keeps_little};
pub(crate) use target::Target;
