//! The set of unary calls of a connection: ours that wait for an answer, and the peer's that are being worked on.

use std::time::Instant;

use hashbrown::HashMap;
use slab::Slab;

use crate::wire::UnaryHead;

use super::event::{Answer, CallKey, Ending};

#[derive(Debug)]
pub(super) enum Call {
    /// A call of ours.
    Outgoing { id: u32, deadline: Option<Instant>, answer: Option<Result<Answer, Ending>> },
    /// A call of the peer's.
    Incoming(Incoming),
}

/// What must be remembered of a peer's call until it is answered.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) head: UnaryHead,
    pub(super) request_id: u32,
    pub(super) one_way: bool,
    pub(super) message_type: u32,
    pub(super) content_type: u32,
    pub(super) deadline: Option<Instant>,
    /// Why nobody waits for the answer any more.
    pub(super) ending: Option<Ending>,
    /// Bytes of the request.
    pub(super) size: usize,
    /// Bytes of its answer, while that waits for room.
    pub(super) waiting: usize,
    /// It has its answer, and gets no second one.
    pub(super) answered: bool,
}

impl Incoming {
    /// A call of which nothing else is known.
    pub(super) fn unknown(head: UnaryHead, request_id: u32) -> Self {
        Self {
            head,
            request_id,
            one_way: false,
            message_type: 0,
            content_type: 0,
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
    slab: Slab<Call>,
    /// Calls of ours by request id.
    waiting: HashMap<u32, usize>,
    next_id: u32,
    incoming: usize,
}

impl Calls {
    pub(super) fn new(first_id: u32) -> Self {
        Self { slab: Slab::new(), waiting: HashMap::new(), next_id: first_id, incoming: 0 }
    }

    /// An id for a new call of ours. Ids wrap; one that is still in use is passed over.
    pub(super) fn next_id(&mut self) -> u32 {
        loop {
            let id = self.next_id;
            self.next_id = self.next_id.wrapping_add(1);
            if !self.waiting.contains_key(&id) {
                return id;
            }
        }
    }

    /// Whether there was ever a call of ours.
    pub(super) fn was_used(&self, first_id: u32) -> bool {
        self.next_id != first_id
    }

    pub(super) fn insert_outgoing(&mut self, id: u32, deadline: Option<Instant>) -> CallKey {
        let key = self.slab.insert(Call::Outgoing { id, deadline, answer: None });
        self.waiting.insert(id, key);
        CallKey(key)
    }

    pub(super) fn insert_incoming(&mut self, incoming: Incoming) -> CallKey {
        self.incoming += 1;
        CallKey(self.slab.insert(Call::Incoming(incoming)))
    }

    /// Ends a call of ours with what came for it. Nothing is found for an answer that comes too late.
    pub(super) fn answer(
        &mut self,
        id: u32,
        result: Result<Answer, Ending>,
    ) -> Option<(CallKey, Option<Instant>)> {
        let key = self.waiting.remove(&id)?;
        match &mut self.slab[key] {
            Call::Outgoing { answer, deadline, .. } => {
                *answer = Some(result);
                Some((CallKey(key), deadline.take()))
            }
            Call::Incoming(_) => unreachable!("only calls of ours are in the map"),
        }
    }

    pub(super) fn get(&self, key: CallKey) -> &Call {
        &self.slab[key.0]
    }

    pub(super) fn get_mut(&mut self, key: CallKey) -> &mut Call {
        &mut self.slab[key.0]
    }

    /// Lets go of a call of ours whose answer was taken.
    pub(super) fn forget(&mut self, key: CallKey) {
        self.slab.remove(key.0);
    }

    pub(super) fn remove(&mut self, key: CallKey) -> Call {
        let call = self.slab.remove(key.0);
        match &call {
            Call::Outgoing { id, answer: None, .. } => {
                self.waiting.remove(id);
            }
            Call::Outgoing { .. } => {}
            Call::Incoming(_) => self.incoming -= 1,
        }
        call
    }

    /// Whether a call of ours waits for the answer with this id.
    pub(super) fn is_waiting(&self, id: u32) -> bool {
        self.waiting.contains_key(&id)
    }

    /// Whether anybody waits for an answer.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many calls of the peer's are being worked on.
    pub(super) fn incoming(&self) -> usize {
        self.incoming
    }

    /// Whether calls of the peer's wait for answers. It looks at each.
    pub(super) fn owe_answers(&self) -> bool {
        self.slab.iter().any(|(_, call)| matches!(call, Call::Incoming(it) if !it.one_way && !it.answered))
    }

    pub(super) fn keys(&self) -> Vec<CallKey> {
        self.slab.iter().map(|(key, _)| CallKey(key)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }
}
