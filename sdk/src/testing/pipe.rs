//! The bytes between the two ends of a connection, and everything that can happen to them on the
//! way.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use fastrand::Rng;
use tokio::time::Sleep;

use crate::clock::now;
use crate::sync::Mutex;
use crate::transport::{Ends, ReadEnd, WriteEnd};

use super::link::Cut;

/// Bytes one direction holds at first, on the way and unread together, as the buffers of two
/// sockets would.
pub(super) const CAPACITY: usize = 64 * 1024;

/// How many portions of bytes a throttled direction carries in a second.
const PORTIONS_PER_SECOND: u64 = 100;

/// The directions by their place in [`PipeState::ways`]. A client's output is a server's input.
pub(super) const TO_SERVER: usize = 0;
pub(super) const TO_CLIENT: usize = 1;

/// Both directions of one connection, under one lock, because a cut concerns both.
pub(super) struct Pipe(Mutex<PipeState>);

struct PipeState {
    rng: Rng,
    ways: [Way; 2],
}

/// One direction.
struct Way {
    delay: RangeInclusive<Duration>,
    /// Bytes per second.
    rate: Option<u64>,
    /// Bytes that it holds, on the way and unread together.
    capacity: usize,
    /// How many bytes one read gives at most.
    reads: Option<RangeInclusive<usize>>,
    partitioned: bool,
    reader_frozen: bool,
    writer_frozen: bool,
    /// The bytes that were written and have not arrived.
    segments: VecDeque<Segment>,
    /// The bytes that have arrived and were not read.
    arrived: VecDeque<u8>,
    /// Bytes that have arrived so far.
    carried: u64,
    /// When the line has sent what it carried last.
    line_free: Option<Instant>,
    /// Nothing overtakes: what is sent later does not arrive earlier.
    last_arrival: Option<Instant>,
    /// Nothing more is taken from the writer.
    shut: Option<io::ErrorKind>,
    /// The end that the reader finds behind the bytes that have arrived.
    end: Option<PipeEnd>,
    /// The reading end was dropped.
    abandoned: bool,
    /// After so many more bytes the connection is cut.
    fuse: Option<(u64, Cut)>,
    /// The driver of the reading end. Each write wakes it, and each change of what happens to the
    /// bytes.
    reader: Option<Waker>,
    /// The driver of the writing end. The reader wakes it when there is room, and whoever changes
    /// what happens to the bytes.
    writer: Option<Waker>,
}

/// Bytes on the way, or with `last` the end behind them.
struct Segment {
    bytes: Bytes,
    sent: Instant,
    delay: Duration,
    last: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PipeEnd {
    Fin,
    Reset,
}

/// A new connection: the client's end, the server's end, and what is between them.
pub(super) fn pipe(seed: u64) -> (Ends, Ends, Arc<Pipe>) {
    let pipe = Arc::new(Pipe(Mutex::new(PipeState {
        rng: Rng::with_seed(seed),
        ways: [Way::new(), Way::new()],
    })));
    let ends = |input, output| Ends {
        input: Box::new(PipeReadEnd { pipe: Arc::clone(&pipe), way: input, sleep: None }),
        output: Arc::new(PipeWriteEnd { pipe: Arc::clone(&pipe), way: output }),
    };
    (ends(TO_CLIENT, TO_SERVER), ends(TO_SERVER, TO_CLIENT), pipe)
}

impl Pipe {
    pub(super) fn set_delay(&self, range: &RangeInclusive<Duration>) {
        self.change(|state| state.ways.iter_mut().for_each(|way| way.delay = range.clone()));
    }

    pub(super) fn set_rate(&self, bytes_per_second: Option<u64>) {
        self.change(|state| state.ways.iter_mut().for_each(|way| way.rate = bytes_per_second));
    }

    pub(super) fn set_capacity(&self, bytes: usize) {
        self.change(|state| state.ways.iter_mut().for_each(|way| way.capacity = bytes));
    }

    pub(super) fn set_reads(&self, sizes: Option<&RangeInclusive<usize>>) {
        self.change(|state| state.ways.iter_mut().for_each(|way| way.reads = sizes.cloned()));
    }

    pub(super) fn partition(&self, ways: &[usize]) {
        self.change(|state| ways.iter().for_each(|way| state.ways[*way].partitioned = true));
    }

    /// The process that writes into `output` stands still.
    pub(super) fn freeze(&self, output: usize) {
        self.change(|state| {
            state.ways[output].writer_frozen = true;
            state.ways[other(output)].reader_frozen = true;
        });
    }

    pub(super) fn heal(&self) {
        self.change(|state| {
            for way in &mut state.ways {
                (way.partitioned, way.reader_frozen, way.writer_frozen) = (false, false, false);
            }
        });
    }

    pub(super) fn cut(&self, how: Cut) {
        self.change(|state| state.cut(how));
    }

    pub(super) fn cut_after(&self, ways: &[usize], bytes: u64, how: Cut) {
        self.change(|state| ways.iter().for_each(|way| state.ways[*way].fuse = Some((bytes, how))));
    }

    /// Bytes that have arrived in a direction so far.
    pub(super) fn carried(&self, way: usize) -> u64 {
        let mut state = self.0.lock();
        state.arrive();
        state.ways[way].carried
    }

    /// Tells whether bytes can still go both ways.
    pub(super) fn is_open(&self) -> bool {
        let mut state = self.0.lock();
        state.arrive();
        state.ways.iter().all(|way| way.shut.is_none() && way.end.is_none() && !way.abandoned)
    }

    /// Changes what happens to the bytes from now on: what has arrived until now, has arrived. Both
    /// drivers look again.
    fn change(&self, change: impl FnOnce(&mut PipeState)) {
        let mut state = self.0.lock();
        state.arrive();
        change(&mut state);
        let wake = state.wakers();
        drop(state);
        wake.into_iter().for_each(Waker::wake);
    }
}

impl PipeState {
    /// Lets everything arrive that is due.
    fn arrive(&mut self) {
        for way in [TO_SERVER, TO_CLIENT] {
            while let Some(due) = self.ways[way].next_arrival()
                && due <= now()
            {
                if let Some(how) = self.ways[way].take_next(due) {
                    self.cut(how);
                }
            }
        }
    }

    fn cut(&mut self, how: Cut) {
        for way in &mut self.ways {
            way.fuse = None;
            match how {
                Cut::Reset => {
                    way.segments.clear();
                    way.end.get_or_insert(PipeEnd::Reset);
                    way.shut.get_or_insert(io::ErrorKind::ConnectionReset);
                }
                Cut::Fin => way.shut(io::ErrorKind::BrokenPipe),
            }
        }
    }

    fn wakers(&mut self) -> Vec<Waker> {
        self.ways
            .iter_mut()
            .flat_map(|way| [way.reader.take(), way.writer.take()])
            .flatten()
            .collect()
    }
}

impl Way {
    fn new() -> Self {
        Self {
            delay: Duration::ZERO..=Duration::ZERO,
            rate: None,
            capacity: CAPACITY,
            reads: None,
            partitioned: false,
            reader_frozen: false,
            writer_frozen: false,
            segments: VecDeque::new(),
            arrived: VecDeque::new(),
            carried: 0,
            line_free: None,
            last_arrival: None,
            shut: None,
            end: None,
            abandoned: false,
            fuse: None,
            reader: None,
            writer: None,
        }
    }

    fn held(&self) -> usize {
        self.arrived.len() + self.segments.iter().map(|segment| segment.bytes.len()).sum::<usize>()
    }

    /// The writer says no more: the end goes out behind what it has written.
    fn shut(&mut self, kind: io::ErrorKind) {
        if self.shut.is_none() {
            self.shut = Some(kind);
            self.segments.push_back(Segment {
                bytes: Bytes::new(),
                sent: now(),
                delay: *self.delay.start(),
                last: true,
            });
        }
    }

    /// When the next portion arrives, if nothing stands in its way.
    fn next_arrival(&self) -> Option<Instant> {
        let next = self.segments.front()?;
        if self.partitioned || self.end.is_some() {
            return None;
        }
        let due = self.line_done(next) + next.delay;
        Some(self.last_arrival.map_or(due, |last| due.max(last)))
    }

    /// When the line has sent the next portion.
    fn line_done(&self, next: &Segment) -> Instant {
        let start = self.line_free.map_or(next.sent, |free| free.max(next.sent));
        let Some(rate) = self.rate else { return start };
        start + Duration::from_nanos(self.portion(next) as u64 * 1_000_000_000 / rate)
    }

    /// How much of a segment arrives at once.
    fn portion(&self, segment: &Segment) -> usize {
        let portion =
            self.rate.map_or(usize::MAX, |rate| (rate / PORTIONS_PER_SECOND).max(1) as usize);
        portion.min(segment.bytes.len())
    }

    /// Lets the next portion arrive, and says when that burns a fuse.
    fn take_next(&mut self, due: Instant) -> Option<Cut> {
        let next = self.segments.front().expect("something is due");
        let (line_done, portion) = (self.line_done(next), self.portion(next));
        (self.line_free, self.last_arrival) = (Some(line_done), Some(due));
        let next = self.segments.front_mut().expect("something is due");
        if next.last {
            self.end = Some(PipeEnd::Fin);
            self.segments.clear();
            return None;
        }
        let mut bytes = next.bytes.split_to(portion);
        if next.bytes.is_empty() {
            self.segments.pop_front();
        }
        let mut burnt = None;
        if let Some((left, how)) = &mut self.fuse {
            bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= bytes.len() as u64;
            burnt = (*left == 0).then_some(*how);
        }
        if burnt.is_some() {
            self.segments.clear();
        }
        self.carried += bytes.len() as u64;
        if !self.abandoned {
            self.arrived.extend(bytes.chunk());
        }
        burnt
    }
}

/// The end of a direction at which its bytes come out. Dropping it tells the writer, if nothing
/// stands in the way.
struct PipeReadEnd {
    pipe: Arc<Pipe>,
    way: usize,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl ReadEnd for PipeReadEnd {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = self.pipe.0.lock();
            guard.arrive();
            let state = &mut *guard;
            let way = &mut state.ways[self.way];
            way.reader = Some(cx.waker().clone());
            if way.reader_frozen {
                return Poll::Pending;
            }
            if !way.arrived.is_empty() {
                let size = way.reads.clone().map_or(usize::MAX, |sizes| state.rng.usize(sizes));
                let room = (buf.capacity() - buf.len()).max(1);
                let count = way.arrived.len().min(room).min(size.max(1));
                buf.extend(way.arrived.drain(..count));
                let writer = way.writer.take();
                drop(guard);
                if let Some(writer) = writer {
                    writer.wake();
                }
                return Poll::Ready(Ok(count));
            }
            match way.end {
                Some(PipeEnd::Fin) => return Poll::Ready(Ok(0)),
                Some(PipeEnd::Reset) => {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                None => {}
            }
            let Some(due) = way.next_arrival() else { return Poll::Pending };
            drop(guard);
            let due = tokio::time::Instant::from_std(due);
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if sleep.deadline() != due {
                sleep.as_mut().reset(due);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn is_closed(&self) -> bool {
        let mut state = self.pipe.0.lock();
        state.arrive();
        let way = &state.ways[self.way];
        !way.reader_frozen && way.end.is_some()
    }

    fn has_more(&self) -> bool {
        let mut state = self.pipe.0.lock();
        state.arrive();
        let way = &state.ways[self.way];
        !way.arrived.is_empty() || way.end.is_some()
    }
}

impl Drop for PipeReadEnd {
    fn drop(&mut self) {
        let way = self.way;
        self.pipe.change(|state| {
            state.ways[way].abandoned = true;
            state.ways[way].arrived.clear();
        });
    }
}

/// The end of a direction into which its bytes go. Dropping it ends the direction.
struct PipeWriteEnd {
    pipe: Arc<Pipe>,
    way: usize,
}

impl WriteEnd for PipeWriteEnd {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut guard = self.pipe.0.lock();
        guard.arrive();
        let PipeState { rng, ways } = &mut *guard;
        // The news of the other side's end comes the other way.
        let cut_off = ways[other(self.way)].partitioned;
        let way = &mut ways[self.way];
        if way.writer_frozen {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if let Some(kind) = way.shut {
            return Err(kind.into());
        }
        if way.abandoned && !way.partitioned && !cut_off {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(way.capacity.saturating_sub(way.held()));
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let (from, to) = (way.delay.start().as_micros() as u64, way.delay.end().as_micros() as u64);
        let delay = Duration::from_micros(rng.u64(from..=to.max(from)));
        way.segments.push_back(Segment {
            bytes: Bytes::copy_from_slice(&bytes[..count]),
            sent: now(),
            delay,
            last: false,
        });
        let reader = way.reader.take();
        drop(guard);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(count)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.pipe.0.lock();
        state.arrive();
        let way = &mut state.ways[self.way];
        if way.writer_frozen || (way.held() >= way.capacity && way.shut.is_none()) {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn finish(&self) {
        let way = self.way;
        self.pipe.change(|state| state.ways[way].shut(io::ErrorKind::BrokenPipe));
    }
}

impl Drop for PipeWriteEnd {
    fn drop(&mut self) {
        self.finish();
    }
}

const fn other(way: usize) -> usize {
    1 - way
}
