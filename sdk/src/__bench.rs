//! Doors to the inside for the measurements in `tests/bench`. Not for people: it may change in any
//! release.

use bytes::BytesMut;
use tokio::runtime::Handle;

use crate::client::{Channel, ChannelBuilder};
use crate::conn;
use crate::error::Result;
use crate::framing::{Side, StreamId};
use crate::server::ServerBuilder;
use crate::transport::PeerAddr;
use crate::wires::trpc::{self as wire, Frame};

/// [`ServerBuilder::in_memory`] with the tasks of the server in one runtime and those of the
/// channel in another, so that the work of the two sides can be told apart.
///
/// # Errors
/// As [`ServerBuilder::in_memory`].
pub fn in_memory_between(
    server: ServerBuilder,
    its: &Handle,
    channel: ChannelBuilder,
    clients: &Handle,
) -> Result<Channel> {
    let near = {
        let _within = its.enter();
        server.serve_in_memory()?
    };
    let _within = clients.enter();
    Ok(channel.channel(near, PeerAddr::memory()))
}

/// Appends the frame of one message, which is no more than the fixed header if the message is
/// empty.
pub fn write_data(out: &mut Vec<u8>, message: &[u8]) {
    wire::data(out, StreamId(STREAM), message.len(), |out: &mut Vec<u8>| {
        out.extend_from_slice(message);
    })
    .expect("the size is that of the message");
}

/// The decoder of a client.
#[derive(Clone, Copy, Debug)]
pub struct Decoder(wire::Decoder);

impl Default for Decoder {
    fn default() -> Self {
        Self(wire::Decoder::new(Side::Client, conn::Config::default().max_received))
    }
}

impl Decoder {
    /// Reads and checks the fixed header at the front: how many bytes its frame lacks.
    #[must_use]
    pub fn missing(&self, input: &[u8]) -> usize {
        self.0.missing(input)
    }

    /// Takes the messages that are there in one run.
    ///
    /// # Panics
    /// If the front is not a message.
    pub fn decode(&self, input: &mut BytesMut) -> Messages {
        match self.0.decode(input) {
            Ok(Some(Frame::Data { messages, .. })) => Messages(messages),
            other => panic!("not a message: {other:?}"),
        }
    }
}

/// Messages as they came.
#[derive(Clone, Debug)]
pub struct Messages(crate::framing::Messages);

impl Messages {
    /// Takes the next message: how long it is.
    #[inline]
    pub fn take(&mut self) -> Option<usize> {
        self.0.next().map(|payload| payload.len())
    }
}

/// The messages of a stream that were not given out.
#[derive(Debug, Default)]
pub struct Inbox(conn::Inbox);

impl Inbox {
    /// Adds what came in one run.
    #[inline]
    pub fn push(&mut self, messages: Messages) {
        self.0.push(messages.0);
    }

    /// Takes the message at the front: how long it is.
    #[inline]
    pub fn pop(&mut self) -> Option<usize> {
        let len = self.0.front()?.next().map(|payload| payload.len());
        self.0.let_go();
        len
    }
}

/// The stream of all frames here.
const STREAM: u64 = 101;
