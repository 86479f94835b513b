//! The golden frames, which Python's hyperframe has written.

use serde::Deserialize;
use serde_json::Value;

use crate::framing::Side;
use crate::golden::{unhex, vectors};

use super::super::{HEADER_LEN, Http2Frame, PREFACE, PrefaceCheck, check_preface};
use super::{decoder, described, single};

#[derive(Deserialize)]
struct Case {
    name: String,
    hex: String,
    frame: Value,
}

fn cases() -> Vec<Case> {
    let cases = vectors::<Case>("http2_valid.json");
    assert!(cases.len() > 30);
    cases
}

#[test]
fn golden_frames_are_understood() {
    for case in cases() {
        assert_eq!(described(&single(&unhex(&case.hex))), case.frame, "{}", case.name);
    }
}

#[test]
fn a_golden_frame_waits_for_its_bytes_at_every_cut() {
    for case in cases() {
        let bytes = unhex(&case.hex);
        for cut in 0..bytes.len() {
            let (decoder, part) = (decoder(Side::Client), &bytes[..cut]);
            assert_eq!(decoder.decode(part), Ok(None), "{} cut at {cut}", case.name);
            let whole = if cut < HEADER_LEN { HEADER_LEN } else { bytes.len() };
            assert_eq!(decoder.missing(part), whole - cut, "{} cut at {cut}", case.name);
        }
    }
}

#[test]
fn frames_behind_each_other_are_found_one_by_one() {
    let (cases, mut all, mut found) = (cases(), Vec::new(), Vec::new());
    cases.iter().for_each(|case| all.extend(unhex(&case.hex)));
    let mut rest = &all[..];
    while let Some((frame, len)) = decoder(Side::Client).decode(rest).expect("all are right") {
        found.push(described(&frame));
        rest = &rest[len..];
    }
    assert!(rest.is_empty());
    assert_eq!(found, cases.into_iter().map(|case| case.frame).collect::<Vec<_>>());
}

#[test]
fn a_payload_is_a_slice_of_what_was_read() {
    let bytes = unhex("000003000000000001616263");
    let Http2Frame::Data { data, .. } = single(&bytes) else { panic!("DATA") };
    assert_eq!(data.as_ptr(), bytes[HEADER_LEN..].as_ptr());
}

#[test]
fn the_preface_is_compared_as_it_comes() {
    for cut in 0..PREFACE.len() {
        assert_eq!(check_preface(&PREFACE[..cut]), PrefaceCheck::Part);
        let mut wrong = PREFACE[..=cut].to_vec();
        wrong[cut] ^= 1;
        assert_eq!(check_preface(&wrong), PrefaceCheck::Wrong);
    }
    assert_eq!(check_preface(PREFACE), PrefaceCheck::Whole);
    assert_eq!(check_preface(&[&PREFACE[..], b"\0\0\0"].concat()), PrefaceCheck::Whole);
    assert_eq!(check_preface(b"GET / HTTP/1.1\r\n"), PrefaceCheck::Wrong);
    assert_eq!(check_preface(b"PRPC"), PrefaceCheck::Wrong);
}
