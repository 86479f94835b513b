//! Answers that wait for room.

use crate::conn::{CallKey, Config, ConnError, Outcome, Pools, SendError, SendTicket};
use crate::framing::UnaryContent;

use super::pair::{End, Pair};

const MIB: usize = 1024 * 1024;

/// Asks for room for the answer as its task does. One that waits has a ticket.
fn answer_with(
    end: &mut End,
    key: CallKey,
    size: usize,
    ticket: &mut Option<SendTicket>,
) -> Result<bool, SendError> {
    end.conn.admit_answer(key, size)?;
    if !end.conn.claim_room(size, ticket).unwrap() {
        end.conn.hold_answer(key, size);
        return Ok(false);
    }
    let write = |out: &mut Vec<u8>| out.resize(out.len() + size, 7);
    end.conn.reply(key, Outcome::default(), 0, UnaryContent::new(size, write))?;
    end.conn.release_call(key);
    Ok(true)
}

#[test]
fn an_answer_counts_from_the_moment_its_handler_gives_it_and_without_room_it_is_not_kept() {
    let pools = Pools::new(64 * MIB, 16 * MIB, 1_000_000);
    let server = Config { peer: Some(pools.peer()), ..Config::default() };
    let mut pair = Pair::with(Config::default(), server);
    let mut waiting = Vec::new();
    let mut refused = 0;
    for _ in 0..100 {
        pair.client.conn.call_with(&[]);
        let asked = pair.client.output();
        pair.server.receive(&asked, pair.now).unwrap();
        let (key, mut ticket) = (pair.server.next_call().key, None);
        match answer_with(&mut pair.server, key, MIB, &mut ticket) {
            Ok(true) => {}
            Ok(false) => waiting.push((key, ticket)),
            Err(SendError::NoRoom { limit, .. }) => {
                assert_eq!(limit, 16 * MIB);
                refused += 1;
                let outcome = Outcome::of_codes(22, 0, "no room");
                pair.server.conn.refuse(key, outcome, &[]);
                pair.server.conn.release_call(key);
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    // The bytes of one connection count twice, and one answer may go beyond.
    let unsent = pair.server.conn.buffered().unsent;
    assert!((8 * MIB..9 * MIB + 100_000).contains(&unsent), "{unsent}");
    assert_eq!((waiting.len(), refused), (7, 92), "beside the one that is queued");
    assert_eq!(pools.refusals.counted().dropped_answers, 92);
    assert!(!pair.server.conn.wants_input(), "it is not asked for more meanwhile");
    let late = Config { peer: Some(pools.peer()), ..Config::default() };
    let mut late = Pair::with(Config::default(), late);
    late.client.conn.call_with(&[]);
    late.run();
    let key = late.server.next_call().key;
    assert_eq!(answer_with(&mut late.server, key, MIB, &mut None), Ok(true), "others have room");
    late.run();

    while !waiting.is_empty() {
        pair.run();
        waiting.retain_mut(|(key, ticket)| {
            answer_with(&mut pair.server, *key, MIB, ticket) == Ok(false)
        });
    }
    pair.run();
    assert_eq!((pair.server.conn.buffered().unsent, pools.unsent.reserved()), (0, 0));
    assert!(pair.server.conn.wants_input());

    // Nothing stays counted of an answer that nobody waits for any more.
    for _ in 0..2 {
        pair.client.conn.call_with(&[]);
    }
    let asked = pair.client.output();
    pair.server.receive(&asked, pair.now).unwrap();
    let (first, second) = (pair.server.next_call().key, pair.server.next_call().key);
    assert_eq!(answer_with(&mut pair.server, first, MIB, &mut None), Ok(true));
    let mut ticket = None;
    assert_eq!(answer_with(&mut pair.server, second, MIB, &mut ticket), Ok(false));
    pair.server.conn.handle_lost(&ConnError::PeerClosed);
    assert_eq!(pair.server.conn.buffered().unsent, MIB, "its handler still has it");
    pair.server.conn.give_back(&mut ticket);
    pair.server.conn.release_call(second);
    assert_eq!((pair.server.conn.buffered().unsent, pools.unsent.reserved()), (0, 0));
}

#[test]
fn without_room_an_answer_is_taken_if_it_waits_already_or_is_small_with_what_is_queued() {
    const PART: usize = 10_000;
    let pools = Pools::new(64 * MIB, MIB, 1_000_000);
    let config = Config { peer: Some(pools.peer()), ..Config::default() };
    let asked = |pair: &mut Pair| {
        pair.client.conn.call_with(&[]);
        let asked = pair.client.output();
        pair.server.receive(&asked, pair.now).unwrap();
        pair.server.next_call().key
    };
    let mut full = Pair::with(Config::default(), config.clone());
    let (first, second) = (asked(&mut full), asked(&mut full));
    full.server.conn.hold_answer(first, PART);
    assert_eq!(answer_with(&mut full.server, second, MIB, &mut None), Ok(true));
    asked(&mut full);
    assert_eq!(full.server.conn.admit_answer(first, MIB), Ok(()), "it waits already");

    let mut other = Pair::with(Config::default(), config);
    let (first, second) = (asked(&mut other), asked(&mut other));
    let conn = &mut other.server.conn;
    let over = |admitted| matches!(admitted, Err(SendError::NoRoom { .. }));
    assert!(over(conn.admit_answer(first, MIB)), "nothing is queued here");
    assert_eq!(conn.admit_answer(first, PART), Ok(()));
    assert_eq!(answer_with(&mut other.server, first, PART, &mut None), Ok(true));
    assert!(over(other.server.conn.admit_answer(second, PART)), "another one is queued");
}
