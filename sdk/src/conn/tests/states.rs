//! Every state of a stream with everything that can happen in it, as one table: `states.md`. A
//! changed transition is a changed line.

mod events;

use std::fmt::Write;
use std::time::Duration;

use crate::conn::{
    Cancel, Config, ConnError, Consumed, Ending, Event, Inbox, Outcome, SendError, Sent, StreamKey,
    Take,
};
use crate::framing::Messages;
use crate::wires::trpc::Frame;

use super::frames::{ID, close, data, init_answer};
use super::pair::{End, STREAM, epoch, head};
use events::{CLIENT_EVENTS, SERVER_EVENTS, SILENCE, frame};

/// Compares with the file that is checked in; with `TRILL_BLESS` in the environment it is written
/// instead.
#[test]
fn every_state_with_everything_that_can_happen() {
    let table = table();
    if std::env::var_os("TRILL_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/conn/tests/states.md");
        std::fs::write(path, table).expect("the folder can be written");
        return;
    }
    for (line, (is, was)) in table.lines().zip(include_str!("states.md").lines()).enumerate() {
        assert_eq!(is, was, "line {} of states.md has changed", line + 1);
    }
    assert!(table == include_str!("states.md"), "states.md has another length");
}

const INTRODUCTION: &str = "\
# What can happen to a stream

Made by `conn/tests/states.rs`; look at the difference, then keep it with
`TRILL_BLESS=1 cargo test -p trill --lib states`.

Each line: a stream in a state, what happens, the state afterwards, the frames that go out, and what
the application is told: the result of what it asked for, and whom it has to wake (`reader`,
`writer`, and `owner` for whoever watches the stream as a whole). In each state a reader and an
owner wait, unless there is something for them; a writer waits where there is no credit. `-` is
nothing.
";

fn table() -> String {
    let mut out = String::from(INTRODUCTION);
    section(&mut out, "A client's stream", CLIENT_STATES, CLIENT_EVENTS, &|state, event| {
        Case::client(state, event).run(event)
    });
    section(&mut out, "A server's stream", SERVER_STATES, SERVER_EVENTS, &|state, event| {
        Case::server(state, event).run(event)
    });
    out
}

fn section(
    out: &mut String,
    title: &str,
    states: &[&str],
    events: &[&str],
    line: &dyn Fn(&str, &str) -> Option<[String; 3]>,
) {
    write!(out, "\n## {title}\n").expect("a string");
    for state in states {
        write!(out, "\n### {state}\n\n| event | then | sent | told |\n|---|---|---|---|\n")
            .expect("a string");
        for event in events {
            if let Some([then, sent, told]) = line(state, event) {
                writeln!(out, "| {event} | {then} | {sent} | {told} |").expect("a string");
            }
        }
    }
}

const CLIENT_STATES: &[&str] = &[
    "unknown",
    "opening",
    "open",
    "open, no credit",
    "open, a message unread",
    "open, reader gone",
    "half-closed",
    "closed by the server",
    "reset by the server",
    "refused",
    "reset here",
    "past its deadline",
    "given up politely",
    "given up politely and forgotten",
];

const SERVER_STATES: &[&str] = &[
    "unknown",
    "unknown, draining",
    "open",
    "open, no credit",
    "open, a message unread",
    "open, reader gone",
    "open, needs no more input",
    "half-closed by the client",
    "half-closed by the client, a message unread",
    "closed here",
    "reset by the client",
    "past its deadline",
];

const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const DEADLINE: Duration = Duration::from_secs(30);
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// One end with a stream in some state, and the peer's side of it left to the events.
struct Case {
    end: End,
    key: Option<StreamKey>,
}

impl Case {
    fn client(state: &str, event: &str) -> Self {
        let polite = state.starts_with("given up politely");
        let config = Config {
            cancel: if polite { Cancel::HalfClose } else { Cancel::Reset },
            // Only one of the two is looked at.
            open_timeout: if event == "open timeout" { OPEN_TIMEOUT } else { 2 * DEADLINE },
            stream_idle_timeout: (event == SILENCE).then_some(IDLE_TIMEOUT),
            ..Config::default()
        };
        let mut end = End::client(config);
        if state == "unknown" {
            return Self { end, key: None };
        }
        let mut call = head(STREAM);
        call.timeout = Some(DEADLINE);
        let key = end.conn.open(call, None, epoch()).expect("the connection is open");
        end.output();
        let mut case = Self { end, key: Some(key) };
        if !matches!(state, "opening" | "refused") {
            case.receive(&init_answer(0));
        }
        match state {
            "opening" | "open" => {}
            "half-closed" => case.end.conn.half_close(key),
            "closed by the server" => case.receive(&close(0, 0)),
            "reset by the server" => case.receive(&close(1, 7)),
            "refused" => case.receive(&init_answer(12)),
            "reset here" => case.end.conn.reset(key, Outcome::of_codes(161, 0, "given up")),
            "past its deadline" => case.end.conn.handle_timeout(epoch() + DEADLINE),
            "given up politely" => case.end.conn.reset(key, Outcome::of_codes(161, 0, "given up")),
            "given up politely and forgotten" => {
                case.end.conn.release(key);
                case.key = None;
            }
            other => case.common(other),
        }
        case.wait();
        case
    }

    fn server(state: &str, event: &str) -> Self {
        let stream_idle_timeout = (event == SILENCE).then_some(IDLE_TIMEOUT);
        let mut end = End::server(Config { stream_idle_timeout, ..Config::default() });
        match state {
            "unknown" => return Self { end, key: None },
            "unknown, draining" => {
                end.conn.drain();
                return Self { end, key: None };
            }
            _ => {}
        }
        let mut case = Self { end, key: None };
        // Metadata is how a deadline travels.
        case.receive(&opening_with_deadline());
        let key = case.end.next_stream().key;
        case.key = Some(key);
        match state {
            "open" => {}
            "open, needs no more input" => case.end.conn.end_input(key),
            "half-closed by the client" => case.receive(&close(0, 0)),
            "half-closed by the client, a message unread" => {
                case.receive(&data());
                case.receive(&close(0, 0));
            }
            "closed here" => drop(case.end.conn.close(key, Outcome::default())),
            "reset by the client" => case.receive(&close(1, 7)),
            "past its deadline" => case.end.conn.handle_timeout(epoch() + DEADLINE),
            other => case.common(other),
        }
        case.wait();
        case
    }

    /// The states that both sides have.
    fn common(&mut self, state: &str) {
        let key = self.key.expect("there is a stream");
        match state {
            "open, no credit" => {
                assert_eq!(self.end.send(key, &[0; 65_535]), Ok(Sent::Queued));
                assert_eq!(self.end.send(key, b"x"), Ok(Sent::NoCredit));
            }
            "open, a message unread" => self.receive(&data()),
            "open, reader gone" => self.end.conn.discard(key, Consumed::default()),
            other => panic!("there is no state {other}"),
        }
    }

    /// A reader and an owner come, and wait if they must.
    fn wait(&mut self) {
        if let Some(key) = self.key {
            self.end.conn.ended(key);
            if self.end.conn.streams.get(key).recv.inbox.is_empty() {
                self.end.conn.take(key, Consumed::default(), &mut Inbox::default());
            }
        }
        self.end.output();
        self.end.events.clear();
    }

    fn receive(&mut self, frame: &[u8]) {
        self.end.receive(frame, epoch()).expect("part of the preparation");
    }

    /// Lets the event happen. `None`: it cannot in this state.
    fn run(mut self, event: &str) -> Option<[String; 3]> {
        let result = match frame(event) {
            Some(frame) => match self.end.receive(&frame, epoch()) {
                Ok(()) => String::new(),
                Err(error) => {
                    self.end.conn.handle_lost(&error);
                    format!("the connection ends: {error}")
                }
            },
            None => self.ask(event)?,
        };
        let sent: Vec<_> = self.end.output_frames().iter().map(frame_text).collect();
        let woken: Vec<_> = self
            .end
            .events
            .iter()
            .filter(|event| !matches!(event, Event::Idle | Event::Refused(_)))
            .map(event_text)
            .collect();
        let told: Vec<_> =
            std::iter::once(result).filter(|text| !text.is_empty()).chain(woken).collect();
        let or_nothing = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        Some([self.then(), or_nothing(sent.join(", ")), or_nothing(told.join(", "))])
    }

    /// Carries out an event of the connection or the clock; `false` if it is none.
    fn happens(&mut self, event: &str) -> bool {
        let conn = &mut self.end.conn;
        match event {
            "connection lost" => conn.handle_lost(&ConnError::PeerClosed),
            "drain" => conn.drain(),
            "shut down" => conn.shut_down(),
            SILENCE => {
                let end = epoch() + IDLE_TIMEOUT + IDLE_TIMEOUT / 3;
                while let Some(next) = conn.next_deadline().filter(|next| *next <= end) {
                    conn.handle_timeout(next);
                }
            }
            "open timeout" => conn.handle_timeout(epoch() + OPEN_TIMEOUT),
            "deadline" => conn.handle_timeout(epoch() + DEADLINE),
            _ => return false,
        }
        true
    }

    /// Reads what is there.
    fn read(&mut self, key: StreamKey) -> String {
        let conn = &mut self.end.conn;
        let (mut inbox, mut count) = (Inbox::default(), 0);
        let taken = conn.take(key, Consumed::default(), &mut inbox);
        while inbox.front().and_then(Messages::next).is_some() {
            count += 1;
        }
        match taken {
            None => "not yet".to_owned(),
            Some(Take::Messages) => format!("{count} message"),
            Some(Take::EndOfInput) => "end of input".to_owned(),
            Some(Take::Stuck) => unreachable!("no time passes here"),
            Some(Take::Ended) => {
                format!("over: {}", ending_text(conn.ending(key).expect("it is over")))
            }
        }
    }

    /// Carries out an event of the application or the clock.
    fn ask(&mut self, event: &str) -> Option<String> {
        if self.happens(event) {
            return Some(String::new());
        }
        let key = self.key?;
        let conn = &mut self.end.conn;
        let nothing = String::new();
        Some(match event {
            "opened?" => match conn.opened(key) {
                None => "not yet".to_owned(),
                Some(Ok(())) => "yes".to_owned(),
                Some(Err(ending)) => format!("no: {}", ending_text(&ending)),
            },
            "write" => match self.end.send(key, b"x") {
                Ok(sent) => format!("{sent:?}"),
                Err(SendError::Ended(ending)) => format!("error: {}", ending_text(&ending)),
                Err(error) => format!("error: {error:?}"),
            },
            "read" => self.read(key),
            "finish" => {
                conn.half_close(key);
                nothing
            }
            "need no more input" => {
                conn.end_input(key);
                nothing
            }
            "end well" => {
                conn.close(key, Outcome::default());
                nothing
            }
            "end with an error" => {
                conn.close(key, Outcome::of_codes(0, 7, "why"));
                nothing
            }
            "reset" if conn.ending(key).is_some() => return None,
            "reset" => {
                conn.reset(key, Outcome::of_codes(161, 0, "given up"));
                nothing
            }
            "drop the reader" => {
                conn.discard(key, Consumed::default());
                nothing
            }
            "drop" => {
                conn.release(key);
                self.key = None;
                // No task is left that could be woken.
                conn.take_events(&mut Vec::new());
                nothing
            }
            other => panic!("there is no event {other}"),
        })
    }

    /// The state of the stream with the id of all frames here.
    fn then(&mut self) -> String {
        self.end.conn.take_events(&mut self.end.events);
        let started = self.end.events.iter().find_map(|event| match event {
            Event::Stream(stream) => Some(stream.key),
            _ => None,
        });
        let Some(key) = self.key.or(started) else {
            return if self.end.conn.cancelled.contains(ID) {
                "cancelled".to_owned()
            } else {
                "unknown".to_owned()
            };
        };
        let stream = self.end.conn.streams.get(key);
        let mut text = match &stream.ending {
            Some(ending) => format!("over: {}", ending_text(ending)),
            None => format!("{:?}", stream.state),
        };
        let count = stream.recv.inbox.total().messages;
        for (is, what) in [
            (count > 0, "a message unread"),
            (stream.recv.discard, "reader gone"),
            (
                stream.recv.ended && stream.state != crate::conn::stream::StreamState::RemoteClosed,
                "input ended",
            ),
            (!stream.send.window.is_open() && stream.ending.is_none(), "no credit"),
            (self.end.conn.cancelled.contains(ID), "cancelled"),
        ] {
            if is {
                text.push_str(", ");
                text.push_str(what);
            }
        }
        text
    }
}

/// INIT of a client that waits for [`DEADLINE`].
fn opening_with_deadline() -> Vec<u8> {
    let mut client = End::client(Config::default());
    let mut call = head(STREAM);
    call.timeout = Some(DEADLINE);
    client.conn.open(call, None, epoch()).expect("the connection is open");
    client.output().to_vec()
}

fn frame_text(frame: &Frame) -> String {
    match frame {
        Frame::Init { meta, .. } => match &meta.response_meta {
            Some(answer) if answer.ret != 0 => format!("INIT, refused with {}", answer.ret),
            _ => format!("INIT, window {}", meta.init_window_size),
        },
        Frame::Data { messages, .. } => format!("DATA of {}", messages.bytes()),
        Frame::Feedback { increment, .. } => format!("FEEDBACK of {increment}"),
        Frame::Close { meta, .. } => {
            let what = if meta.close_type == 1 { "RESET" } else { "CLOSE" };
            match (meta.ret, meta.func_ret) {
                (0, 0) => what.to_owned(),
                (ret, 0) => format!("{what} with {ret}"),
                (ret, func_ret) => format!("{what} with {ret}/{func_ret}"),
            }
        }
        Frame::Response { meta, .. } => format!("a unary answer with {}", meta.ret),
        other => panic!("{other:?} was written"),
    }
}

fn event_text(event: &Event) -> String {
    match event {
        Event::Readable(_) => "reader".to_owned(),
        Event::Writable(_) => "writer".to_owned(),
        Event::Changed(_) => "owner".to_owned(),
        Event::CallChanged(_) => "a caller".to_owned(),
        Event::CreditRevoked(_) => "the writer's send buffer".to_owned(),
        Event::Idle | Event::Refused(_) => unreachable!("it is of no stream"),
        Event::Room(_) => "room".to_owned(),
        Event::Call => "a new call".to_owned(),
        Event::Stream(_) => "a new stream".to_owned(),
    }
}

fn ending_text(ending: &Ending) -> String {
    let codes = |outcome: &Outcome| match (outcome.codes().0, outcome.codes().1) {
        (0, 0) => String::new(),
        (ret, 0) => format!(" with {ret}"),
        (ret, func_ret) => format!(" with {ret}/{func_ret}"),
    };
    match ending {
        Ending::Closed(outcome) => format!("closed{}", codes(outcome)),
        Ending::Reset(outcome) => format!("reset{}", codes(outcome)),
        Ending::Refused(outcome) => format!("refused{}", codes(outcome)),
        Ending::Deadline => "deadline".to_owned(),
        Ending::OpenTimeout(_) => "no answer to INIT".to_owned(),
        Ending::Violation(violation) => violation.to_string(),
        Ending::Overrun(_) => "too much unread".to_owned(),
        Ending::TooLarge { .. } => "too large".to_owned(),
        Ending::BadAnswer(_) => "bad answer".to_owned(),
        Ending::Idle(_) => "no messages".to_owned(),
        Ending::Local => "ended here".to_owned(),
        Ending::Lost(_) => "connection lost".to_owned(),
        Ending::Abandoned(_) => unreachable!("a stream is never one-way"),
    }
}
