//! The limits of one connection.

use crate::driver::{Config, DEFAULT_WINDOW};

/// The limits of one connection, for a server and a channel alike: sizes of messages and metadata,
/// windows of streams, bytes that wait, and counts of calls and streams.
///
/// Begin with the defaults, and change the limits that do not suit:
///
/// ```
/// use trill::{Limits, Server};
///
/// let limits = Limits::default().max_message_received(64 * 1024 * 1024).window(1024 * 1024);
/// let server = Server::builder().limits(limits);
/// ```
///
/// Limits that cannot work are refused when the builder connects or binds, and the error names
/// them ([`ErrorKind::Config`](crate::ErrorKind::Config)). The limits of all connections of a
/// server together are settings of the server:
/// [`max_unread`](crate::server::ServerBuilder::max_unread),
/// [`max_unsent`](crate::server::ServerBuilder::max_unsent) and
/// [`max_calls`](crate::server::ServerBuilder::max_calls).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "limits count when a builder gets them"]
pub struct Limits {
    window: Option<u32>,
    max_window: u32,
    max_message_sent: usize,
    max_message_received: usize,
    max_metadata: usize,
    max_unread_per_connection: usize,
    max_unsent_per_connection: usize,
    max_streams_per_connection: usize,
    max_calls_per_connection: usize,
}

impl Default for Limits {
    /// The limits of a builder that is given none. The page of each setter names its default.
    fn default() -> Self {
        let config = Config::default();
        Self {
            window: None,
            max_window: config.max_window,
            max_message_sent: config.max_sent,
            max_message_received: config.max_received,
            max_metadata: config.max_header,
            max_unread_per_connection: config.unread,
            max_unsent_per_connection: config.outbox,
            max_streams_per_connection: config.max_streams,
            max_calls_per_connection: config.max_calls,
        }
    }
}

impl Limits {
    /// Fixes the window of each stream: the bytes of messages that the peer may send before it must
    /// wait for this side to read. Default: none is fixed, and a window begins with 65,535 bytes
    /// and grows up to [`max_window`](Self::max_window). From 1,024; 0 switches flow control off in
    /// both directions.
    ///
    /// A slow reader lags behind by the messages in the window. So small, frequent messages of
    /// which only the newest counts need a small window. A stream carries one window in a round
    /// trip, so a fixed one must be as large as what the path holds.
    ///
    /// The last message may exceed the window. If a reader waits while a message as large as the
    /// window comes in, the peer may send the next one already.
    ///
    /// Without flow control, a connection is not read while 256 KiB of one of its streams wait for
    /// their reader. A stream that holds up others in this way for 10 seconds is reset
    /// ([`ErrorKind::Limit`](crate::ErrorKind::Limit)). Calls that arrive while the connection is
    /// not read are not seen, so they do not count as held up. They wait until the stream is read,
    /// and a client of Trill takes the connection for lost after its
    /// [`dead_peer_timeout`](crate::client::ChannelBuilder::dead_peer_timeout).
    pub fn window(mut self, bytes: u32) -> Self {
        self.window = Some(bytes);
        self
    }

    /// The most that the window of a stream grows to, unless [`window`](Self::window) fixes it.
    /// Default: 16 MiB, which carries 1 Gbit/s over a round trip of 0.13 s; from 1,024.
    ///
    /// A window grows while its reader keeps up and the stream takes most of it within a round
    /// trip, and what is not used is given back. Where a round trip takes less than a millisecond,
    /// it grows no further than 1 MiB or one message, because more would not be faster. A window
    /// counts in [`max_unread_per_connection`](Self::max_unread_per_connection) and
    /// [`max_unread`](crate::server::ServerBuilder::max_unread). A window grows no further than its
    /// stream's share of the room that is left there, and shrinks as its messages are read when
    /// others need room. A quiet stream keeps its window: where many streams of one connection are
    /// fast once and then quiet, a smaller maximum leaves more room for new ones. A maximum of
    /// 65,535 or less lets no window grow, and windows begin with it.
    ///
    /// A window counts bytes of messages, and the headers of tiny messages take more room than they
    /// do. A stream with a grown window that nobody reads is reset when what it holds is a quarter
    /// of `max_unread_per_connection` more than its window's room
    /// ([`ErrorKind::Limit`](crate::ErrorKind::Limit)), so that the others go on.
    pub fn max_window(mut self, bytes: u32) -> Self {
        self.max_window = bytes;
        self
    }

    /// The largest frame to send: one message with its headers. Default: 10,000,000 bytes, which is
    /// what tRPC-Cpp accepts.
    pub fn max_message_sent(mut self, bytes: usize) -> Self {
        self.max_message_sent = bytes;
        self
    }

    /// The largest frame to accept. A larger one ends its call or stream. The rest of it is dropped
    /// as it comes. It must come within
    /// [`frame_timeout`](crate::server::ServerBuilder::frame_timeout), or the connection ends.
    /// Default: 10 MiB, which is what tRPC-Go sends at most.
    pub fn max_message_received(mut self, bytes: usize) -> Self {
        self.max_message_received = bytes;
        self
    }

    /// The largest header of a call or stream, to send and to accept: metadata, method and caller,
    /// or the text of an error, in bytes on the wire. A larger one fails its call or stream. If an
    /// error does not fit, its metadata is left out first; then its text is cut to what fits, and
    /// ends with `... (cut: max_metadata)`. The server logs both. Default: 65,535 bytes, which is
    /// the most that unary calls can say over tRPC; from 1,024.
    pub fn max_metadata(mut self, bytes: usize) -> Self {
        self.max_metadata = bytes;
        self
    }

    /// Bytes of one connection that may be received and not yet read or answered, together with
    /// what the windows of its streams promise. Default: 256 MiB.
    ///
    /// As room gets short, streams get smaller windows, down to 1 KiB. The writers of the peer then
    /// wait for credit more often, and streams that are read go on. When no room is left, a server
    /// refuses new calls and streams of this connection; they may be tried again. A peer can send
    /// more than its windows allow, by one message per stream or because it does not keep to them.
    /// Then the connection is not read, unless somebody on this side waits for the peer, such as a
    /// reader for a message or a writer for credit. While it is not read, this side does not notice
    /// that the peer resets a single stream; it does notice that the peer closes the connection.
    ///
    /// Empty messages take no credit, and 16 bytes each. Beyond a stream's fair share of the room
    /// (2.8 million messages, if it is alone), the connection is read as fast as the stream's
    /// reader takes them. If that takes hardly any for a second, the stream is reset
    /// ([`ErrorKind::Limit`](crate::ErrorKind::Limit)), because calls that arrive meanwhile are not
    /// seen.
    ///
    /// From 25 % plus one message above the limit on, streams that receive more without being read
    /// are reset. Buffers are not always full, so real memory use can be up to 1.5 times this
    /// value.
    pub fn max_unread_per_connection(mut self, bytes: usize) -> Self {
        self.max_unread_per_connection = bytes;
        self
    }

    /// Bytes of one connection that may be written and not yet sent before its writers wait.
    /// Default: 256 KiB. One message may exceed it, and messages and calls of up to 4 KiB may by a
    /// quarter, so that they need not wait behind large ones. Streams that are written fast have up
    /// to 16 KiB each in addition, four of them up to 256 KiB together if this is no less than the
    /// default. While the socket is full, they have 16 KiB each and 256 KiB together.
    pub fn max_unsent_per_connection(mut self, bytes: usize) -> Self {
        self.max_unsent_per_connection = bytes;
        self
    }

    /// How many streams a client may have open on one connection; a server refuses further ones,
    /// and they may be tried again. Default: 100,000. Servers open no streams, so a channel ignores
    /// it.
    pub fn max_streams_per_connection(mut self, count: usize) -> Self {
        self.max_streams_per_connection = count;
        self
    }

    /// How many unary calls of one connection may be in work; a server refuses further ones, and
    /// they may be tried again. Default: 10,000. Servers make no calls, so a channel ignores it.
    pub fn max_calls_per_connection(mut self, count: usize) -> Self {
        self.max_calls_per_connection = count;
        self
    }

    pub(crate) fn set(self, config: &mut Config) {
        let Self {
            window,
            max_window,
            max_message_sent,
            max_message_received,
            max_metadata,
            max_unread_per_connection,
            max_unsent_per_connection,
            max_streams_per_connection,
            max_calls_per_connection,
        } = self;
        (config.window, config.max_window) = match window {
            Some(fixed) => (fixed, 0),
            // 0 would be no flow control.
            None => (max_window.clamp(1, DEFAULT_WINDOW), max_window.max(1)),
        };
        config.max_sent = max_message_sent;
        config.max_received = max_message_received;
        config.max_header = max_metadata;
        config.unread = max_unread_per_connection;
        config.outbox = max_unsent_per_connection;
        config.max_streams = max_streams_per_connection;
        config.max_calls = max_calls_per_connection;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_grows_unless_it_is_fixed_and_never_begins_above_its_most() {
        let windows = |limits: Limits| {
            let mut config = Config::default();
            limits.set(&mut config);
            (config.window, config.max_window)
        };
        let usual = Config::default();
        assert_eq!(windows(Limits::default()), (usual.window, usual.max_window));
        assert_eq!(windows(Limits::default().max_window(1 << 20)), (65_535, 1 << 20));
        assert_eq!(windows(Limits::default().max_window(5_000)), (5_000, 5_000));
        assert_eq!(windows(Limits::default().max_window(0)), (1, 1), "which is refused");
        assert_eq!(windows(Limits::default().window(1 << 20)), (1 << 20, 0));
        assert_eq!(windows(Limits::default().max_window(1 << 24).window(0)), (0, 0));
    }
}
