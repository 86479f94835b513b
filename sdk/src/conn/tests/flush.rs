//! Waiting until what is queued is written.

use crate::conn::{ConnError, Event, Outbox};
use crate::wires::trpc::HEADER_LEN;

use super::pair::{End, Pair};

/// How often those were told who wait until something is written.
fn told(end: &mut End) -> usize {
    end.events.clear();
    end.conn.take_events(&mut end.events);
    end.events.iter().filter(|event| matches!(event, Event::Idle)).count()
}

#[test]
fn a_flush_is_told_once_when_what_was_queued_before_it_is_written() {
    let mut pair = Pair::new();
    let (key, _served) = pair.open();
    let client = &mut pair.client;
    client.send(key, b"first").unwrap();
    let target = client.conn.flush_target();
    assert_eq!(client.conn.flushed(target), None);
    client.send(key, b"second").unwrap();

    let bytes = client.conn.take_output(Outbox::default()).len();
    client.conn.handle_written(HEADER_LEN + 4);
    assert_eq!((told(client), client.conn.flushed(target)), (0, None), "a byte is missing");
    client.conn.handle_written(1);
    assert_eq!((told(client), client.conn.flushed(target)), (1, Some(Ok(()))));
    client.conn.handle_written(bytes - HEADER_LEN - 5);
    assert_eq!(told(client), 0, "nobody waits for the rest");
}

#[test]
fn a_flush_is_told_that_the_connection_was_lost_before_all_was_written() {
    for is_queued in [false, true] {
        let mut pair = Pair::new();
        let (key, _served) = pair.open();
        let client = &mut pair.client;
        if is_queued {
            client.send(key, b"message").unwrap();
        }
        let target = client.conn.flush_target();
        assert_eq!(client.conn.flushed(target).is_none(), is_queued);
        client.conn.handle_lost(&ConnError::PeerClosed);
        assert_eq!((client.conn.is_unwritten(), told(client)), (is_queued, usize::from(is_queued)));
        let expected = if is_queued { Err(ConnError::PeerClosed) } else { Ok(()) };
        assert_eq!(client.conn.flushed(target), Some(expected));
    }
}
