//! TCP and Unix sockets.

use std::fmt;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use futures::FutureExt;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, tcp, unix};
use tokio_util::io::poll_read_buf;

use super::eyeballs;
use super::socket_options::SocketOptions;
use super::undriven::{IoKind, Undriven};
use super::{Address, Ends, PeerAddr, ReadEnd, WriteEnd};

/// The reading half of a socket. It knows that a read that does not fill the buffer has taken
/// everything, so it does not ask the system again before more has come.
struct SocketReadEnd<R>(R);

macro_rules! input_for {
    ($half:ty) => {
        impl ReadEnd for SocketReadEnd<$half> {
            fn poll_read(
                &mut self,
                cx: &mut Context<'_>,
                buf: &mut BytesMut,
            ) -> Poll<io::Result<usize>> {
                poll_read_buf(Pin::new(&mut self.0), cx, buf)
            }

            fn is_closed(&self) -> bool {
                let ready = self.0.ready(Interest::READABLE).now_or_never();
                ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
            }

            fn has_more(&self) -> bool {
                !would_block(&peek(&SockRef::from(self.0.as_ref())))
            }

            fn is_gone(&self) -> bool {
                is_ended(&SockRef::from(self.0.as_ref()))
            }
        }
    };
}

/// How many bytes are there, up to one. The system is asked, because the runtime may not have heard
/// yet.
fn peek(socket: &SockRef<'_>) -> io::Result<usize> {
    socket.peek(&mut [std::mem::MaybeUninit::uninit()])
}

/// `true` if the next read gives the end, or an error.
pub(super) fn is_ended(socket: &SockRef<'_>) -> bool {
    let peeked = peek(socket);
    !would_block(&peeked) && peeked.unwrap_or(0) == 0
}

fn would_block(peeked: &io::Result<usize>) -> bool {
    peeked.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

input_for!(tcp::OwnedReadHalf);
input_for!(unix::OwnedReadHalf);

macro_rules! output_for {
    ($half:ty) => {
        impl WriteEnd for $half {
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

            fn is_closed(&self) -> bool {
                let ready = self.ready(Interest::WRITABLE).now_or_never();
                ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_write_closed()))
            }

            fn is_ended(&self) -> bool {
                is_ended(&SockRef::from(self.as_ref()))
            }
        }
    };
}

output_for!(tcp::OwnedWriteHalf);
output_for!(unix::OwnedWriteHalf);

/// The ends of a connected socket, which is prepared.
pub(super) fn tcp_ends(stream: TcpStream, options: SocketOptions) -> io::Result<Ends> {
    options.prepare_tcp(&stream)?;
    let (read, write) = stream.into_split();
    Ok(Ends { input: Box::new(SocketReadEnd(read)), output: Arc::new(write) })
}

/// The same of a Unix socket.
pub(super) fn unix_ends(stream: UnixStream, options: SocketOptions) -> io::Result<Ends> {
    options.set_buffers(&SockRef::from(&stream))?;
    let (read, write) = stream.into_split();
    Ok(Ends { input: Box::new(SocketReadEnd(read)), output: Arc::new(write) })
}

/// Connects, and prepares the socket.
pub(crate) async fn connect(
    address: &Address,
    options: SocketOptions,
) -> io::Result<(Ends, PeerAddr)> {
    match address {
        Address::Tcp(host) => {
            let found = tokio::net::lookup_host(host.as_str()).await;
            let addresses: Vec<_> =
                found.map_err(|error| io::Error::other(UnknownHost(error)))?.collect();
            let stream = eyeballs::first(addresses, |address| options.connect(address)).await?;
            let peer = PeerAddr::tcp(stream.peer_addr()?);
            Undriven::new(IoKind::Tcp(stream), peer).open(options)
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).await?;
            Undriven::new(IoKind::Unix(stream), PeerAddr::unix(Some(path))).open(options)
        }
        Address::Other(_) => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// There is no address for a host's name.
#[derive(Debug)]
pub(crate) struct UnknownHost(io::Error);

impl fmt::Display for UnknownHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for UnknownHost {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// How long the owner of a socket file may take to answer whether it is there. Only one whose
/// system is busy takes any time.
const OWNER_LIMIT: Duration = Duration::from_secs(1);

/// A bound socket. A Unix socket's file is removed when the listener is dropped, if it is still
/// this socket's.
#[derive(Debug)]
pub(crate) enum SocketListener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
    /// Made elsewhere, and perhaps shared with other processes.
    GivenTcp(TcpListener),
    GivenUnix(UnixListener),
}

impl SocketListener {
    pub(crate) async fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Other(_) => Err(io::ErrorKind::InvalidInput.into()),
            Address::Tcp(host) => {
                let found = tokio::net::lookup_host(host.as_str()).await;
                let found: Vec<_> =
                    found.map_err(|error| io::Error::other(UnknownHost(error)))?.collect();
                Ok(Self::Tcp(TcpListener::bind(&found[..]).await?))
            }
            Address::Unix(path) => {
                remove_stale(path).await?;
                let listener = UnixListener::bind(path)?;
                Ok(Self::Unix(listener, SocketFile::of(path)?))
            }
        }
    }

    /// How many connections may wait to be accepted. To listen again changes nothing else.
    pub(crate) fn set_backlog(&self, count: u32) -> io::Result<()> {
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        match self {
            Self::Tcp(listener) => SockRef::from(listener).listen(count),
            Self::Unix(listener, _) => SockRef::from(listener).listen(count),
            Self::GivenTcp(_) | Self::GivenUnix(_) => Ok(()),
        }
    }

    /// Gives the listener the buffers of its connections, which begin with them: the handshake says
    /// how far TCP's window may grow.
    pub(crate) fn set_buffers(&self, options: SocketOptions) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => options.set_buffers(&SockRef::from(listener)),
            Self::Unix(..) | Self::GivenTcp(_) | Self::GivenUnix(_) => Ok(()),
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<PeerAddr> {
        match self {
            Self::Tcp(listener) | Self::GivenTcp(listener) => {
                listener.local_addr().map(PeerAddr::tcp)
            }
            Self::Unix(_, file) => Ok(PeerAddr::unix(Some(&file.path))),
            Self::GivenUnix(listener) => Ok(PeerAddr::unix(listener.local_addr()?.as_pathname())),
        }
    }

    /// Waits for the next connection. Cancel safe: a connection is given out or stays in the queue.
    pub(crate) async fn accept(&self) -> io::Result<Undriven> {
        match self {
            Self::Tcp(listener) | Self::GivenTcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Undriven::new(IoKind::Tcp(stream), PeerAddr::tcp(peer)))
            }
            Self::Unix(listener, _) | Self::GivenUnix(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Undriven::new(IoKind::Unix(stream), PeerAddr::unix(peer.as_pathname())))
            }
        }
    }

    /// Begins no more connections. Those that have begun can still be accepted: whoever closes a
    /// listener resets them, and with them what their clients have sent already.
    pub(crate) fn stop_listening(&self) {
        match self {
            Self::Tcp(listener) => ignore_new(listener),
            Self::Unix(_, file) => file.remove(),
            // Others may accept at it.
            Self::GivenTcp(_) | Self::GivenUnix(_) => {}
        }
    }
}

impl Drop for SocketListener {
    fn drop(&mut self) {
        if let Self::Unix(_, file) = self {
            file.remove();
        }
    }
}

/// Lets the system drop the packets that begin a connection, which are those with SYN and neither
/// ACK nor RST. Their senders repeat them after a second, and are refused then, or reach the next
/// server at this port. The listener's connections inherit the filter, which lets pass everything
/// that a connection sends.
#[cfg(target_os = "linux")]
fn ignore_new(listener: &TcpListener) {
    use socket2::SockFilter;

    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const SYN_RST_ACK: u32 = 0x16;
    // The numbers of linux/bpf_common.h: LD|B|ABS, ALU|AND|K, JMP|JEQ|K, RET|K.
    let drop_new = [
        SockFilter::new(0x30, 0, 0, FLAGS),
        SockFilter::new(0x54, 0, 0, SYN_RST_ACK),
        SockFilter::new(0x15, 1, 0, SYN),
        SockFilter::new(0x06, 0, 0, u32::MAX),
        SockFilter::new(0x06, 0, 0, 0),
    ];
    if let Err(error) = SockRef::from(listener).attach_filter(&drop_new) {
        tracing::debug!(%error, "connections that begin while the server closes its port may be reset");
    }
}

/// Elsewhere a connection that begins at the wrong moment is reset.
#[cfg(not(target_os = "linux"))]
fn ignore_new(_listener: &TcpListener) {}

/// The file of a bound Unix socket: its path, and which file that was.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode. The system gives them to no other file as long as the socket is open.
    id: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), id: file_id(path)? })
    }

    /// Removes the file, unless the path is another's by now: a server that took this one's place
    /// must not lose it. The socket must still be open.
    fn remove(&self) {
        if file_id(&self.path).is_ok_and(|id| id == self.id) {
            // Somebody may remove it at the same time; there is nobody to tell.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    std::fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

/// Makes sure that nothing is at the path. A socket file that nobody listens on is left from a
/// process that was killed, and is removed. One with an owner stays, also if the owner hangs: it is
/// asked without waiting for it. All else that is there is somebody's.
async fn remove_stale(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;

    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    let there = found.file_type();
    if !there.is_socket() {
        let taken = if there.is_dir() {
            Taken::Folder
        } else if there.is_symlink() {
            Taken::Link
        } else {
            Taken::File
        };
        return Err(io::Error::other(taken));
    }
    match tokio::time::timeout(OWNER_LIMIT, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Ok(Err(error)) if is_of_other_type(&error) => Err(io::Error::other(Taken::OtherSocket)),
        Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::Error::other(Taken::Hangs))
        }
        Err(_) => Err(io::Error::other(Taken::Hangs)),
        Ok(_) => Ok(()),
    }
}

/// Tells whether the socket at a path is not one of streams.
pub(crate) fn is_of_other_type(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EPROTOTYPE)
}

/// The occupant of a path where a Unix socket is to be.
#[derive(Debug)]
enum Taken {
    Hangs,
    OtherSocket,
    Folder,
    Link,
    File,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hangs => "another process listens there, and accepts no connection",
            Self::OtherSocket => "a socket of another type is there, such as one of datagrams",
            Self::Folder => "a folder is there",
            Self::Link => "a symbolic link is there, and a socket takes a path where nothing is",
            Self::File => "a file is there that is no socket",
        })
    }
}

impl std::error::Error for Taken {}

/// Why an address cannot be listened at, in words; the error itself is the source.
pub(crate) fn why_not_bound(error: &io::Error) -> String {
    if let Some(inner) = error.get_ref() {
        if inner.downcast_ref::<UnknownHost>().is_some() {
            return "its name cannot be resolved".to_owned();
        }
        if let Some(taken) = inner.downcast_ref::<Taken>() {
            return taken.to_string();
        }
    }
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "it is in use: another socket listens there",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        io::ErrorKind::PermissionDenied => "this process may not",
        io::ErrorKind::NotFound => "there is no such folder",
        _ => return error.to_string(),
    };
    why.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(20);

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_port_that_is_given_up_begins_no_connection_and_keeps_those_that_have_begun() {
        let listener = SocketListener::bind(&Address::Tcp("127.0.0.1:0".to_owned())).await.unwrap();
        let address = listener.local_addr().unwrap().socket_addr().unwrap();
        let mut begun = std::net::TcpStream::connect(address).unwrap();
        listener.stop_listening();
        let late = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200));
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let accepted = listener.accept().await.unwrap();
        let (mut ends, _) = accepted.open(SocketOptions::new(WAIT)).unwrap();
        drop(listener);
        io::Write::write_all(&mut begun, b"hello").unwrap();
        let mut read = BytesMut::with_capacity(100);
        std::future::poll_fn(|cx| ends.input.poll_read(cx, &mut read)).await.unwrap();
        assert_eq!(read, "hello");
        assert_eq!(ends.output.try_write(b"goodbye").unwrap(), 7);
        // The filter passes what has no ACK but ends a connection.
        SockRef::from(&begun).set_linger(Some(Duration::ZERO)).unwrap();
        drop(begun);
        let end = std::future::poll_fn(|cx| ends.input.poll_read(cx, &mut read));
        let end = tokio::time::timeout(WAIT, end).await.expect("the reset arrives");
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
