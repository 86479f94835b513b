//! The rules of tRPC by which the engine goes.

use crate::framing::IdRange;
use crate::wires::{CreditRule, Rules};

use super::header::FRAMING;

pub(crate) const RULES: Rules = Rules {
    // Peers call 0 to 99 reserved (`go: stream/client.go`, `cpp: trpc_client_stream_handler.h`).
    // PROTOCOL 17
    streams: IdRange { first: 100, last: u32::MAX as u64, step: 1, comes_round: true },
    calls: IdRange { first: 0, last: u32::MAX as u64, step: 1, comes_round: true },
    is_answered: true,
    calls_are_streams: false,
    credit: CreditRule::Announced,
    framing: FRAMING,
    // A tRPC-Cpp writer that is blocked on the window is not woken by a normal CLOSE.
    credit_before_end: true,
};
