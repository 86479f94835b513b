//! An io that does what a test says, and its ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// An io as a test wants it.
#[derive(Default)]
struct Script {
    /// The bytes that the io has and has not sent, as a cipher's buffer.
    buffer: Vec<u8>,
    sent: Vec<u8>,
    /// How many more bytes the buffer takes, and how many can be sent.
    takes: usize,
    sends: usize,
    input: Vec<u8>,
    end: Option<io::ErrorKind>,
    closed: bool,
    /// Reading makes it send this.
    answers: Vec<u8>,
    panics: bool,
    /// Wakes by the wakers of both directions, as one that confuses them.
    wakers: Vec<Waker>,
    flushes: usize,
    is_shut: bool,
}

#[derive(Clone, Default)]
struct Io(Arc<Mutex<Script>>);

impl Io {
    fn change(&self, change: impl FnOnce(&mut Script)) {
        let mut script = self.0.lock();
        change(&mut script);
        let wakers = std::mem::take(&mut script.wakers);
        drop(script);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn sent(&self) -> Vec<u8> {
        self.0.lock().sent.clone()
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut script = self.0.lock();
        assert!(!script.panics, "as told");
        let answers = std::mem::take(&mut script.answers);
        script.buffer.extend(answers);
        if let (true, Some(end)) = (script.input.is_empty(), script.end) {
            return Poll::Ready(Err(end.into()));
        }
        if script.input.is_empty() && !script.closed {
            script.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        if !script.input.is_empty() {
            buf.put_slice(&[script.input.remove(0)]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut script = self.0.lock();
        assert!(!script.panics, "as told");
        let count = bytes.len().min(script.takes);
        if count == 0 {
            script.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        script.takes -= count;
        script.buffer.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut script = self.0.lock();
        script.flushes += 1;
        let count = script.buffer.len().min(script.sends);
        script.sends -= count;
        let sent: Vec<_> = script.buffer.drain(..count).collect();
        script.sent.extend(sent);
        if script.buffer.is_empty() {
            return Poll::Ready(Ok(()));
        }
        script.wakers.push(cx.waker().clone());
        Poll::Pending
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        self.0.lock().is_shut = true;
        Poll::Ready(Ok(()))
    }
}

/// A driver that counts how often it is woken.
#[derive(Default)]
struct Driver(AtomicUsize);

impl Wake for Driver {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Driver {
    fn wakes(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

fn parts(script: Script) -> (Io, Ends, Arc<Driver>, Waker) {
    let io = Io(Arc::new(Mutex::new(script)));
    let driver = Arc::new(Driver::default());
    (io.clone(), split(io), Arc::clone(&driver), Waker::from(driver))
}

fn blocks<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn bytes_count_as_written_when_the_io_has_flushed_them() {
    let (io, ends, driver, waker) = parts(Script { takes: 100, sends: 3, ..Script::default() });
    let cx = &mut Context::from_waker(&waker);
    assert_eq!(ends.output.try_write(b"hello").unwrap(), 4, "one is ahead");
    assert!(blocks(ends.output.try_write(b"o")));
    assert_eq!(io.sent(), b"hel");
    assert!(ends.output.poll_write_ready(cx).is_pending());
    io.change(|script| script.sends = 100);
    assert!(driver.wakes() > 0);
    assert!(ends.output.poll_write_ready(cx).is_ready());
    // More has come meanwhile: the first byte of it is with the io already.
    assert_eq!(ends.output.try_write(b"o, world").unwrap(), 8);
    assert_eq!(io.sent(), b"hello, world");
    assert_eq!(ends.output.try_write(b"!").unwrap(), 1);
    assert_eq!(io.sent(), b"hello, world!");

    // A single byte, alone and in front of pieces.
    io.change(|script| script.sends = 0);
    assert!(blocks(ends.output.try_write(b"a")), "it is taken, and not sent");
    assert!(blocks(ends.output.try_write(b"a")));
    io.change(|script| (script.takes, script.sends) = (1, 100));
    let pieces = [IoSlice::new(b"a"), IoSlice::new(b"bc")];
    assert_eq!(ends.output.try_write_vectored(&pieces).unwrap(), 1);
    let pieces = [IoSlice::new(b"bc"), IoSlice::new(b"d")];
    assert_eq!(ends.output.try_write_vectored(&pieces).unwrap(), 1);
    assert!(blocks(ends.output.try_write(b"cd")));
    io.change(|script| script.takes = 100);
    assert_eq!(ends.output.try_write(b"cd").unwrap(), 2);
    assert_eq!(io.sent(), b"hello, world!abcd");
}

#[test]
fn a_byte_that_is_ahead_is_not_written_again_by_a_write_without_room() {
    let (io, ends, _driver, _waker) = parts(Script { takes: 2, ..Script::default() });
    assert_eq!(ends.output.try_write(b"ab").unwrap(), 1);
    io.change(|script| script.sends = 100);
    assert_eq!(ends.output.try_write(b"bc").unwrap(), 1, "the byte that was ahead");
    io.change(|script| script.takes = 100);
    assert_eq!(ends.output.try_write(b"c").unwrap(), 1);
    assert_eq!(io.sent(), b"abc");
}

#[test]
fn reading_makes_the_io_send_and_the_driver_goes_on_with_it() {
    let script = Script { answers: b"pong".to_vec(), input: b"x".to_vec(), ..Script::default() };
    let (io, mut ends, driver, waker) = parts(script);
    let cx = &mut Context::from_waker(&waker);
    let mut read = BytesMut::with_capacity(100);
    assert!(matches!(ends.input.poll_read(cx, &mut read), Poll::Ready(Ok(1))));
    ends.output.poll_own(cx).unwrap();
    assert_eq!(io.sent(), b"");
    io.change(|script| script.sends = 100);
    assert_eq!(driver.wakes(), 1);
    ends.output.poll_own(cx).unwrap();
    assert_eq!(io.sent(), b"pong");
    let flushes = io.0.lock().flushes;
    ends.output.poll_own(cx).unwrap();
    assert_eq!(io.0.lock().flushes, flushes, "nothing was read since");
    // Also a read that gives nothing.
    io.change(|script| script.answers = b"ping".to_vec());
    assert!(ends.input.poll_read(cx, &mut read).is_pending());
    ends.output.poll_own(cx).unwrap();
    assert_eq!(io.sent(), b"pongping");
}

#[test]
fn an_io_that_wakes_and_has_no_room_is_asked_once_a_turn() {
    let (io, ends, driver, waker) = parts(Script::default());
    let cx = &mut Context::from_waker(&waker);
    assert!(blocks(ends.output.try_write(b"a")));
    io.change(|_| ());
    assert!(ends.output.poll_write_ready(cx).is_pending(), "the io woke before the driver waited");
    assert_eq!(driver.wakes(), 1, "so the driver has another turn");
    assert!(ends.output.poll_write_ready(cx).is_ready());
    assert!(blocks(ends.output.try_write(b"a")));
    assert!(ends.output.poll_write_ready(cx).is_pending());
    assert_eq!(driver.wakes(), 0);
}

#[test]
fn progress_that_the_driver_has_seen_lets_the_next_write_go_on() {
    let (io, ends, _driver, waker) = parts(Script { takes: 2, ..Script::default() });
    let cx = &mut Context::from_waker(&waker);
    assert_eq!(ends.output.try_write(b"ab").unwrap(), 1);
    assert!(blocks(ends.output.try_write(b"b")));
    assert!(ends.output.poll_write_ready(cx).is_pending());
    // Nobody is woken: the driver happens to look.
    io.0.lock().sends = 100;
    ends.output.poll_own(cx).unwrap();
    assert!(ends.output.poll_write_ready(cx).is_ready());
    assert_eq!(ends.output.try_write(b"b").unwrap(), 1);
}

#[test]
fn a_look_finds_bytes_and_the_end_and_loses_neither() {
    let (io, mut ends, driver, waker) = parts(Script::default());
    let cx = &mut Context::from_waker(&waker);
    let mut read = BytesMut::with_capacity(100);
    assert!(ends.input.poll_read(cx, &mut read).is_pending());
    assert!(!ends.input.is_gone() && !ends.output.is_ended() && !ends.input.has_more());
    io.change(|script| {
        (script.input, script.end) = (b"ab".to_vec(), Some(ErrorKind::UnexpectedEof));
    });
    driver.wakes();
    assert!(ends.input.has_more() && !ends.input.is_gone() && !ends.output.is_ended());
    assert_eq!(driver.wakes(), 1, "the io has told that there are bytes, and will not again");
    for _ in 0..2 {
        assert!(matches!(ends.input.poll_read(cx, &mut read), Poll::Ready(Ok(1))));
    }
    assert_eq!(read, "ab");
    assert!(ends.input.is_closed() && ends.output.is_ended());
    let end = ends.input.poll_read(cx, &mut read);
    assert!(matches!(end, Poll::Ready(Err(error)) if error.kind() == ErrorKind::UnexpectedEof));

    let (_io, mut ends, _driver, waker) = parts(Script { closed: true, ..Script::default() });
    let cx = &mut Context::from_waker(&waker);
    assert!(ends.input.is_gone() && ends.input.has_more());
    assert!(matches!(ends.input.poll_read(cx, &mut read), Poll::Ready(Ok(0))));
}

#[test]
fn the_end_is_said_once_everything_is_flushed() {
    let (io, ends, _driver, waker) = parts(Script { takes: 9, ..Script::default() });
    let cx = &mut Context::from_waker(&waker);
    assert_eq!(ends.output.try_write(b"bye").unwrap(), 2);
    assert!(ends.output.poll_close(cx).is_pending());
    io.change(|script| script.sends = 100);
    assert!(ends.output.poll_close(cx).is_ready());
    assert!(io.0.lock().is_shut && io.sent() == b"bye");

    let (io, ends, driver, waker) = parts(Script { takes: 9, ..Script::default() });
    let cx = &mut Context::from_waker(&waker);
    assert_eq!(ends.output.try_write(b"bye").unwrap(), 2);
    ends.output.poll_own(cx).unwrap();
    ends.output.finish();
    assert!(!io.0.lock().is_shut);
    io.change(|script| script.sends = 100);
    assert!(driver.wakes() > 0);
    ends.output.poll_own(cx).unwrap();
    assert!(io.0.lock().is_shut);
}

#[test]
fn a_panic_of_the_io_is_an_error_and_the_last_thing_it_is_asked() {
    let (io, mut ends, _driver, waker) = parts(Script { panics: true, ..Script::default() });
    let cx = &mut Context::from_waker(&waker);
    assert!(ends.output.try_write(b"a").unwrap_err().to_string().contains("panicked"));
    io.0.lock().panics = false;
    assert!(ends.output.try_write(b"a").is_err());
    let read = ends.input.poll_read(cx, &mut BytesMut::with_capacity(1));
    assert!(matches!(read, Poll::Ready(Err(_))));
}
