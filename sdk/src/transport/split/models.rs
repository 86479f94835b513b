//! Models of an io whose peer reads on another thread, while its ends are written to.

use std::future::poll_fn;

use loom::future::block_on;
use loom::thread;

use super::*;

/// A line of one byte, behind a buffer of one byte that is flushed into it.
#[derive(Default)]
struct Line {
    buffer: Option<u8>,
    line: Option<u8>,
    writer: Option<Waker>,
    reader: Option<Waker>,
}

#[derive(Clone, Default)]
struct Io(Arc<Mutex<Line>>);

impl Io {
    /// The peer takes a byte.
    fn take(&self) -> u8 {
        block_on(poll_fn(|cx| {
            let mut line = self.0.lock();
            let Some(byte) = line.line.take() else {
                line.reader = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let writer = line.writer.take();
            drop(line);
            writer.into_iter().for_each(Waker::wake);
            Poll::Ready(byte)
        }))
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_flush(cx))?;
        self.0.lock().buffer = Some(bytes[0]);
        Poll::Ready(Ok(1))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut line = self.0.lock();
        if line.buffer.is_none() {
            return Poll::Ready(Ok(()));
        }
        if line.line.is_some() {
            line.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        line.line = line.buffer.take();
        let reader = line.reader.take();
        drop(line);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[test]
fn loom_an_io_that_is_split_forgets_nobody() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let io = Io::default();
        let ends = split(io.clone());
        let peer = thread::spawn(move || [io.take(), io.take(), io.take()]);
        let mut left = &b"abc"[..];
        while !left.is_empty() {
            match ends.output.try_write(left) {
                Ok(count) => left = &left[count..],
                Err(_) => block_on(poll_fn(|cx| {
                    ends.output.poll_own(cx).expect("it is open");
                    ends.output.poll_write_ready(cx)
                }))
                .expect("it is open"),
            }
        }
        assert_eq!(peer.join().expect("it read"), *b"abc");
    });
}
