//! Settings that channels and servers share.

mod limits;
mod sockets;

use std::time::Duration;

use crate::driver::{Config, MAX_HEADER, MIN_WINDOW};
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::transport::BadAddress;

pub use limits::Limits;
pub(crate) use sockets::socket_options;

/// The methods of a builder with a field `config` that set what both sides of a connection have.
macro_rules! shared_settings {
    () => {
        /// Sets the limits of each connection. Default: [`Limits::default`].
        ///
        /// ```
        /// # use trill::{Channel, Limits, Server};
        /// let limits = Limits::default().max_message_received(64 * 1024 * 1024);
        /// let server = Server::builder().limits(limits);
        /// let channel = Channel::builder().limits(limits);
        /// ```
        pub fn limits(mut self, limits: Limits) -> Self {
            limits.set(&mut self.config);
            self
        }

        /// Sets what only the tRPC wire has. Default: [`Settings::default`](crate::trpc::Settings).
        pub fn trpc(mut self, settings: crate::trpc::Settings) -> Self {
            settings.set(&mut self.config);
            self
        }

        /// How long the peer may take for each 64 KiB of a frame that has begun, before the
        /// connection is ended. Default: 10 seconds.
        ///
        /// A frame that is larger than [`max_message_received`](Limits::max_message_received) has
        /// this time for the whole frame. Time in which this side does not read does not count,
        /// except for a message of a stream that waits for room. The limit may take effect up to a
        /// quarter later.
        pub fn frame_timeout(mut self, limit: Duration) -> Self {
            self.config.frame_timeout = limit;
            self
        }

        /// How long the peer's host may be silent before the connection, with every call and stream
        /// on it, counts as lost: the host or the network is gone. Default: 20 seconds; from 500
        /// milliseconds to a day.
        ///
        /// This is what gRPC users call keepalive. TCP checks it (keepalive, and TCP_USER_TIMEOUT
        /// on Linux). Below 2 seconds, the connection itself sends an empty FEEDBACK after a tenth
        /// of that time without traffic, while a stream is open or a client waits for a call. A
        /// server that has only unary calls in work notices a dead client after 2 seconds. A peer
        /// whose TCP accepts no data for this long also counts as dead. A frozen *process* does
        /// not, as long as its kernel acknowledges what it receives: deadlines, `read_timeout` and
        /// `stream_idle_timeout` are for that. Unix sockets need none of this.
        pub fn dead_peer_timeout(mut self, limit: Duration) -> Self {
            self.config.dead_peer_timeout = limit;
            self
        }

        /// Tells TCP to send what is written at once (TCP_NODELAY), or to let little wait until
        /// what was sent before is acknowledged. Default: `true`. Messages that are written
        /// together are sent together either way. Unix sockets have no such option.
        pub fn tcp_nodelay(mut self, at_once: bool) -> Self {
            self.config.nodelay = at_once;
            self
        }

        /// The size of a socket's send buffer in bytes (SO_SNDBUF), or `None` to leave it to the
        /// system. From 1 to 2,147,483,647; the system raises what is too small, and lowers what is
        /// more than it allows. Default: `None`, which is best for most: the system makes the
        /// buffer as large as the path needs. The ios of a user's program are left as they are, but
        /// for sockets.
        pub fn socket_send_buffer(mut self, bytes: impl Into<Option<usize>>) -> Self {
            self.config.socket_send_buffer = bytes.into();
            self
        }

        /// The size of a socket's receive buffer in bytes (SO_RCVBUF), or `None` to leave it to the
        /// system. See [`socket_send_buffer`](Self::socket_send_buffer). Default: `None`.
        pub fn socket_receive_buffer(mut self, bytes: impl Into<Option<usize>>) -> Self {
            self.config.socket_receive_buffer = bytes.into();
            self
        }

        /// How long one read of a stream may wait that has no `.timeout` of its own, or `None` for
        /// ever. The stream stays usable after it. For the
        /// items of a reader as a [`futures::Stream`] too, not for the answer of a client stream.
        /// Default: for ever.
        pub fn read_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
            self.config.read_timeout = limit.into();
            self
        }

        /// How long one write to a stream may wait that has no `.timeout` of its own, or `None` for
        /// ever. Nothing of the message was sent then, and the stream stays usable. A writer as a
        /// [`futures::Sink`] still holds its message. Default: for ever.
        pub fn write_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
            self.config.write_timeout = limit.into();
            self
        }

        /// How long a stream may be without a message in either direction before it is broken off
        /// with [`Code::DeadlineExceeded`](crate::Code::DeadlineExceeded), or `None` for ever. It
        /// lives for a quarter longer at most. Default: for ever.
        pub fn stream_idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
            self.config.stream_idle_timeout = limit.into();
            self
        }

        /// Sends an empty FEEDBACK on an open stream, so that its connection is not quiet for
        /// longer than this; `None` for never. Default: never.
        ///
        /// It is for proxies and peers that close quiet connections. tRPC-Cpp closes them after 60
        /// seconds at a server and after 50 at a client, even with open streams.
        pub fn heartbeat(mut self, every: impl Into<Option<Duration>>) -> Self {
            self.config.heartbeat = every.into();
            self
        }
    };
}
pub(crate) use shared_settings;

impl From<BadAddress> for Error {
    fn from(BadAddress(text): BadAddress) -> Self {
        Self::new(ErrorKind::Config, Origin::Caller, Reason::Address, text)
    }
}

impl crate::trpc::Settings {
    pub(crate) fn set(self, config: &mut Config) {
        let Self { cancel, app_errors, first_request_id } = self;
        config.cancel = cancel;
        config.app_errors = app_errors;
        config.first_request_id = first_request_id;
    }
}

/// Settings that cannot work are refused before anything is opened.
pub(crate) fn check(config: &Config) -> Result<()> {
    let wrong =
        |text: String| Err(Error::new(ErrorKind::Config, Origin::Caller, Reason::Internal, text));
    check_windows(config)?;
    for (name, size) in
        [("max_message_sent", config.max_sent), ("max_message_received", config.max_received)]
    {
        if !(1024..=u32::MAX as usize).contains(&size) {
            return wrong(format!("{name} is {size}: it must be from 1024 to {} bytes", u32::MAX));
        }
    }
    check_unread("max_unread_per_connection", config.unread, config)?;
    if config.outbox == 0 {
        return wrong("max_unsent_per_connection is 0: nothing could ever be written".to_owned());
    }
    if !(1024..=MAX_HEADER).contains(&config.max_header) {
        return wrong(format!(
            "max_metadata is {}: it must be from 1024 to {MAX_HEADER} bytes",
            config.max_header
        ));
    }
    sockets::check(config)?;
    let day = Duration::from_secs(24 * 60 * 60);
    if !(Duration::from_millis(500)..=day).contains(&config.dead_peer_timeout) {
        return wrong(format!(
            "dead_peer_timeout is {:?}: it must be from 500 ms to a day",
            config.dead_peer_timeout
        ));
    }
    for (name, limit) in [
        ("frame_timeout", Some(config.frame_timeout)),
        ("heartbeat", config.heartbeat),
        ("idle_timeout", config.idle_timeout),
        ("stream_idle_timeout", config.stream_idle_timeout),
    ] {
        if let Some(limit) = limit
            && limit < SHORTEST
        {
            return wrong(format!("{name} is {limit:?}: it must be at least {SHORTEST:?}"));
        }
    }
    for (name, limit) in
        [("first_frame_timeout", config.first_frame_timeout), ("open_timeout", config.open_timeout)]
    {
        if limit.is_zero() {
            return wrong(format!("{name} is 0: it would pass before anything could come"));
        }
    }
    Ok(())
}

fn check_windows(config: &Config) -> Result<()> {
    let text = if (1..MIN_WINDOW).contains(&config.max_window) {
        format!("max_window is too small: it must be at least {MIN_WINDOW} bytes")
    } else if (1..MIN_WINDOW).contains(&config.window) {
        format!(
            "window is {}: it must be at least {MIN_WINDOW} bytes, or 0 for no flow control",
            config.window
        )
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Config, Origin::Caller, Reason::Internal, text))
}

/// A budget must have room for one message and for one window.
pub(crate) fn check_unread(name: &str, bytes: usize, config: &Config) -> Result<()> {
    let least = config.max_received.max(config.window as usize);
    if bytes >= least {
        return Ok(());
    }
    let text = format!(
        "{name} is {bytes}: it must be at least max_message_received and window, {least} bytes, so that one message has room"
    );
    Err(Error::new(ErrorKind::Config, Origin::Caller, Reason::Internal, text))
}
/// Below this, looking whether a connection is quiet would be its main work.
const SHORTEST: Duration = Duration::from_millis(10);
