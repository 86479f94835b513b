//! Every malformed input of the protocol's test vectors, with its verdict.

use std::sync::Arc;

use serde::Deserialize;

use crate::conn::{Config, ConnError, Connection, Event, Outcome, Shape};
use crate::framing::UnaryContent;
use crate::golden::{unhex, vectors};
use crate::wires::trpc::Frame;

use super::pair::{End, admitted, epoch, head};

#[derive(Deserialize)]
struct Vector {
    name: String,
    hex: String,
    expect: String,
    role: String,
    state: String,
    good_frames: usize,
    #[serde(default)]
    also_ok: Vec<String>,
    #[serde(default)]
    every_prefix: bool,
    limit: Option<usize>,
}

const UNARY: &str = "/trpc.test.helloworld.Greeter/SayHello";
const STREAM: &str = "/trpc.test.helloworld.StreamGreeter/BidiStreamSayHello";

/// Admits the two methods of the vectors, and refuses as the router does what cannot be understood.
fn server(config: Config) -> End {
    let mut end = End::server(config.clone());
    end.conn = Connection::server(
        config,
        Arc::new(|head, shape| {
            let (unary, stream) =
                (head.method == UNARY.as_bytes(), head.method == STREAM.as_bytes());
            if head.content_type != 0 || head.content_encoding != 0 {
                return Err(Outcome::of_codes(1, 0, "unknown content"));
            }
            match shape {
                Some(Shape::Unary) if unary => Ok(admitted(0, Shape::Unary)),
                Some(Shape::Stream) if stream => Ok(admitted(1, Shape::Stream)),
                _ => Err(Outcome::of_codes(12, 0, "no such method")),
            }
        }),
    );
    end
}

/// The result of an input.
#[derive(Debug, Default)]
struct Result {
    connection_error: bool,
    refused_calls: usize,
    failed_calls: usize,
    rejected: usize,
    resets: usize,
    streams: usize,
    live: usize,
    left_over: usize,
    frames: usize,
}

fn run(vector: &Vector, bytes: &[u8]) -> Result {
    let mut config = Config::default();
    if let Some(limit) = vector.limit {
        config.max_received = limit;
    }
    let mut end = if vector.role == "client" { End::client(config) } else { server(config) };
    let mut call = None;
    match vector.state.as_str() {
        "fresh" => {}
        "init_sent" => {
            end.conn.open(head(STREAM), None, epoch()).unwrap();
        }
        "open" => {
            end.conn.open(head(STREAM), None, epoch()).unwrap();
            let answer = unhex("09300101000000160000000000640000120018ffff03");
            end.receive(&answer, epoch()).unwrap();
        }
        "call_1_pending" => {
            let body = UnaryContent::new(0, |_: &mut Vec<u8>| {});
            call = end.conn.call(head(UNARY), false, None, body).unwrap();
        }
        state => panic!("{}: unknown state {state}", vector.name),
    }
    end.output();
    end.seen.clear();
    let handled: std::result::Result<(), ConnError> = end.receive(bytes, epoch());
    let mut result = Result {
        connection_error: handled.is_err(),
        left_over: end.left_over(),
        frames: end
            .seen
            .iter()
            .filter(|frame| !matches!(frame, Frame::BadUnary { .. } | Frame::BadStream { .. }))
            .count(),
        streams: end.events.iter().filter(|event| matches!(event, Event::Stream(_))).count(),
        live: end.conn.live_streams(),
        ..Result::default()
    };
    if let Some(key) = call {
        result.failed_calls = usize::from(matches!(end.conn.answer(key), Some(Err(_))));
    }
    for frame in end.output_frames() {
        match frame {
            Frame::Response { meta, .. } if meta.ret != 0 => result.refused_calls += 1,
            Frame::Init { meta, .. }
                if meta.response_meta.as_ref().is_some_and(|meta| meta.ret != 0) =>
            {
                result.rejected += 1;
            }
            Frame::Close { meta, .. } if meta.close_type == 1 => result.resets += 1,
            _ => {}
        }
    }
    result
}

fn is(verdict: &str, vector: &Vector, result: &Result) -> bool {
    let quiet = !result.connection_error && result.resets == 0 && result.rejected == 0;
    match verdict {
        "need_more" => quiet && result.frames == vector.good_frames && result.refused_calls == 0,
        "connection_error" => result.connection_error && result.frames == vector.good_frames,
        "unary_error" => {
            quiet
                && result.frames == vector.good_frames
                && result.refused_calls + result.failed_calls == 1
        }
        "reject" => {
            !result.connection_error
                && result.rejected == 1
                && result.streams == 0
                && result.live == 0
        }
        "stream_error" => !result.connection_error && result.resets == 1 && result.live == 0,
        "ignore" | "accept" => quiet && result.refused_calls == 0,
        other => panic!("{}: unknown verdict {other}", vector.name),
    }
}

#[test]
fn every_malformed_input_gets_its_verdict() {
    let vectors: Vec<Vector> = vectors("trpc_invalid.json");
    assert_eq!(vectors.len(), 85);
    for vector in &vectors {
        let bytes = unhex(&vector.hex);
        let result = if vector.every_prefix {
            for cut in 0..bytes.len() {
                let result = run(vector, &bytes[..cut]);
                assert!(
                    result.frames == 0 && !result.connection_error && result.left_over == cut,
                    "prefix {cut}"
                );
            }
            run(vector, &bytes)
        } else {
            run(vector, &bytes)
        };
        let verdicts = std::iter::once(&vector.expect).chain(&vector.also_ok);
        assert!(
            verdicts.clone().any(|verdict| is(verdict, vector, &result)),
            "{}: expected {:?}, got {result:?}",
            vector.name,
            verdicts.collect::<Vec<_>>()
        );
    }
}
