//! The options of a connection's socket, which the system is told.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use super::dead_peer;

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
        dead_peer::watch(&socket, self.dead_peer_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
