//! The tasks that wait on a connection, beside the protocol's keys.

use std::collections::BTreeMap;
use std::task::{Context, Waker};

use crate::conn::{
    CallKey, Event, IncomingCall, IncomingStream, RefusedCall, SendTicket, StreamKey, growth,
};

/// A task that waits, if one does.
#[derive(Debug, Default)]
pub(super) struct WakerSlot(Option<Waker>);

impl WakerSlot {
    /// The task of `cx` waits here now, instead of whoever did.
    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.0 {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.0 = Some(cx.waker().clone()),
        }
    }

    pub(super) fn take(&mut self) -> Option<Waker> {
        self.0.take()
    }

    /// Wakes the task that waits, which goes on waiting.
    pub(super) fn get(&self) -> Option<&Waker> {
        self.0.as_ref()
    }
}

#[derive(Debug, Default)]
pub(super) struct StreamSlots {
    /// The reader: the driver wakes it when messages or the end came.
    pub(super) read: WakerSlot,
    /// The writer: the driver wakes it when credit or the end came.
    pub(super) write: WakerSlot,
    /// The watcher of the whole stream: the driver wakes it when the stream has opened or ended.
    pub(super) watch: WakerSlot,
}

/// The waiting tasks of a connection, found by the keys of its streams, calls and tickets.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    streams: Vec<StreamSlots>,
    calls: Vec<WakerSlot>,
    tickets: Vec<WakerSlot>,
    /// The tasks that wait for the end of a stream beside its opener or the task of its handler:
    /// few do.
    closed: BTreeMap<StreamKey, Vec<(Watcher, Waker)>>,
    last_watcher: u64,
    /// Those who shut the server down, and the driver of a lost connection: whoever ends the last
    /// call, or writes the last bytes, wakes them.
    idle: Vec<Waker>,
}

/// One of those who wait for the end of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Watcher(u64);

/// New work of the peer's, for the dispatcher.
#[derive(Debug, Default)]
pub(super) struct NewWork {
    pub(super) calls: Vec<IncomingCall>,
    pub(super) streams: Vec<Box<IncomingStream>>,
    pub(super) refused: Vec<RefusedCall>,
}

impl NewWork {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.streams.is_empty() && self.refused.is_empty()
    }
}

impl Wakers {
    pub(super) fn stream(&mut self, key: StreamKey) -> &mut StreamSlots {
        at(&mut self.streams, key.0.index())
    }

    pub(super) fn call(&mut self, key: CallKey) -> &mut WakerSlot {
        at(&mut self.calls, key.0.index())
    }

    pub(super) fn ticket(&mut self, ticket: SendTicket) -> &mut WakerSlot {
        at(&mut self.tickets, ticket.0)
    }

    /// The task of `cx` waits for a connection that is draining.
    pub(super) fn wait_for_idle(&mut self, cx: &Context<'_>) {
        if !self.idle.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.idle.push(cx.waker().clone());
        }
    }

    /// The task of `cx` waits for the end of the stream, beside others.
    pub(super) fn watch(
        &mut self,
        key: StreamKey,
        watcher: &mut Option<Watcher>,
        cx: &Context<'_>,
    ) {
        let waiting = self.closed.entry(key).or_default();
        if let Some((_, waker)) = waiting.iter_mut().find(|(other, _)| Some(*other) == *watcher) {
            waker.clone_from(cx.waker());
            return;
        }
        self.last_watcher += 1;
        waiting.push((*watcher.insert(Watcher(self.last_watcher)), cx.waker().clone()));
    }

    /// One of them does not wait any more.
    pub(super) fn stop_watching(&mut self, key: StreamKey, watcher: Watcher) {
        let Some(waiting) = self.closed.get_mut(&key) else { return };
        waiting.retain(|(other, _)| *other != watcher);
        if waiting.is_empty() {
            self.closed.remove(&key);
        }
    }

    /// Drops the wakers of a stream that nobody holds any more; its place may be another's soon.
    pub(super) fn forget_stream(&mut self, key: StreamKey) {
        if let Some(slots) = self.streams.get_mut(key.0.index()) {
            *slots = StreamSlots::default();
        }
    }

    /// Drops the waker of a call that nobody holds any more; its place may be another's soon.
    pub(super) fn forget_call(&mut self, key: CallKey) {
        if let Some(slot) = self.calls.get_mut(key.0.index()) {
            *slot = WakerSlot::default();
        }
    }

    /// How many tasks wait.
    #[cfg(feature = "testing")]
    pub(super) fn waiting(&self) -> usize {
        let streams =
            self.streams.iter().flat_map(|stream| [&stream.read, &stream.write, &stream.watch]);
        let slots = streams.chain(&self.calls).chain(&self.tickets);
        slots.filter(|slot| slot.get().is_some()).count()
            + self.closed.values().map(Vec::len).sum::<usize>()
    }

    /// Sorts an event: a task to wake, or new work.
    pub(super) fn sort(&mut self, event: Event, wake: &mut Vec<Waker>, incoming: &mut NewWork) {
        let waiting = match event {
            Event::Readable(key) => self.stream(key).read.take(),
            Event::Writable(key) => self.stream(key).write.take(),
            Event::Changed(key) => {
                if !self.closed.is_empty() {
                    let waiting = self.closed.remove(&key).unwrap_or_default();
                    wake.extend(waiting.into_iter().map(|(_, waker)| waker));
                }
                self.stream(key).watch.take()
            }
            Event::CallChanged(key) => self.call(key).take(),
            Event::Room(ticket) => self.ticket(ticket).take(),
            Event::Idle => {
                wake.append(&mut self.idle);
                None
            }
            // The one is taken with all others, and of the other the send buffers hear.
            Event::Call | Event::CreditRevoked(_) => None,
            Event::Stream(stream) => {
                incoming.streams.push(stream);
                None
            }
            Event::Refused(call) => {
                incoming.refused.push(*call);
                None
            }
        };
        wake.extend(waiting);
    }
}

fn at<T: Default>(slots: &mut Vec<T>, index: usize) -> &mut T {
    if index >= slots.len() {
        if index >= slots.capacity() {
            slots.reserve_exact(growth(slots.len()).max(index + 1 - slots.len()));
        }
        slots.resize_with(index + 1, T::default);
    }
    &mut slots[index]
}
