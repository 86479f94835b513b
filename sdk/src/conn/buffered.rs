//! The bytes that wait in memory, as users see them.

/// Bytes that wait in memory: of a connection ([`Channel::buffered`](crate::Channel::buffered)), or
/// of all connections of a server
/// ([`ServerHandle::buffered`](crate::server::ServerHandle::buffered)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Buffered {
    /// Received, and not yet read by the application. Readers report what they have given out when
    /// it is a quarter of their window, and when they are asked for a message and have none; until
    /// then it counts, though its memory is let go. Answers count until their callers have them.
    /// Requests count until they are answered: while they are unpacked, with the memory that this
    /// takes, and then with the memory that their messages keep. The request of a server stream
    /// counts as long as the stream exists. Messages of other streams, and answers, also count
    /// while they are unpacked, from 16 KiB on. Metadata counts with its memory as long as its call
    /// or stream exists. A frame of more than 64 KiB counts with the part that has come. At a
    /// server, each stream counts 1 KiB for its state.
    pub unread: usize,
    /// The same, plus what the windows of open streams promise, and the memory in which large
    /// messages of streams came and the next ones will come. That is some 4 MiB of a connection at
    /// most, and is let go when it has not been in use for 0.2 s. `max_unread` and
    /// `max_unread_per_connection` limit this sum.
    pub reserved: usize,
    /// Written, and not yet in the socket, including answers that wait for room. `max_unsent` and
    /// `max_unsent_per_connection` limit this.
    pub unsent: usize,
}

impl std::iter::Sum for Buffered {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |all, one| Self {
            unread: all.unread + one.unread,
            reserved: all.reserved + one.reserved,
            unsent: all.unsent + one.unsent,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connections_hold_is_added_up_by_kind() {
        let one = Buffered { unread: 1, reserved: 20, unsent: 300 };
        let two = Buffered { unread: 4, reserved: 50, unsent: 600 };
        let all: Buffered = [one, two].into_iter().sum();
        assert_eq!(all, Buffered { unread: 5, reserved: 70, unsent: 900 });
    }
}
