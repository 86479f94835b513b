//! The send buffers of a connection: granting them to writers, and collecting them.

use std::collections::VecDeque;

use crate::conn::StreamKey;
use crate::driver::send_buffer::{SEND_BUFFER_SIZE, SendBuffer};

use super::State;

/// The frames that are collected for one write to the socket, in bytes, and the empty buffers that
/// are kept.
const COLLECT: usize = 64 * 1024;
const SPARE_BUFFERS: usize = 8;

/// The most send buffers that are granted at once, and the most while the socket is full. The
/// latter count as if they were full.
const MAX_GRANTED: usize = 256;
const MAX_GRANTED_BLOCKED: usize = 16;

/// The send buffers that are granted.
#[derive(Default)]
pub(super) struct SendBuffers {
    /// The streams whose send buffers may have something, in the order of granting.
    pub(super) granted: VecDeque<StreamKey>,
    /// Empty buffers for the next ones.
    spare: Vec<Vec<u8>>,
}

impl State {
    /// Tells whether there is a send buffer for one more writer.
    pub(in crate::driver) fn may_grant(&self) -> bool {
        self.send_buffers.granted.len()
            < if self.flush.blocked { MAX_GRANTED_BLOCKED } else { MAX_GRANTED }
    }

    /// Collects send buffers while the socket is full. Their frames may wait for long, so they are
    /// queued, where they are counted.
    pub(super) fn limit_send_buffers(&mut self) {
        if self.flush.blocked {
            while self.send_buffers.granted.len() > MAX_GRANTED_BLOCKED
                && let Some(key) = self.send_buffers.granted.pop_front()
            {
                self.collect(key);
            }
        }
        self.conn.count_granted(if self.flush.blocked {
            self.send_buffers.granted.len() * SEND_BUFFER_SIZE
        } else {
            0
        });
    }

    /// Grants the stream's credit to its writer.
    pub(in crate::driver) fn grant(
        &mut self,
        key: StreamKey,
        send_buffer: &mut Option<SendBuffer>,
    ) {
        let (id, credit) = self.conn.grant_credit(key);
        let send_buffer =
            send_buffer.get_or_insert_with(|| SendBuffer::new(id, self.conn.config().max_sent));
        send_buffer.grant(credit, self.send_buffers.spare.pop().unwrap_or_default());
        self.wakers.stream(key).send_buffer = Some(send_buffer.clone());
        self.send_buffers.granted.push_back(key);
    }

    /// Queues what is in the stream's send buffer. Its writer has to ask again.
    pub(in crate::driver) fn collect(&mut self, key: StreamKey) {
        let Some((mut frames, credit)) = self
            .wakers
            .stream(key)
            .send_buffer
            .take()
            .and_then(|send_buffer| send_buffer.collect())
        else {
            return;
        };
        self.conn.collect(key, &frames, credit);
        if self.send_buffers.spare.len() < SPARE_BUFFERS {
            frames.clear();
            self.send_buffers.spare.push(frames);
        }
    }

    /// Queues what is in the send buffers, up to what one write to the socket takes well.
    pub(super) fn collect_some(&mut self) {
        while self.conn.output_len() < COLLECT
            && let Some(key) = self.send_buffers.granted.pop_front()
        {
            self.collect(key);
        }
    }

    /// The connection is over, and so are the send buffers.
    pub(in crate::driver) fn collect_all(&mut self) {
        while let Some(key) = self.send_buffers.granted.pop_front() {
            self.collect(key);
        }
    }
}
