//! The record of what was sent and how it ended, and so of what may be seen.

use crate::Ret as _;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use trill::testing::{Link, Side};
use trill::{Channel, Error, ErrorKind};

use super::message::{Parcel, SimClient};
use super::plan::{CallPlan, HandlerEnd, Kind, Plan};

/// How many lines of what happened a failure shows.
const SHOWN: usize = 60;

/// One run: its plan, and what has happened.
pub(super) struct World {
    pub(super) plan: Plan,
    started: Instant,
    state: Mutex<State>,
    /// Set by the first violation.
    pub(super) failed: Notify,
}

struct State {
    /// All connections that there have been.
    links: Vec<Connected>,
    /// Which of them stands for a link of the plan now.
    current: Vec<Option<usize>>,
    calls: Vec<Call>,
    shut_down: bool,
    over: bool,
    violation: Option<String>,
    /// The operations that are waited for, by call and role.
    doing: BTreeMap<(usize, &'static str), String>,
    tail: VecDeque<String>,
    lines: u64,
    hash: DefaultHasher,
}

/// A connection.
struct Connected {
    of: usize,
    channel: Option<Channel>,
    knobs: Link,
    /// How many faults are going on.
    troubles: usize,
    /// When the last fault began or ended.
    stirred: Instant,
    /// It was cut, or may be at any moment.
    cut: bool,
}

#[derive(Default)]
struct Call {
    link: Option<usize>,
    up: Way,
    down: Way,
    runs: u32,
    handlers: usize,
    outcome: Option<Outcome>,
    /// The client has dropped a handle before its time, or all of them.
    gave_up: bool,
    answered: bool,
    /// The client has failed its stream with this code.
    failed_with: Option<i32>,
}

/// One direction of a call.
#[derive(Default)]
struct Way {
    /// The numbers of the messages that were written, in this order.
    accepted: Vec<u32>,
    read: usize,
    /// Its writer has ended it.
    finished: bool,
}

/// The outcome of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    /// The code that was planned.
    Error(i32),
    Panic,
    /// The error of one of its handles.
    Failed,
}

/// Something that is being waited for.
pub(super) struct Doing<'a> {
    world: &'a World,
    who: (usize, &'static str),
}

impl World {
    pub(super) fn new(plan: Plan, now: Instant) -> Arc<Self> {
        let calls = plan.calls.iter().map(|_| Call::default()).collect();
        let current = vec![None; plan.links.len()];
        Arc::new(Self {
            plan,
            started: now,
            state: Mutex::new(State {
                links: Vec::new(),
                current,
                calls,
                shut_down: false,
                over: false,
                violation: None,
                doing: BTreeMap::new(),
                tail: VecDeque::new(),
                lines: 0,
                hash: DefaultHasher::new(),
            }),
            failed: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Instant {
        crate::now()
    }

    // Events.

    pub(super) fn log(&self, what: &str) {
        let line = format!("{:6} ms  {what}", self.now().duration_since(self.started).as_millis());
        let mut state = self.state();
        line.hash(&mut state.hash);
        state.lines += 1;
        if state.tail.len() == SHOWN {
            state.tail.pop_front();
        }
        state.tail.push_back(line);
    }

    /// A promise was broken. The first one counts.
    pub(super) fn violate(&self, what: &str) {
        self.log(&format!("VIOLATION {what}"));
        self.state().violation.get_or_insert_with(|| what.to_owned());
        self.failed.notify_one();
    }

    pub(super) fn violation(&self) -> Option<String> {
        self.state().violation.clone()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.state().violation.is_some()
    }

    /// The last lines of what happened, how many there were, and a number that stands for all of
    /// them.
    pub(super) fn trace(&self) -> (Vec<String>, u64, u64) {
        let state = self.state();
        (state.tail.iter().cloned().collect(), state.lines, state.hash.finish())
    }

    pub(super) fn doing(
        &self,
        call: usize,
        role: &'static str,
        what: impl Into<String>,
    ) -> Doing<'_> {
        self.state().doing.insert((call, role), what.into());
        Doing { world: self, who: (call, role) }
    }

    /// The operations that are waited for, in words.
    pub(super) fn waits(&self) -> String {
        let state = self.state();
        let waits: Vec<_> = state
            .doing
            .iter()
            .map(|((call, role), what)| format!("call {call} {role}: {what}"))
            .collect();
        if waits.is_empty() { "nobody waits in a call".to_owned() } else { waits.join("; ") }
    }

    pub(super) fn set_over(&self) {
        self.state().over = true;
    }

    pub(super) fn is_over(&self) -> bool {
        self.state().over
    }

    // Connections.

    /// A link of the plan has a new connection.
    pub(super) fn connected(&self, of: usize, channel: Channel, knobs: Link) {
        let stirred = self.now();
        let mut state = self.state();
        state.current[of] = Some(state.links.len());
        state.links.push(Connected {
            of,
            channel: Some(channel),
            knobs,
            troubles: 0,
            stirred,
            cut: false,
        });
    }

    /// The connection that stands for a link of the plan, and a client on it.
    pub(super) fn client(&self, of: usize) -> Option<(usize, SimClient)> {
        let state = self.state();
        let link = state.current[of]?;
        Some((link, SimClient::new(state.links[link].channel.clone()?)))
    }

    pub(super) fn knobs(&self, link: usize) -> Link {
        self.state().links[link].knobs.clone()
    }

    pub(super) fn links(&self) -> Vec<(usize, Link)> {
        self.state().links.iter().map(|link| (link.of, link.knobs.clone())).collect()
    }

    pub(super) fn drop_channels(&self) {
        let channels: Vec<_> =
            self.state().links.iter_mut().map(|link| link.channel.take()).collect();
        drop(channels);
    }

    pub(super) fn trouble_begins(&self, link: usize) {
        let now = self.now();
        let link = &mut self.state().links[link];
        link.troubles += 1;
        link.stirred = now;
    }

    pub(super) fn trouble_ends(&self, link: usize) {
        let now = self.now();
        let link = &mut self.state().links[link];
        link.troubles -= 1;
        link.stirred = now;
    }

    /// From now on the connection may be lost at any moment.
    pub(super) fn will_be_cut(&self, link: usize) {
        self.state().links[link].cut = true;
        self.trouble_begins(link);
    }

    pub(super) fn shuts_down(&self) {
        self.state().shut_down = true;
    }

    /// Tells whether nothing has been wrong with a connection since then.
    pub(super) fn was_well_since(&self, link: usize, since: Instant) -> bool {
        let state = self.state();
        let link = &state.links[link];
        !state.shut_down && link.troubles == 0 && !link.cut && link.stirred <= since
    }

    pub(super) fn may_be_lost(&self, link: usize) -> bool {
        let state = self.state();
        state.shut_down || state.links[link].cut
    }

    pub(super) fn link_of(&self, call: usize) -> Option<usize> {
        self.state().calls[call].link
    }

    /// How long something may be on the way at most, behind `queued` bytes: a connection carries 64
    /// KiB a delay.
    pub(super) fn time_for(&self, link: usize, queued: usize) -> Duration {
        let of = self.state().links[link].of;
        // A clock of whole milliseconds rounds up.
        let delay = *self.plan.links[of].delay.end() + Duration::from_millis(2);
        delay * (2 + u32::try_from(queued / (64 * 1024)).expect("queues are short"))
    }

    // Calls.

    pub(super) fn call_plan(&self, call: usize) -> &CallPlan {
        &self.plan.calls[call]
    }

    pub(super) fn begins(&self, call: usize, link: usize) {
        self.log(&format!("call {call} begins on connection {link}"));
        self.state().calls[call].link = Some(link);
    }

    /// The client drops a handle before its time, or may have.
    pub(super) fn gives_up(&self, call: usize) {
        self.state().calls[call].gave_up = true;
    }

    /// The client fails its stream with a code.
    pub(super) fn fails_with(&self, call: usize, code: i32) {
        self.state().calls[call].failed_with = Some(code);
    }

    pub(super) fn handler_begins(&self, call: usize) {
        let again = {
            let call = &mut self.state().calls[call];
            call.runs += 1;
            call.handlers += 1;
            call.runs > 1
        };
        self.log(&format!("call {call} has its handler"));
        if again {
            self.violate(&format!("call {call} was carried out twice"));
        }
    }

    pub(super) fn handler_returns(&self, call: usize, outcome: Outcome) {
        self.log(&format!("call {call} handler returns {outcome:?}"));
        self.state().calls[call].outcome = Some(outcome);
    }

    pub(super) fn handler_is_gone(&self, call: usize) {
        self.log(&format!("call {call} handler is gone"));
        self.state().calls[call].handlers -= 1;
    }

    pub(super) fn has_handler(&self, call: usize) -> bool {
        self.state().calls[call].handlers > 0
    }

    pub(super) fn handlers(&self) -> usize {
        self.state().calls.iter().map(|call| call.handlers).sum()
    }

    /// A message was written: `down` by a handler.
    pub(super) fn wrote(&self, call: usize, down: bool, number: u32) {
        self.state().calls[call].way(down).accepted.push(number);
        self.log(&format!("call {call} {} wrote {number}", side_of(down)));
    }

    /// The writer ends its direction now.
    pub(super) fn finishes(&self, call: usize, down: bool) {
        self.state().calls[call].way(down).finished = true;
    }

    /// A message was read, which must be the next one that was written.
    pub(super) fn read(&self, call: usize, down: bool, parcel: &Parcel) {
        let number = parcel.number;
        self.log(&format!("call {call} {} read {number}", side_of(!down)));
        let expected = {
            let mut state = self.state();
            let way = state.calls[call].way(down);
            way.read += 1;
            way.accepted.get(way.read - 1).copied()
        };
        if parcel.call as usize != call || parcel.down != down || !parcel.is_whole() {
            self.violate(&format!(
                "call {call} got what is another's: {} {}",
                parcel.call, parcel.number
            ));
        } else if expected != Some(number) {
            let text = format!(
                "call {call} read message {number}, and the next that was written is {expected:?}"
            );
            self.violate(&text);
        }
    }

    /// A reader was told that the peer has ended its direction well.
    pub(super) fn clean_end(&self, call: usize, down: bool) {
        self.log(&format!("call {call} {} sees the end", side_of(!down)));
        let (good, unread) = {
            let mut state = self.state();
            let it = &mut state.calls[call];
            let way = it.way(down);
            let (finished, unread) = (way.finished, way.accepted.len() - way.read);
            (if down { it.outcome == Some(Outcome::Ok) } else { finished }, unread)
        };
        if !good {
            self.violate(&format!(
                "call {call}: the {} saw an end that nobody made",
                side_of(!down)
            ));
        } else if unread > 0 {
            self.violate(&format!(
                "call {call}: the {} saw the end before {unread} messages",
                side_of(!down)
            ));
        }
    }

    /// A call came to its good end at the client.
    pub(super) fn answered(&self, call: usize) {
        self.log(&format!("call {call} is answered"));
        let (outcome, twice) = {
            let call = &mut self.state().calls[call];
            (call.outcome, std::mem::replace(&mut call.answered, true))
        };
        if outcome != Some(Outcome::Ok) || twice {
            self.violate(&format!("call {call} ended well, and its handler with {outcome:?}"));
        }
    }

    /// Something failed. There must be a cause. `reads` tells that it was a read, behind which no
    /// message is left.
    pub(super) fn failed(&self, call: usize, by: Side, reads: bool, error: &Error) {
        self.log(&format!("call {call} {by:?} fails: {error}"));
        if !self.has_cause(call, by, error) {
            return self
                .violate(&format!("call {call}: an error without a cause at the {by:?}: {error}"));
        }
        // The error that one side ends with comes behind its messages.
        let unread = {
            let mut state = self.state();
            let way = state.calls[call].way(by == Side::Client);
            way.accepted.len() - way.read
        };
        let codes = [self.handlers_code(call), self.state().calls[call].failed_with];
        let said = error.kind() == ErrorKind::Status && codes.contains(&Some(error.app_code()));
        if reads && said && unread > 0 {
            self.violate(&format!(
                "call {call}: the {by:?} read an error before {unread} messages"
            ));
        }
    }

    fn handlers_code(&self, call: usize) -> Option<i32> {
        match self.plan.calls[call].end {
            HandlerEnd::Error(code) => Some(code),
            _ => None,
        }
    }

    fn has_cause(&self, call: usize, by: Side, error: &Error) -> bool {
        let plan = &self.plan.calls[call];
        let state = self.state();
        let it = &state.calls[call];
        let link = &state.links[it.link.expect("a call that fails has begun")];
        let (lost, shut_down) = (link.cut || state.shut_down, state.shut_down);
        let has_deadline = plan.deadline.is_some();
        let has_limit = matches!(plan.kind, Kind::Unary | Kind::OneWay);
        match (by, error.kind()) {
            (_, ErrorKind::Network) => lost,
            // A shutdown breaks off what does not end within its grace.
            (_, ErrorKind::Timeout) => has_deadline || (has_limit && plan.end == HandlerEnd::Hang),
            (Side::Client, ErrorKind::Cancelled) => it.gave_up,
            (Side::Client, ErrorKind::Closed) => it.outcome == Some(Outcome::Ok) || lost,
            (Side::Client, ErrorKind::Status) => match it.outcome {
                _ if shut_down && matches!(error.ret(), 21 | 22) => true,
                _ if error.ret() == 24 => has_deadline,
                Some(Outcome::Error(code)) => error.app_code() == code,
                Some(Outcome::Panic) => error.to_string().contains("panicked"),
                Some(Outcome::Failed) => lost || has_deadline || it.gave_up,
                _ => false,
            },
            (Side::Server, ErrorKind::Status) => it.failed_with == Some(error.app_code()),
            (Side::Server, ErrorKind::Cancelled) => it.gave_up || has_deadline,
            (Side::Server, ErrorKind::Closed) => shut_down,
            _ => false,
        }
    }

    /// Looks at all calls once more when everything is over.
    pub(super) fn look_back(&self) {
        let lost: Vec<_> = {
            let state = self.state();
            let calls = state.calls.iter().enumerate();
            calls
                .filter(|(number, call)| {
                    self.plan.calls[*number].kind == Kind::OneWay
                        && call.answered
                        && call.runs == 0
                        && !state.shut_down
                        && call.link.is_some_and(|link| !state.links[link].cut)
                })
                .map(|(number, _)| number)
                .collect()
        };
        for call in lost {
            self.violate(&format!("one-way call {call} was sent and never carried out"));
        }
    }

    /// A one-way call is on its way.
    pub(super) fn sent(&self, call: usize) {
        self.log(&format!("call {call} is sent"));
        self.state().calls[call].answered = true;
    }
}

impl Call {
    fn way(&mut self, down: bool) -> &mut Way {
        if down { &mut self.down } else { &mut self.up }
    }
}

fn side_of(down: bool) -> &'static str {
    if down { "handler" } else { "client" }
}

impl Drop for Doing<'_> {
    fn drop(&mut self) {
        self.world.state().doing.remove(&self.who);
    }
}
