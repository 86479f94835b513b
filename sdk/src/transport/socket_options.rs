//! The options of a connection's socket, which the system is told.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

/// The options of a connection's socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOptions {
    /// How long the peer's host may stay silent.
    pub(crate) dead_peer_timeout: Duration,
    /// TCP_NODELAY.
    pub(crate) nodelay: bool,
    /// SO_SNDBUF and SO_RCVBUF; `None` leaves them to the system.
    pub(crate) send_buffer: Option<usize>,
    pub(crate) receive_buffer: Option<usize>,
}

impl SocketOptions {
    #[cfg(test)]
    pub(crate) const fn new(dead_peer_timeout: Duration) -> Self {
        Self { dead_peer_timeout, nodelay: true, send_buffer: None, receive_buffer: None }
    }

    /// Connects. The receive buffer is set before, because the handshake says how far TCP's window
    /// may grow.
    pub(super) async fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        if self.receive_buffer.is_none() {
            return TcpStream::connect(address).await;
        }
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        self.set_buffers(&SockRef::from(&socket))?;
        socket.connect(address).await
    }

    /// Sets the sizes of the buffers. The connections of a listener begin with those that it has.
    pub(super) fn set_buffers(self, socket: &SockRef<'_>) -> io::Result<()> {
        if let Some(size) = self.send_buffer {
            socket.set_send_buffer_size(size)?;
        }
        if let Some(size) = self.receive_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        Ok(())
    }

    pub(super) fn prepare_tcp(self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(self.nodelay)?;
        let socket = SockRef::from(stream);
        self.set_buffers(&socket)?;
        let times = Times::of(self.dead_peer_timeout);
        let keepalive = TcpKeepalive::new()
            .with_time(times.idle)
            .with_interval(times.interval)
            .with_retries(times.probes);
        socket.set_tcp_keepalive(&keepalive)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(times.unacknowledged))?;
        Ok(())
    }
}

/// The shortest time in which the system notices a dead peer of a quiet connection. TCP asks after
/// a second at the earliest, and gives the peer up after another.
pub(crate) const NOTICED_FROM: Duration = Duration::from_secs(2);

/// How the system is told to notice a dead peer.
///
/// Keepalive is for a connection on which nothing is under way: a probe after `idle`, and one each
/// `interval` after that. It counts in whole seconds, so that a limit below 2 s is kept by what the
/// connection sends itself. TCP_USER_TIMEOUT is for bytes that were sent and not
/// acknowledged; on Linux it also ends the probing. It counts from the first time the bytes are
/// sent again, 0.2 s after the first time or a few round trips, so it gets a part of the limit.
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
        let unacknowledged =
            if limit < NOTICED_FROM { limit / 4 } else { Duration::from_secs(seconds) };
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

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_options_of_a_socket_are_set_on_both_ends_of_a_connection() {
        use crate::transport::{Address, SocketListener};

        let usual = SocketOptions::new(Duration::from_secs(20));
        let (send, receive) = (Some(50_000), Some(60_000));
        let set =
            SocketOptions { nodelay: false, send_buffer: send, receive_buffer: receive, ..usual };
        for (options, is_set) in [(usual, false), (set, true)] {
            let address = Address::Tcp("127.0.0.1:0".to_owned());
            let listener = SocketListener::bind(&address).await.unwrap();
            listener.set_buffers(options).unwrap();
            let address = listener.local_addr().unwrap().socket_addr().unwrap();
            let near = options.connect(address).await.unwrap();
            let std = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let far = std::net::TcpStream::connect(std.local_addr().unwrap()).unwrap();
            far.set_nonblocking(true).unwrap();
            let far = TcpStream::from_std(far).unwrap();
            for stream in [near, far] {
                options.prepare_tcp(&stream).unwrap();
                let socket = SockRef::from(&stream);
                assert_eq!(stream.nodelay().unwrap(), !is_set);
                // Linux doubles what it is told, for what it keeps beside the bytes.
                let sizes =
                    [socket.send_buffer_size(), socket.recv_buffer_size()].map(Result::unwrap);
                assert_eq!(sizes == [100_000, 120_000], is_set, "{sizes:?}");
            }
        }
    }
}
