//! A connection whose peer is known, and which no driver has yet.

use std::io;
use std::{net, os::unix::net as unix};

use socket2::SockRef;
use tokio::net::{TcpStream, UnixStream};

use super::socket::{is_ended, tcp_ends, unix_ends};
use super::socket_options::SocketOptions;
use super::{Ends, PeerAddr};

/// A connection that is to be driven by the runtime where it is [opened](Self::open). A socket can
/// [move](Self::detach) to another runtime before.
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

    /// Takes the socket from its runtime. An io that is no socket stays where it was made, and
    /// wakes its driver from there.
    ///
    /// # Errors
    /// The runtime is gone, and the connection with it.
    pub(crate) fn detach(self) -> io::Result<Detached> {
        let kind = match self.kind {
            IoKind::Tcp(stream) => DetachedKind::Tcp(stream.into_std()?),
            IoKind::Unix(stream) => DetachedKind::Unix(stream.into_std()?),
            IoKind::Other(ends) => DetachedKind::Other(ends),
        };
        Ok(Detached { kind, peer: self.peer })
    }
}

/// A connection on its way to another runtime.
pub(crate) struct Detached {
    kind: DetachedKind,
    peer: PeerAddr,
}

enum DetachedKind {
    Tcp(net::TcpStream),
    Unix(unix::UnixStream),
    Other(Ends),
}

impl Detached {
    /// Gives the socket to the runtime where this is called.
    ///
    /// # Errors
    /// The runtime cannot take it.
    pub(crate) fn attach(self) -> io::Result<Undriven> {
        let kind = match self.kind {
            DetachedKind::Tcp(stream) => IoKind::Tcp(TcpStream::from_std(stream)?),
            DetachedKind::Unix(stream) => IoKind::Unix(UnixStream::from_std(stream)?),
            DetachedKind::Other(ends) => IoKind::Other(ends),
        };
        Ok(Undriven { kind, peer: self.peer })
    }
}
