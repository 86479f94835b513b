//! When a piece of a read buffer is copied, and when it stays a slice.

/// A body, an attachment or messages of a smaller size are copied when they are kept for long. A
/// slice keeps all of the memory of which it is one, a read buffer with what others have sent. A
/// larger piece may stay a slice: the read buffer sees to it that it [keeps little](keeps_little),
/// or tells its size.
pub(crate) const COPIED: usize = 32 * 1024;

/// Tells whether a slice of `memory` bytes keeps no more than half as much again as it counts.
pub(crate) const fn keeps_little(size: usize, memory: usize) -> bool {
    memory <= size + size / 2
}

/// The bytes that a message counts beside its own in what is held and queued: about what a wire
/// puts in front of it, so that a flood of empty messages counts.
pub(crate) const MESSAGE_COST: usize = 16;
