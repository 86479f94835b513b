//! The frames that one end writes, against the rules of the protocol.

use std::collections::HashMap;

use crate::framing::{Side, StreamId};
use crate::wires::trpc::{CloseMeta, Frame, InitMeta};

/// The state of each stream that is not over, by the frames that were written and heard.
#[derive(Debug)]
pub(super) struct Order {
    /// The side that writes.
    side: Side,
    /// The window this end announces.
    window: u32,
    /// It says now and then that it is there.
    beats: bool,
    streams: HashMap<u64, Written>,
}

#[derive(Debug)]
struct Written {
    phase: StreamPhase,
    /// The bytes that may still be sent; `None`: nobody counts.
    credit: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum StreamPhase {
    /// INIT is out, the answer is not there.
    Asked,
    Open,
    /// A client has said that it sends no more.
    HalfClosed,
}

impl Order {
    pub(super) fn new(side: Side, window: u32, beats: bool) -> Self {
        Self { side, window, beats, streams: HashMap::new() }
    }

    /// How many streams are going on, by what was written and heard.
    pub(super) fn live(&self) -> usize {
        self.streams.len()
    }

    /// Checks what was written after `cause` had come, or because the application wanted something.
    pub(super) fn check(&mut self, cause: Option<&Frame>, written: &[Frame]) {
        for frame in written {
            match (self.side, frame) {
                (_, Frame::BadUnary { .. } | Frame::BadStream { .. }) => {
                    panic!("{frame:?} was written")
                }
                (Side::Server, Frame::Response { .. }) => {}
                (Side::Client, Frame::Request { .. }) => {}
                (_, Frame::Request { .. } | Frame::Response { .. }) => {
                    panic!("{frame:?} from the wrong side")
                }
                (_, Frame::Init { id, meta }) => self.init(*id, meta, cause),
                (_, Frame::Data { id, messages }) => {
                    for message in messages.clone().singles() {
                        self.data(*id, message.bytes());
                    }
                }
                (_, Frame::Feedback { id, increment }) => {
                    assert!(*increment > 0 || self.beats, "a FEEDBACK that says nothing");
                    // A FEEDBACK that says nothing may be about no stream.
                    if *increment == 0 && id.0 == 0 {
                        continue;
                    }
                    let phase = self.streams.get(&id.0).map(|stream| stream.phase);
                    assert!(
                        matches!(phase, Some(StreamPhase::Open | StreamPhase::HalfClosed)),
                        "FEEDBACK in {phase:?}"
                    );
                }
                (_, Frame::Close { id, meta }) => self.close(*id, meta, cause),
            }
        }
        if let Some(cause) = cause {
            self.heard(cause);
        }
    }

    fn init(&mut self, id: StreamId, meta: &InitMeta, cause: Option<&Frame>) {
        let refused = meta.response_meta.as_ref().is_some_and(|meta| meta.ret != 0);
        let (phase, credit) = match self.side {
            Side::Client => {
                assert!(meta.request_meta.is_some() && meta.response_meta.is_none(), "{meta:?}");
                (StreamPhase::Asked, None)
            }
            Side::Server => {
                assert!(meta.request_meta.is_none() && meta.response_meta.is_some(), "{meta:?}");
                let Some(Frame::Init { id: asked, meta: question }) = cause else {
                    panic!("an answer to no INIT")
                };
                assert_eq!(id, *asked, "the answer to another INIT");
                (StreamPhase::Open, window(self.window, question.init_window_size))
            }
        };
        let before = if refused {
            self.streams.remove(&id.0)
        } else {
            self.streams.insert(id.0, Written { phase, credit })
        };
        assert!(before.is_none(), "INIT on a stream that is going on: {before:?}");
    }

    fn data(&mut self, id: StreamId, len: usize) {
        let Some(stream) = self.streams.get_mut(&id.0) else { panic!("DATA on no stream") };
        assert_eq!(stream.phase, StreamPhase::Open, "DATA out of its time");
        if let Some(left) = &mut stream.credit {
            assert!(*left > 0, "DATA without credit");
            *left -= i64::try_from(len).expect("a message is small");
        }
    }

    fn close(&mut self, id: StreamId, meta: &CloseMeta, cause: Option<&Frame>) {
        if meta.close_type == 1 {
            assert!(meta.ret != 0 || meta.func_ret != 0, "a RESET that says nothing");
            let known = self.streams.remove(&id.0).is_some();
            let garbage =
                self.side == Side::Server && matches!(cause, Some(Frame::BadStream { .. }));
            assert!(known || garbage, "RESET of no stream");
            return;
        }
        let Some(stream) = self.streams.get_mut(&id.0) else { panic!("CLOSE of no stream") };
        assert_eq!(stream.phase, StreamPhase::Open, "CLOSE out of its time");
        match self.side {
            Side::Client => stream.phase = StreamPhase::HalfClosed,
            Side::Server => {
                self.streams.remove(&id.0);
            }
        }
    }

    /// Takes the peer's frame into account, for the frames that may be written from now on.
    fn heard(&mut self, cause: &Frame) {
        match cause {
            Frame::Feedback { id, increment } => {
                if let Some(Written { phase: StreamPhase::Open, credit: Some(left) }) =
                    self.streams.get_mut(&id.0)
                {
                    *left += i64::from(*increment);
                }
            }
            Frame::Init { id, meta } if self.side == Side::Client => {
                // Another one ends the stream, with a RESET that was written; one for a stream that
                // was given up is dropped.
                let asked =
                    self.streams.get_mut(&id.0).filter(|stream| stream.phase == StreamPhase::Asked);
                let Some(stream) = asked else { return };
                if meta.response_meta.as_ref().is_some_and(|meta| meta.ret != 0) {
                    self.streams.remove(&id.0);
                } else {
                    stream.phase = StreamPhase::Open;
                    stream.credit = window(self.window, meta.init_window_size);
                }
            }
            Frame::Close { id, meta } => {
                let ends = match self.side {
                    // A RESET with this text may be passed over (`conn/inbound.rs`); if it is not,
                    // the stream is over all the same.
                    Side::Client => meta.msg != "uninitialized meta",
                    Side::Server => meta.close_type == 1 || meta.ret != 0 || meta.func_ret != 0,
                };
                if ends {
                    self.streams.remove(&id.0);
                }
            }
            _ => {}
        }
    }
}

/// The credit to begin with: 0 from either side switches the counting off.
fn window(ours: u32, theirs: u32) -> Option<i64> {
    (ours > 0 && theirs > 0).then_some(i64::from(theirs))
}
