//! The send buffers of a connection: granting them to writers, and collecting them.

use std::collections::VecDeque;

use crate::conn::{Connection, StreamKey};
use crate::driver::send_buffer::{LARGE_SEND_BUFFER_SIZES, SEND_BUFFER_SIZE, SendBuffer};

/// The frames that are collected for one write to the socket, in bytes, and the empty buffers that
/// are kept, with their memory. `FLUSH_THRESHOLD` of the writer says from which size on a task
/// flushes them itself.
const COLLECT: usize = 64 * 1024;
const SPARE_BUFFERS: usize = 8;
const SPARE_BYTES: usize = SPARE_BUFFERS * SEND_BUFFER_SIZE;

/// The most send buffers that are granted at once, and the most while the socket is full. The
/// latter count as if they were full.
const MAX_GRANTED: usize = 256;
const MAX_GRANTED_BLOCKED: usize = 16;

struct GrantedBuffer {
    key: StreamKey,
    send_buffer: SendBuffer,
    is_large: bool,
}

/// The send buffers that are granted, in the order of granting. The connection knows of each stream
/// whether its credit is granted; a stream is in here just as long.
#[derive(Default)]
pub(super) struct SendBuffers {
    granted: VecDeque<GrantedBuffer>,
    /// Empty buffers for the next ones.
    spare: Vec<Vec<u8>>,
}

impl SendBuffers {
    pub(super) fn is_empty(&self) -> bool {
        self.granted.is_empty()
    }

    /// Tells whether there is a send buffer for one more writer.
    pub(super) fn may_grant(&self, is_blocked: bool) -> bool {
        self.granted.len() < if is_blocked { MAX_GRANTED_BLOCKED } else { MAX_GRANTED }
    }

    /// Grants the stream's credit to its writer. While the socket is full, the buffer is small.
    pub(super) fn grant(
        &mut self,
        conn: &mut Connection,
        key: StreamKey,
        send_buffer: &mut Option<SendBuffer>,
        is_blocked: bool,
    ) {
        let limit = conn.config().max_sent;
        let Some(stream) = conn.collected(key) else { return };
        let (id, credit) = stream.grant_credit();
        let send_buffer = send_buffer.get_or_insert_with(|| SendBuffer::new(id, limit));
        let all_large: usize = LARGE_SEND_BUFFER_SIZES.iter().sum();
        let may_be_large = conn.config().outbox >= all_large && !is_blocked;
        let large = LARGE_SEND_BUFFER_SIZES.get(self.granted.len()).filter(|_| may_be_large);
        let (size, is_large) = (*large.unwrap_or(&SEND_BUFFER_SIZE), large.is_some());
        send_buffer.grant(credit, self.spare.pop().unwrap_or_default(), size);
        self.granted.push_back(GrantedBuffer { key, send_buffer: send_buffer.clone(), is_large });
    }

    /// Queues what is in the stream's send buffer, if it is granted.
    pub(super) fn collect(&mut self, conn: &mut Connection, key: StreamKey) {
        if conn.is_granted(key) {
            let at = self.granted.iter().position(|granted| granted.key == key);
            let granted = at.and_then(|at| self.granted.remove(at));
            self.take_back(conn, &granted.expect("what is granted is in here"));
        }
    }

    /// Queues what is in the send buffer that was granted first. Tells whether there was one.
    pub(super) fn collect_first(&mut self, conn: &mut Connection) -> bool {
        let Some(first) = self.granted.pop_front() else { return false };
        self.take_back(conn, &first);
        true
    }

    /// Queues what is in the send buffers, up to what one write to the socket takes well.
    pub(super) fn collect_some(&mut self, conn: &mut Connection) {
        while conn.output_len() < COLLECT && self.collect_first(conn) {}
    }

    fn take_back(&mut self, conn: &mut Connection, granted: &GrantedBuffer) {
        let (mut frames, credit) = granted.send_buffer.collect().expect("it is granted");
        conn.collect(granted.key, &frames, credit);
        let spare: usize = self.spare.iter().map(Vec::capacity).sum();
        if self.spare.len() < SPARE_BUFFERS && spare + frames.capacity() <= SPARE_BYTES {
            frames.clear();
            self.spare.push(frames);
        }
    }

    /// Collects send buffers while the socket is full. Their frames may wait for long, so they are
    /// queued, where they are counted.
    pub(super) fn limit(&mut self, conn: &mut Connection, is_blocked: bool) {
        let mut beside = 0;
        if is_blocked {
            while self.granted.len() > MAX_GRANTED_BLOCKED {
                self.collect_first(conn);
            }
            while let Some(at) = self.granted.iter().position(|granted| granted.is_large)
                && let Some(large) = self.granted.remove(at)
            {
                self.take_back(conn, &large);
            }
            beside = self.granted.len() * SEND_BUFFER_SIZE;
        }
        conn.count_beside(beside);
    }

    /// Bytes in the send buffers that are granted.
    #[cfg(feature = "testing")]
    pub(super) fn held(&self) -> usize {
        self.granted.iter().filter_map(|granted| granted.send_buffer.held()).sum()
    }
}
