//! Distance: a proxy between client and server that delays each direction.
//!
//! Threads that block, because they sleep more exactly than a runtime, whose timers count
//! milliseconds.

mod link;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use socket2::{Domain, Protocol, Socket, Type};

use crate::process::{announce, end_with_input};
use link::Link;

/// The settings of a proxy.
#[derive(Args)]
pub(crate) struct Proxy {
    /// Where the server listens
    #[arg(long)]
    to: SocketAddr,
    /// How long each direction takes
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    delay_ms: u32,
    /// End when the input does
    #[arg(long, hide = true)]
    until_eof: bool,
}

impl Proxy {
    /// Passes connections on until the process ends.
    pub(crate) fn run(&self) -> Result<()> {
        if self.until_eof {
            end_with_input();
        }
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        // A connection has the buffers of its listener.
        small_buffers(&socket)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        socket.listen(128)?;
        let listener = TcpListener::from(socket);
        announce(listener.local_addr()?)?;
        let delay = Duration::from_millis(self.delay_ms.into());
        loop {
            let (near, _) = listener.accept()?;
            let far = connect(self.to)?;
            near.set_nodelay(true)?;
            pass_both_on(near, far, delay)?;
        }
    }
}

fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    small_buffers(&socket)?;
    socket.connect(&to.into())?;
    let socket = TcpStream::from(socket);
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// The kernel would otherwise buffer megabytes at a place where a real path has nothing.
fn small_buffers(socket: &Socket) -> io::Result<()> {
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    socket.set_send_buffer_size(SOCKET_BUFFER)
}

fn pass_both_on(near: TcpStream, far: TcpStream, delay: Duration) -> io::Result<()> {
    pass_on(near.try_clone()?, far.try_clone()?, delay)?;
    pass_on(far, near, delay)
}

/// Starts the two threads of one direction. They end when either socket does.
fn pass_on(mut from: TcpStream, mut to: TcpStream, delay: Duration) -> io::Result<()> {
    let shared = Arc::new(Shared::new(delay));
    let reading = Arc::clone(&shared);
    let source = from.try_clone()?;
    thread::spawn(move || reading.read_from(&mut from));
    thread::spawn(move || {
        let ended = shared.write_to(&mut to);
        // Both may be closed already.
        let _ = to.shutdown(Shutdown::Write);
        if ended.is_err() {
            let _ = source.shutdown(Shutdown::Read);
        }
    });
    Ok(())
}

/// A link between the thread that reads and the one that writes.
struct Shared {
    link: Mutex<Link>,
    changed: Condvar,
}

impl Shared {
    fn new(delay: Duration) -> Self {
        Self { link: Mutex::new(Link::new(delay)), changed: Condvar::new() }
    }

    /// Puts all that can be read on the link, and then its end, unless it breaks. An error is an
    /// end, too.
    fn read_from(&self, from: &mut impl Read) {
        let mut buffer = vec![0; CHUNK];
        loop {
            let link =
                self.wait(|link| link.is_broken() || link.room() >= LEAST.min(link.buffer()));
            if link.is_broken() {
                return;
            }
            let most = link.room().min(CHUNK);
            // Only this thread makes the room smaller.
            drop(link);
            let bytes = from.read(&mut buffer[..most]).unwrap_or(0);
            self.lock().put(Instant::now(), buffer[..bytes].to_vec());
            self.changed.notify_all();
            if bytes == 0 {
                return;
            }
        }
    }

    /// Writes all that arrives, each chunk when it is due.
    fn write_to(&self, to: &mut impl Write) -> io::Result<()> {
        loop {
            let due = self.wait(|link| link.due().is_some()).due();
            let early = due.and_then(|due| due.checked_duration_since(Instant::now()));
            thread::sleep(early.unwrap_or_default());
            let Some(chunk) = self.lock().take(Instant::now()) else { continue };
            if chunk.is_empty() {
                return Ok(());
            }
            let written = to.write_all(&chunk);
            let mut link = self.lock();
            match written {
                Ok(()) => link.delivered(chunk.len()),
                Err(_) => link.break_off(),
            }
            drop(link);
            self.changed.notify_all();
            written?;
        }
    }

    fn wait(&self, is_ready: impl Fn(&Link) -> bool) -> MutexGuard<'_, Link> {
        self.changed
            .wait_while(self.lock(), |link| !is_ready(link))
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The most that is read at once. At the link's rate that takes an eighth of a millisecond.
const CHUNK: usize = 16 << 10;

/// Less room than this is not worth a system call.
const LEAST: usize = 4 << 10;

const SOCKET_BUFFER: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Gives so many bytes, which do not repeat soon, and sees that none is read for which there is
    /// no room.
    struct Source<'a> {
        bytes: &'a [u8],
        read: usize,
        written: &'a AtomicUsize,
        buffer: usize,
    }

    struct Sink<'a> {
        bytes: Vec<u8>,
        written: &'a AtomicUsize,
    }

    impl Read for Source<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let held = self.read - self.written.load(Ordering::SeqCst);
            assert!(held + buffer.len() <= self.buffer, "{held} bytes are held, and more are read");
            let bytes = (&self.bytes[self.read..]).read(buffer)?;
            self.read += bytes;
            Ok(bytes)
        }
    }

    impl Write for Sink<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.bytes.extend_from_slice(bytes);
            self.written.fetch_add(bytes.len(), Ordering::SeqCst);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_bytes_arrive_and_no_more_are_held_than_the_buffer_has() {
        let (written, start) = (AtomicUsize::new(0), Instant::now());
        let sent = crate::message::payload(1_000_000);
        let shared = Shared::new(Duration::from_millis(1));
        let mut source =
            Source { bytes: &sent, read: 0, written: &written, buffer: shared.lock().buffer() };
        let mut sink = Sink { bytes: Vec::new(), written: &written };
        thread::scope(|scope| {
            scope.spawn(|| shared.read_from(&mut source));
            shared.write_to(&mut sink).expect("a vector takes everything");
        });
        assert!(sink.bytes == sent, "the bytes are not what was sent");
        // 8 ms at the rate, and the delay. A busy machine takes longer.
        assert!(start.elapsed() >= Duration::from_millis(9));
    }

    /// Connects through a proxy, with a delay of 5 ms each way.
    fn connected() -> (TcpStream, TcpStream) {
        let listen = || TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = |listener: &TcpListener| listener.local_addr().expect("it is bound");
        let (proxy, server) = (listen(), listen());
        let client = TcpStream::connect(address(&proxy)).expect("it listens");
        let near = proxy.accept().expect("there is a client").0;
        let far = connect(address(&server)).expect("it listens");
        pass_both_on(near, far, Duration::from_millis(5)).expect("the sockets are open");
        (client, server.accept().expect("the proxy connected").0)
    }

    #[test]
    fn both_directions_take_the_delay_and_end_one_by_one() {
        let (mut client, mut server) = connected();
        let (start, sent) = (Instant::now(), crate::message::payload(100_000));
        let echo = thread::spawn(move || {
            let mut got = Vec::new();
            server.read_to_end(&mut got).expect("the client ends in order");
            server.write_all(&got).expect("the client reads");
        });
        client.write_all(&sent).expect("the server reads");
        client.shutdown(Shutdown::Write).expect("it is open");
        let mut got = Vec::new();
        client.read_to_end(&mut got).expect("the server ends in order");
        assert!(got == sent, "the bytes are not what was sent");
        assert!(start.elapsed() >= Duration::from_millis(10));
        echo.join().expect("the server is well");
    }

    #[test]
    fn a_reader_ends_when_nothing_can_be_written() {
        struct Closed;

        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let shared = Shared::new(Duration::from_millis(1));
        thread::scope(|scope| {
            // This source has no end.
            scope.spawn(|| shared.read_from(&mut io::repeat(7)));
            shared.write_to(&mut Closed).expect_err("it is closed");
        });
    }

    #[test]
    fn a_client_is_told_that_its_server_is_gone() {
        let (mut client, server) = connected();
        drop(server);
        let chunk = [0; 1024];
        // It ends, because the proxy closes what nobody takes.
        while client.write_all(&chunk).is_ok() {}
    }
}
