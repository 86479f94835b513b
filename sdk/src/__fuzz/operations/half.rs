//! One side of a stream: a task that writes, one that reads, and what they hold.

use crate::conn::{Consumed, Inbox, SendError, SendTicket, Sent, StreamKey, frame_size};
use crate::framing::Prefix;

use super::super::end::FuzzedEnd;

/// The capacity of a send buffer here.
const SEND_BUFFER_SIZE: usize = 500;

#[derive(Debug)]
pub(super) struct Half {
    pub(super) key: StreamKey,
    pub(super) ticket: Option<SendTicket>,
    pub(super) inbox: Inbox,
    pub(super) consumed: Consumed,
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
    send_buffer: Option<GrantedFrames>,
}

#[derive(Debug)]
struct GrantedFrames {
    prefix: Prefix,
    credit: i64,
    frames: Vec<u8>,
}

impl Half {
    pub(super) fn new(key: StreamKey) -> Self {
        Self {
            key,
            ticket: None,
            inbox: Inbox::default(),
            consumed: Consumed::default(),
            waiting_write: None,
            may_write: false,
            waiting_read: false,
            may_read: false,
            waiting_look: false,
            may_look: false,
            deaf: false,
            send_buffer: None,
        }
    }

    /// Tries to send, as a writer does: through its send buffer while that is granted, else through
    /// the connection.
    pub(super) fn send(
        &mut self,
        end: &mut FuzzedEnd,
        message: &[u8],
        grant: bool,
    ) -> Result<Sent, SendError> {
        self.may_write = false;
        let write = |out: &mut Vec<u8>| out.extend_from_slice(message);
        if let Some(send_buffer) = &mut self.send_buffer {
            if send_buffer.credit > 0
                && send_buffer.frames.len() + frame_size(message.len()) <= SEND_BUFFER_SIZE
            {
                send_buffer.credit -= i64::try_from(message.len()).expect("small");
                return send_buffer
                    .prefix
                    .write(&mut send_buffer.frames, message.len(), write)
                    .map(|()| Sent::Queued)
                    .map_err(SendError::from);
            }
            let size = send_buffer.frames.len() + message.len();
            match end.with(|conn| conn.claim_room(size, &mut self.ticket)) {
                Ok(true) => self.collect(end),
                Ok(false) => return Ok(Sent::NoRoom),
                Err(ending) => return Err(SendError::Ended(ending)),
            }
        }
        let sent =
            end.on_stream(self.key, |stream| stream.send(message.len(), &mut self.ticket, write))?;
        if sent == Sent::Queued && grant {
            let (prefix, credit) = end.grant(self.key);
            self.send_buffer = Some(GrantedFrames { prefix, credit, frames: Vec::new() });
        }
        Ok(sent)
    }

    /// The connection takes the send buffer back.
    pub(super) fn collect(&mut self, end: &mut FuzzedEnd) {
        if let Some(send_buffer) = self.send_buffer.take() {
            end.with(|conn| conn.collect(self.key, &send_buffer.frames, send_buffer.credit));
        }
    }

    /// The writer does not wait any more.
    pub(super) fn stop_writing(&mut self, end: &mut FuzzedEnd) {
        self.waiting_write = None;
        end.with(|conn| conn.give_back(&mut self.ticket));
        self.collect(end);
    }
}
