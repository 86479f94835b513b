//! Windows that grow, on a path with a delay and a rate, in a time that only these tests move.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::conn::{Config, IncomingStream, Sent, StreamKey};

use super::pair::Pair;

const MS: Duration = Duration::from_millis(1);
const START: u32 = 65_535;
const MIB: usize = 1024 * 1024;

/// Bytes on their way, and when they arrive.
type Line = VecDeque<(Instant, Vec<u8>)>;

/// A client that sends on streams of a server, over a path.
struct Path {
    pair: Pair,
    /// One way.
    delay: Duration,
    /// Bytes a second, from client to server.
    rate: usize,
    /// How often the ends look what they can do.
    step: Duration,
    /// When the line has sent what it was given.
    line_free: Instant,
    there: Line,
    back: Line,
}

/// A stream, its messages, and the way its reader reads.
struct Talk {
    key: StreamKey,
    served: StreamKey,
    message: Vec<u8>,
    /// The sender waits for so long after each message.
    every: Duration,
    next: Instant,
    /// Bytes a second that the reader takes; `None` for all at once.
    reads: Option<usize>,
    readable: f64,
    got: usize,
}

impl Path {
    fn new(delay: Duration, rate: usize, server: Config) -> Self {
        let outbox = usize::MAX / 4;
        let pair = Pair::with(Config { outbox, ..Config::default() }, server);
        let line_free = pair.now;
        Self { pair, delay, rate, step: MS / 10, line_free, there: Line::new(), back: Line::new() }
    }

    /// A path without a delay worth mention.
    fn near() -> Self {
        Self { step: MS / 100, ..Self::new(MS / 20, 4_000_000_000, Config::default()) }
    }

    fn open(&mut self, size: usize) -> Talk {
        let (key, IncomingStream { key: served, .. }) = self.pair.open();
        let (message, next) = (vec![7; size], self.pair.now);
        let (every, reads, readable, got) = (Duration::ZERO, None, 0.0, 0);
        Talk { key, served, message, every, next, reads, readable, got }
    }

    fn window(&self, talk: &Talk) -> u32 {
        self.pair.server.conn.window(talk.served)
    }

    /// Lets all streams talk for so long.
    fn run(&mut self, talks: &mut [Talk], time: Duration) {
        let end = self.pair.now + time;
        while self.pair.now < end {
            self.deliver();
            for talk in &mut *talks {
                self.read(talk);
                self.send(talk);
            }
            self.carry();
            let step = self.pair.now + self.step;
            let due = [&self.there, &self.back].map(|line| line.front().map(|(at, _)| *at));
            let due = due.into_iter().flatten().min().unwrap_or(step);
            self.pair.now = due.clamp(self.pair.now + MS / 1_000, step);
        }
    }

    fn deliver(&mut self) {
        let now = self.pair.now;
        let due = |line: &mut Line| {
            let count = line.iter().take_while(|(at, _)| *at <= now).count();
            line.drain(..count).fold(Vec::new(), |all, (_, bytes)| [all, bytes].concat())
        };
        let (there, back) = (due(&mut self.there), due(&mut self.back));
        self.pair.client.seen.clear();
        self.pair.server.seen.clear();
        if !there.is_empty() {
            self.pair.server.receive(&there, now).expect("the client keeps to the protocol");
        }
        if !back.is_empty() {
            self.pair.client.receive(&back, now).expect("the server keeps to the protocol");
        }
    }

    fn read(&mut self, talk: &mut Talk) {
        self.pair.server.conn.note_time(self.pair.now);
        let Some(rate) = talk.reads else {
            let (messages, _) = self.pair.server.read_all(talk.served);
            talk.got += messages.iter().map(bytes::Bytes::len).sum::<usize>();
            return;
        };
        // A slow reader has messages in its hands, and reports each.
        talk.readable += rate as f64 * self.step.as_secs_f64();
        while talk.readable >= talk.message.len() as f64 {
            talk.readable -= talk.message.len() as f64;
            if self.pair.server.conn.unread_of(talk.served) < talk.message.len() {
                break;
            }
            let consumed = crate::conn::Consumed { messages: 1, bytes: talk.message.len() };
            self.pair.server.conn.give_credit(talk.served, consumed);
            talk.got += talk.message.len();
        }
    }

    fn send(&mut self, talk: &mut Talk) {
        while talk.next <= self.pair.now
            && self.line_free <= self.pair.now + MS
            && self.pair.client.send(talk.key, &talk.message) == Ok(Sent::Queued)
        {
            talk.next = self.pair.now + talk.every;
            self.carry();
        }
    }

    /// Puts what both have written on the lines.
    fn carry(&mut self) {
        for piece in self.pair.client.output().chunks(16 * 1024) {
            let took = Duration::from_secs_f64(piece.len() as f64 / self.rate as f64);
            self.line_free = self.line_free.max(self.pair.now) + took;
            self.there.push_back((self.line_free + self.delay, piece.to_vec()));
        }
        let back = self.pair.server.output();
        if !back.is_empty() {
            self.back.push_back((self.pair.now + self.delay, back.to_vec()));
        }
    }

    /// Opens a stream for messages of that size, which talks alone for so long.
    fn begin(&mut self, size: usize, time: Duration) -> [Talk; 1] {
        let mut talks = [self.open(size)];
        self.run(&mut talks, time);
        talks
    }

    /// The bytes that a stream gets in so long.
    fn carries(&mut self, talks: &mut [Talk], time: Duration) -> usize {
        let before = talks[0].got;
        self.run(talks, time);
        talks[0].got - before
    }
}

#[test]
fn a_window_grows_to_what_the_path_holds_and_the_line_is_full() {
    for (size, delay) in [(1024, 10), (1024, 1), (16 * 1024, 50), (300_000, 10)] {
        let mut path = Path::new(MS * delay, 40_000_000, Config::default());
        let mut talks = path.begin(size, MS * delay * 30);
        let carried = path.carries(&mut talks, MS * 200);
        let window = path.window(&talks[0]);
        assert!(carried >= 7_400_000, "{carried} of 8,000,000 with {window}, {size} {delay}");
        let held = 80_000 * delay;
        assert!(window >= held, "{window} for {held}, {size} {delay}");
    }
}

#[test]
fn a_window_that_is_fixed_or_at_its_most_stays() {
    let fixed = Config { max_window: 0, ..Config::default() };
    let limited = Config { max_window: 300_000, ..Config::default() };
    for (config, most) in [(fixed, START), (limited, 300_000)] {
        let mut path = Path::new(MS * 10, 100_000_000, config);
        let mut talks = path.begin(1024, MS * 800);
        let carried = path.carries(&mut talks, MS * 200);
        assert_eq!(path.window(&talks[0]), most);
        let most = most as usize;
        assert!((most * 7..most * 13).contains(&carried), "{carried} in ten round trips");
    }
}

#[test]
fn a_slow_line_a_slow_sender_and_a_slow_reader_leave_the_window_near_its_start() {
    let slow = |change: fn(&mut Path, &mut Talk)| {
        let mut path = Path::new(MS, 20_000_000, Config::default());
        let mut talks = [path.open(1024)];
        change(&mut path, &mut talks[0]);
        let mut most = 0;
        for _ in 0..100 {
            path.run(&mut talks, MS * 50);
            most = most.max(path.window(&talks[0]));
        }
        (path.window(&talks[0]), most)
    };
    // The first round trip seems to be longer than it is, and a trial doubles the window.
    let (now, most) = slow(|path, _| path.rate = 1_000_000);
    assert!(now <= START * 8 && most <= START * 8, "a slow line: {now}, {most}");
    let (now, most) = slow(|_, talk| talk.every = MS);
    assert!(now <= START * 8 && most <= START * 8, "a slow sender: {now}, {most}");
    let (now, most) = slow(|_, talk| talk.reads = Some(5_000_000));
    assert_eq!((now, most), (START, START), "a slow reader");
}

#[test]
fn a_window_that_a_stream_does_not_use_up_is_given_back_and_never_what_was_given() {
    let mut path = Path::new(MS * 10, 100_000_000, Config::default());
    let mut talks = path.begin(1024, MS * 400);
    let grown = path.window(&talks[0]);
    assert!(grown >= 2_000_000, "{grown}");
    let reserved = path.pair.server.conn.buffered().reserved;
    // 500 kB a second.
    (talks[0].every, path.step) = (MS * 2, MS);
    let mut before = grown;
    for second in 0..27 {
        let got = path.carries(&mut talks, Duration::from_secs(1));
        assert!(got >= 450_000, "it goes on while it shrinks: {got} in second {second}");
        let window = path.window(&talks[0]);
        // In the first second it was still in use, so a larger one may be tried in the next.
        let most = if second < 2 { grown * 2 } else { before.max(START * 8) };
        assert!(window <= most, "{window} after {before}");
        before = window;
    }
    assert!(before <= grown / 4, "what 500 kB a second have use for: {before}");
    assert!(path.pair.server.conn.buffered().reserved < reserved / 2);
    talks[0].every = MS * 20;
    path.run(&mut talks, Duration::from_secs(60));
    assert_eq!(path.window(&talks[0]), START);
    // It grows again.
    (talks[0].every, path.step) = (Duration::ZERO, MS / 10);
    path.run(&mut talks, MS * 600);
    assert!(path.window(&talks[0]) >= 2_000_000);
}

#[test]
fn a_path_that_gets_longer_gets_a_larger_window() {
    let mut path = Path::new(MS * 2, 20_000_000, Config::default());
    let mut talks = path.begin(4096, MS * 300);
    let before = path.window(&talks[0]);
    path.delay = MS * 20;
    path.run(&mut talks, MS * 7_000);
    let carried = path.carries(&mut talks, MS * 200);
    assert!(carried >= 3_700_000, "{carried}, {before} became {}", path.window(&talks[0]));
}

#[test]
fn headers_of_tiny_messages_let_no_window_grow() {
    let mut path = Path::new(MS * 10, 100_000_000, Config::default());
    let mut talks = path.begin(31, MS * 300);
    assert_eq!(path.window(&talks[0]), START);
    talks[0].message = vec![7; 32];
    path.run(&mut talks, MS * 300);
    assert!(path.window(&talks[0]) > START);
}

#[test]
fn a_stream_that_floods_leaves_the_others_their_windows_and_room_for_more() {
    let mut path = Path::new(MS * 10, 100_000_000, Config::default());
    let mut talks: Vec<_> = (0..100).map(|_| path.open(1024)).collect();
    talks[1..].iter_mut().for_each(|talk| talk.every = MS * 20);
    path.run(&mut talks, MS * 500);
    assert!(path.window(&talks[0]) >= 1_000_000, "{}", path.window(&talks[0]));
    assert!(talks[1..].iter().all(|talk| path.window(talk) >= START));
    let reserved = path.pair.server.conn.buffered().reserved;
    assert!(reserved <= 30 * MIB, "{reserved}");
    let late = path.open(1024);
    assert_eq!(path.window(&late), START);
}

#[test]
fn streams_that_flood_share_the_room_and_those_that_grew_first_give_some_back() {
    let unread = 16 * MIB;
    let mut path = Path::new(MS * 10, 100_000_000, Config { unread, ..Config::default() });
    let mut talks = vec![path.open(1024)];
    path.run(&mut talks, MS * 400);
    let alone = path.window(&talks[0]);
    assert!(alone >= 1_500_000, "{alone}");
    talks.extend((0..60).map(|_| path.open(1024)));
    for _ in 0..40 {
        path.run(&mut talks, MS * 50);
        let buffered = path.pair.server.conn.buffered();
        assert!(buffered.reserved <= unread, "{buffered:?}");
    }
    let windows: Vec<_> = talks.iter().map(|talk| path.window(talk)).collect();
    assert!(windows.iter().all(|window| *window <= 200_000), "{windows:?}");
    assert!(windows.iter().all(|window| *window >= 32_000), "{windows:?}");
}

#[test]
fn windows_grow_no_further_than_there_is_room() {
    let unread = 2 * MIB;
    let mut path = Path::new(MS * 50, 100_000_000, Config { unread, ..Config::default() });
    let mut talks = [path.open(1024), path.open(1024)];
    for _ in 0..100 {
        path.run(&mut talks, MS * 20);
        let buffered = path.pair.server.conn.buffered();
        assert!(buffered.reserved <= unread / 2, "{buffered:?}");
    }
    let window = path.window(&talks[0]);
    assert!((100_000..400_000).contains(&window), "{window}");
}

#[test]
fn the_next_stream_of_a_connection_gets_at_once_what_the_first_has_found_out() {
    let mut path = Path::new(MS * 50, 100_000_000, Config::default());
    let talks = path.begin(1024, MS * 2_000);
    let found = path.window(&talks[0]);
    assert!(found >= 10_000_000, "{found}");
    let mut next = [path.open(1024)];
    assert_eq!(path.window(&next[0]), START, "nothing is promised before it is used");
    path.run(&mut next, MS * 350);
    assert!(path.window(&next[0]) >= 10_000_000, "{}", path.window(&next[0]));
}

#[test]
fn a_path_without_delay_lets_a_window_grow_to_a_mebibyte() {
    for size in [1024, 900_000] {
        let mut path = Path::near();
        let talks = path.begin(size, MS * 50);
        let window = path.window(&talks[0]) as usize;
        assert!((MIB / 2..=MIB + 100).contains(&window), "{window} for {size}");
    }
}

#[test]
fn a_reader_that_works_on_what_came_at_once_gets_no_larger_window() {
    let mut path = Path::near();
    let mut talks = path.begin(1024, MS * 50);
    let before = path.window(&talks[0]);
    // It takes 20 kB in 2 ms.
    (talks[0].reads, talks[0].readable) = (Some(10_000_000), 0.0);
    path.run(&mut talks, MS * 500);
    assert!(path.window(&talks[0]) <= before, "{} after {before}", path.window(&talks[0]));
}

#[test]
fn a_round_trip_of_more_than_a_second_is_no_wall() {
    let mut path = Path::new(MS * 800, 4_000_000, Config::default());
    path.step = MS;
    let mut talks = path.begin(4096, MS * 20_000);
    let carried = path.carries(&mut talks, MS * 3_200);
    assert!(carried >= 11_000_000, "{carried} of 12,800,000");
}
