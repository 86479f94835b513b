//! Listening sockets that were made elsewhere.

use std::fmt;
use std::io;
use std::{net, os::unix::net as unix};

use tokio::net::{TcpListener, UnixListener};

use super::socket::SocketListener;

/// A listening socket that was made elsewhere, for
/// [`bind_listener`](crate::server::ServerBuilder::bind_listener): std's or tokio's, of TCP or of a
/// Unix socket. One of std is made non-blocking.
///
/// It may be shared with other processes, as those of systemd are. So nothing else of it is
/// changed: not its backlog, not its file, and connections may begin at it while the server shuts
/// down.
pub struct Listener(ListenerKind);

enum ListenerKind {
    StdTcp(net::TcpListener),
    StdUnix(unix::UnixListener),
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Makes it a socket of the runtime where this is called.
    pub(crate) fn open(self) -> io::Result<SocketListener> {
        Ok(match self.0 {
            ListenerKind::StdTcp(listener) => {
                listener.set_nonblocking(true)?;
                SocketListener::GivenTcp(TcpListener::from_std(listener)?)
            }
            ListenerKind::StdUnix(listener) => {
                listener.set_nonblocking(true)?;
                SocketListener::GivenUnix(UnixListener::from_std(listener)?)
            }
            ListenerKind::Tcp(listener) => SocketListener::GivenTcp(listener),
            ListenerKind::Unix(listener) => SocketListener::GivenUnix(listener),
        })
    }
}

impl From<net::TcpListener> for Listener {
    fn from(listener: net::TcpListener) -> Self {
        Self(ListenerKind::StdTcp(listener))
    }
}

impl From<unix::UnixListener> for Listener {
    fn from(listener: unix::UnixListener) -> Self {
        Self(ListenerKind::StdUnix(listener))
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self(ListenerKind::Tcp(listener))
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self(ListenerKind::Unix(listener))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ListenerKind::StdTcp(listener) => listener.fmt(f),
            ListenerKind::StdUnix(listener) => listener.fmt(f),
            ListenerKind::Tcp(listener) => listener.fmt(f),
            ListenerKind::Unix(listener) => listener.fmt(f),
        }
    }
}
