//! A connection inside this process: two pipes of bounded size.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;

use crate::sync::Mutex;

use super::{Ends, ReadEnd, WriteEnd};

/// Bytes one direction holds, as a socket's buffer would.
const CAPACITY: usize = 64 * 1024;

/// Two ends. The bytes written to one are read from the other; dropping one is the end for the
/// other.
pub(crate) fn pair() -> (Ends, Ends) {
    let (there, back) = (Arc::new(MemoryPipe::default()), Arc::new(MemoryPipe::default()));
    let ends = |input: &Arc<MemoryPipe>, output: &Arc<MemoryPipe>| Ends {
        input: Box::new(MemoryEnd(Arc::clone(input))),
        output: Arc::new(MemoryEnd(Arc::clone(output))),
    };
    (ends(&back, &there), ends(&there, &back))
}

/// One end of a pipe. Dropping it closes the pipe.
struct MemoryEnd(Arc<MemoryPipe>);

#[derive(Default)]
struct MemoryPipe(Mutex<MemoryBuffer>);

#[derive(Default)]
struct MemoryBuffer {
    bytes: VecDeque<u8>,
    closed: bool,
    /// The driver of the reading end; whoever writes wakes it.
    reader: Option<Waker>,
    /// The driver of the writing end; whoever reads wakes it.
    writer: Option<Waker>,
}

impl ReadEnd for MemoryEnd {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut state = self.0.0.lock();
        if state.bytes.is_empty() {
            if state.closed {
                return Poll::Ready(Ok(0));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let room = (buf.capacity() - buf.len()).max(1);
        let count = state.bytes.len().min(room);
        let (front, back) = state.bytes.as_slices();
        let first = count.min(front.len());
        buf.extend_from_slice(&front[..first]);
        buf.extend_from_slice(&back[..count - first]);
        state.bytes.drain(..count);
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn is_closed(&self) -> bool {
        self.0.0.lock().closed
    }

    fn has_more(&self) -> bool {
        let state = self.0.0.lock();
        state.closed || !state.bytes.is_empty()
    }

    fn is_gone(&self) -> bool {
        let state = self.0.0.lock();
        state.closed && state.bytes.is_empty()
    }
}

impl WriteEnd for MemoryEnd {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.0.lock();
        if state.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(CAPACITY - state.bytes.len());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.bytes.extend(&bytes[..count]);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(count)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.0.lock();
        if state.bytes.len() == CAPACITY && !state.closed {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn finish(&self) {
        self.close();
    }

    /// An end that is dropped takes both directions with it.
    fn is_ended(&self) -> bool {
        self.0.0.lock().closed
    }
}

impl MemoryEnd {
    fn close(&self) {
        let mut state = self.0.0.lock();
        state.closed = true;
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Drop for MemoryEnd {
    fn drop(&mut self) {
        self.close();
    }
}
