//! The ends of any io: what reads and writes through `&mut self` becomes a [`ReadEnd`] and a
//! [`WriteEnd`] that several tasks use.
//!
//! The io is behind a lock that is held for one poll of it. Each poll gets the same waker, the
//! [`Gate`], whoever polls: the io may wake for writing what waited for reading, as ciphers do, and
//! a task that wrote once and went on is not the one to be woken. The gate wakes the driver.
//!
//! | what happens | the io | the connection is told |
//! |---|---|---|
//! | a write that the io takes in part | | so many bytes |
//! | a write that the io takes whole | is flushed | so many bytes |
//! | the same, and the flush has to wait | keeps bytes | one byte less: the last one is *ahead* |
//! | a write behind a byte that is ahead | is flushed first | no room, until the flush is done |
//! | a read | is flushed afterwards, by the driver | |
//!
//! So bytes that the connection takes for written are out of the io's own buffers, or there is more
//! to write, which pushes them out.

use std::io::{self, ErrorKind, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use crate::sync::Mutex;

use super::{Ends, ReadEnd, WriteEnd};

/// The ends of an io.
pub(super) fn split(io: impl AsyncRead + AsyncWrite + Send + 'static) -> Ends {
    let gate = Arc::new(Gate(Mutex::new(DriverWait::default())));
    let halves = Arc::new(Halves {
        waker: Waker::from(Arc::clone(&gate)),
        gate,
        state: Mutex::new(IoState {
            io: Box::pin(io),
            broken: false,
            peeked: None,
            end: None,
            ahead: false,
            unflushed: false,
            shutdown: Shutdown::No,
        }),
    });
    Ends {
        input: Box::new(SplitReadEnd(Arc::clone(&halves))),
        output: Arc::new(SplitWriteEnd(halves)),
    }
}

/// An io in both directions.
trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// The task that the io wakes: the driver, whoever polled last.
struct Gate(Mutex<DriverWait>);

#[derive(Default)]
struct DriverWait {
    driver: Option<Waker>,
    /// The io has woken since the last write, so that another one may succeed.
    woken: bool,
    /// The driver has waited since that write.
    waited: bool,
}

impl Gate {
    /// The driver waits here now.
    fn wait(&self, cx: &Context<'_>) {
        self.0.lock().wait(cx);
    }

    /// A write begins. The io may wake before it ends.
    fn begin_write(&self) {
        let mut waiting = self.0.lock();
        (waiting.woken, waiting.waited) = (false, false);
    }

    /// Waits until the io has woken since the last write. Each wait is one turn of the task at
    /// least: an io that wakes and has no room, as one does that is out of budget, would else be
    /// asked for ever.
    fn poll_woken(&self, cx: &Context<'_>) -> Poll<()> {
        let mut waiting = self.0.lock();
        waiting.wait(cx);
        let waited = std::mem::replace(&mut waiting.waited, true);
        if waiting.woken && waited {
            return Poll::Ready(());
        }
        if waiting.woken {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// The driver has seen progress that the io need not tell any more.
    fn note_progress(&self) {
        self.0.lock().woken = true;
    }
}

impl DriverWait {
    fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.driver {
            Some(driver) => driver.clone_from(cx.waker()),
            None => self.driver = Some(cx.waker().clone()),
        }
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut waiting = self.0.lock();
        waiting.woken = true;
        let driver = waiting.driver.clone();
        drop(waiting);
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

struct Halves {
    state: Mutex<IoState>,
    gate: Arc<Gate>,
    /// The gate's.
    waker: Waker,
}

struct IoState {
    io: Pin<Box<dyn Duplex>>,
    /// The io has panicked, and is not asked any more.
    broken: bool,
    /// A byte that was read ahead, by a look whether there is one.
    peeked: Option<u8>,
    /// The end that such a look has found.
    end: Option<FoundEnd>,
    /// The io has the first byte of the next write already.
    ahead: bool,
    /// The io may have bytes in a buffer of its own: it has been read since it was flushed.
    unflushed: bool,
    shutdown: Shutdown,
}

enum FoundEnd {
    Whole,
    /// The next read tells why.
    Failed(Option<io::Error>),
}

/// The end of the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shutdown {
    No,
    /// The io is being shut down.
    Begun,
    Done,
}

impl IoState {
    /// Polls the io. A panic of it is the end of this connection only, in whichever task it
    /// happens.
    fn poll<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut dyn Duplex>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.broken {
            return Poll::Ready(Err(panicked()));
        }
        let io = self.io.as_mut();
        catch_unwind(AssertUnwindSafe(|| poll(io))).unwrap_or_else(|_| {
            self.broken = true;
            Poll::Ready(Err(panicked()))
        })
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.poll(|io| io.poll_flush(cx));
        self.unflushed = flushed.is_pending();
        flushed
    }

    /// Ends the output, once. An io that fails at it has nobody to tell.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.shutdown != Shutdown::Done {
            self.shutdown = Shutdown::Begun;
            let ended = self.poll(|io| io.poll_shutdown(cx));
            if ready!(ended).is_err() {
                tracing::debug!("the io did not end in order");
            }
            self.shutdown = Shutdown::Done;
        }
        Poll::Ready(())
    }
}

fn panicked() -> io::Error {
    io::Error::other("the io of the connection panicked")
}

impl Halves {
    /// Looks whether a read would wait. Any task may look: a byte that it finds is kept for the
    /// driver, which is woken.
    fn look(&self) -> Peeked {
        let mut state = self.state.lock();
        if state.peeked.is_some() {
            return Peeked::More;
        }
        if state.end.is_some() {
            return Peeked::End;
        }
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        let cx = &mut Context::from_waker(&self.waker);
        let read = state.poll(|io| io.poll_read(cx, &mut byte));
        state.unflushed = true;
        let look = match read {
            Poll::Pending => return Peeked::Nothing,
            Poll::Ready(Ok(())) => {
                state.peeked = byte.filled().first().copied();
                if state.peeked.is_some() {
                    Peeked::More
                } else {
                    state.end = Some(FoundEnd::Whole);
                    Peeked::End
                }
            }
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => Peeked::Nothing,
            Poll::Ready(Err(error)) => {
                state.end = Some(FoundEnd::Failed(Some(error)));
                Peeked::End
            }
        };
        drop(state);
        self.waker.wake_by_ref();
        look
    }

    /// Writes `len` bytes, all but the first so many of which are `write`'s to offer.
    fn write(
        &self,
        len: usize,
        write: impl FnOnce(Pin<&mut dyn Duplex>, &mut Context<'_>, usize) -> Poll<io::Result<usize>>,
    ) -> io::Result<usize> {
        let mut state = self.state.lock();
        let state = &mut *state;
        self.gate.begin_write();
        let cx = &mut Context::from_waker(&self.waker);
        let ahead = usize::from(state.ahead);
        if state.ahead {
            now(state.poll_flush(cx))?;
            if len == ahead {
                state.ahead = false;
                return Ok(len);
            }
        }
        let written = match state.poll(|io| write(io, cx, ahead)) {
            Poll::Pending if state.ahead => 0,
            polled => now(polled)?,
        };
        let written = written + ahead;
        state.ahead = false;
        if written < len {
            return Ok(written);
        }
        match state.poll_flush(cx) {
            Poll::Pending => {
                state.ahead = true;
                if written > 1 { Ok(written - 1) } else { Err(ErrorKind::WouldBlock.into()) }
            }
            Poll::Ready(flushed) => flushed.map(|()| written),
        }
    }
}

/// The outcome of a write that does not wait. Nothing but waiting is told as `WouldBlock`: the io
/// promises to wake for that only.
fn now<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(Err(error)) if error.kind() == ErrorKind::WouldBlock => {
            Err(io::Error::other(error))
        }
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Peeked {
    Nothing,
    More,
    /// Or an error.
    End,
}

struct SplitReadEnd(Arc<Halves>);

impl ReadEnd for SplitReadEnd {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        self.0.gate.wait(cx);
        let mut state = self.0.state.lock();
        if let Some(byte) = state.peeked.take() {
            buf.put_u8(byte);
            return Poll::Ready(Ok(1));
        }
        match &mut state.end {
            Some(FoundEnd::Failed(error)) if error.is_some() => {
                return Poll::Ready(Err(error.take().expect("it was looked at")));
            }
            Some(_) => return Poll::Ready(Ok(0)),
            None => {}
        }
        let cx = &mut Context::from_waker(&self.0.waker);
        let read = ready!({
            state.unflushed = true;
            state.poll(|io| poll_read_buf(io, cx, buf))
        });
        if matches!(read, Ok(0)) {
            state.end = Some(FoundEnd::Whole);
        }
        Poll::Ready(read)
    }

    fn is_closed(&self) -> bool {
        self.0.look() == Peeked::End
    }

    fn has_more(&self) -> bool {
        self.0.look() != Peeked::Nothing
    }

    fn is_gone(&self) -> bool {
        self.0.look() == Peeked::End
    }
}

struct SplitWriteEnd(Arc<Halves>);

impl WriteEnd for SplitWriteEnd {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes.len(), |io, cx, from| io.poll_write(cx, &bytes[from..]))
    }

    fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let len = pieces.iter().map(|piece| piece.len()).sum();
        self.0.write(len, |io, cx, from| match from {
            0 => io.poll_write_vectored(cx, pieces),
            _ => io.poll_write(cx, &pieces[0][from..]),
        })
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.gate.poll_woken(cx).map(Ok)
    }

    fn finish(&self) {
        let mut cx = Context::from_waker(&self.0.waker);
        // It goes on as the driver runs.
        let _ = self.0.state.lock().poll_shutdown(&mut cx);
    }

    fn poll_own(&self, cx: &mut Context<'_>) -> io::Result<()> {
        self.0.gate.wait(cx);
        let mut state = self.0.state.lock();
        let cx = &mut Context::from_waker(&self.0.waker);
        if state.shutdown != Shutdown::No {
            let _ = state.poll_shutdown(cx);
            return Ok(());
        }
        if state.unflushed
            && let Poll::Ready(flushed) = state.poll_flush(cx)
        {
            self.0.gate.note_progress();
            flushed?;
        }
        Ok(())
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.gate.wait(cx);
        let mut cx = Context::from_waker(&self.0.waker);
        self.0.state.lock().poll_shutdown(&mut cx)
    }

    fn is_ended(&self) -> bool {
        self.0.look() == Peeked::End
    }
}

#[cfg(all(test, trill_loom))]
mod models;
#[cfg(test)]
mod tests;
