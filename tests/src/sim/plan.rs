//! The plan of a run, drawn from its seed.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use trill::testing::{Cut, Direction, Side};
use trill::{Compression, Limits};

/// The largest body on a link that compresses. More is packed and unpacked on other threads, and
/// then a seed would not do the same twice.
const COMPRESSED: usize = 6_000;

/// All that a run does on purpose.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) seed: u64,
    pub(super) server_window: u32,
    pub(super) links: Vec<LinkPlan>,
    pub(super) calls: Vec<CallPlan>,
    pub(super) shutdown: Option<Shutdown>,
}

/// A connection, and those that replace it when it is cut.
#[derive(Clone, Debug)]
pub(super) struct LinkPlan {
    pub(super) window: u32,
    pub(super) delay: RangeInclusive<Duration>,
    pub(super) split_reads: Option<RangeInclusive<usize>>,
    pub(super) compression: Option<Compression>,
    /// One after the other, each after a pause.
    pub(super) faults: Vec<(Duration, Fault)>,
}

#[derive(Clone, Debug)]
pub(super) enum Fault {
    Partition(Direction, Duration),
    Freeze(Side, Duration),
    Throttle(u64, Duration),
    Cut(Cut),
    CutAfter(Direction, u64, Cut),
}

#[derive(Clone, Debug)]
pub(super) struct Shutdown {
    pub(super) at: Duration,
    pub(super) grace: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct CallPlan {
    pub(super) link: usize,
    pub(super) at: Duration,
    pub(super) kind: Kind,
    /// Decides what is left open here.
    pub(super) seed: u64,
    /// When the client drops whatever it has.
    pub(super) give_up: Option<Duration>,
    pub(super) deadline: Option<Duration>,
    pub(super) client: Party,
    pub(super) server: Party,
    pub(super) end: HandlerEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Unary,
    OneWay,
    Upload,
    Download,
    Talk,
}

/// The part of one side in a call.
#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) style: Style,
    /// The sizes of its messages.
    pub(super) sizes: Vec<usize>,
    /// At most so long it waits between two messages that it writes.
    pub(super) write_pause: Duration,
    /// How many messages it reads before it drops its reader; `None` for all.
    pub(super) reads: Option<usize>,
    /// It does not drop its reader then, and waits for ever.
    pub(super) sits: bool,
    /// At most so long it waits behind each message that it reads.
    pub(super) read_pause: Duration,
    /// How a client's writing ends.
    pub(super) then: Then,
    /// Its handles are shared ones, used several at a time.
    pub(super) shared: bool,
    /// Now and then it gives an operation a limit, or drops it, and tries again.
    pub(super) hasty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Reads and writes at the same time.
    Together,
    /// Writes all before it reads.
    WriteFirst,
    /// Writes one for each that it reads; a handler only.
    Echo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Finish,
    Drop,
    Fail(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandlerEnd {
    Ok,
    Error(i32),
    Panic,
    /// Never by itself.
    Hang,
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let links: Vec<_> = (0..rng.usize(1..=3)).map(|_| LinkPlan::draw(&mut rng)).collect();
        let calls = (0..rng.usize(1..=14)).map(|_| CallPlan::draw(&mut rng, links.len())).collect();
        let shutdown = one_in(&mut rng, 10)
            .then(|| Shutdown { at: millis(&mut rng, 0..=500), grace: millis(&mut rng, 0..=300) });
        let mut plan = Self { seed, server_window: window(&mut rng), links, calls, shutdown };
        // Rule 21 of the protocol: without flow control a reader that sits holds up its whole
        // connection, its own reset included.
        for call in 0..plan.calls.len() {
            if plan.is_without_flow_control(plan.calls[call].link) {
                (plan.calls[call].client.sits, plan.calls[call].server.sits) = (false, false);
            }
            if plan.links[plan.calls[call].link].compression.is_some() {
                let CallPlan { client, server, .. } = &mut plan.calls[call];
                for size in client.sizes.iter_mut().chain(&mut server.sizes) {
                    *size = (*size).min(COMPRESSED);
                }
            }
        }
        plan
    }

    /// The largest message of those that use a link, with what is around its body.
    pub(super) fn largest(&self, link: usize) -> usize {
        let calls = self.calls.iter().filter(|call| call.link == link);
        calls
            .flat_map(|call| call.client.sizes.iter().chain(&call.server.sizes))
            .max()
            .unwrap_or(&0)
            + 64
    }

    pub(super) fn is_without_flow_control(&self, link: usize) -> bool {
        self.server_window == 0 || self.links[link].window == 0
    }
}

impl LinkPlan {
    fn draw(rng: &mut Rng) -> Self {
        let shortest = millis(rng, 0..=10);
        let faults = if rng.bool() { 0 } else { rng.usize(1..=4) };
        Self {
            window: window(rng),
            delay: shortest..=shortest + millis(rng, 0..=15),
            split_reads: one_in(rng, 3).then(|| 1..=rng.usize(1..=5_000)),
            compression: one_in(rng, 8).then_some(Compression::Lz4),
            faults: (0..faults).map(|_| (millis(rng, 0..=200), Fault::draw(rng))).collect(),
        }
    }
}

impl Fault {
    fn draw(rng: &mut Rng) -> Self {
        let direction = *one_of(rng, &[Direction::ToServer, Direction::ToClient, Direction::Both]);
        let how = *one_of(rng, &[Cut::Reset, Cut::Fin]);
        match rng.u32(0..10) {
            0..3 => Self::Partition(direction, millis(rng, 1..=400)),
            3..6 => Self::Freeze(*one_of(rng, &[Side::Client, Side::Server]), millis(rng, 1..=400)),
            6..8 => Self::Throttle(rng.u64(20_000..2_000_000), millis(rng, 1..=400)),
            8 => Self::Cut(how),
            _ => Self::CutAfter(direction, rng.u64(0..20_000), how),
        }
    }
}

impl CallPlan {
    fn draw(rng: &mut Rng, links: usize) -> Self {
        let kind = *one_of(
            rng,
            &[
                Kind::Unary,
                Kind::Unary,
                Kind::OneWay,
                Kind::Upload,
                Kind::Upload,
                Kind::Download,
                Kind::Download,
                Kind::Talk,
                Kind::Talk,
                Kind::Talk,
            ],
        );
        let end = match rng.u32(0..20) {
            0..14 => HandlerEnd::Ok,
            14..17 => HandlerEnd::Error(rng.i32(1..1_000)),
            17 => HandlerEnd::Panic,
            _ => HandlerEnd::Hang,
        };
        let (client, server) = (Party::draw(rng, false), Party::draw(rng, true));
        // A side that writes first and reads later may wait for ever for one that does the same.
        let sits = client.sits || server.sits;
        let may_wait_for_ever = sits
            || end == HandlerEnd::Hang
            || (client.style != Style::Together && server.style != Style::Together);
        Self {
            link: rng.usize(0..links),
            at: millis(rng, 0..=300),
            kind,
            seed: rng.u64(..),
            give_up: (may_wait_for_ever || one_in(rng, 6))
                .then(|| millis(rng, 0..=if sits { 2_000 } else { 400 })),
            // A one-way call has no waiter, so nothing else ends one that hangs.
            deadline: (one_in(rng, 8) || (kind == Kind::OneWay && end == HandlerEnd::Hang))
                .then(|| millis(rng, 1..=400)),
            client,
            server,
            end,
        }
    }
}

impl Party {
    fn draw(rng: &mut Rng, is_handler: bool) -> Self {
        let style = match rng.u32(0..6) {
            0 => Style::WriteFirst,
            1 | 2 if is_handler => Style::Echo,
            _ => Style::Together,
        };
        let then = match rng.u32(0..10) {
            0 => Then::Drop,
            1 => Then::Fail(rng.i32(1..1_000)),
            _ => Then::Finish,
        };
        let sits = one_in(rng, 12);
        let pause =
            |rng: &mut Rng| if one_in(rng, 3) { millis(rng, 0..=8) } else { Duration::ZERO };
        Self {
            style,
            sizes: sizes(rng),
            write_pause: pause(rng),
            reads: (sits || one_in(rng, 6)).then(|| rng.usize(0..10)),
            sits,
            read_pause: pause(rng),
            then,
            shared: one_in(rng, 4),
            hasty: one_in(rng, 3),
        }
    }
}

/// Sizes of bodies: many small ones, or a few about a window's size and above.
fn sizes(rng: &mut Rng) -> Vec<usize> {
    let largest = *one_of(rng, &[30, 30, 2_000, 40_000, 70_000, 300_000]);
    let most = match largest {
        0..=30 => 200,
        31..=2_000 => 100,
        2_001..=70_000 => 12,
        _ => 4,
    };
    (0..rng.usize(0..=most)).map(|_| rng.usize(0..=largest)).collect()
}

/// The window that grows, and how far.
const AUTOMATIC: u32 = 65_534;
const GROWN: u32 = 500_000;

/// Sets the window of a plan.
pub(super) fn limits(window: u32) -> Limits {
    match window {
        AUTOMATIC => Limits::default().max_window(GROWN),
        fixed => Limits::default().window(fixed),
    }
}

/// The most that the window of a plan may hold.
pub(super) fn most(window: u32) -> u32 {
    if window == AUTOMATIC { GROWN } else { window }
}

/// Peers of the protocol take a smaller window for 65,535 bytes.
fn window(rng: &mut Rng) -> u32 {
    *one_of(rng, &[AUTOMATIC, AUTOMATIC, 65_535, 65_536, 100_000, 262_144, 1_000_000, 0])
}

fn one_of<'a, T>(rng: &mut Rng, choices: &'a [T]) -> &'a T {
    rng.choice(choices).expect("there is something to choose from")
}

pub(super) fn one_in(rng: &mut Rng, count: u32) -> bool {
    rng.u32(0..count) == 0
}

pub(super) fn millis(rng: &mut Rng, range: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rng.u64(range))
}
