//! The tables of a writer, made anew by what it does.

use std::fmt::Write;

use bytes::Bytes;

use crate::clock::now;
use crate::conn::{Config, Head};
use crate::transport::memory_pair;

use super::*;

const HEADS: [[&str; 2]; 2] = [
    [
        "| state | `leave` | `begin` | `end` | `end`: full | `end`: failed | `unblock` | `fail` | `note_idle` | `close` |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ],
    [
        "| state | it goes on | it parks, alone | it has filled the outbox | the driver is due | beside batch tasks | it parks beside batch tasks |",
        "|---|---|---|---|---|---|---|",
    ],
];

const STATES: [Writing; 6] = [
    Writing::Idle,
    Writing::Woken,
    Writing::Busy,
    Writing::SocketFull,
    Writing::Failed(ErrorKind::BrokenPipe),
    Writing::Ended,
];

/// A connection with one stream, and as many bytes as its head has in the outbox.
fn conn(caller: usize) -> Connection {
    let mut conn = Connection::client(Config::default());
    let head = Head { caller: Bytes::from(vec![b'x'; caller]), ..Head::default() };
    conn.open(head, None, now()).expect("the connection is open");
    conn
}

/// A writer that has come into this state.
fn writer(state: Writing) -> Writer {
    let mut writer = Writer::new(memory_pair().0.output);
    match state {
        Writing::Idle => {}
        Writing::Woken => assert_eq!(writer.leave(&conn(0), false), Wake::Flusher),
        Writing::Busy => assert!(writer.begin().is_some()),
        Writing::SocketFull => end(&mut writer, Err(ErrorKind::WouldBlock)),
        Writing::Failed(kind) => end(&mut writer, Err(kind)),
        Writing::Ended => assert!(writer.close().is_some()),
    }
    assert_eq!(writer.writing(), state);
    writer
}

fn end(writer: &mut Writer, result: Result<(), ErrorKind>) {
    writer.begin();
    writer.end(&mut conn(0), result);
}

fn name(state: Writing) -> String {
    let text = format!("{state:?}");
    text.split('(').next().unwrap_or_default().to_owned()
}

/// The state that an operation leads to, or nothing if it leaves the state as it is.
fn changes() -> String {
    type Operation = fn(&mut Writer);
    let operations: [Operation; 9] = [
        |writer| {
            let before = writer.writing();
            let wakes = writer.leave(&conn(0), false) == Wake::Flusher;
            assert_eq!(wakes, before != writer.writing());
        },
        |writer| drop(writer.begin()),
        |writer| writer.end(&mut conn(0), Ok(())),
        |writer| writer.end(&mut conn(0), Err(ErrorKind::WouldBlock)),
        |writer| writer.end(&mut conn(0), Err(ErrorKind::BrokenPipe)),
        Writer::unblock,
        |writer| writer.fail(ErrorKind::ConnectionReset),
        Writer::note_idle,
        |writer| drop(writer.close()),
    ];
    let mut table = String::new();
    for state in STATES {
        write!(table, "| {} |", name(state)).unwrap();
        for (at, operation) in operations.iter().enumerate() {
            let mut writer = writer(state);
            operation(&mut writer);
            let after = writer.writing();
            match () {
                () if after != state => write!(table, " {} |", name(after)).unwrap(),
                () if at == 1 => write!(table, " refused |").unwrap(),
                () => write!(table, " |").unwrap(),
            }
        }
        table.push('\n');
    }
    table
}

/// Whom a task wakes at the end of its operation.
fn wakes() -> String {
    let (small, large) = (conn(0), conn(FLUSH_THRESHOLD));
    assert!(large.output_len() >= FLUSH_THRESHOLD && small.is_alone());
    let mut table = String::new();
    for state in STATES {
        write!(table, "| {} |", name(state)).unwrap();
        for (conn, next, is_due, batch_tasks) in [
            (&small, Next::Continues, false, 0),
            (&small, Next::Parks, false, 0),
            (&large, Next::Continues, false, 0),
            (&small, Next::Continues, true, 0),
            (&small, Next::Continues, true, 1),
            (&small, Next::Parks, true, 1),
        ] {
            let mut writer = writer(state);
            writer.add_batch_tasks(batch_tasks);
            write!(table, " {:?} |", writer.after(conn, next, || is_due)).unwrap();
        }
        table.push('\n');
    }
    table
}

#[test]
fn a_writer_does_what_its_tables_say() {
    let made: Vec<_> = [changes(), wakes()]
        .iter()
        .zip(HEADS)
        .map(|(table, [names, line])| format!("{names}\n{line}\n{table}"))
        .collect();
    let made = made.concat();
    let source = include_str!("../writer.rs");
    let drawn = source.lines().filter_map(|line| line.strip_prefix("//! "));
    let drawn: Vec<_> = drawn.filter(|line| line.starts_with('|')).collect();
    assert_eq!(drawn, made.lines().collect::<Vec<_>>(), "made anew:\n{made}");
}

#[test]
fn a_woken_task_that_finds_the_bytes_written_is_woken_for_the_next_ones() {
    let mut writer = writer(Writing::Woken);
    assert!(!writer.is_written(&conn(0)));
    writer.note_idle();
    assert_eq!(writer.leave(&conn(0), false), Wake::Flusher);
}

#[test]
fn the_last_batch_task_wakes_a_driver_that_is_due() {
    let mut writer = writer(Writing::Idle);
    writer.add_batch_tasks(2);
    assert_eq!((writer.end_batch_task(true), writer.has_batch_tasks()), (Wake::Nobody, true));
    assert_eq!((writer.end_batch_task(true), writer.has_batch_tasks()), (Wake::Driver, false));
    writer.add_batch_tasks(1);
    assert_eq!(writer.end_batch_task(false), Wake::Nobody, "it writes by itself");
}

#[test]
fn what_a_write_leaves_comes_first() {
    let (mut writer, mut conn) = (writer(Writing::Busy), conn(FLUSH_THRESHOLD));
    let (bytes, written) = writer.next_bytes(&mut conn).expect("there is INIT");
    let all = bytes.len();
    assert_eq!((written, conn.output_len()), (0, 0));
    assert!(!writer.is_written(&conn), "it is being written");
    writer.put_back(bytes, 7);
    writer.end(&mut conn, Err(ErrorKind::WouldBlock));
    assert!(!writer.is_written(&conn) && writer.is_behind(&conn));
    writer.unblock();
    assert!(!writer.is_written(&conn));
    assert!(writer.begin().is_some());
    let (mut bytes, written) = writer.next_bytes(&mut conn).expect("it is not all written");
    assert_eq!((bytes.len(), written), (all, 7));
    bytes.clear();
    writer.put_back(bytes, all);
    conn.handle_written(all);
    assert!(writer.next_bytes(&mut conn).is_none());
    writer.end(&mut conn, Ok(()));
    assert!(writer.is_written(&conn) && !writer.is_behind(&conn));
}
