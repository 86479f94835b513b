//! A connection whose peer is known, and which no driver has yet.

use std::io;

use socket2::SockRef;
use tokio::net::{TcpStream, UnixStream};

use super::socket::{is_ended, tcp_ends, unix_ends};
use super::socket_options::SocketOptions;
use super::{Ends, PeerAddr};

/// A connection that is to be driven by the runtime where it is [opened](Self::open).
pub(crate) struct Undriven {
    kind: IoKind,
    peer: PeerAddr,
}

/// The sorts of connections.
pub(super) enum IoKind {
    Tcp(TcpStream),
    Unix(UnixStream),
    Other(Ends),
}

impl Undriven {
    pub(super) fn new(kind: IoKind, mut peer: PeerAddr) -> Self {
        if let IoKind::Unix(stream) = &kind
            && peer.credentials().is_none()
            && let Ok(credentials) = stream.peer_cred()
        {
            peer.set_credentials(credentials.into());
        }
        Self { kind, peer }
    }

    /// A connection that has ends already.
    #[cfg(test)]
    pub(crate) fn of(ends: Ends, peer: PeerAddr) -> Self {
        Self { kind: IoKind::Other(ends), peer }
    }

    pub(crate) fn peer(&self) -> &PeerAddr {
        &self.peer
    }

    /// Tells whether nothing comes before the end, so that there is nothing to serve.
    pub(crate) fn is_gone(&self) -> bool {
        match &self.kind {
            IoKind::Tcp(stream) => is_ended(&SockRef::from(stream)),
            IoKind::Unix(stream) => is_ended(&SockRef::from(stream)),
            IoKind::Other(ends) => ends.input.is_gone(),
        }
    }

    /// Prepares the socket.
    ///
    /// # Errors
    /// The socket's connection is gone already.
    pub(crate) fn open(self, options: SocketOptions) -> io::Result<(Ends, PeerAddr)> {
        let ends = match self.kind {
            IoKind::Tcp(stream) => tcp_ends(stream, options)?,
            IoKind::Unix(stream) => unix_ends(stream, options)?,
            IoKind::Other(ends) => ends,
        };
        Ok((ends, self.peer))
    }
}
