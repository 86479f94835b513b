//! The connections of a channel: calls pick one, tasks make and replace them.
//!
//! A call that finds no connection starts the tasks that make one ([`keeper`]), and
//! waits. Each change of the subchannels wakes the calls that wait, and those that watch the state.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};

use crate::cores::CoreSet;
use crate::driver::{Config, ConnError, Link};
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::signal::Signal;
use crate::sync::Mutex;

use super::backoff::Backoff;
use super::balance::Balance;
use super::connect::Connect;
use super::keeper;
use super::per_core::Pickers;
use super::resolve::Resolve;
use super::runtime::{self, Guard, Task};
use super::state::{State, StateWatch};
use super::subchannels::{Start, Subchannels};

/// The connections of a channel. Its tasks hold it as well, and end when it is
/// [released](Self::release).
pub(super) struct ConnectionPool {
    /// They pick each call's connection. They are replaced, never changed, so that calls need no
    /// lock.
    pickers: ArcSwap<Pickers>,
    /// Some connections get less than their share, because their servers refuse.
    uneven: Arc<AtomicBool>,
    subchannels: Mutex<Subchannels>,
    /// Wakes calls that wait for a connection.
    changed: Notify,
    states: watch::Sender<State>,
    /// Ends the task that asks for addresses.
    pub(super) over: Signal,
    /// A connection failed: somebody else may have become its server. Wakes the task that asks for
    /// addresses.
    pub(super) ask_again: Notify,
    /// Why the last connection ended that had something left to write, until a flush tells it.
    pub(super) unwritten: Mutex<Option<Error>>,
    pub(super) config: ChannelConfig,
}

/// The configuration of a channel: its target, and how its connections are made.
pub(super) struct ChannelConfig {
    /// The name of the servers in errors, before one of them is known.
    pub(super) target: Arc<str>,
    pub(super) connector: Arc<dyn Connect>,
    pub(super) connection: Config,
    pub(super) connect_timeout: Duration,
    pub(super) backoff: Backoff,
    /// The number of connections to each address.
    pub(super) each: usize,
    pub(super) balance: Balance,
    pub(super) resolver: Option<Arc<dyn Resolve>>,
    pub(super) resolve_every: Option<Duration>,
    /// Where its tasks run, if not where they are called for.
    pub(super) cores: Option<CoreSet>,
}

impl ChannelConfig {
    fn pickers(
        &self,
        subchannels: &Subchannels,
        uneven: &Arc<AtomicBool>,
        old: Option<&Pickers>,
    ) -> Pickers {
        let (links, resting) = (subchannels.links(), subchannels.is_resting());
        Pickers::new(links, resting, self.balance, uneven, self.cores.as_ref(), old)
    }

    /// Checks that the channel's tasks can run where it is called for.
    fn check_runtime(&self) -> Result<()> {
        match &self.cores {
            Some(_) => Ok(()),
            None => runtime::check(self.connector.needs_sockets()),
        }
    }

    /// Runs a task of the channel's: on a core, or where this is called.
    fn spawn(&self, number: usize, task: impl Future<Output = ()> + Send + 'static) {
        match &self.cores {
            Some(cores) => cores.spawn_on(number, task),
            None => drop(tokio::spawn(task)),
        }
    }
}

impl ConnectionPool {
    pub(super) fn new(config: ChannelConfig, subchannels: Subchannels) -> Arc<Self> {
        let uneven = Arc::default();
        let pickers = config.pickers(&subchannels, &uneven, None);
        Arc::new(Self {
            pickers: ArcSwap::from_pointee(pickers),
            uneven,
            states: watch::Sender::new(subchannels.state()),
            subchannels: Mutex::new(subchannels),
            changed: Notify::new(),
            over: Signal::default(),
            ask_again: Notify::new(),
            unwritten: Mutex::new(None),
            config,
        })
    }

    /// A connection for a call, if there is one.
    #[inline]
    pub(super) fn pick(self: &Arc<Self>) -> Option<Link> {
        let pickers = self.pickers.load();
        if pickers.resting {
            drop(pickers);
            // A waiter is then told why there is no connection.
            return self.wake_and_pick().ok().flatten();
        }
        pickers.pick().cloned()
    }

    /// Starts what rests, where that can run.
    #[cold]
    fn wake_and_pick(self: &Arc<Self>) -> Result<Option<Link>> {
        let woken = self.config.check_runtime().map(|()| self.start(Subchannels::wake));
        let link = self.pickers.load().pick().cloned();
        if link.is_some() {
            Ok(link)
        } else {
            woken.map(|()| None).map_err(|error| self.about(error))
        }
    }

    fn about(&self, error: Error) -> Error {
        error.with_peer(Arc::clone(&self.config.target))
    }

    /// The server of a connection has served a call.
    #[inline]
    pub(super) fn handle_served(&self, link: &Link) {
        if self.uneven.load(Ordering::Relaxed) {
            self.give_share_back(link);
        }
    }

    #[cold]
    fn give_share_back(&self, link: &Link) {
        if let Some(share) = self.pickers.load().share(link) {
            share.handle_served();
        }
    }

    /// The server of a connection has refused a call.
    #[cold]
    pub(super) fn handle_refused(&self, link: &Link) {
        if let Some(share) = self.pickers.load().share(link) {
            share.handle_refused();
        }
    }

    /// Waits for a connection. When the attempts that are going on fail, this fails as well, unless
    /// `patient`: then it waits for others.
    ///
    /// Cancel safe: it holds nothing.
    pub(super) async fn wait(self: &Arc<Self>, patient: bool) -> Result<Link> {
        let mut known = None;
        loop {
            // Made before anything is looked at, so that a change in between wakes it.
            let changed = self.changed.notified();
            let resting = self.pickers.load().resting;
            if let Some(link) = if resting { self.wake_and_pick()? } else { self.pick() } {
                return Ok(link);
            }
            if let Some(error) = self.failure(patient, &mut known) {
                return Err(error);
            }
            changed.await;
            // A state that changes again and again does not keep the thread.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Why there is no use in waiting. `known` is how many failures there were when the waiting
    /// began.
    fn failure(&self, patient: bool, known: &mut Option<u64>) -> Option<Error> {
        let subchannels = self.subchannels.lock();
        if let Some(why) = subchannels.closed() {
            return Some(why.clone());
        }
        let failures = subchannels.failures();
        let before = *known.get_or_insert(failures.count);
        match subchannels.state() {
            // The runtime takes no tasks any more, which no patience changes.
            _ if failures.count > before
                && failures.last.as_ref().is_some_and(|last| last.kind() == ErrorKind::Closed) =>
            {
                failures.last.clone()
            }
            _ if patient => None,
            State::TransientFailure { why, .. } => Some(why),
            // It failed, and the next attempt has begun already.
            State::Connecting | State::Idle if failures.count > before => failures.last.clone(),
            _ => None,
        }
    }

    /// Changes the subchannels, and tells everybody.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Subchannels) -> R) -> R {
        let mut subchannels = self.subchannels.lock();
        let result = change(&mut subchannels);
        let state = subchannels.state();
        if let State::TransientFailure { why, .. } = &state
            && !matches!(*self.states.borrow(), State::TransientFailure { .. })
        {
            subchannels.note_failure(why);
        }
        let old = self.pickers.load_full();
        let pickers = self.config.pickers(&subchannels, &self.uneven, Some(&old));
        self.pickers.store(Arc::new(pickers));
        self.states.send_if_modified(|old| {
            let new = !state.is_same(old);
            *old = state;
            new
        });
        drop(subchannels);
        // The old pickers may have the last hold on a connection, which is let go of outside the
        // lock.
        drop(old);
        self.changed.notify_waiters();
        result
    }

    /// The same for a change that has tasks to start.
    pub(super) fn start(self: &Arc<Self>, change: impl FnOnce(&mut Subchannels) -> Vec<Start>) {
        for start in self.change(change) {
            match start {
                Start::Subchannel { id, address, number, gone, wait } => {
                    let guard = Guard::new(self, Task::Subchannel(id));
                    self.config.spawn(number, keeper::keep(guard, id, address, gone, wait));
                }
                Start::Resolver => {
                    let resolver =
                        self.config.resolver.clone().expect("who has no list has a resolver");
                    let guard = Guard::new(self, Task::Resolver);
                    self.config.spawn(0, keeper::follow(guard, resolver));
                }
            }
        }
    }

    /// A task is gone before its end. With `why`, those who wait for a connection fail with that.
    pub(super) fn abandon(&self, task: Task, why: Option<&Error>) {
        let change = |subchannels: &mut Subchannels| {
            match task {
                Task::Subchannel(id) => subchannels.handle_abandoned(id),
                Task::Resolver => subchannels.handle_resolver_abandoned(),
                // It is not replaced: the channel ends with it.
                Task::Given => {
                    let lost = keeper::over(&ConnError::RuntimeGone);
                    subchannels.close(lost.with_peer(Arc::clone(&self.config.target)));
                }
            }
            if let Some(why) = why {
                subchannels.note_failure(why);
            }
        };
        self.change(change);
    }

    pub(super) fn state(&self) -> State {
        self.subchannels.lock().state()
    }

    pub(super) fn watch(&self) -> StateWatch {
        StateWatch::new(self.states.subscribe())
    }

    /// The connections that take calls.
    pub(super) fn links(&self) -> Vec<Link> {
        self.pickers.load().links().filter(|link| link.takes_calls()).cloned().collect()
    }

    /// All connections, those that only finish their calls included.
    pub(super) fn all_links(&self) -> Vec<Link> {
        let subchannels = self.subchannels.lock();
        let links = subchannels.links().map(|(link, _)| link).filter(|link| !link.is_over());
        links.chain(subchannels.draining()).collect()
    }

    /// Why the last attempt failed, if one did.
    pub(super) fn last_failure(&self) -> Option<Error> {
        self.subchannels.lock().failures().last.clone()
    }

    /// Ends a pool that has no callers left: no connection is made, and those that are there close
    /// when their last call has ended.
    pub(super) fn release(&self) {
        self.end(self.closed_error("the channel was dropped"));
    }

    /// There will be no connection any more.
    pub(super) fn end(&self, why: Error) {
        // The links are let go of outside the lock.
        drop(self.change(|subchannels| subchannels.close(why)));
        self.over.set();
    }

    /// There will be no connection any more, because there is no thread for it.
    pub(super) fn end_with_cores(&self) {
        self.end(self.closed_error(
            "the channel was closed, because its `Cores` (per_core) were shut down or dropped",
        ));
    }

    /// There will be no connection any more, and those that are there are closed.
    pub(super) fn close(&self) {
        let why = self.closed_error("the call was not sent, because the channel was closed");
        for link in self.change(|subchannels| subchannels.close(why)) {
            link.close(&ConnError::LocalClosed);
        }
        self.over.set();
    }

    fn closed_error(&self, text: &str) -> Error {
        Error::new(ErrorKind::Closed, Origin::Caller, Reason::Connect, text)
            .with_peer(Arc::clone(&self.config.target))
    }
}
