//! The bytes that a peer may send beyond the limit for what is unread.

use crate::conn::config::{STREAM_STATE, room_for};
use crate::conn::{Config, Ending, StreamKey};
use crate::framing::StreamId;
use crate::wires::trpc::{self as wire, HEADER_LEN};

use super::budgets::windows;
use super::pair::Pair;

const UNREAD: usize = 40_000;
const MAX_RECEIVED: usize = 20_000;

/// A quarter and one message more than the limit.
const SOUND: usize = UNREAD + UNREAD / 4 + MAX_RECEIVED;

/// Two streams, and what the second one may hold in any case.
fn pair() -> (Pair, [StreamKey; 2], usize) {
    let server = Config { unread: UNREAD, max_received: MAX_RECEIVED, ..Config::default() };
    let mut pair = Pair::with(Config::default(), server);
    let keys = [pair.open().1.key, pair.open().1.key];
    let windows = windows(&pair.client);
    (pair, keys, room_for(windows[1]))
}

/// Messages of such sizes, as they come in one read, whether there is credit for them or not.
fn receive(pair: &mut Pair, id: u32, sizes: impl IntoIterator<Item = usize>) {
    let mut bytes = Vec::new();
    for size in sizes {
        wire::data(&mut bytes, StreamId(id.into()), size, |out: &mut Vec<u8>| {
            out.resize(out.len() + size, 7);
        })
        .unwrap();
    }
    pair.server.receive(&bytes, pair.now).unwrap();
}

#[test]
fn small_messages_count_with_their_headers_for_what_is_too_much() {
    for more in [0, 1] {
        let (mut pair, [key, _], _) = pair();
        let left = SOUND - 2 * STREAM_STATE;
        let last = left % HEADER_LEN + more;
        receive(&mut pair, 100, std::iter::repeat_n(0, left / HEADER_LEN - 1).chain([last]));
        let ended = pair.server.conn.ended(key);
        assert_eq!(matches!(ended, Some(Ending::Overrun(_))), more > 0, "{ended:?}");
    }
}

#[test]
fn what_a_stream_was_promised_room_for_is_kept_however_much_others_hold() {
    for more in [0, 1] {
        let (mut pair, [_, key], room) = pair();
        receive(&mut pair, 100, std::iter::repeat_n(0, (SOUND - 2 * STREAM_STATE) / HEADER_LEN));
        receive(&mut pair, 101, [room - HEADER_LEN + more]);
        let ended = pair.server.conn.ended(key);
        assert_eq!(matches!(ended, Some(Ending::Overrun(_))), more > 0, "{ended:?}");
    }
}

#[test]
fn tiny_messages_within_a_large_window_stop_nothing_but_their_own_stream() {
    const WINDOW: u32 = 1 << 20;
    let server = Config { window: WINDOW, max_received: MAX_RECEIVED, ..Config::default() };
    let mut pair = Pair::with(Config::default(), server);
    let key = pair.open().1.key;
    for _ in 0..60 {
        receive(&mut pair, 100, std::iter::repeat_n(1, WINDOW as usize / 60));
    }
    assert_eq!(pair.server.conn.ended(key), None);
    assert!(pair.server.conn.wants_input(), "the peer has kept to its window");
}

#[test]
fn a_window_that_has_grown_holds_no_more_of_tiny_messages_than_others_can_spare() {
    const GROWN: u32 = 1 << 20;
    let server = Config { unread: 8 << 20, max_received: MAX_RECEIVED, ..Config::default() };
    let mut pair = Pair::with(Config::default(), server);
    let key = pair.open().1.key;
    pair.server.conn.grow_window(key, GROWN);
    let most = room_for(GROWN) + (8 << 20) / 4;
    let read = 1_000;
    let kept = most / (1 + HEADER_LEN) / read;
    for _ in 0..kept {
        receive(&mut pair, 100, std::iter::repeat_n(1, read));
    }
    assert_eq!(pair.server.conn.ended(key), None);
    receive(&mut pair, 100, std::iter::repeat_n(1, read));
    let ended = pair.server.conn.ended(key);
    assert!(
        matches!(&ended, Some(Ending::Overrun(over)) if over.setting == "max_window"),
        "{ended:?}"
    );
    assert!(pair.server.conn.wants_input(), "the others go on");
}
