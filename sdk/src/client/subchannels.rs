//! Subchannels: the connections that a channel has or wants, as a value. Events go in, and tasks to
//! start come out. It neither waits nor connects.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::driver::{Link, WeakLink};
use crate::error::{Error, ErrorKind, Origin, Reason};
use crate::signal::Signal;
use crate::transport::Address;

use super::backoff::{Attempts, Backoff, after};
use super::state::State;

/// The connections that a channel has or wants.
#[derive(Debug, Default)]
pub(super) struct Subchannels {
    list: Vec<Subchannel>,
    /// Connections that get no more calls, while those on them go on.
    draining: Vec<Aside>,
    resolver: ResolverState,
    last_id: u64,
    failures: Failures,
    /// Why there will be no connection any more.
    closed: Option<Error>,
}

/// The states of failure that a channel was in.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// How often one began.
    pub(super) count: u64,
    /// Why the last one did, if there was no connection since.
    pub(super) last: Option<Error>,
}

/// The number of a subchannel, for the task that makes its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Id(u64);

/// The number of connections, for each that is wanted, that may wait for their last calls before
/// another one is made to their address. Each but the newest has outlived a server, or the servers
/// there refuse for ever.
const MOST_ASIDE: usize = 16;

/// A connection whose address was taken away, or whose server drains.
#[derive(Debug)]
struct Aside {
    id: Id,
    address: Address,
    /// Held weakly, so that it closes with the last call.
    link: WeakLink,
}

/// One connection that is wanted.
#[derive(Debug)]
struct Subchannel {
    id: Id,
    address: Address,
    /// Which of the connections to its address it is.
    number: usize,
    phase: Phase,
    attempts: Attempts,
    /// Tells its task that it is wanted no more.
    gone: Arc<Signal>,
}

#[derive(Debug)]
enum Phase {
    /// Until somebody needs it. There is no task.
    Resting,
    Connecting,
    Ready(Link),
    Failed {
        why: Error,
        retry_at: Instant,
    },
}

/// The state of the resolver, and so of the list of addresses.
#[derive(Debug, Default)]
enum ResolverState {
    /// They are a list that does not change.
    #[default]
    Fixed,
    /// The resolver was not asked yet. There is no task.
    Resting,
    Asking,
    Known,
    Failed {
        why: Error,
        retry_at: Instant,
    },
}

/// A task to start.
#[derive(Debug)]
pub(super) enum Start {
    /// Connects after a wait, and keeps connected.
    Subchannel { id: Id, address: Address, number: usize, gone: Arc<Signal>, wait: Duration },
    /// Asks where the servers are, and goes on doing so.
    Resolver,
}

/// The next step of a subchannel's task after a failure or a loss.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    /// Waits for that long, then tries again.
    Wait(Duration),
    /// It ends: the connection is wanted no more, or not before there is a call.
    End,
}

impl Subchannel {
    /// An attempt has failed, or may not be made: gives how long the next one has to wait.
    fn fail(&mut self, why: Error, backoff: &Backoff, now: Instant, random: f64) -> Duration {
        let wait = self.attempts.handle_failed(backoff, random);
        self.phase = Phase::Failed { why, retry_at: after(now, wait) };
        wait
    }
}

impl Subchannels {
    /// Subchannels with a list of addresses that does not change.
    pub(super) fn fixed(addresses: &[Address], each: usize) -> Self {
        let mut subchannels = Self::default();
        addresses.iter().for_each(|address| subchannels.add(address, each));
        subchannels
    }

    /// Subchannels whose addresses have to be asked for.
    pub(super) fn named() -> Self {
        Self { resolver: ResolverState::Resting, ..Self::default() }
    }

    /// One subchannel with a connection that is there already.
    pub(super) fn connected(link: Link) -> Self {
        let mut subchannels = Self::default();
        subchannels.last_id += 1;
        subchannels.list.push(Subchannel {
            id: Id(subchannels.last_id),
            address: Address::Tcp(String::new()),
            number: 0,
            phase: Phase::Ready(link),
            attempts: Attempts::default(),
            gone: Arc::default(),
        });
        subchannels
    }

    /// Somebody needs a connection: what rests is to be started.
    pub(super) fn wake(&mut self) -> Vec<Start> {
        let mut starts = Vec::new();
        if matches!(self.resolver, ResolverState::Resting) {
            self.resolver = ResolverState::Asking;
            starts.push(Start::Resolver);
        }
        for subchannel in &mut self.list {
            if matches!(subchannel.phase, Phase::Resting) {
                subchannel.phase = Phase::Connecting;
                starts.push(Start::Subchannel {
                    id: subchannel.id,
                    address: subchannel.address.clone(),
                    number: subchannel.number,
                    gone: Arc::clone(&subchannel.gone),
                    wait: Duration::ZERO,
                });
            }
        }
        starts
    }

    /// There are new addresses, of which none is there twice. They are to be connected to at once:
    /// who asked for them has a call.
    pub(super) fn handle_addresses(&mut self, addresses: &[Address], each: usize) -> Vec<Start> {
        if self.closed.is_some() {
            return Vec::new();
        }
        self.resolver = ResolverState::Known;
        let (stay, leave) = std::mem::take(&mut self.list)
            .into_iter()
            .partition(|subchannel| addresses.contains(&subchannel.address));
        self.list = stay;
        self.dismiss(leave);
        for address in addresses {
            if !self.list.iter().any(|subchannel| subchannel.address == *address) {
                self.add(address, each);
            }
        }
        self.wake()
    }

    /// The addresses are asked for again.
    pub(super) fn handle_asking(&mut self) {
        self.resolver = ResolverState::Asking;
    }

    /// The addresses could not be had.
    pub(super) fn handle_unnamed(&mut self, why: Error, retry_at: Instant) {
        self.resolver = ResolverState::Failed { why, retry_at };
    }

    /// An attempt begins after a wait, or has to wait for longer: gives for how long.
    pub(super) fn handle_retry(
        &mut self,
        id: Id,
        backoff: &Backoff,
        now: Instant,
        random: f64,
    ) -> Duration {
        let Some(place) = self.list.iter().position(|subchannel| subchannel.id == id) else {
            return Duration::ZERO;
        };
        let crowded = self.crowded(&self.list[place].address);
        let subchannel = &mut self.list[place];
        match crowded {
            None => {
                subchannel.phase = Phase::Connecting;
                Duration::ZERO
            }
            Some(why) => subchannel.fail(why, backoff, now, random),
        }
    }

    /// The server of a connection drains. The connection is put aside until its last call has
    /// ended, and another one takes its place, as if it were lost.
    pub(super) fn handle_drains(
        &mut self,
        id: Id,
        why: Error,
        backoff: &Backoff,
        now: Instant,
        random: f64,
    ) -> Vec<Start> {
        let Some(place) = self.list.iter().position(|subchannel| subchannel.id == id) else {
            return Vec::new();
        };
        let (address, number) = (self.list[place].address.clone(), self.list[place].number);
        let mut attempts = std::mem::take(&mut self.list[place].attempts);
        let mut wait = attempts.handle_lost(backoff, now, random);
        self.last_id += 1;
        let new = Subchannel {
            id: Id(self.last_id),
            address: address.clone(),
            number,
            phase: Phase::Connecting,
            attempts,
            gone: Arc::default(),
        };
        let old = std::mem::replace(&mut self.list[place], new);
        self.dismiss(vec![old]);
        let crowded = self.crowded(&address);
        let new = &mut self.list[place];
        if crowded.is_some() && wait.is_zero() {
            wait = new.attempts.handle_failed(backoff, random);
        }
        if wait > Duration::ZERO {
            new.phase = Phase::Failed { why: crowded.unwrap_or(why), retry_at: after(now, wait) };
        }
        vec![Start::Subchannel { id: new.id, address, number, gone: Arc::clone(&new.gone), wait }]
    }

    /// The server of the one connection that the channel was given drains. It is put aside, and
    /// there will be no other.
    pub(super) fn handle_given_drains(&mut self, why: Error) {
        let list = std::mem::take(&mut self.list);
        self.dismiss(list);
        self.closed.get_or_insert(why);
    }

    /// There is a connection. If it is not wanted any more, nobody holds it, and it closes.
    pub(super) fn handle_connected(&mut self, id: Id, link: Link, now: Instant) {
        if let Some(subchannel) = self.find(id) {
            subchannel.attempts.handle_connected(now);
            subchannel.phase = Phase::Ready(link);
            self.failures.last = None;
        }
    }

    pub(super) fn handle_failed(
        &mut self,
        id: Id,
        why: Error,
        backoff: &Backoff,
        now: Instant,
        random: f64,
    ) -> Then {
        let Some(subchannel) = self.find(id) else { return Then::End };
        Then::Wait(subchannel.fail(why, backoff, now, random))
    }

    /// A connection is over. It is replaced at once if it was of use, else when there is a call: a
    /// server that closes connections on which nothing happens is left in peace.
    pub(super) fn handle_lost(
        &mut self,
        id: Id,
        why: Error,
        backoff: &Backoff,
        now: Instant,
        random: f64,
    ) -> Then {
        self.draining.retain(|aside| aside.id != id);
        let Some(subchannel) = self.find(id) else { return Then::End };
        let wait = subchannel.attempts.handle_lost(backoff, now, random);
        let rests = matches!(&subchannel.phase, Phase::Ready(link) if !link.was_used());
        if wait > Duration::ZERO {
            subchannel.phase = Phase::Failed { why, retry_at: after(now, wait) };
        } else if rests {
            subchannel.phase = Phase::Resting;
            return Then::End;
        } else {
            subchannel.phase = Phase::Connecting;
        }
        Then::Wait(wait)
    }

    /// A connection was closed on this side because nobody used it. The next call makes another
    /// one.
    pub(super) fn handle_idle(&mut self, id: Id) {
        self.draining.retain(|aside| aside.id != id);
        if let Some(subchannel) = self.find(id) {
            subchannel.phase = Phase::Resting;
        }
    }

    /// The task of a subchannel is gone, with its runtime or by a panic. The next call starts
    /// another one.
    pub(super) fn handle_abandoned(&mut self, id: Id) {
        self.handle_idle(id);
    }

    /// The task that asks for addresses is gone. The next call starts another one.
    pub(super) fn handle_resolver_abandoned(&mut self) {
        self.resolver = ResolverState::Resting;
    }

    /// There will be no connection any more. Gives those that are there.
    pub(super) fn close(&mut self, why: Error) -> Vec<Link> {
        self.closed.get_or_insert(why);
        let list = std::mem::take(&mut self.list);
        let links = list.iter().filter_map(|subchannel| match &subchannel.phase {
            Phase::Ready(link) => Some(link.clone()),
            _ => None,
        });
        let links = links.chain(self.draining()).collect();
        self.dismiss(list);
        links
    }

    pub(super) fn closed(&self) -> Option<&Error> {
        self.closed.as_ref()
    }

    pub(super) fn state(&self) -> State {
        if self.closed.is_some() {
            return State::Closed;
        }
        let mut best = match &self.resolver {
            ResolverState::Asking if self.list.is_empty() => State::Connecting,
            ResolverState::Failed { why, retry_at } if self.list.is_empty() => {
                State::TransientFailure { why: why.clone(), retry_at: *retry_at }
            }
            _ => State::Idle,
        };
        for subchannel in &self.list {
            match &subchannel.phase {
                Phase::Ready(link) if link.takes_calls() => return State::Ready,
                // Its task will know in a moment.
                Phase::Ready(_) | Phase::Connecting => best = State::Connecting,
                Phase::Failed { why, retry_at } => match &best {
                    State::Connecting => {}
                    State::TransientFailure { retry_at: earlier, .. } if earlier <= retry_at => {}
                    _ => best = State::TransientFailure { why: why.clone(), retry_at: *retry_at },
                },
                Phase::Resting => {}
            }
        }
        best
    }

    /// Remembers that the channel is in a state of failure from now on.
    pub(super) fn note_failure(&mut self, why: &Error) {
        self.failures.count += 1;
        self.failures.last = Some(why.clone());
    }

    pub(super) fn failures(&self) -> &Failures {
        &self.failures
    }

    /// The connections that are there, each with its number among those to its address.
    pub(super) fn links(&self) -> impl Iterator<Item = (Link, usize)> {
        self.list.iter().filter_map(|subchannel| match &subchannel.phase {
            Phase::Ready(link) => Some((link.clone(), subchannel.number)),
            _ => None,
        })
    }

    /// The connections that finish their calls.
    pub(super) fn draining(&self) -> Vec<Link> {
        self.draining.iter().filter_map(|aside| aside.link.upgrade()).collect()
    }

    /// Tells whether something is to be started when there is a call.
    pub(super) fn is_resting(&self) -> bool {
        matches!(self.resolver, ResolverState::Resting)
            || self.list.iter().any(|subchannel| matches!(subchannel.phase, Phase::Resting))
    }

    fn add(&mut self, address: &Address, each: usize) {
        for number in 0..each {
            self.last_id += 1;
            self.list.push(Subchannel {
                id: Id(self.last_id),
                address: address.clone(),
                number,
                phase: Phase::Resting,
                attempts: Attempts::default(),
                gone: Arc::default(),
            });
        }
    }

    fn dismiss(&mut self, subchannels: Vec<Subchannel>) {
        for subchannel in subchannels {
            subchannel.gone.set();
            if let Phase::Ready(link) = &subchannel.phase
                && self.closed.is_none()
            {
                let link = link.downgrade();
                self.draining.push(Aside { id: subchannel.id, address: subchannel.address, link });
            }
        }
    }

    /// Why no connection to an address is made for now, if so many are put aside there.
    fn crowded(&self, address: &Address) -> Option<Error> {
        let aside = self.draining.iter().filter(|aside| aside.address == *address).count();
        let wanted = self.list.iter().filter(|subchannel| subchannel.address == *address).count();
        (aside >= MOST_ASIDE * wanted).then(|| {
            let text = format!(
                "the connection was not made: {aside} others to this address, whose server said on each that it is \
                 shutting down, wait for their last calls"
            );
            Error::new(ErrorKind::Connect, Origin::Peer, Reason::Connect, text)
                .with_peer(address.to_string())
        })
    }

    fn find(&mut self, id: Id) -> Option<&mut Subchannel> {
        self.list.iter_mut().find(|subchannel| subchannel.id == id)
    }
}
