//! TCP and Unix sockets.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncRead;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, tcp, unix};
use tokio_util::io::poll_read_buf;

use super::{Address, Ends, Input, Output, PeerAddr};

/// A silent host is noticed after 10 s of quiet plus 4 probes 5 s apart.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 4;

/// How long sent bytes may stay unacknowledged. 20 s is what gRPC settled on (`grpc/proposal: A18`).
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// The reading half of a socket. It knows that a read that does not fill the buffer has taken everything, so it does not ask the
/// system again before more has come.
struct Reading<R>(R);

impl<R: AsyncRead + Send + Unpin + 'static> Input for Reading<R> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        poll_read_buf(Pin::new(&mut self.0), cx, buf)
    }
}

macro_rules! output_for {
    ($half:ty) => {
        impl Output for $half {
            fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write(bytes)
            }

            fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.as_ref().poll_write_ready(cx)
            }

            fn finish(&self) {
                // A socket that is no longer connected has nobody to tell.
                let _ = SockRef::from(self.as_ref()).shutdown(std::net::Shutdown::Write);
            }
        }
    };
}

output_for!(tcp::OwnedWriteHalf);
output_for!(unix::OwnedWriteHalf);

fn tcp_ends(stream: TcpStream) -> Ends {
    let (read, write) = stream.into_split();
    Ends { input: Box::new(Reading(read)), output: Arc::new(write) }
}

fn unix_ends(stream: UnixStream) -> Ends {
    let (read, write) = stream.into_split();
    Ends { input: Box::new(Reading(read)), output: Arc::new(write) }
}

/// Connects, and prepares the socket.
pub(crate) async fn connect(address: &Address) -> io::Result<(Ends, PeerAddr)> {
    match address {
        Address::Tcp(host) => {
            let stream = TcpStream::connect(host.as_str()).await?;
            prepare(&stream)?;
            let peer = PeerAddr::tcp(stream.peer_addr()?);
            Ok((tcp_ends(stream), peer))
        }
        Address::Unix(path) => Ok((unix_ends(UnixStream::connect(path).await?), PeerAddr::unix(Some(path)))),
    }
}

/// A bound socket. A Unix socket's file is removed when the listener is dropped.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, std::path::PathBuf),
}

impl Listener {
    pub(crate) async fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(host) => Ok(Self::Tcp(TcpListener::bind(host.as_str()).await?)),
            Address::Unix(path) => {
                remove_stale(path)?;
                Ok(Self::Unix(UnixListener::bind(path)?, path.clone()))
            }
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<PeerAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(PeerAddr::tcp),
            Self::Unix(_, path) => Ok(PeerAddr::unix(Some(path))),
        }
    }

    /// Waits for the next connection. Cancel safe: a connection is given out or stays in the queue.
    pub(crate) async fn accept(&self) -> io::Result<(Ends, PeerAddr)> {
        match self {
            Self::Tcp(listener) => loop {
                let (stream, peer) = listener.accept().await?;
                match prepare(&stream) {
                    Ok(()) => return Ok((tcp_ends(stream), PeerAddr::tcp(peer))),
                    // It is gone already, which says nothing of the listener.
                    Err(error) => {
                        tracing::debug!(%peer, %error, "a connection was lost before it was served");
                    }
                }
            },
            Self::Unix(listener, _) => {
                let (stream, peer) = listener.accept().await?;
                let peer = PeerAddr::unix(peer.as_pathname());
                Ok((unix_ends(stream), peer))
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Somebody may have removed it already; there is nobody to tell.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A socket file that nobody listens on is left from a process that was killed, and stands in the way.
fn remove_stale(path: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;

    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}
