//! The bytes that wait for the socket: of a connection, and of all connections of a server.

use bytes::Bytes;

use crate::conn::{Config, ConnError, Outbox, Pools, SendError, Sent};
use crate::framing::{Piece, UnaryContent};
use crate::wires::trpc::HEADER_LEN;

use super::pair::{Pair, head};

const MIB: usize = 1024 * 1024;

#[test]
fn the_servers_room_for_what_is_unsent_is_shared_and_nobody_is_left_without() {
    let pools = Pools::new(64 * MIB, 8 * MIB, 1_000_000);
    let config = || Config { peer: Some(pools.peer()), ..Config::default() };
    let mut pairs: Vec<_> = (0..100).map(|_| Pair::with(Config::default(), config())).collect();
    let mut queued = Vec::new();
    for pair in &mut pairs {
        // Several streams, so that no window is in the way.
        let streams: Vec<_> = (0..6).map(|_| pair.open().1.key).collect();
        for key in streams {
            while pair.server.send(key, &[7; 1_000]) == Ok(Sent::Queued) {}
        }
        queued.push(pair.server.conn.output_len());
        assert_eq!(pair.server.conn.buffered().unsent, pair.server.conn.output_len());
    }
    assert!(queued[0] > 50_000, "{queued:?}");
    assert!(queued.iter().all(|bytes| *bytes >= 16 * 1024), "{queued:?}");
    assert!(queued[99] < queued[0] / 2, "{queued:?}");
    assert!(pools.unsent.reserved() <= 8 * MIB, "{}", pools.unsent.reserved());
    drop(pairs.split_off(1));
    let pair = &mut pairs[0];
    pair.run();
    assert_eq!(pools.unsent.reserved(), 0);
    pair.server.conn.handle_lost(&ConnError::PeerClosed);
    assert_eq!(pair.server.conn.buffered().unsent, 0);
}

#[test]
fn what_is_kept_by_reference_counts_like_what_is_copied_until_it_is_written() {
    let config = Config { outbox: MIB, ..Config::default() };
    let mut pair = Pair::with(config.clone(), config);
    let (first, second, third) = (pair.open().1.key, pair.open().1.key, pair.open().1.key);
    let payload = Bytes::from(vec![7; MIB]);
    let server = &mut pair.server.conn;
    let send = |server: &mut crate::conn::Connection, key, len, ticket: &mut _| {
        server.send(key, len, ticket, Piece(payload.clone()))
    };
    assert_eq!(send(server, first, MIB, &mut None), Ok(Sent::Queued));
    let size = HEADER_LEN + MIB;
    assert_eq!((server.output_len(), server.buffered().unsent), (size, size));
    let mut ticket = None;
    assert_eq!(
        send(server, second, MIB, &mut ticket),
        Ok(Sent::NoRoom),
        "one is more than the outbox holds"
    );

    let taken = server.take_output(Outbox::default());
    assert_eq!((taken.len(), server.output_len(), server.buffered().unsent), (size, 0, size));
    server.handle_written(HEADER_LEN);
    assert_eq!(
        send(server, second, MIB, &mut ticket),
        Ok(Sent::NoRoom),
        "a whole payload is on its way"
    );
    server.handle_written(MIB);
    assert_eq!(server.buffered().unsent, 0);
    drop(taken);
    assert_eq!(send(server, second, MIB, &mut ticket), Ok(Sent::Queued));
    assert!(!payload.is_unique());

    server.take_output(Outbox::default());
    server.handle_written(size);
    let lie = send(server, third, 2 * MIB, &mut None);
    assert_eq!(lie, Err(SendError::WrongSize { announced: 2 * MIB, written: MIB }));
    assert_eq!(server.output_len(), 0);
    assert!(payload.is_unique(), "a message that is not sent is not kept");
}

#[test]
fn connections_that_do_not_read_their_refusals_are_not_read_when_they_fill_the_servers_room() {
    let pools = Pools::new(64 * MIB, MIB, 1_000_000);
    let config = || Config { peer: Some(pools.peer()), ..Config::default() };
    let mut pairs: Vec<_> = (0..8).map(|_| Pair::with(Config::default(), config())).collect();
    for pair in &mut pairs {
        for _ in 0..20_000 {
            if !pair.server.conn.wants_input() {
                break;
            }
            pair.client
                .conn
                .call(head("/no/such"), false, None, UnaryContent::new(0, |_: &mut Vec<u8>| {}))
                .unwrap();
            let asked = pair.client.output();
            pair.server.receive(&asked, pair.now).unwrap();
        }
        assert!(!pair.server.conn.wants_input() && !pair.server.conn.may_want_input());
        assert!(pair.server.conn.is_short(), "it looks again later");
    }
    let unsent: Vec<_> = pairs.iter().map(|pair| pair.server.conn.buffered().unsent).collect();
    assert!(unsent[0] > MIB / 2 - 10_000 && unsent[7] < 25_000, "{unsent:?}");
    assert!(unsent.iter().sum::<usize>() < MIB + 100_000, "{unsent:?}");
    // One that comes late can be answered, and one that reads goes on.
    assert!(Pair::with(Config::default(), config()).server.conn.wants_input());
    let pair = &mut pairs[0];
    pair.run();
    assert!(pair.server.conn.wants_input());
}
