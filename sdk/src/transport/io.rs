//! A connection that was made elsewhere.

use std::any::Any;
use std::fmt;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::split::split;
use super::undriven::{IoKind, Undriven};
use super::{Credentials, PeerAddr};

/// A connection that was made elsewhere, for a server to
/// [serve](crate::server::ServerBuilder::bind_incoming) or for a channel's
/// [connector](crate::client::ChannelBuilder::connector) to give: anything that reads and writes
/// bytes in order, with what is known of the peer.
///
/// ```
/// # use trill::Io;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// /// What a handshake has found out.
/// struct User(String);
///
/// let (one, _other) = tokio::io::duplex(64 * 1024);
/// let io = Io::new(one).with_identity(User("ann".into()));
/// assert_eq!(io.peer().identity::<User>().map(|user| &*user.0), Some("ann"));
/// assert_eq!(io.peer().as_str(), "io");
/// # }
/// ```
///
/// # The io's part
///
/// - It is written to by the task that has something to send, under a lock that is held for one
///   poll, and read by the task that drives the connection. It must not block.
/// - It may keep what it was given in a buffer until it is flushed: it is flushed whenever there is
///   no more to write, and whenever it was read, because reading may give it something to send.
/// - Its end is an end without words only if `poll_read` gives no bytes and no error. One that can
///   tell a connection that was cut from one that was closed, as TLS can, gives an error for the
///   first, such as [`UnexpectedEof`](io::ErrorKind::UnexpectedEof). That error's text is in the
///   errors of calls and streams.
/// - It is shut down (`poll_shutdown`) behind the last byte, before it is dropped, for 10 seconds
///   at most; one whose connection is lost or broken off gets the chance without waiting.
/// - A panic of the io is the end of its connection, and of nothing else.
///
/// tokio's [`TcpStream`] and [`UnixStream`] are known as what they are: they cost no lock, TCP gets
/// the settings of the server or channel (`TCP_NODELAY`, `dead_peer_timeout`), and the peer's
/// address and credentials are found out. Beneath another io the socket is the user's: set
/// keepalive there, or a heartbeat here.
///
/// **On drop** the io is dropped.
#[must_use = "a connection that nobody serves is closed"]
pub struct Io {
    kind: IoKind,
    peer: PeerAddr,
    /// The peer was given an address.
    has_address: bool,
}

impl Io {
    /// A connection over any io. Reads and writes nothing yet.
    pub fn new(io: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let mut io = Some(io);
        let kind = if let Some(stream) = downcast(&mut io) {
            IoKind::Tcp(stream)
        } else if let Some(stream) = downcast(&mut io) {
            IoKind::Unix(stream)
        } else {
            IoKind::Other(split(io.expect("it was no socket")))
        };
        Self { kind, peer: PeerAddr::named("io"), has_address: false }
    }

    /// Gives the peer an address, which counts instead of the socket's: that of a client behind a
    /// proxy, for instance. A server counts connections from one IP address as one peer, and those
    /// from other addresses as peers of their own
    /// ([`peer_key`](crate::server::ServerBuilder::peer_key)).
    pub fn with_peer(mut self, address: impl Into<PeerAddr>) -> Self {
        self.peer = self.peer.at(&address.into());
        self.has_address = true;
        self
    }

    /// Gives the peer [credentials](PeerAddr::credentials), which count instead of the socket's.
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.peer.set_credentials(credentials);
        self
    }

    /// Gives the peer an [identity](PeerAddr::identity): a value of any type, which handlers find
    /// by its type. Another one of the same type replaces it.
    pub fn with_identity<T: Any + Send + Sync>(mut self, identity: T) -> Self {
        self.peer.set_identity(identity);
        self
    }

    /// The peer, as far as it was given.
    #[must_use]
    pub fn peer(&self) -> &PeerAddr {
        &self.peer
    }

    /// Finds out who is there. A peer without an address has that of `unknown`, unless a socket
    /// tells.
    ///
    /// # Errors
    /// The socket's connection is gone already.
    pub(crate) fn identify(self, unknown: Option<&PeerAddr>) -> io::Result<Undriven> {
        let Self { kind, mut peer, has_address } = self;
        let address = match &kind {
            _ if has_address => None,
            IoKind::Tcp(stream) => Some(PeerAddr::tcp(stream.peer_addr()?)),
            IoKind::Unix(stream) => Some(PeerAddr::unix(stream.peer_addr()?.as_pathname())),
            IoKind::Other(_) => unknown.cloned(),
        };
        if let Some(address) = address {
            peer = peer.at(&address);
        }
        Ok(Undriven::new(kind, peer))
    }
}

/// The io, if it is of this type.
fn downcast<T: 'static, U: 'static>(io: &mut Option<T>) -> Option<U> {
    (io as &mut dyn Any).downcast_mut::<Option<U>>()?.take()
}

impl From<TcpStream> for Io {
    fn from(stream: TcpStream) -> Self {
        Self::new(stream)
    }
}

impl From<UnixStream> for Io {
    fn from(stream: UnixStream) -> Self {
        Self::new(stream)
    }
}

impl From<tokio::io::DuplexStream> for Io {
    fn from(stream: tokio::io::DuplexStream) -> Self {
        Self::new(stream)
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("peer", &self.peer).finish_non_exhaustive()
    }
}
