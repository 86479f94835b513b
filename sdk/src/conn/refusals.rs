//! The work that a server has refused or broken off, counted by cause.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a server refuses work, or ends what it has taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause {
    Draining,
    NoRoom,
    NoRoomToAnswer,
    TooManyCalls,
    Unsupported,
    Unreadable,
    BrokenOff,
    Abandoned,
    TooManyConnections,
    TooManySilent,
}

/// How often each has happened.
#[derive(Debug, Default)]
pub(crate) struct Refusals([AtomicU64; Cause::TooManySilent as usize + 1]);

impl Refusals {
    pub(crate) fn count(&self, cause: Cause) {
        self.0[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counted(&self) -> Refused {
        let of = |cause: Cause| self.0[cause as usize].load(Ordering::Relaxed);
        Refused {
            draining: of(Cause::Draining),
            no_room: of(Cause::NoRoom),
            dropped_answers: of(Cause::NoRoomToAnswer),
            too_many_calls: of(Cause::TooManyCalls),
            unsupported: of(Cause::Unsupported),
            unreadable: of(Cause::Unreadable),
            broken_off_streams: of(Cause::BrokenOff),
            abandoned_calls: of(Cause::Abandoned),
            too_many_connections: of(Cause::TooManyConnections),
            too_many_silent: of(Cause::TooManySilent),
        }
    }
}

/// The work that a server has refused or broken off since it was made, by cause
/// ([`ServerHandle::refused`](crate::server::ServerHandle::refused)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Refused {
    /// Calls and streams that came while the server was being shut down (`Unavailable`).
    pub draining: u64,
    /// Calls and streams for which there was no memory: `max_unread`, `max_unread_per_connection`
    /// (`ResourceExhausted`). Requests that found no room when they were unpacked are among them,
    /// and server streams whose requests found none.
    pub no_room: u64,
    /// Answers that were dropped and replaced by an error, because too much was unsent:
    /// `max_unsent` (`ResourceExhausted`; the handlers have run).
    pub dropped_answers: u64,
    /// Calls and streams beyond `max_calls`, `max_calls_per_connection` or
    /// `max_streams_per_connection` (`ResourceExhausted`).
    pub too_many_calls: u64,
    /// Calls and streams that no method of the server is for: unknown methods and services, a
    /// stream for a unary method or the other way round, an unknown content type or encoding.
    pub unsupported: u64,
    /// Calls and openers of streams that could not be read.
    pub unreadable: u64,
    /// Streams that were broken off because far too much was unread (`ResourceExhausted`).
    pub broken_off_streams: u64,
    /// One-way calls that were dropped some time after their connection: `abandoned_call_timeout`.
    pub abandoned_calls: u64,
    /// Connections that were closed as they came: `max_connections`, and `max_accepts_per_second`
    /// if too many of a peer wait for it.
    pub too_many_connections: u64,
    /// Connections that were closed because they had been silent for long and there were too many
    /// of them: `max_new_connections`.
    pub too_many_silent: u64,
}
