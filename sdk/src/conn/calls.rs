//! The set of unary calls of a connection: ours that wait for an answer, and the peer's that are
//! being worked on.

use std::time::Instant;

use hashbrown::HashMap;

use crate::framing::{Answer, StreamId};
use crate::wires::CallTag;

use super::event::{CallKey, Ending};
use super::ids::Ids;
use super::table::{Generation, Table};

#[derive(Debug)]
pub(super) enum Call {
    /// A call of ours.
    Outgoing { id: u64, deadline: Option<Instant>, answer: Option<Result<Answer, Ending>> },
    /// A call of the peer's.
    Incoming(PeerCall),
}

/// The part of a peer's call that is remembered until it is answered.
#[derive(Debug)]
pub(super) struct PeerCall {
    pub(super) tag: CallTag,
    pub(super) one_way: bool,
    pub(super) deadline: Option<Instant>,
    /// Why nobody waits for the answer any more.
    pub(super) ending: Option<Ending>,
    /// Bytes of the request, and what its state takes.
    pub(super) size: usize,
    /// Bytes of its answer, while that waits for room.
    pub(super) waiting: usize,
    /// It has its answer, and gets no second one.
    pub(super) answered: bool,
}

/// A call in its place in the table.
#[derive(Debug)]
struct KeptCall {
    call: Call,
    generation: u32,
}

impl Generation for KeptCall {
    #[inline]
    fn generation(&self) -> u32 {
        self.generation
    }

    #[inline]
    fn set_generation(&mut self, generation: u32) {
        self.generation = generation;
    }
}

impl PeerCall {
    /// A call of which nothing else is known.
    pub(super) fn new(tag: CallTag) -> Self {
        Self {
            tag,
            one_way: false,
            deadline: None,
            ending: None,
            size: 0,
            waiting: 0,
            answered: false,
        }
    }
}

impl Call {
    /// Bytes of what came, and was not answered or looked at.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Outgoing { answer: Some(Ok(answer)), .. } => answer.size(),
            Self::Outgoing { .. } => 0,
            Self::Incoming(incoming) => incoming.size,
        }
    }
}

#[derive(Debug)]
pub(super) struct Calls {
    table: Table<KeptCall>,
    /// Calls of ours by id.
    waiting: HashMap<u64, CallKey>,
    ids: Ids,
    incoming: usize,
}

impl Calls {
    pub(super) fn new(ids: Ids) -> Self {
        Self { table: Table::new(), waiting: HashMap::new(), ids, incoming: 0 }
    }

    /// An id for a new call of ours, if there is one.
    pub(super) fn next_id(&mut self) -> Option<u64> {
        let waiting = &self.waiting;
        self.ids.next(|id| waiting.contains_key(&id))
    }

    /// Tells whether there was ever a call of ours.
    pub(super) fn was_used(&self) -> bool {
        self.ids.was_used()
    }

    pub(super) fn insert_outgoing(&mut self, id: u64, deadline: Option<Instant>) -> CallKey {
        let call = Call::Outgoing { id, deadline, answer: None };
        let key = CallKey(self.table.insert(KeptCall { call, generation: 0 }));
        self.waiting.insert(id, key);
        key
    }

    pub(super) fn insert_incoming(&mut self, incoming: PeerCall) -> CallKey {
        self.incoming += 1;
        CallKey(self.table.insert(KeptCall { call: Call::Incoming(incoming), generation: 0 }))
    }

    /// Ends a call of ours with what came for it. Nothing is found for an answer that comes too
    /// late.
    pub(super) fn answer(
        &mut self,
        id: u64,
        result: Result<Answer, Ending>,
    ) -> Option<(CallKey, Option<Instant>)> {
        let key = self.waiting.remove(&id)?;
        match self.get_mut(key) {
            Call::Outgoing { answer, deadline, .. } => {
                *answer = Some(result);
                Some((key, deadline.take()))
            }
            Call::Incoming(_) => unreachable!("only calls of ours are in the map"),
        }
    }

    /// The stream of a call, on a wire where each call is one.
    pub(super) fn stream_of(&self, key: CallKey) -> StreamId {
        match self.get(key) {
            Call::Outgoing { id, .. } => StreamId(*id),
            Call::Incoming(call) => StreamId(call.tag.id()),
        }
    }

    /// A call of the peer's gets no answer any more.
    pub(super) fn set_answered(&mut self, key: CallKey) {
        if let Call::Incoming(call) = self.get_mut(key) {
            call.answered = true;
        }
    }

    /// A call of the peer's takes `more` bytes.
    pub(super) fn add_size(&mut self, key: CallKey, more: usize) {
        if let Call::Incoming(call) = self.get_mut(key) {
            call.size += more;
        }
    }

    pub(super) fn deadline(&self, key: CallKey) -> Option<Instant> {
        match self.get(key) {
            Call::Outgoing { deadline, .. } => *deadline,
            Call::Incoming(call) => call.deadline,
        }
    }

    /// The id of a call of ours.
    pub(super) fn own_id(&self, key: CallKey) -> Option<u64> {
        match self.get(key) {
            Call::Outgoing { id, .. } => Some(*id),
            Call::Incoming(_) => None,
        }
    }

    pub(super) fn contains(&self, key: CallKey) -> bool {
        self.table.contains(key.0)
    }

    pub(super) fn get(&self, key: CallKey) -> &Call {
        &self.table.get(key.0).call
    }

    pub(super) fn get_mut(&mut self, key: CallKey) -> &mut Call {
        &mut self.table.get_mut(key.0).call
    }

    /// Takes the answer to a call of ours, if it is there. With it the call is gone.
    pub(super) fn take_answer(&mut self, key: CallKey) -> Option<Result<Answer, Ending>> {
        if let Call::Outgoing { answer: None, .. } = self.get(key) {
            return None;
        }
        match self.table.remove(key.0).call {
            Call::Outgoing { answer, .. } => answer,
            Call::Incoming(_) => unreachable!("the key is of a call of ours"),
        }
    }

    pub(super) fn remove(&mut self, key: CallKey) {
        match &self.table.get(key.0).call {
            Call::Outgoing { id, answer: None, .. } => {
                self.waiting.remove(id);
            }
            Call::Outgoing { .. } => {}
            Call::Incoming(_) => self.incoming -= 1,
        }
        self.table.remove(key.0);
    }

    /// Tells whether a call of ours waits for the answer with this id.
    pub(super) fn is_waiting(&self, id: u64) -> bool {
        self.waiting.contains_key(&id)
    }

    /// Tells whether any call of ours waits for an answer.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many calls of the peer's are being worked on.
    pub(super) fn incoming(&self) -> usize {
        self.incoming
    }

    /// Tells whether calls of the peer's wait for answers. It looks at each.
    pub(super) fn owe_answers(&self) -> bool {
        self.table.iter().any(
            |(_, kept)| matches!(&kept.call, Call::Incoming(it) if !it.one_way && !it.answered),
        )
    }

    pub(super) fn keys(&self) -> Vec<CallKey> {
        self.table.iter().map(|(key, _)| CallKey(key)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}
