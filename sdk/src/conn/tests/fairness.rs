//! One peer's connections leave to others: bytes, windows, and permits for calls.

use std::sync::Arc;

use crate::conn::{Config, Ending, Event, Outcome, Peer, Pools};
use crate::framing::{StreamId, UnaryContent};
use crate::wires::Begun;

use super::budgets::{fill, windows};
use super::pair::{Pair, STREAM, UNARY, head};

const MIB: usize = 1024 * 1024;

/// A new connection of this peer.
fn connect(peer: &Arc<Peer>) -> Pair {
    let server = Config { peer: Some(Arc::clone(peer)), max_received: MIB, ..Config::default() };
    Pair::with(Config { max_received: MIB, ..Config::default() }, server)
}

/// Calls with this body until that is refused, and gives how many were not.
fn call_until_refused(pair: &mut Pair, body: &[u8]) -> usize {
    for calls in 0..1_000 {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(body);
        pair.client
            .conn
            .call(head(UNARY), false, None, UnaryContent::new(body.len(), write))
            .unwrap();
        pair.run();
        if pair.client.events.iter().any(|event| matches!(event, Event::CallChanged(_))) {
            return calls;
        }
    }
    panic!("nothing is refused")
}

#[test]
fn eleven_connections_of_one_peer_leave_half_of_the_room_to_others() {
    let pools = Pools::new(64 * MIB, 64 * MIB, 1_000_000);
    let peer = pools.peer();
    let mut eleven: Vec<_> = (0..11).map(|_| connect(&peer)).collect();
    for pair in &mut eleven {
        call_until_refused(pair, &vec![7; 900_000]);
        call_until_refused(pair, &vec![7; 90_000]);
    }
    assert!((31 * MIB..33 * MIB).contains(&pools.unread.held()), "{}", pools.unread.held());
    assert!(
        eleven.iter_mut().all(|pair| pair.server.conn.wants_input()),
        "they hear what is refused"
    );
    let mut stranger = connect(&pools.peer());
    let calls = call_until_refused(&mut stranger, &vec![7; 900_000]);
    assert!((18..=19).contains(&calls), "{calls} of 900 kB in half of what is left");
}

/// The bytes that others hold count for the peer that has its share, too.
#[test]
fn a_peer_that_calls_alone_have_filled_hears_what_is_refused_however_much_others_hold() {
    let pools = Pools::new(64 * MIB, 64 * MIB, 1_000_000);
    let mut first = connect(&pools.peer());
    let (key, _) = first.open();
    call_until_refused(&mut first, &vec![7; 900_000]);
    first.server.conn.hold_input(900_000, Begun::Message(StreamId(100))).unwrap();
    let others: Vec<_> = (0..5)
        .map(|_| {
            let mut pair = connect(&pools.peer());
            call_until_refused(&mut pair, &vec![7; 900_000]);
            pair
        })
        .collect();
    assert!(pools.unread.held() > 60 * MIB, "{}", pools.unread.held());
    assert!(!first.server.conn.wants_input(), "a message of a stream has begun");
    first.server.conn.count_input(0);
    assert!(first.server.conn.wants_input());
    first.client.answer();
    first.client.conn.call_with(&vec![7; 900_000]);
    first.run();
    assert_eq!(first.client.answer().codes().0, 22);

    // Messages of streams may go beyond the room, so they hold it back.
    first.client.send(key, &[7; 1_000]).unwrap();
    first.run();
    assert!(!first.server.conn.wants_input());
    drop(others);
    assert!(first.server.conn.wants_input());
}

#[test]
fn the_streams_of_one_peer_do_not_shrink_the_windows_of_others() {
    let pools = Pools::new(64 * MIB, 64 * MIB, 1_000_000);
    let peer = pools.peer();
    for _ in 0..3 {
        let mut pair = connect(&peer);
        (0..500).for_each(|_| drop(pair.open()));
        std::mem::forget(pair);
    }
    let mut stranger = connect(&pools.peer());
    stranger.open();
    assert_eq!(windows(&stranger.client), [65_535]);
    let mut same = connect(&peer);
    same.open();
    assert!(windows(&same.client)[0] < 10_000, "{:?}", windows(&same.client));
}

#[test]
fn the_state_of_a_peers_stream_counts_until_the_stream_is_let_go_of() {
    let pools = Pools::new(MIB, 64 * MIB, 1_000_000);
    let server = Config { peer: Some(pools.peer()), ..Config::default() };
    let mut pair = Pair::with(Config { window: 0, ..Config::default() }, server);
    let (accepted, _) = open(&mut pair, 1_000);
    assert_eq!(
        (accepted, pools.unread.held()),
        (512, 512 * 1_024),
        "half of the room, without windows"
    );
    let served = pair.server.next_stream().key;
    pair.server.conn.close(served, Outcome::default());
    assert_eq!(pair.server.conn.buffered().unread, 512 * 1_024, "its handler may still hold it");
    pair.server.conn.release(served);
    assert_eq!(pair.server.conn.buffered().unread, 511 * 1_024);
}

/// Opens so many streams, and gives how many are not refused, with their windows at the server.
fn open(pair: &mut Pair, streams: usize) -> (usize, Vec<u32>) {
    for _ in 0..streams {
        pair.client.conn.open(head(STREAM), None, pair.now).unwrap();
    }
    pair.run();
    let accepted = pair.server.events.iter().filter(|event| matches!(event, Event::Stream(_)));
    (accepted.count(), windows(&pair.client).into_iter().filter(|window| *window > 0).collect())
}

#[test]
fn however_many_streams_each_peer_has_the_next_one_still_gets_some() {
    let pools = Pools::new(192 * MIB, 64 * MIB, 1_000_000);
    let mut pairs = Vec::new();
    let mut windows = Vec::new();
    for peer in 1..=12 {
        let mut pair = connect(&pools.peer());
        let (accepted, all) = open(&mut pair, 1_000);
        assert_eq!(
            accepted,
            1_000,
            "of peer {peer}, with {} bytes reserved",
            pools.unread.reserved()
        );
        windows.push((all[0], all[999]));
        pairs.push(pair);
    }
    assert!(windows.iter().all(|(first, _)| *first == 65_535), "{windows:?}");
    assert!(windows.is_sorted_by_key(|(_, last)| std::cmp::Reverse(*last)), "{windows:?}");
}

#[test]
fn peers_with_few_streams_have_whole_windows_however_many_peers_there_are() {
    let pools = Pools::new(512 * MIB, 64 * MIB, 1_000_000);
    let pairs: Vec<_> = (0..500)
        .map(|peer| {
            let mut pair = connect(&pools.peer());
            let (_, windows) = open(&mut pair, 5);
            assert!(windows.iter().all(|window| *window == 65_535), "peer {peer}: {windows:?}");
            pair
        })
        .collect();
    drop(pairs);
    let _others: Vec<_> = (0..20)
        .map(|_| {
            let mut pair = connect(&pools.peer());
            open(&mut pair, 5);
            pair
        })
        .collect();
    let (_, windows) = open(&mut connect(&pools.peer()), 100);
    assert!(windows.iter().all(|window| *window == 65_535), "{windows:?}");
}

#[test]
fn streams_of_many_connections_that_keep_to_their_windows_wait_before_one_is_broken_off() {
    let pools = Pools::new(32 * MIB, 64 * MIB, 1_000_000);
    let peer = pools.peer();
    let mut pairs: Vec<_> = (0..20).map(|_| connect(&peer)).collect();
    let streams: Vec<Vec<_>> =
        pairs.iter_mut().map(|pair| (0..10).map(|_| pair.open()).collect()).collect();
    let mut sent = 0;
    for round in 0..10 {
        for (pair, streams) in pairs.iter_mut().zip(&streams) {
            if pair.server.conn.wants_input() {
                pair.client.send(streams[round].0, &vec![7; 300_000]).unwrap();
                pair.run();
                sent += 1;
            }
        }
    }
    assert!(sent < 100, "all were read: {sent} of 300 kB");
    assert!(pools.unread.held() < 22 * MIB, "{} of 32 MiB, by one peer", pools.unread.held());
    for (pair, streams) in pairs.iter_mut().zip(&streams) {
        assert!(streams.iter().all(|(_, served)| pair.server.conn.ended(served.key).is_none()));
    }
}

#[test]
fn a_connection_that_holds_little_is_read_when_others_of_its_peer_hold_too_much() {
    let pools = Pools::new(8 * MIB, 64 * MIB, 1_000_000);
    let peer = pools.peer();
    let (mut greedy, mut modest) = (connect(&peer), connect(&peer));
    let (key, served) = modest.open();
    let streams: Vec<_> = (0..8).map(|_| greedy.open().0).collect();
    let mut unsent = streams.iter();
    while greedy.server.conn.wants_input() {
        let key = unsent.next().expect("it is held back before all have sent");
        fill(&mut greedy, *key, &vec![7; 900_000]);
    }
    assert!(modest.server.conn.wants_input(), "it hears that its calls are refused");
    assert_eq!(call_until_refused(&mut modest, &[7; 100]), 0);
    modest.client.send(key, b"a stream goes on").unwrap();
    modest.run();
    assert_eq!(modest.server.read_all(served.key).0, ["a stream goes on"]);
}

#[test]
fn a_peer_gets_no_more_permits_than_it_leaves_and_gives_each_back_once() {
    let pools = Pools::new(64 * MIB, 64 * MIB, 20);
    let peer = pools.peer();
    let mut pairs: Vec<_> = (0..4).map(|_| connect(&peer)).collect();
    let mut streams = Vec::new();
    for round in 0..8 {
        let pair = &mut pairs[round % 4];
        streams.push(pair.client.conn.open(head(STREAM), None, pair.now).unwrap());
        pair.run();
    }
    for (pair, calls) in pairs.iter_mut().zip([2, 0]) {
        assert_eq!(call_until_refused(pair, b"a call"), calls, "ten of twenty permits are taken");
        let refusal = pair.client.answer();
        assert_eq!(refusal.codes().0, 22);
        let text = String::from_utf8_lossy(&refusal.message).into_owned();
        assert!(
            text.contains("10 of them of this peer, and takes at most 20 (max_calls)"),
            "{text}"
        );
    }
    assert_eq!(pools.refusals.counted().too_many_calls, 2);
    assert_eq!(
        call_until_refused(&mut connect(&pools.peer()), b"a call"),
        5,
        "half of what is left"
    );

    // By the end of a call, of a stream and of a connection.
    let call = pairs[0].server.next_call().key;
    pairs[0].server.conn.refuse(call, Default::default(), &[]);
    pairs[0].server.conn.release_call(call);
    let served = pairs[1].server.next_stream().key;
    pairs[1].client.conn.release(streams[1]);
    pairs[1].run();
    assert!(matches!(pairs[1].server.conn.ended(served), Some(Ending::Reset(_))));
    assert_eq!(pools.permits.taken(), 9, "a stream that is held has its permit");
    pairs[1].server.conn.release(served);
    assert_eq!(pools.permits.taken(), 8);
    drop(pairs);
    assert_eq!(pools.permits.taken(), 0);
}
