//! The frames of a peer that may come in each phase of a stream (RFC 9113, 5.1).
//!
//! ```text
//!            | DATA            | HEADERS         | RST_STREAM | WINDOW_UPDATE
//!   idle     | PROTOCOL_ERROR  | opens it        | PROTOCOL_ERROR of the connection
//!   open     | taken           | taken           | taken      | taken
//!   ended    | STREAM_CLOSED   | STREAM_CLOSED   | taken      | taken
//!   closed, after
//!     its end      | STREAM_CLOSED of the connection | ignored    | ignored
//!     a reset by the peer  | STREAM_CLOSED           | ignored    | ignored
//!     a reset by this side | ignored, all of them, because they were on their way
//!     so long that nobody knows | ignored
//! ```
//!
//! PRIORITY is nothing, and right at any time. A frame that is ignored or ends its stream counts
//! all the same: DATA for the connection's window, and HEADERS for HPACK's table.

use std::collections::VecDeque;

use crate::framing::Side;

use super::frame::ErrorCode;

/// The streams whose end is remembered.
const REMEMBERED: usize = 256;

/// A stream, as far as the peer's frames are concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PeerPhase {
    /// It was never opened.
    Idle,
    /// The peer may go on; this side may have ended its direction.
    Open,
    /// The peer has ended its direction.
    Ended,
    Closed(ClosedBy),
}

/// How a stream was closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClosedBy {
    /// Both sides have ended their directions.
    End,
    PeerReset,
    OwnReset,
    /// That is too long ago to know.
    Forgotten,
}

/// A frame that belongs to a stream. CONTINUATION is a part of its HEADERS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StreamFrame {
    Data,
    Headers,
    RstStream,
    WindowUpdate,
}

/// How a frame is treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FrameVerdict {
    Taken,
    /// It begins the stream.
    Opens,
    Ignored,
    EndsStream(ErrorCode),
    EndsConnection(ErrorCode),
}

impl PeerPhase {
    /// How a frame is treated that comes now.
    pub(crate) const fn verdict(self, frame: StreamFrame) -> FrameVerdict {
        use StreamFrame::{Data, Headers, RstStream, WindowUpdate};
        match (self, frame) {
            (Self::Idle, Headers) => FrameVerdict::Opens,
            (Self::Idle, Data | RstStream | WindowUpdate) => {
                FrameVerdict::EndsConnection(ErrorCode::PROTOCOL_ERROR)
            }
            (Self::Open, _) | (Self::Ended, RstStream | WindowUpdate) => FrameVerdict::Taken,
            (Self::Ended | Self::Closed(ClosedBy::PeerReset), Data | Headers) => {
                FrameVerdict::EndsStream(ErrorCode::STREAM_CLOSED)
            }
            (Self::Closed(ClosedBy::End), Data | Headers) => {
                FrameVerdict::EndsConnection(ErrorCode::STREAM_CLOSED)
            }
            (Self::Closed(_), _) => FrameVerdict::Ignored,
        }
    }
}

/// The ids of streams that clients open, and how the last ones were closed.
#[derive(Debug)]
pub(crate) struct StreamIds {
    /// The side that keeps it.
    side: Side,
    /// The highest one that was opened; 0 before the first.
    last: u32,
    closed: VecDeque<(u32, ClosedBy)>,
    /// The highest one whose end is forgotten.
    forgotten: u32,
}

impl StreamIds {
    pub(crate) const fn new(side: Side) -> Self {
        Self { side, last: 0, closed: VecDeque::new(), forgotten: 0 }
    }

    /// The highest one that was opened.
    pub(crate) const fn last(&self) -> u32 {
        self.last
    }

    /// Notes that a stream was opened.
    pub(crate) fn open(&mut self, id: u32) {
        debug_assert!(id % 2 == 1 && id > self.last, "ids of clients are odd, and go up");
        self.last = id;
    }

    /// Notes that a stream was closed. The one that was closed first is forgotten for it.
    pub(crate) fn close(&mut self, id: u32, by: ClosedBy) {
        if self.closed.len() == REMEMBERED
            && let Some((forgotten, _)) = self.closed.pop_front()
        {
            self.forgotten = self.forgotten.max(forgotten);
        }
        self.closed.push_back((id, by));
    }

    /// The phase of a stream that is not open. Servers open none, so an even one never was, nor was
    /// one that the peer has passed over.
    pub(crate) fn phase(&self, id: u32) -> PeerPhase {
        let known = self.closed.iter().rev().find(|(closed, _)| *closed == id);
        match known {
            Some((_, by)) => PeerPhase::Closed(*by),
            None if id <= self.forgotten && id % 2 == 1 => PeerPhase::Closed(ClosedBy::Forgotten),
            None => PeerPhase::Idle,
        }
    }

    /// How a frame is treated on a stream that is not open.
    pub(crate) fn verdict(&self, id: u32, frame: StreamFrame) -> FrameVerdict {
        let may_open = self.side == Side::Server && id % 2 == 1 && id > self.last;
        match self.phase(id).verdict(frame) {
            FrameVerdict::Opens if !may_open => {
                FrameVerdict::EndsConnection(ErrorCode::PROTOCOL_ERROR)
            }
            verdict => verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMES: [StreamFrame; 4] = [
        StreamFrame::Data,
        StreamFrame::Headers,
        StreamFrame::RstStream,
        StreamFrame::WindowUpdate,
    ];

    fn shown(verdict: FrameVerdict) -> String {
        match verdict {
            FrameVerdict::EndsStream(code) => format!("stream {code}"),
            FrameVerdict::EndsConnection(code) => format!("connection {code}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn each_frame_in_each_phase_is_treated_as_the_standard_says() {
        let closed = [ClosedBy::End, ClosedBy::PeerReset, ClosedBy::OwnReset, ClosedBy::Forgotten];
        let phases = [PeerPhase::Idle, PeerPhase::Open, PeerPhase::Ended].into_iter();
        let rows = phases.chain(closed.map(PeerPhase::Closed)).map(|phase| {
            let row: Vec<_> = FRAMES.iter().map(|frame| shown(phase.verdict(*frame))).collect();
            format!("{phase:?}: {}", row.join(", "))
        });
        let expected = [
            "Idle: connection PROTOCOL_ERROR, Opens, connection PROTOCOL_ERROR, \
             connection PROTOCOL_ERROR",
            "Open: Taken, Taken, Taken, Taken",
            "Ended: stream STREAM_CLOSED, stream STREAM_CLOSED, Taken, Taken",
            "Closed(End): connection STREAM_CLOSED, connection STREAM_CLOSED, Ignored, Ignored",
            "Closed(PeerReset): stream STREAM_CLOSED, stream STREAM_CLOSED, Ignored, Ignored",
            "Closed(OwnReset): Ignored, Ignored, Ignored, Ignored",
            "Closed(Forgotten): Ignored, Ignored, Ignored, Ignored",
        ];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_server_takes_odd_ids_that_go_up_and_a_client_none() {
        let mut server = StreamIds::new(Side::Server);
        assert_eq!(server.verdict(1, StreamFrame::Headers), FrameVerdict::Opens);
        server.open(5);
        assert_eq!(server.last(), 5);
        assert_eq!(server.verdict(7, StreamFrame::Headers), FrameVerdict::Opens);
        let refused = FrameVerdict::EndsConnection(ErrorCode::PROTOCOL_ERROR);
        // Three was passed over, and may not come any more.
        for id in [2, 3, 6, 8] {
            assert_eq!(server.verdict(id, StreamFrame::Headers), refused, "{id}");
            assert_eq!(server.verdict(id, StreamFrame::Data), refused, "{id}");
        }

        let mut client = StreamIds::new(Side::Client);
        client.open(1);
        for id in [2, 3] {
            assert_eq!(client.verdict(id, StreamFrame::Headers), refused, "{id}");
        }
    }

    #[test]
    fn the_last_ends_are_remembered_and_older_ones_tolerated() {
        let mut ids = StreamIds::new(Side::Server);
        let count = 1_000;
        for number in 0..count {
            let id = 2 * number + 1;
            ids.open(id);
            ids.close(id, if number % 2 == 0 { ClosedBy::End } else { ClosedBy::OwnReset });
        }
        let fatal = FrameVerdict::EndsConnection(ErrorCode::STREAM_CLOSED);
        let ended = 2 * (count - 2) + 1;
        assert_eq!(ids.verdict(ended, StreamFrame::Data), fatal);
        assert_eq!(ids.verdict(ended + 2, StreamFrame::Data), FrameVerdict::Ignored);
        assert_eq!(ids.verdict(1, StreamFrame::Data), FrameVerdict::Ignored);
        assert_eq!(ids.closed.len(), REMEMBERED);
    }
}
