//! The buffers that writers fill beside the outbox: lending them, and taking them back.

use std::collections::VecDeque;

use crate::conn::StreamKey;
use crate::transport::lane::{LANE, Lane};

use super::State;

/// How much of the lanes' content goes into one write to the socket, and how many empty buffers are kept for them.
const COLLECT: usize = 64 * 1024;
const SPARE_LANES: usize = 8;

/// How many lanes are lent at once, and how many while the socket is full. The latter count as if they were full.
const MAX_LENT: usize = 256;
const MAX_LENT_BLOCKED: usize = 16;

/// The lanes that are lent.
#[derive(Default)]
pub(super) struct Lanes {
    /// The streams whose lanes may have something, in the order of lending.
    pub(super) lent: VecDeque<StreamKey>,
    /// Empty buffers for the next ones.
    spare: Vec<Vec<u8>>,
}

impl State {
    /// Whether there is a lane for one more writer.
    pub(in crate::transport) fn may_lend(&self) -> bool {
        self.lanes.lent.len() < if self.push.blocked { MAX_LENT_BLOCKED } else { MAX_LENT }
    }

    /// Nobody knows when a full socket takes more: what waits for it is queued, where it is counted.
    pub(super) fn limit_lanes(&mut self) {
        if self.push.blocked {
            while self.lanes.lent.len() > MAX_LENT_BLOCKED
                && let Some(key) = self.lanes.lent.pop_front()
            {
                self.take_back(key);
            }
        }
        self.conn.count_lent(if self.push.blocked { self.lanes.lent.len() * LANE } else { 0 });
    }

    /// Lends the stream's credit to its writer.
    pub(in crate::transport) fn lend(&mut self, key: StreamKey, lane: &mut Option<Lane>) {
        let (id, credit) = self.conn.lend(key);
        let lane = lane.get_or_insert_with(|| Lane::new(id, self.conn.limits().max_sent));
        lane.lend(credit, self.lanes.spare.pop().unwrap_or_default());
        self.wakers.stream(key).lane = Some(lane.clone());
        self.lanes.lent.push_back(key);
    }

    /// Queues what is in the stream's lane. Its writer has to ask again.
    pub(in crate::transport) fn take_back(&mut self, key: StreamKey) {
        let Some((mut frames, credit)) =
            self.wakers.stream(key).lane.take().and_then(|lane| lane.take_back())
        else {
            return;
        };
        self.conn.take_back(key, &frames, credit);
        if self.lanes.spare.len() < SPARE_LANES {
            frames.clear();
            self.lanes.spare.push(frames);
        }
    }

    /// Queues what is in the lanes, up to what one write to the socket takes well.
    pub(super) fn collect(&mut self) {
        while self.conn.output_len() < COLLECT
            && let Some(key) = self.lanes.lent.pop_front()
        {
            self.take_back(key);
        }
    }

    /// The connection is over, and so are the lanes.
    pub(in crate::transport) fn take_all_back(&mut self) {
        while let Some(key) = self.lanes.lent.pop_front() {
            self.take_back(key);
        }
    }
}
