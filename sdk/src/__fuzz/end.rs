//! One connection whose every answer is looked at.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::conn::{
    Admission, Admitted, Collected, Config, ConnError, Connection, Event, Head, IncomingCall,
    Outcome, Shape, StreamKey,
};
use crate::framing::{Outbox, Prefix, Side};
use crate::wires::trpc::{Decoder, Frame};
use crate::wires::{Garbage, Input};

use super::epoch;
use super::order::Order;

pub(super) const STREAM: &str = "/test.Fuzz/Stream";
pub(super) const UNARY: &str = "/test.Fuzz/Unary";

pub(super) struct FuzzedEnd {
    pub(super) conn: Connection,
    /// The events at which the application has not looked.
    pub(super) events: Vec<Event>,
    calls: Vec<IncomingCall>,
    /// Bytes that are not in the socket yet.
    pub(super) outbox: BytesMut,
    side: Side,
    decoder: Decoder,
    input: BytesMut,
    order: Order,
    /// A whole frame has come.
    first_frame_seen: bool,
    /// The longest input that was given at once.
    longest: usize,
}

impl FuzzedEnd {
    pub(super) fn new(side: Side, config: Config) -> Self {
        let decoder = Decoder::new(side, config.max_received);
        let order = Order::new(side, config.window, config.heartbeat.is_some());
        let mut conn = match side {
            Side::Client => Connection::client(config),
            Side::Server => Connection::server(config, admission()),
        };
        conn.start(epoch());
        let (input, outbox) = (BytesMut::new(), BytesMut::new());
        Self {
            conn,
            events: Vec::new(),
            calls: Vec::new(),
            outbox,
            side,
            decoder,
            input,
            order,
            first_frame_seen: false,
            longest: 0,
        }
    }

    /// The call of an event that is looked at.
    pub(super) fn next_call(&mut self) -> IncomingCall {
        self.calls.remove(0)
    }

    /// Works on the connection, and looks at what came of it.
    pub(super) fn with<R>(&mut self, op: impl FnOnce(&mut Connection) -> R) -> R {
        let result = op(&mut self.conn);
        self.look(None);
        result
    }

    /// Works on a stream of which nothing is granted.
    pub(super) fn on_stream<R>(
        &mut self,
        key: StreamKey,
        op: impl FnOnce(Collected<'_>) -> R,
    ) -> R {
        self.with(|conn| op(conn.collected(key).expect("it was collected before")))
    }

    /// Grants the stream's credit to its writer.
    pub(super) fn grant(&mut self, key: StreamKey) -> (Prefix, i64) {
        self.with(|conn| conn.collected(key).expect("it was collected before").grant_credit())
    }

    /// Gives what the peer sent to the connection. A fault ends it, as it does in a driver.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) {
        if self.is_over() || bytes.is_empty() {
            return;
        }
        assert!(self.conn.wants_input(), "who drives this reads what is not wanted");
        self.longest = self.longest.max(bytes.len());
        self.conn.note_time(now);
        self.input.extend_from_slice(bytes);
        loop {
            let frame = match self.decoder.decode(&mut self.input) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => return self.lose(&ConnError::of_wire(Garbage::Trpc(error))),
            };
            if !std::mem::replace(&mut self.first_frame_seen, true) {
                self.conn.handle_first_frame();
            }
            let handled = self.conn.handle_input(Input::of(frame.clone(), self.side), now);
            self.look(Some(&frame));
            let queued = self.outbox.len();
            match handled {
                Ok(()) => {
                    assert!(queued <= self.outbox_hard(), "{queued} bytes wait for the socket");
                }
                Err(why) => return self.lose(&why),
            }
        }
        // As drivers do, for large messages.
        if let Some((id, size)) = self.decoder.message(&self.input) {
            self.with(|conn| conn.handle_arriving(id, size));
        }
        // As a server's driver does.
        if !self.first_frame_seen && self.side == Side::Server {
            self.conn.handle_first_bytes(now);
        }
    }

    /// The socket takes up to `count` bytes.
    pub(super) fn write(&mut self, count: usize) -> Bytes {
        if self.is_over() {
            return Bytes::new();
        }
        let written = self.outbox.split_to(count.min(self.outbox.len())).freeze();
        self.with(|conn| conn.handle_written(written.len()));
        written
    }

    pub(super) fn lose(&mut self, why: &ConnError) {
        self.with(|conn| conn.handle_lost(why));
    }

    /// Tells whether the connection itself has deadlines.
    pub(super) fn is_watched(&self) -> bool {
        let config = self.conn.config();
        config.heartbeat.is_some() || config.idle_timeout.is_some() || !self.first_frame_seen
    }

    pub(super) fn is_over(&self) -> bool {
        self.conn.lost().is_some()
    }

    /// Collects what the connection wrote and said, and checks both.
    fn look(&mut self, cause: Option<&Frame>) {
        let bytes = self.conn.take_output(Outbox::default()).to_vec();
        self.conn.take_events(&mut self.events);
        self.conn.take_calls(&mut self.calls);
        self.outbox.extend_from_slice(&bytes);
        self.order.check(cause, &self.read(&bytes));
        if self.is_over() {
            self.outbox.clear();
            assert!(bytes.is_empty(), "something was written on a lost connection");
            assert_eq!(self.conn.live_streams(), 0);
            return;
        }
        assert!(self.conn.live_streams() <= self.order.live(), "a stream that nobody knows of");
        let config = self.conn.config();
        let (streams, input) = (self.conn.held_streams(), self.conn.unread());
        if self.side == Side::Server {
            assert!(streams <= config.max_streams);
        }
        // The bytes that a stream may hold before the reading pauses, and those read at that
        // moment.
        let most =
            256 * 1024 + 2 * (config.window as usize + config.max_received) + 5 * self.longest;
        assert!(input <= most * streams, "{input} bytes of input wait for {streams} readers");
    }

    /// The frames that were written, as the peer reads them.
    fn read(&self, bytes: &[u8]) -> Vec<Frame> {
        let peer = if self.side == Side::Client { Side::Server } else { Side::Client };
        let (mut bytes, mut frames) = (BytesMut::from(bytes), Vec::new());
        while let Some(frame) =
            Decoder::new(peer, usize::MAX).decode(&mut bytes).expect("what we write is well formed")
        {
            frames.push(frame);
        }
        assert!(bytes.is_empty(), "half a frame was written");
        frames
    }

    fn outbox_hard(&self) -> usize {
        let config = self.conn.config();
        config.outbox + 2 * config.max_sent + 1024 * 1024
    }
}

/// The limits of one run: small, so that they are met.
pub(super) fn config(flags: u8) -> Config {
    use crate::conn::{AppErrors, Cancel};
    let watched = |limit| (flags & 32 != 0).then(|| Duration::from_secs(limit));
    Config {
        window: [65_535, 0, 16, 1_000][usize::from(flags & 3)],
        max_window: 4_000,
        cancel: if flags & 4 == 0 { Cancel::Reset } else { Cancel::HalfClose },
        app_errors: if flags & 8 == 0 { AppErrors::Reset } else { AppErrors::Close },
        outbox: if flags & 16 == 0 { 256 * 1024 } else { 200 },
        max_sent: 2_000,
        max_received: 64 * 1024,
        max_streams: 6,
        max_calls: 6,
        open_timeout: Duration::from_secs(10),
        heartbeat: (flags & 64 != 0).then(|| Duration::from_secs(1)),
        dead_peer_timeout: Duration::from_secs(if flags & 64 != 0 { 1 } else { 20 }),
        stream_idle_timeout: watched(3),
        idle_timeout: watched(5),
        ..Config::default()
    }
}

pub(super) fn head(method: &'static str, timeout: Option<Duration>) -> Head {
    Head { method: Bytes::from_static(method.as_bytes()), timeout, ..Head::default() }
}

fn admitted(method: u32, shape: Shape) -> Admitted {
    Admitted { method, shape }
}

/// Admits [`STREAM`] and [`UNARY`], and what the protocol's vectors call.
fn admission() -> Admission {
    std::sync::Arc::new(|head, shape| {
        let (stream, unary) = (head.method.ends_with(b"Stream"), head.method.ends_with(b"Unary"));
        match shape {
            Some(Shape::Stream) if stream || head.method.ends_with(b"StreamSayHello") => {
                Ok(admitted(0, Shape::Stream))
            }
            Some(Shape::Unary) if unary || head.method.ends_with(b"SayHello") => {
                Ok(admitted(1, Shape::Unary))
            }
            _ => Err(Outcome::of_codes(12, 0, "no such method")),
        }
    })
}
