//! One side of a stream: a task that writes, one that reads, and what they hold.

use crate::conn::{Inbox, SendError, Sent, StreamKey, Ticket, frame_size, write_data};
use crate::wire::StreamId;

use super::super::end::End;

/// What a lane holds at most here.
const LANE: usize = 500;

#[derive(Debug)]
pub(super) struct Half {
    pub(super) key: StreamKey,
    pub(super) ticket: Option<Ticket>,
    pub(super) inbox: Inbox,
    pub(super) consumed: (usize, usize),
    /// The size of a message whose writer waits.
    pub(super) waiting_write: Option<usize>,
    pub(super) may_write: bool,
    pub(super) waiting_read: bool,
    pub(super) may_read: bool,
    /// It waits for the opening.
    pub(super) waiting_look: bool,
    pub(super) may_look: bool,
    /// It reads no more.
    pub(super) deaf: bool,
    lane: Option<Lane>,
}

#[derive(Debug)]
struct Lane {
    id: StreamId,
    credit: i64,
    frames: Vec<u8>,
}

impl Half {
    pub(super) fn new(key: StreamKey) -> Self {
        Self {
            key,
            ticket: None,
            inbox: Inbox::default(),
            consumed: (0, 0),
            waiting_write: None,
            may_write: false,
            waiting_read: false,
            may_read: false,
            waiting_look: false,
            may_look: false,
            deaf: false,
            lane: None,
        }
    }

    /// Tries to send, as a writer does: through its lane while that is lent, else through the connection.
    pub(super) fn send(&mut self, end: &mut End, message: &[u8], lane: bool) -> Result<Sent, SendError> {
        self.may_write = false;
        let write = |out: &mut Vec<u8>| out.extend_from_slice(message);
        if let Some(lane) = &mut self.lane {
            if lane.credit > 0 && lane.frames.len() + frame_size(message.len()) <= LANE {
                lane.credit -= i64::try_from(message.len()).expect("small");
                return write_data(&mut lane.frames, lane.id, message.len(), write).map(|()| Sent::Queued);
            }
            let size = lane.frames.len() + message.len();
            match end.with(|conn| conn.claim_room(size, &mut self.ticket)) {
                Ok(true) => self.collect(end),
                Ok(false) => return Ok(Sent::NoRoom),
                Err(ending) => return Err(SendError::Ended(ending)),
            }
        }
        let sent = end.with(|conn| conn.send(self.key, message.len(), &mut self.ticket, write))?;
        if sent == Sent::Queued && lane {
            let (id, credit) = end.with(|conn| conn.lend(self.key));
            self.lane = Some(Lane { id, credit, frames: Vec::new() });
        }
        Ok(sent)
    }

    /// The connection takes the lane back.
    pub(super) fn collect(&mut self, end: &mut End) {
        if let Some(lane) = self.lane.take() {
            end.with(|conn| conn.take_back(self.key, &lane.frames, lane.credit));
        }
    }

    /// The writer does not wait any more.
    pub(super) fn stop_writing(&mut self, end: &mut End) {
        self.waiting_write = None;
        end.with(|conn| conn.give_back(&mut self.ticket));
        self.collect(end);
    }
}
