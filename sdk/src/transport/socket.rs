//! TCP and Unix sockets.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use futures::FutureExt;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, tcp, unix};
use tokio_util::io::poll_read_buf;

use super::{Address, Ends, Input, Output, PROBE_BELOW, PeerAddr};

/// The reading half of a socket. It knows that a read that does not fill the buffer has taken everything, so it does not ask the
/// system again before more has come.
struct Reading<R>(R);

macro_rules! input_for {
    ($half:ty) => {
        impl Input for Reading<$half> {
            fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
                poll_read_buf(Pin::new(&mut self.0), cx, buf)
            }

            fn is_closed(&self) -> bool {
                let ready = self.0.ready(Interest::READABLE).now_or_never();
                ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
            }
        }
    };
}

input_for!(tcp::OwnedReadHalf);
input_for!(unix::OwnedReadHalf);

macro_rules! output_for {
    ($half:ty) => {
        impl Output for $half {
            fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write(bytes)
            }

            fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().try_write_vectored(pieces)
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

/// Connects, and prepares the socket. `dead_peer_timeout` is how long the peer's host may stay silent.
pub(crate) async fn connect(address: &Address, dead_peer_timeout: Duration) -> io::Result<(Ends, PeerAddr)> {
    match address {
        Address::Tcp(host) => {
            let found = tokio::net::lookup_host(host.as_str()).await;
            let addresses: Vec<_> = found.map_err(|error| io::Error::other(UnknownHost(error)))?.collect();
            let stream = TcpStream::connect(&addresses[..]).await?;
            prepare(&stream, dead_peer_timeout)?;
            let peer = PeerAddr::tcp(stream.peer_addr()?);
            Ok((tcp_ends(stream), peer))
        }
        Address::Unix(path) => Ok((unix_ends(UnixStream::connect(path).await?), PeerAddr::unix(Some(path)))),
    }
}

/// There is no address for a host's name.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct UnknownHost(io::Error);

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

    /// Waits for the next connection, and prepares its socket. Cancel safe: a connection is given out or stays in the queue.
    pub(crate) async fn accept(&self, dead_peer_timeout: Duration) -> io::Result<(Ends, PeerAddr)> {
        match self {
            Self::Tcp(listener) => loop {
                let (stream, peer) = listener.accept().await?;
                match prepare(&stream, dead_peer_timeout) {
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

fn prepare(stream: &TcpStream, dead_peer_timeout: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let times = Times::of(dead_peer_timeout);
    let keepalive =
        TcpKeepalive::new().with_time(times.idle).with_interval(times.interval).with_retries(times.probes);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(times.unacknowledged))?;
    Ok(())
}

/// How the system is told to notice a dead peer.
///
/// Keepalive is for a connection on which nothing is under way: a probe after `idle`, and one each `interval` after that. It counts in
/// whole seconds, so that a limit below 2 s is kept by what the connection sends itself (`Limits::probes`). TCP_USER_TIMEOUT is for
/// bytes that were sent and not acknowledged; on Linux it also ends the probing. It counts from the first time the bytes are sent again,
/// 0.2 s after the first time or a few round trips, so it gets a part of the limit.
#[derive(Debug, PartialEq)]
struct Times {
    idle: Duration,
    interval: Duration,
    probes: u32,
    unacknowledged: Duration,
}

impl Times {
    fn of(limit: Duration) -> Self {
        let seconds = limit.as_secs().max(1);
        let interval = (seconds / 4).max(1);
        // The last probe is due when the limit has passed.
        let probes = if seconds > 2 { 2 } else { 1 };
        let idle = seconds.saturating_sub(interval * u64::from(probes)).max(1);
        let unacknowledged = if limit < PROBE_BELOW { limit / 4 } else { Duration::from_secs(seconds) };
        Self {
            idle: Duration::from_secs(idle),
            interval: Duration::from_secs(interval),
            probes,
            unacknowledged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probes_end_when_the_limit_has_passed() {
        for seconds in 2..=120 {
            let limit = Duration::from_secs(seconds);
            let times = Times::of(limit);
            assert_eq!(times.idle + times.interval * times.probes, limit, "{times:?}");
            assert_eq!(times.unacknowledged, limit);
        }
        let short = Times::of(Duration::from_millis(900));
        assert_eq!((short.idle, short.interval), (Duration::from_secs(1), Duration::from_secs(1)));
        assert_eq!(short.unacknowledged, Duration::from_millis(225));
    }
}
