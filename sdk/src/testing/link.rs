//! The knobs of one connection.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::{Census, LinkWatch};

use super::pipe::{Pipe, TO_CLIENT, TO_SERVER};

/// One connection of a [`Network`](super::Network), and what happens to its bytes. Clones are of
/// the same connection.
///
/// Every knob works at once, and on bytes that are on the way as well; what has arrived, has
/// arrived. A new link has no faults and no delay, and holds 64 KiB in each direction, on the way
/// and unread together: then a writer waits, as it would for a socket.
///
/// There is no keepalive in here: a partition lasts until it is [healed](Self::heal) or the
/// connection is [cut](Self::cut).
///
/// **On drop** nothing happens: the connection goes on as it is.
#[derive(Clone)]
pub struct Link {
    pipe: Arc<Pipe>,
    client: LinkWatch,
    server: LinkWatch,
}

/// A direction of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// The bytes that the client sends.
    ToServer,
    /// The bytes that the server sends.
    ToClient,
    /// All.
    Both,
}

/// An end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// The end of the channel.
    Client,
    /// The end of the server.
    Server,
}

/// How a connection is lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Cut {
    /// As by RST: what is on the way is lost, and both ends see `ConnectionReset` behind what has
    /// arrived.
    Reset,
    /// As by FIN: what is on the way still arrives, and then both ends see the end of their input.
    /// Later writes are refused with `BrokenPipe`.
    Fin,
}

impl Link {
    pub(super) fn new(pipe: Arc<Pipe>, client: LinkWatch, server: LinkWatch) -> Self {
        Self { pipe, client, server }
    }

    /// How long bytes are on the way, in both directions. Each write draws from the range; nothing
    /// overtakes, so what is sent close together may arrive together. Default: no time.
    pub fn delay(&self, range: RangeInclusive<Duration>) {
        self.pipe.set_delay(&range);
    }

    /// How many bytes a second each direction carries; `None` for as many as are sent. Default:
    /// `None`.
    pub fn throttle(&self, bytes_per_second: impl Into<Option<u64>>) {
        self.pipe.set_rate(bytes_per_second.into().map(|rate| rate.max(1)));
    }

    /// How many bytes each direction holds, on the way and unread together; then a writer waits. A
    /// path with a rate and a delay is full with as many bytes as the rate carries in the delay. At
    /// least 1. Default: 64 KiB.
    pub fn capacity(&self, bytes: usize) {
        self.pipe.set_capacity(bytes.max(1));
    }

    /// How many bytes one read of an end gives at most: each read draws from the range. `None` for
    /// all that are there, with all frames that came together. Default: `None`.
    pub fn split_reads(&self, sizes: impl Into<Option<RangeInclusive<usize>>>) {
        self.pipe.set_reads(sizes.into().as_ref());
    }

    /// Lets nothing arrive any more in a direction, until the link is [healed](Self::heal). Nothing
    /// is lost. Neither end is told.
    pub fn partition(&self, direction: Direction) {
        self.pipe.partition(direction.ways());
    }

    /// Lets one end stand still, as a stopped process would, until the link is
    /// [healed](Self::heal): it takes no bytes and sends none. Bytes on the way arrive and lie
    /// there. The program behind that end runs on, and so do its deadlines; it just cannot be
    /// heard.
    pub fn freeze(&self, side: Side) {
        self.pipe.freeze(side.output());
    }

    /// Ends all partitions, and lets both ends move again.
    pub fn heal(&self) {
        self.pipe.heal();
    }

    /// Loses the connection now, for both ends. They learn it also behind a partition.
    pub fn cut(&self, how: Cut) {
        self.pipe.cut(how);
    }

    /// Loses the connection after so many more bytes have arrived in this direction, or in
    /// whichever comes first: inside a frame, for instance. The bytes behind them are lost in this
    /// direction. Another call replaces this one.
    pub fn cut_after(&self, direction: Direction, bytes: u64, how: Cut) {
        self.pipe.cut_after(direction.ways(), bytes, how);
    }

    /// Tells whether the connection has not been lost or closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.pipe.is_open()
    }

    /// How many bytes have arrived so far.
    #[must_use]
    pub fn carried(&self, direction: Direction) -> u64 {
        direction.ways().iter().map(|way| self.pipe.carried(*way)).sum()
    }

    /// The state that an end holds now: streams, calls, bytes, tasks that wait. `None` when nothing
    /// of that end is left: its connection is over and all handles are dropped.
    #[must_use]
    pub fn census(&self, side: Side) -> Option<Census> {
        match side {
            Side::Client => self.client.census(),
            Side::Server => self.server.census(),
        }
    }
}

impl Direction {
    fn ways(self) -> &'static [usize] {
        match self {
            Self::ToServer => &[TO_SERVER],
            Self::ToClient => &[TO_CLIENT],
            Self::Both => &[TO_SERVER, TO_CLIENT],
        }
    }
}

impl Side {
    fn output(self) -> usize {
        match self {
            Self::Client => TO_SERVER,
            Self::Server => TO_CLIENT,
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("open", &self.is_open()).finish_non_exhaustive()
    }
}
