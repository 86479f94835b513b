use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::framing::Side;
use crate::golden::{unhex, vectors};

use super::super::*;
use super::{MAX, decoder, single};

/// The frames in `bytes`.
fn frames(bytes: &[u8]) -> Vec<Http2Frame<'_>> {
    let (mut rest, mut frames) = (bytes, Vec::new());
    while !rest.is_empty() {
        let found = decoder(Side::Server).decode(rest).expect("it is right");
        let (frame, len) = found.expect("it is whole");
        frames.push(frame);
        rest = &rest[len..];
    }
    frames
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    // Behind other bytes, because that is where frames are appended.
    let mut out = b"before".to_vec();
    write(&mut out);
    out.split_off(6)
}

#[derive(Deserialize)]
struct Case {
    name: String,
    hex: String,
    frame: Value,
}

#[test]
fn golden_frames_are_written_as_they_came_but_for_padding_and_reserved_bits() {
    let mut same = 0;
    for case in vectors::<Case>("http2_valid.json") {
        let bytes = unhex(&case.hex);
        let frame = single(&bytes);
        let Some(again) = frame.rewrite(MAX) else { continue };
        let rewritten = [
            "padd",
            "reserved",
            "undefined",
            "unknown",
            "go_on",
            "itself",
            "priority",
            "all_flags",
        ];
        if again == bytes {
            same += 1;
        } else {
            assert!(rewritten.iter().any(|part| case.name.contains(part)), "{}", case.name);
            let mut again = super::described(&single(&again));
            for field in ["flow_len", "violation", "end_headers"] {
                if let Some(value) = case.frame.get(field) {
                    again[field] = value.clone();
                }
            }
            assert_eq!(again, case.frame, "{}", case.name);
        }
    }
    assert!(same >= 17, "only {same}");
}

#[test]
fn data_is_cut_where_the_peer_wants_it() {
    for (len, max, expected) in [
        (0, 16_384, vec![0]),
        (1, 16_384, vec![1]),
        (16_384, 16_384, vec![16_384]),
        (16_385, 16_384, vec![16_384, 1]),
        (30, 10, vec![10, 10, 10]),
    ] {
        let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
        for ends in [false, true] {
            let out = written(|out| encode::data(out, 5, &bytes, ends, max));
            let (mut joined, mut lens, mut end_streams) = (Vec::new(), Vec::new(), Vec::new());
            for frame in frames(&out) {
                let Http2Frame::Data { stream: 5, data, end_stream, .. } = frame else {
                    panic!("{frame:?}")
                };
                joined.extend_from_slice(data);
                lens.push(data.len());
                end_streams.push(end_stream);
            }
            assert_eq!((joined, &lens), (bytes.clone(), &expected));
            assert_eq!(end_streams.pop(), Some(ends));
            assert!(!end_streams.contains(&true));
        }
    }
}

#[test]
fn a_block_longer_than_a_frame_goes_on_in_continuations() {
    for (len, count) in [(0, 1), (10, 1), (11, 2), (20, 2), (25, 3)] {
        let block: Vec<u8> = (0..len).collect();
        let out =
            written(|out| encode::headers(out, 7, true, 10, |out| out.extend_from_slice(&block)));
        let (mut joined, mut ends) = (Vec::new(), Vec::new());
        for (number, frame) in frames(&out).into_iter().enumerate() {
            let (block, end_headers) =
                match frame {
                    Http2Frame::Headers {
                        stream: 7, block, end_headers, end_stream: true, ..
                    } if number == 0 => (block, end_headers),
                    Http2Frame::Continuation { stream: 7, block, end_headers } if number > 0 => {
                        (block, end_headers)
                    }
                    other => panic!("frame {number} is {other:?}"),
                };
            joined.extend_from_slice(block);
            ends.push(end_headers);
        }
        assert_eq!((joined, ends.len()), (block, count));
        assert_eq!(ends.iter().position(|is_end| *is_end), Some(count - 1));
    }
}

#[test]
fn a_long_text_of_goaway_is_cut() {
    let out = written(|out| encode::goaway(out, 3, ErrorCode::NO_ERROR, &"x".repeat(5_000)));
    let Http2Frame::GoAway { last_stream: 3, text, .. } = single(&out) else { panic!("GOAWAY") };
    assert_eq!(text.len(), 1024);
}

#[test]
fn settings_are_taken_in_their_order_and_begin_with_the_standards() {
    let mut settings = Http2Settings::default();
    assert_eq!(
        settings,
        Http2Settings {
            header_table_size: 4096,
            enable_push: true,
            max_concurrent_streams: None,
            initial_window_size: 65_535,
            max_frame_size: 16_384,
            max_header_list_size: None,
        }
    );
    let out = written(|out| {
        encode::settings(
            out,
            &[
                Setting::EnablePush(false),
                Setting::InitialWindowSize(1),
                Setting::InitialWindowSize(MAX_WINDOW),
                Setting::HeaderTableSize(0),
                Setting::MaxConcurrentStreams(0),
                Setting::MaxFrameSize(1 << 20),
                Setting::MaxHeaderListSize(9_216),
            ],
        );
    });
    let Http2Frame::Settings(payload) = single(&out) else { panic!("SETTINGS") };
    payload.iter().for_each(|setting| settings.apply(setting));
    assert_eq!(
        settings,
        Http2Settings {
            header_table_size: 0,
            enable_push: false,
            max_concurrent_streams: Some(0),
            initial_window_size: MAX_WINDOW,
            max_frame_size: 1 << 20,
            max_header_list_size: Some(9_216),
        }
    );
}

proptest! {
    #[test]
    fn a_header_survives(len in 0..1_u32 << 24, kind: u8, flags: u8, stream in 0..1_u32 << 31) {
        let header = FrameHeader { len, kind, flags, stream };
        prop_assert_eq!(FrameHeader::from_bytes(&header.to_bytes()), header);
    }

    #[test]
    fn what_is_read_of_any_frame_is_written_and_read_again(
        kind in 0..10_u8,
        flags: u8,
        stream in 0..3_u32,
        payload in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let header = FrameHeader { len: payload.len() as u32, kind, flags, stream };
        let bytes = [&header.to_bytes()[..], &payload].concat();
        let Ok(Some((frame, _))) = decoder(Side::Server).decode(&bytes) else { return Ok(()) };
        let Some(again) = frame.rewrite(MAX) else { return Ok(()) };
        prop_assert_eq!(single(&again).rewrite(MAX), Some(again.clone()));
    }
}
