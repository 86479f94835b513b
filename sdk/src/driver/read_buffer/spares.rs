//! The memory of read buffers that are full, for the next ones.
//!
//! A stream of large messages fills a buffer for each of them. Memory that the allocator has given
//! back to the system costs a page fault for every 4 KiB when it is used again, which is more than
//! to read into it.

use std::ops::RangeInclusive;

use bytes::BytesMut;

/// From this size on memory is kept. An allocator keeps smaller pieces by itself.
pub(super) const SPARE_FROM: usize = 32 * 1024;

/// The most pieces and bytes that are kept: what a window of a MiB has under way, and four
/// messages of 1 MiB.
const MAX_SPARES: usize = 16;
const MAX_BYTES: usize = 4 * 1024 * 1024 + 64 * 1024;

/// Memory is kept when so much of it was allocated: a stream is fast, and not a few messages.
const WORTH_IT: usize = 8;

/// Memory that messages still share, or that none does any more.
#[derive(Debug)]
struct Spare {
    bytes: BytesMut,
    memory: usize,
    /// It was in use since the last [look](Spares::drop_unused).
    used: bool,
}

/// The memory that is kept. It counts in the connection's account, whoever else shares it.
#[derive(Debug, Default)]
pub(super) struct Spares {
    spares: Vec<Spare>,
    bytes: usize,
    /// How often memory was asked for and there was none.
    missed: usize,
    /// The share of the account's room.
    limit: usize,
}

impl Spares {
    /// The bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps no more than that from now on.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(MAX_BYTES);
        self.make_room(0);
    }

    /// Keeps the memory of a buffer, in place of the oldest if there is no room.
    pub(super) fn put(&mut self, mut bytes: BytesMut, memory: usize) {
        if memory < SPARE_FROM || memory > self.limit || self.missed < WORTH_IT {
            return;
        }
        self.make_room(memory);
        self.bytes += memory;
        bytes.clear();
        self.spares.push(Spare { bytes, memory, used: true });
    }

    /// Takes memory of one of the sizes that nothing shares any more. The newest is most
    /// likely to be in the processor's caches.
    pub(super) fn take(&mut self, sizes: RangeInclusive<usize>) -> Option<(BytesMut, usize)> {
        let at = self.spares.iter_mut().rposition(|spare| {
            sizes.contains(&spare.memory) && spare.bytes.try_reclaim(spare.memory)
        });
        let Some(at) = at else {
            self.missed += usize::from(*sizes.start() >= SPARE_FROM);
            return None;
        };
        let Spare { bytes, memory, .. } = self.spares.remove(at);
        self.bytes -= memory;
        Some((bytes, memory))
    }

    /// Lets go what was not in use since the last time.
    pub(super) fn drop_unused(&mut self) {
        self.spares.retain_mut(|spare| std::mem::take(&mut spare.used));
        self.bytes = self.spares.iter().map(|spare| spare.memory).sum();
        if self.spares.is_empty() {
            self.missed = 0;
        }
    }

    /// Lets go all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn make_room(&mut self, memory: usize) {
        while !self.spares.is_empty()
            && (self.bytes + memory > self.limit
                || self.spares.len() + usize::from(memory > 0) > MAX_SPARES)
        {
            self.bytes -= self.spares.remove(0).memory;
        }
    }
}
