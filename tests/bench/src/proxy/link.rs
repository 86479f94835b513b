//! One direction of a connection as a link of fixed delay, rate and buffer. It has neither a clock
//! nor a socket.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bytes a second: 1 Gbit/s.
const RATE: u64 = 125_000_000;

/// The bytes on their way in one direction.
#[derive(Debug)]
pub(super) struct Link {
    delay: Duration,
    /// The bytes that it may hold: rate times delay.
    buffer: usize,
    held: usize,
    /// Each chunk, and when its last byte arrives. An empty one is the end.
    chunks: VecDeque<(Instant, Vec<u8>)>,
    /// When the last byte so far has left the sender.
    busy_until: Option<Instant>,
    is_broken: bool,
}

impl Link {
    pub(super) fn new(delay: Duration) -> Self {
        let buffer = (delay.as_nanos() * u128::from(RATE) / 1_000_000_000) as usize;
        Self { delay, buffer, held: 0, chunks: VecDeque::new(), busy_until: None, is_broken: false }
    }

    /// The bytes for which there is room.
    pub(super) fn room(&self) -> usize {
        self.buffer - self.held
    }

    pub(super) fn buffer(&self) -> usize {
        self.buffer
    }

    /// Takes bytes, for which there must be room. No bytes are the end.
    pub(super) fn put(&mut self, now: Instant, bytes: Vec<u8>) {
        assert!(bytes.len() <= self.room(), "the buffer is too small for what was put into it");
        self.held += bytes.len();
        let begin = self.busy_until.map_or(now, |busy_until| busy_until.max(now));
        let sent = begin + Duration::from_nanos(bytes.len() as u64 * 1_000_000_000 / RATE);
        self.busy_until = Some(sent);
        self.chunks.push_back((sent + self.delay, bytes));
    }

    /// When the next chunk arrives.
    pub(super) fn due(&self) -> Option<Instant> {
        self.chunks.front().map(|(due, _)| *due)
    }

    /// Gives a chunk that has arrived. Its bytes keep their room until they are
    /// [delivered](Self::delivered).
    pub(super) fn take(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.due().filter(|due| *due <= now)?;
        self.chunks.pop_front().map(|(_, bytes)| bytes)
    }

    pub(super) fn delivered(&mut self, bytes: usize) {
        self.held -= bytes;
    }

    /// Its bytes are not taken any more.
    pub(super) fn break_off(&mut self) {
        self.is_broken = true;
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn bytes_arrive_in_order_and_not_before_the_delay() {
        let (mut link, start) = (Link::new(10 * MS), Instant::now());
        link.put(start, vec![1, 2]);
        link.put(start + MS, vec![3]);
        link.put(start + MS, Vec::new());
        let sending = Duration::from_nanos(2 * 8);
        assert_eq!(link.due(), Some(start + 10 * MS + sending));
        assert_eq!(link.take(start + 10 * MS), None);
        let late = start + 12 * MS;
        let taken: Vec<_> = std::iter::from_fn(|| link.take(late)).collect();
        assert_eq!(taken, [vec![1, 2], vec![3], vec![]]);
        assert_eq!(link.due(), None);
    }

    #[test]
    fn a_full_link_delivers_its_rate() {
        let (mut link, start) = (Link::new(10 * MS), Instant::now());
        let (mut now, mut left) = (start, RATE as usize / 10);
        while left > 0 || link.due().is_some() {
            while left > 0 && link.room() > 0 {
                let bytes = left.min(link.room()).min(16 << 10);
                link.put(now, vec![0; bytes]);
                left -= bytes;
            }
            now = link.due().expect("something is on its way");
            let taken = link.take(now).expect("it is due");
            link.delivered(taken.len());
        }
        // A tenth of a second's bytes, and the way of the last one.
        let took = now - start;
        assert!(took >= 110 * MS, "faster than its rate: {took:?}");
        assert!(took <= 112 * MS, "slower than its rate: {took:?}");
    }

    #[test]
    fn no_more_is_held_than_rate_times_delay() {
        let (mut link, start) = (Link::new(MS), Instant::now());
        assert_eq!(link.buffer(), 125_000);
        link.put(start, vec![0; 125_000]);
        assert_eq!(link.room(), 0);
        let taken = link.take(start + 10 * MS).expect("it arrived");
        assert_eq!(link.room(), 0, "nobody has accepted the bytes");
        link.delivered(taken.len());
        assert_eq!(link.room(), 125_000);
    }

    #[test]
    #[should_panic(expected = "the buffer is too small")]
    fn more_than_there_is_room_for_is_refused() {
        Link::new(MS).put(Instant::now(), vec![0; 125_001]);
    }
}
