//! Golden bytes and recorded conversations go through the codec and come out as they were.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use serde::Deserialize;
use tokio_util::codec::{Decoder as _, Encoder as _};

use crate::golden::{unhex, vectors};
use crate::wires::trpc::frame;

use super::*;

/// Bytes that one side sends.
struct Sent {
    name: String,
    codec: Codec,
    bytes: Vec<u8>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    hex: String,
    frames: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Chunk {
    conversation: String,
    direction: String,
    hex: String,
}

/// The golden frames and the recorded conversations.
fn sent() -> Vec<Sent> {
    let golden = vectors::<Case>("trpc_valid.json").into_iter().map(|case| {
        let answers = case.frames.iter().any(|frame| frame["kind"] == "unary_response");
        let codec = if answers { Codec::client() } else { Codec::server() };
        Sent { name: case.name, codec, bytes: unhex(&case.hex) }
    });
    let mut all: Vec<_> = golden.collect();
    let mut conversations = std::collections::BTreeMap::<_, Vec<u8>>::new();
    for chunk in vectors::<Chunk>("trpc_cpp_captures.json") {
        let bytes = conversations.entry((chunk.conversation, chunk.direction)).or_default();
        bytes.extend(unhex(&chunk.hex));
    }
    assert_eq!(conversations.len(), 48, "24 conversations of two directions");
    all.extend(conversations.into_iter().map(|((name, direction), bytes)| {
        let codec = if direction == "c2s" { Codec::server() } else { Codec::client() };
        Sent { name: format!("{name}, {direction}"), codec, bytes }
    }));
    all
}

/// The frames of `bytes` that come in pieces which end at `cuts`, and the error at their end.
fn read(
    mut codec: Codec,
    bytes: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> (Vec<Frame>, Option<String>) {
    let (mut frames, mut buf, mut from) = (Vec::new(), BytesMut::new(), 0);
    let mut take = |decoded: Result<Option<Frame>, CodecError>| match decoded {
        Ok(Some(frame)) => {
            frames.push(frame);
            Ok(true)
        }
        Ok(None) => Ok(false),
        Err(error) => Err(error.to_string()),
    };
    let run = || {
        for to in cuts.into_iter().chain([bytes.len()]) {
            buf.extend_from_slice(&bytes[from..to]);
            from = to;
            while take(codec.decode(&mut buf))? {}
        }
        while take(codec.decode_eof(&mut buf))? {}
        Ok(())
    };
    let error = run().err();
    (frames, error)
}

fn written(codec: &mut Codec, frames: &[Frame]) -> Vec<u8> {
    let mut out = BytesMut::new();
    for (at, frame) in frames.iter().enumerate() {
        // By value and by reference.
        let written = match at % 2 {
            0 => codec.encode(frame.clone(), &mut out),
            _ => codec.encode(frame, &mut out),
        };
        written.expect("it is within the limit");
    }
    out.to_vec()
}

/// The same frame, made anew of what it says. tRPC-Cpp writes no id into the fixed header of a
/// call.
fn remade(frame: &Frame) -> Result<Frame, FrameError> {
    let remade = match frame.content()? {
        Content::Request { header, body, attachment } => {
            Frame::request(&header, &body, &attachment)
        }
        Content::Response { header, body, attachment } => {
            Frame::response(&header, &body, &attachment)
        }
        Content::Init(init) => Ok(Frame::init(frame.id(), &init)),
        Content::Data(message) => Frame::data(frame.id(), &message),
        Content::Feedback { increment } => Ok(Frame::feedback(frame.id(), increment)),
        Content::Close(close) => Ok(Frame::close(frame.id(), &close)),
    };
    Ok(remade?.with_id(frame.id()))
}

#[test]
fn golden_frames_and_recorded_conversations_come_out_as_they_went_in() {
    for Sent { name, mut codec, bytes } in sent() {
        let (frames, error) = read(codec.clone(), &bytes, []);
        assert_eq!(error, None, "{name}");
        assert!(!frames.is_empty() || bytes.is_empty(), "{name}");
        assert_eq!(written(&mut codec, &frames), bytes, "{name}");
        let in_pieces = read(codec, &bytes, 0..bytes.len());
        assert_eq!(in_pieces, (frames, None), "{name}");
    }
}

#[test]
fn recorded_frames_are_the_same_bytes_when_they_are_made_of_what_they_say() {
    for Sent { name, codec, bytes } in sent().into_iter().filter(|sent| sent.name.contains(", ")) {
        for frame in read(codec, &bytes, []).0 {
            let again = remade(&frame).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(again, frame, "{name}");
            let (header, body) = (frame.header(), frame.body());
            assert_eq!(
                [&frame.bytes()[..16], &header, &body].concat(),
                frame.bytes()[..],
                "{name}"
            );
        }
    }
}

#[test]
fn a_frame_is_what_the_decoder_of_connections_makes_of_its_bytes() {
    for Sent { name, codec, bytes } in sent() {
        let decoder = codec.decoder();
        for frame in read(codec, &bytes, []).0 {
            let mut buf = BytesMut::from(&frame.bytes()[..]);
            let theirs = decoder.decode(&mut buf).unwrap().expect("it is whole");
            let (kind, ids) = match (&theirs, frame.content()) {
                (frame::Frame::BadUnary { why, .. }, Err(fault)) => {
                    assert_eq!(why.to_string(), fault.to_string(), "{name}");
                    continue;
                }
                (frame::Frame::BadStream { why, .. }, Err(fault)) => {
                    assert_eq!(why.to_string(), fault.to_string(), "{name}");
                    continue;
                }
                (
                    frame::Frame::Request { head, body, .. },
                    Ok(Content::Request { body: its, .. }),
                ) => {
                    assert_eq!(body, &its, "{name}");
                    (Kind::Request, head.id.into())
                }
                (
                    frame::Frame::Response { head, attachment, .. },
                    Ok(Content::Response { attachment: its, .. }),
                ) => {
                    assert_eq!(attachment, &its, "{name}");
                    (Kind::Response, head.id.into())
                }
                (frame::Frame::Init { id, .. }, Ok(Content::Init(_))) => (Kind::Init, id.0),
                (frame::Frame::Data { id, messages }, Ok(Content::Data(message))) => {
                    assert_eq!(messages.first(), message, "{name}");
                    (Kind::Data, id.0)
                }
                (
                    frame::Frame::Feedback { id, increment },
                    Ok(Content::Feedback { increment: its }),
                ) => {
                    assert_eq!(increment, &its, "{name}");
                    (Kind::Feedback, id.0)
                }
                (frame::Frame::Close { id, .. }, Ok(Content::Close(_))) => (Kind::Close, id.0),
                (theirs, content) => panic!("{name}: {theirs:?} and {content:?}"),
            };
            assert_eq!((frame.kind(), frame.id().into()), (kind, ids), "{name}");
        }
    }
}

#[test]
fn fields_that_mean_nothing_stay() {
    let frame = |kind: u8| {
        let fixed = [0x09, 0x30, 1, kind, 0, 0, 0, 17, 0, 3, 0, 0, 0, 100, 1, 7];
        [&fixed[..], b"x"].concat()
    };
    for kind in [2, 9] {
        let mut codec = Codec::server();
        let (frames, error) = read(codec.clone(), &frame(kind), []);
        assert_eq!((frames.len(), error), (1, None));
        assert_eq!((frames[0].version(), frames[0].reserved()), (1, 7));
        assert_eq!(written(&mut codec, &frames), frame(kind));
    }
    let (frames, _) = read(Codec::server(), &frame(9), []);
    assert_eq!((frames[0].kind(), frames[0].header()), (Kind::Unknown(9), Bytes::from("x")));
    let fault = frames[0].content().unwrap_err();
    assert_eq!(fault.to_string(), "stream frames of kind 9 do not exist");
}

#[test]
fn errors_say_what_is_wrong() {
    let message = Frame::data(100, &[0; 100]).unwrap();
    let (frames, error) = read(Codec::server().max_frame(115), message.bytes(), []);
    let text = "a frame of 116 bytes is over the limit of 115";
    assert_eq!((frames.len(), error.as_deref()), (0, Some(text)));
    let mut out = BytesMut::from("before");
    let error = Codec::server().max_frame(115).encode(&message, &mut out).unwrap_err();
    assert_eq!((error.to_string(), &out[..]), (text.to_owned(), &b"before"[..]));
    let CodecError::Frame(fault) = error else { panic!("{error:?}") };
    assert!(fault.is_too_large() && !fault.is_cut());
    Codec::server().max_frame(116).encode(&message, &mut out).unwrap();

    let (frames, error) = read(Codec::server(), &message.bytes()[..20], [3]);
    let text = "the bytes end within a frame: 20 came, 96 are missing";
    assert_eq!((frames.len(), error.as_deref()), (0, Some(text)));

    let (_, error) = read(Codec::server(), b"GET / HTTP/1.1\r\n\r\n", []);
    let text = "a frame starts with 0x4745, not with the 0x0930 of tRPC: it speaks HTTP";
    assert_eq!(error.as_deref(), Some(text));

    let request = Request { func: Bytes::from(vec![b'x'; 70_000]), ..Request::default() };
    let fault = Frame::request(&request, b"", b"").unwrap_err();
    assert!(fault.is_too_large(), "{fault}");
    assert_eq!(fault.to_string(), "a protobuf header of 70004 bytes is over the limit of 65535");
}

#[test]
fn a_frame_is_shown_in_one_line_and_texts_of_peers_are_escaped() {
    let mut request = Request::default();
    (request.request_id, request.func) = (7, Bytes::from("/a/B\n\u{202e}"));
    let (mut response, mut init, mut close) =
        (Response::default(), Init::default(), Close::default());
    (response.request_id, response.ret, response.error_msg) = (7, 12, Bytes::from("no \"B\""));
    init.init_window_size = 65_535;
    init.request = Some(InitRequest { func: "/a/C".into(), ..InitRequest::default() });
    let refusal = InitResponse { ret: 12, error_msg: "no".into() };
    let answer = Init { response: Some(refusal), ..Init::default() };
    (close.close_type, close.func_ret) = (1, 4001);
    for (frame, shown) in [
        (
            Frame::request(&request, b"12", b"3").unwrap(),
            "request 7 of /a/B\\n\\u{202e}, 2 bytes and 1 attached",
        ),
        (
            Frame::response(&response, b"", b"").unwrap(),
            "response 7, ret 12, func_ret 0, \"no \\\"B\\\"\", 0 bytes",
        ),
        (Frame::init(100, &init), "INIT of stream 100, /a/C, window 65535"),
        (Frame::init(100, &answer), "INIT of stream 100, ret 12, func_ret 0, \"no\", window 0"),
        (Frame::data(100, b"abc").unwrap(), "DATA of stream 100, 3 bytes"),
        (Frame::feedback(100, 16), "FEEDBACK of stream 100, 16 bytes of credit"),
        (Frame::close(100, &Close::default()), "CLOSE of stream 100"),
        (Frame::close(100, &close), "RESET of stream 100, ret 0, func_ret 4001"),
    ] {
        assert_eq!(frame.to_string(), shown);
    }
    request.call_type = 1;
    let frame = Frame::request(&request, b"", b"").unwrap();
    assert!(frame.to_string().starts_with("one-way request 7 of"), "{frame}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_cuts_and_any_wrong_byte_are_survived_alike(
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        wrong in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for Sent { name, mut codec, mut bytes } in sent() {
            let mut cuts: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let whole = read(codec.clone(), &bytes, []);
            prop_assert_eq!(&whole, &read(codec.clone(), &bytes, cuts.iter().copied()), "{}", name);
            if bytes.is_empty() {
                continue;
            }
            let place = wrong.index(bytes.len());
            bytes[place] = byte;
            let (frames, error) = read(codec.clone(), &bytes, []);
            let in_pieces = read(codec.clone(), &bytes, cuts);
            prop_assert_eq!(&frames, &in_pieces.0, "{}", name);
            prop_assert_eq!(error.is_some(), in_pieces.1.is_some(), "{}", name);
            let again = written(&mut codec, &frames);
            prop_assert_eq!(&again[..], &bytes[..again.len()], "{}", name);
            // Nothing that a frame may say panics where it is looked at.
            frames.iter().for_each(|frame| drop((frame.to_string(), frame.header(), remade(frame))));
        }
    }
}
