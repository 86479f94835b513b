//! Two connections, the bytes between them, and a clock that moves when it is told to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::conn::{
    Admission, Admitted, Config, ConnError, Connection, Consumed, Event, Head, Inbox, IncomingCall,
    IncomingStream, Outcome, SendError, Sent, Shape, StreamKey, Take,
};
use crate::framing::{Messages, Outbox, Side};
use crate::wires::trpc::{Decoder, Frame};
use crate::wires::{Garbage, Input};

pub(super) const STREAM: &str = "/test.Pair/Stream";
pub(super) const UNARY: &str = "/test.Pair/Unary";

/// The moment at which every test starts.
pub(super) fn epoch() -> Instant {
    use std::sync::OnceLock;
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant cannot be made otherwise; all others are counted from it"
    )]
    *EPOCH.get_or_init(Instant::now)
}

pub(super) fn head(method: &'static str) -> Head {
    Head { method: Bytes::from_static(method.as_bytes()), ..Head::default() }
}

pub(super) fn admitted(method: u32, shape: Shape) -> Admitted {
    Admitted { method, shape }
}

/// Admits [`STREAM`] as a stream and [`UNARY`] as a unary method.
pub(super) fn admission() -> Admission {
    Arc::new(|head, told| {
        let admitted = match &head.method[..] {
            method if method == STREAM.as_bytes() => admitted(0, Shape::Stream),
            method if method == UNARY.as_bytes() => admitted(1, Shape::Unary),
            _ => return Err(Outcome::of_codes(12, 0, "no such method")),
        };
        match told {
            Some(told) if told != admitted.shape => Err(Outcome::of_codes(12, 0, "no such method")),
            _ => Ok(admitted),
        }
    })
}

/// One connection with what it has told its application.
pub(super) struct End {
    pub(super) conn: Connection,
    pub(super) events: Vec<Event>,
    calls: Vec<IncomingCall>,
    side: Side,
    input: BytesMut,
    /// Frames that came in, as they were decoded.
    pub(super) seen: Vec<Frame>,
}

impl End {
    pub(super) fn client(config: Config) -> Self {
        Self::new(Connection::client(config), Side::Client)
    }

    pub(super) fn server(config: Config) -> Self {
        Self::new(Connection::server(config, admission()), Side::Server)
    }

    fn new(conn: Connection, side: Side) -> Self {
        Self {
            conn,
            events: Vec::new(),
            calls: Vec::new(),
            side,
            input: BytesMut::new(),
            seen: Vec::new(),
        }
    }

    /// Everything it wants to write.
    pub(super) fn output(&mut self) -> BytesMut {
        let bytes = self.conn.take_output(Outbox::default());
        self.conn.handle_written(bytes.len());
        self.conn.take_events(&mut self.events);
        BytesMut::from(&bytes.to_vec()[..])
    }

    /// The frames it wants to write, as its peer would decode them.
    pub(super) fn output_frames(&mut self) -> Vec<Frame> {
        let peer = if self.side == Side::Client { Side::Server } else { Side::Client };
        let mut bytes = self.output();
        let mut frames = Vec::new();
        while let Some(frame) =
            Decoder::new(peer, usize::MAX).decode(&mut bytes).expect("what we write is well formed")
        {
            frames.push(frame);
        }
        assert!(bytes.is_empty(), "half a frame was written");
        frames
    }

    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), ConnError> {
        let decoder = Decoder::new(self.side, self.conn.config().max_received);
        self.input.extend_from_slice(bytes);
        self.conn.note_time(now);
        while let Some(frame) = decoder
            .decode(&mut self.input)
            .map_err(|error| ConnError::of_wire(Garbage::Trpc(error)))?
        {
            self.seen.push(frame.clone());
            self.conn.handle_input(Input::of(frame, self.side), now)?;
        }
        if let Some((id, size)) = decoder.message(&self.input) {
            self.conn.handle_arriving(id, size);
        }
        self.conn.take_events(&mut self.events);
        Ok(())
    }

    /// Bytes that are not yet a frame.
    pub(super) fn left_over(&self) -> usize {
        self.input.len()
    }

    pub(super) fn next_stream(&mut self) -> IncomingStream {
        let at = self
            .events
            .iter()
            .position(|event| matches!(event, Event::Stream(_)))
            .expect("a stream has come");
        match self.events.remove(at) {
            Event::Stream(stream) => *stream,
            _ => unreachable!(),
        }
    }

    pub(super) fn next_call(&mut self) -> IncomingCall {
        let event = self.events.iter().position(|event| matches!(event, Event::Call));
        self.events.remove(event.expect("a call has come"));
        self.conn.take_calls(&mut self.calls);
        self.calls.remove(0)
    }

    pub(super) fn send(&mut self, key: StreamKey, message: &[u8]) -> Result<Sent, SendError> {
        let sent = self.conn.send(key, message.len(), &mut None, |out: &mut Vec<u8>| {
            out.extend_from_slice(message);
        });
        self.conn.take_events(&mut self.events);
        sent
    }

    /// Takes everything there is and counts it as consumed. The second part says why there is no
    /// more.
    pub(super) fn read_all(&mut self, key: StreamKey) -> (Vec<Bytes>, Option<Take>) {
        let mut inbox = Inbox::default();
        let mut all = Vec::new();
        let mut consumed = Consumed::default();
        loop {
            match self.conn.take(key, std::mem::take(&mut consumed), &mut inbox) {
                Some(Take::Messages) => {
                    while let Some(message) = inbox.front().and_then(Messages::next) {
                        consumed.add(message.len());
                        all.push(message.into_bytes());
                    }
                }
                end => {
                    self.conn.take_events(&mut self.events);
                    return (all, end);
                }
            }
        }
    }
}

pub(super) struct Pair {
    pub(super) client: End,
    pub(super) server: End,
    pub(super) now: Instant,
}

impl Pair {
    pub(super) fn new() -> Self {
        Self::with(Config::default(), Config::default())
    }

    pub(super) fn with(client: Config, server: Config) -> Self {
        Self { client: End::client(client), server: End::server(server), now: epoch() }
    }

    /// Carries bytes until both are silent.
    pub(super) fn run(&mut self) {
        loop {
            let (there, back) = (self.client.output(), self.server.output());
            if there.is_empty() && back.is_empty() {
                return;
            }
            self.server.receive(&there, self.now).expect("the client keeps to the protocol");
            self.client.receive(&back, self.now).expect("the server keeps to the protocol");
        }
    }

    /// Lets time pass, and both do what is due.
    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
        self.client.conn.handle_timeout(self.now);
        self.server.conn.handle_timeout(self.now);
        self.client.conn.take_events(&mut self.client.events);
        self.server.conn.take_events(&mut self.server.events);
        self.run();
    }

    /// Opens a stream: the client's key and what the server got.
    pub(super) fn open(&mut self) -> (StreamKey, IncomingStream) {
        let key =
            self.client.conn.open(head(STREAM), None, self.now).expect("the connection is open");
        self.run();
        assert_eq!(self.client.conn.opened(key), Some(Ok(())));
        (key, self.server.next_stream())
    }
}
