//! The configuration of one connection.

use std::sync::Arc;
use std::time::Duration;

use crate::framing::Largest;

use super::peer::Peer;

pub(crate) use crate::wires::trpc::{AppErrors, Cancel};

/// The protocol's default window, and the smallest that its peers announce by themselves: 65,535
/// bytes (`trpc: docs/en/trpc_protocol_design.md`).
pub(crate) const DEFAULT_WINDOW: u32 = 65_535;

/// The most that a window grows to: what 1 Gbit/s carries in a round trip of 0.13 s. grpc-go's
/// windows grow as far (`go: internal/transport/bdp_estimator.go`).
pub(super) const DEFAULT_MAX_WINDOW: u32 = 16 * 1024 * 1024;

/// The largest frame that tRPC-Cpp accepts by default, so the largest that is sent.
pub(crate) const DEFAULT_MAX_SENT: usize = 10_000_000;

/// The largest frame that tRPC-Go sends, so the largest that is received.
pub(crate) const DEFAULT_MAX_RECEIVED: usize = 10 * 1024 * 1024;

/// The largest header size that a unary frame can state.
pub(crate) const MAX_HEADER: usize = u16::MAX as usize;
/// The smallest window that may be set, and that is announced when room is short. All known peers
/// take a window as it is. A stream with it is slow and never stands still.
pub(crate) const MIN_WINDOW: u32 = 1024;

/// The room that a window takes: what it says, half as much for the headers of small messages, and
/// some for the message that may go beyond it.
pub(super) const fn room_for(window: u32) -> usize {
    if window == 0 { 0 } else { window as usize + window as usize / 2 + SLACK }
}
const SLACK: usize = 512;

/// The window that has room in so many bytes.
fn window_in(room: usize) -> u32 {
    u32::try_from(room.saturating_sub(SLACK) / 3 * 2).unwrap_or(u32::MAX)
}

/// The memory that a server keeps for each stream beside what came on it: its state, the handles of
/// its handler, and a small task. `tests/memory.rs` measures it.
pub(super) const STREAM_STATE: usize = 1024;

/// The memory that a server keeps for each call beside what came with it: its state and the task of
/// its handler. The mode `one-way-places` of `hostile` measures it.
pub(super) const CALL_STATE: usize = 1024;

/// The bytes that a connection may always queue, however short the server's room is.
pub(super) const MIN_OUTBOX: usize = 16 * 1024;

/// Settings of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Bytes of DATA a peer may send before it must wait for credit; 0 switches flow control off.
    pub(crate) window: u32,
    /// The most that a window grows to while that makes its stream faster. If it is no more than
    /// `window`, which is 0 for a fixed one, none grows.
    pub(crate) max_window: u32,
    /// The largest frame that is sent.
    pub(crate) max_sent: usize,
    /// The largest frame that is accepted.
    pub(crate) max_received: usize,
    /// Bytes that may be received and unread, with what the windows of all streams promise.
    pub(crate) unread: usize,
    /// The largest header of a call or stream, both ways.
    pub(crate) max_header: usize,
    /// Bytes that may wait for the socket before writers must wait.
    pub(crate) outbox: usize,
    /// The peer at a server, which shares what all connections may hold together.
    pub(crate) peer: Option<Arc<Peer>>,
    /// Streams the peer may have open at once.
    pub(crate) max_streams: usize,
    /// Unary calls of the peer that may be in work at once.
    pub(crate) max_calls: usize,
    /// How a client gives a stream up.
    pub(crate) cancel: Cancel,
    /// How a server ends a stream with an application's code.
    pub(crate) app_errors: AppErrors,
    /// The id of a client's first unary call.
    pub(crate) first_request_id: u32,
    /// How long the peer may take to answer INIT.
    pub(crate) open_timeout: Duration,
    /// How long the peer's host may stay silent before the connection is given up.
    pub(crate) dead_peer_timeout: Duration,
    /// Options of the connection's socket; `None` leaves a buffer's size to the system.
    pub(crate) nodelay: bool,
    pub(crate) socket_send_buffer: Option<usize>,
    pub(crate) socket_receive_buffer: Option<usize>,
    /// How long an open stream may keep its connection quiet before something is sent.
    pub(crate) heartbeat: Option<Duration>,
    /// How long one read and one write may wait.
    pub(crate) read_timeout: Option<Duration>,
    pub(crate) write_timeout: Option<Duration>,
    /// How long a stream may be without messages in either direction.
    pub(crate) stream_idle_timeout: Option<Duration>,
    /// How long a connection without calls and streams lives.
    pub(crate) idle_timeout: Option<Duration>,
    /// How long a frame that is begun may take for each read buffer of it.
    pub(crate) frame_timeout: Duration,
    /// How long a client's first frame may take from its first byte.
    pub(crate) first_frame_timeout: Duration,
    /// How long one-way calls may go on when their connection is gone.
    pub(crate) abandoned_call_timeout: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: DEFAULT_WINDOW,
            max_window: DEFAULT_MAX_WINDOW,
            max_sent: DEFAULT_MAX_SENT,
            max_received: DEFAULT_MAX_RECEIVED,
            unread: 256 * 1024 * 1024,
            max_header: MAX_HEADER,
            outbox: 256 * 1024,
            peer: None,
            max_streams: 100_000,
            max_calls: 10_000,
            cancel: Cancel::Reset,
            app_errors: AppErrors::Reset,
            first_request_id: 1,
            open_timeout: Duration::from_secs(10),
            dead_peer_timeout: Duration::from_secs(20),
            nodelay: true,
            socket_send_buffer: None,
            socket_receive_buffer: None,
            heartbeat: None,
            read_timeout: None,
            write_timeout: None,
            stream_idle_timeout: None,
            idle_timeout: None,
            frame_timeout: Duration::from_secs(10),
            first_frame_timeout: Duration::from_secs(10),
            abandoned_call_timeout: Some(Duration::from_secs(5 * 60)),
        }
    }
}

impl Config {
    /// The largest number of bytes that may wait for the socket with everything counted: what
    /// writers may queue, one message beyond it, and a share for answers that nobody can hold back.
    pub(super) fn outbox_hard(&self) -> usize {
        self.outbox.saturating_add(2 * self.max_sent + 1024 * 1024)
    }

    /// The bytes that may be queued when a fair share of the server's room is `share`.
    pub(super) fn outbox_of(&self, share: usize) -> usize {
        share.max(MIN_OUTBOX).min(self.outbox)
    }

    /// The window that is announced to the peer of a new or grown stream when a fair share of the
    /// room is `share`.
    pub(super) fn window_of(&self, share: usize) -> u32 {
        // PROTOCOL 20
        window_in(share).max(MIN_WINDOW).min(self.window)
    }

    /// The most that a window may grow to when the share of one that grows is `share`.
    pub(super) fn grown_window_of(&self, share: usize) -> u32 {
        window_in(share).min(self.max_window)
    }

    /// The largest frame and header that may be sent.
    pub(super) fn largest(&self) -> Largest {
        Largest { frame: self.max_sent, header: self.max_header }
    }

    /// Tells whether a dead peer is to be noticed faster than by the system's keepalive, which
    /// counts in seconds.
    pub(crate) fn probes(&self) -> bool {
        self.dead_peer_timeout < PROBE_BELOW
    }

    /// The interval of looks whether something must be sent so that the connection is not quiet. A
    /// heartbeat is at most two looks late: it is not known when in between the last bytes went.
    pub(super) fn keepalive_every(&self) -> Option<Duration> {
        let heartbeat = self.heartbeat.map(|limit| limit / 2);
        let probe = self.probes().then(|| self.dead_peer_timeout / 10);
        heartbeat.into_iter().chain(probe).min()
    }
}

/// Below this the connection itself sends something now and then while somebody waits. TCP asks an
/// idle peer after a second at the earliest, and gives it up after another.
pub(crate) const PROBE_BELOW: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_half_as_much_again_for_headers_and_the_outbox_two_messages_beside_its_limit()
    {
        assert_eq!((room_for(0), room_for(1_025), room_for(65_535)), (0, 2_049, 98_814));
        let config = Config { outbox: 300_000, max_sent: 1_000_000, ..Config::default() };
        assert_eq!(config.outbox_hard(), 300_000 + 2_000_000 + 1_048_576);
    }

    #[test]
    fn the_shorter_of_heartbeat_and_probe_counts() {
        let (second, config) = (Duration::from_secs(1), Config::default());
        assert_eq!(config.keepalive_every(), None);
        let beating = Config { heartbeat: Some(second), ..config.clone() };
        assert_eq!(beating.keepalive_every(), Some(second / 2));
        let probing = Config { dead_peer_timeout: second, ..beating };
        assert_eq!(probing.keepalive_every(), Some(second / 10));
        assert!(!Config { dead_peer_timeout: 2 * second, ..config }.probes());
    }
}
