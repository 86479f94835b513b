//! The table of codes, both ways.

use trill_proto::Code as Ret;

use crate::error::{At, Code, Codes, Failure, Reason, WireCode};
use crate::metadata::Metadata;
use crate::wires::trpc::codes::{REASONS, read_failure, write_failure};

const PLACES: [At; 4] = [At::ClientCall, At::ClientStream, At::ServerCall, At::ServerStream];

/// The codes of all numbers that mean another one than [`Code::Unknown`] to a caller.
const RECEIVED: &[(Code, &[i32])] = &[
    (Code::Internal, &[1, 2, 31, 121, 122, 221, 222, 321, 322]),
    (Code::Unimplemented, &[11, 12]),
    (Code::DeadlineExceeded, &[21, 24, 101, 102, 234, 254, 255, 334, 354, 355]),
    (Code::ResourceExhausted, &[22, 23, 123, 124, 211, 232, 311, 332]),
    (Code::Unauthenticated, &[41]),
    (Code::InvalidArgument, &[51, 151]),
    (Code::Unavailable, &[111, 131, 141, 171, 201, 301]),
    (Code::Cancelled, &[161]),
];

/// The numbers for each reason: of a client's call and stream, and of a server's call and stream.
const SENT: &[(Reason, [i32; 4])] = &[
    (Reason::Decode, [122, 322, 1, 222]),
    (Reason::Encode, [121, 321, 2, 221]),
    (Reason::TooLargeToSend, [121, 321, 2, 221]),
    (Reason::TooLarge, [122, 311, 1, 211]),
    (Reason::NoService, [11; 4]),
    (Reason::NoMethod, [12; 4]),
    (Reason::Deadline, [101, 101, 24, 24]),
    (Reason::InheritedDeadline, [102, 102, 24, 24]),
    (Reason::ServerTimeout, [21; 4]),
    (Reason::ConnectTimeout, [111; 4]),
    (Reason::ReadTimeout, [354, 354, 254, 254]),
    (Reason::WriteTimeout, [334, 334, 234, 234]),
    (Reason::IdleTimeout, [355, 355, 255, 255]),
    (Reason::Overloaded, [124, 124, 22, 22]),
    (Reason::Unread, [22; 4]),
    (Reason::Draining, [22; 4]),
    (Reason::ShutDown, [21; 4]),
    (Reason::Limited, [123, 123, 23, 23]),
    (Reason::Internal, [31; 4]),
    (Reason::Unauthenticated, [41; 4]),
    (Reason::Invalid, [151, 151, 51, 51]),
    (Reason::Config, [111, 111, 31, 31]),
    (Reason::Address, [131; 4]),
    (Reason::Connect, [111; 4]),
    (Reason::Resolve, [131; 4]),
    (Reason::Network, [141, 301, 201, 201]),
    (Reason::Cancelled, [161; 4]),
    (Reason::WriteAfterFinish, [331, 331, 231, 231]),
    (Reason::WriteAfterEnd, [333, 333, 233, 233]),
    (Reason::NoMessage, [351, 351, 251, 251]),
    (Reason::BadState, [1000; 4]),
    (Reason::Unknown, [999; 4]),
];

/// The numbers and the keys that a peer gets, and the failure that it reads.
fn sent(failure: &Failure) -> ((i32, i32), Vec<(String, String)>, Failure) {
    let mut metadata = Metadata::new();
    let codes = write_failure(Some(failure), &mut metadata);
    let keys = metadata
        .iter()
        .map(|(key, value)| (key.to_owned(), String::from_utf8_lossy(value).into_owned()))
        .collect();
    let read = read_failure(codes.ret.0, codes.func_ret, &mut metadata).expect("it failed");
    assert!(metadata.is_empty(), "no reserved key is left for users: {metadata:?}");
    ((codes.ret.0, codes.func_ret), keys, *read)
}

/// Metadata as a peer may send it.
fn peers(pairs: &[(&str, &'static str)]) -> Metadata {
    let mut metadata = Metadata::new();
    for (key, value) in pairs {
        metadata.put(*key, *value);
    }
    metadata
}

fn key(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}

#[test]
fn every_number_of_the_framework_has_the_code_of_the_table() {
    for ret in Ret::ALL.iter().map(|ret| ret.0).chain([-99, 3, 7_777]).filter(|ret| *ret != 0) {
        let read = read_failure(ret, 0, &mut Metadata::new()).expect("it is not 0");
        let row = RECEIVED.iter().find(|(_, rets)| rets.contains(&ret));
        assert_eq!(read.code, row.map_or(Code::Unknown, |(code, _)| *code), "{ret}");
        assert_eq!((read.app, read.wire), (0, Some(WireCode::Trpc(Codes::new(Ret(ret), 0)))));
        assert_eq!(read.begun, (ret == 22).then_some(false), "{ret}");
        assert_eq!(sent(&read), ((ret, 0), Vec::new(), *read.clone()), "it is passed on as it is");
    }
}

#[test]
fn every_reason_is_told_by_the_number_of_the_table_and_read_with_its_code() {
    let rows = SENT.iter().map(|(reason, _)| *reason);
    assert!(rows.eq(REASONS.iter().copied().filter(|reason| *reason != Reason::Status)));
    for (reason, rets) in SENT {
        for (at, ret) in PLACES.into_iter().zip(*rets) {
            let ((said, func_ret), keys, read) = sent(&reason.at(at));
            assert_eq!((said, func_ret), (ret, 0), "{reason:?} {at:?}");
            assert_eq!((read.code, read.app), (reason.code(), 0), "{reason:?} {at:?}");
            let plain = read_failure(ret, 0, &mut Metadata::new()).expect("it is not 0").code;
            let expected = match reason {
                Reason::Draining | Reason::ShutDown => key("trill-draining", "1"),
                _ if plain == reason.code() => Vec::new(),
                _ => key("trill-code", &reason.code().number().to_string()),
            };
            assert_eq!(keys, expected, "{reason:?} {at:?}");
        }
    }
}

#[test]
fn a_code_of_a_handler_is_func_ret_with_its_key_and_comes_back() {
    for code in Code::ALL {
        let number = code.number();
        let ((ret, func_ret), keys, read) = sent(&Failure::of_application(code, 0));
        assert_eq!((ret, func_ret), (0, number));
        assert_eq!(keys, key("trill-code", &number.to_string()));
        assert_eq!((read.reason, read.code, read.app), (Reason::Status, code, 0));
        assert_eq!(read.begun, None, "a handler has said it");
    }
}

#[test]
fn a_number_of_the_application_is_func_ret_and_has_the_key_only_beside_a_code() {
    for number in [1, 5, 16, 17, 4_001, -7, i32::MIN, i32::MAX] {
        let failure = Failure::of_application(Code::Unknown, number);
        let ((ret, func_ret), keys, read) = sent(&failure);
        assert_eq!((ret, func_ret, keys), (0, number, Vec::new()));
        assert_eq!((read.code, read.app), (Code::Unknown, number), "as of another library");
    }
    let ((ret, func_ret), keys, read) = sent(&Failure::of_application(Code::NotFound, 4_001));
    assert_eq!((ret, func_ret, keys), (0, 4_001, key("trill-code", "5")));
    assert_eq!((read.code, read.app), (Code::NotFound, 4_001));
    let read = sent(&Failure::of_application(Code::NotFound, 5)).2;
    assert_eq!((read.code, read.app), (Code::NotFound, 0), "one place for both");
}

#[test]
fn details_travel_under_their_key() {
    let details = b"\x08\x05".as_slice();
    let failure = Failure { details: details.into(), ..Failure::of_application(Code::NotFound, 0) };
    let (_, keys, read) = sent(&failure);
    assert_eq!(
        keys.iter().map(|(key, _)| &key[..]).collect::<Vec<_>>(),
        ["trill-code", "trill-details-bin"]
    );
    assert_eq!((read.code, &read.details[..]), (Code::NotFound, details));
}

#[test]
fn a_failure_of_a_handler_that_has_begun_never_says_22() {
    for (failure, code) in [
        (Reason::Overloaded.at(At::ServerCall), Code::ResourceExhausted),
        (Reason::Draining.into(), Code::Unavailable),
        (*read_failure(22, 0, &mut Metadata::new()).unwrap(), Code::ResourceExhausted),
    ] {
        let ((ret, func_ret), keys, read) = sent(&Failure { begun: Some(true), ..failure });
        assert_eq!((ret, func_ret), (31, 0));
        assert_eq!(keys, key("trill-code", &code.number().to_string()));
        assert_eq!((read.code, read.begun), (code, None));
    }
    let both = *read_failure(22, 7, &mut Metadata::new()).unwrap();
    assert_eq!(both.begun, None, "an application has spoken");
}

#[test]
fn a_shutdown_that_is_passed_on_does_not_say_that_this_server_drains() {
    let mut metadata = peers(&[("trill-draining", "1")]);
    let read = *read_failure(21, 0, &mut metadata).unwrap();
    assert_eq!((read.reason, read.code), (Reason::ShutDown, Code::Unavailable));
    let (codes, keys, again) = sent(&read);
    assert_eq!((codes, keys), ((21, 0), key("trill-code", "14")));
    assert_eq!((again.reason, again.code), (Reason::ServerTimeout, Code::Unavailable));
}

#[test]
fn keys_that_say_nothing_are_taken_out_and_passed_over() {
    for text in ["0", "17", "-1", "", "x", "5 "] {
        let mut metadata = peers(&[("trill-code", text), ("own", "1")]);
        let read = read_failure(0, 7, &mut metadata).unwrap();
        assert_eq!((read.code, read.app), (Code::Unknown, 7), "{text:?}");
        assert_eq!(metadata.iter().collect::<Vec<_>>(), [("own", &b"1"[..])]);
    }
    let mut metadata = peers(&[("trill-code", "5")]);
    assert_eq!(read_failure(0, 0, &mut metadata), None, "a success is one, whatever stands beside");
    assert!(metadata.is_empty());
    let mut metadata = peers(&[("trill-draining", "1")]);
    assert_eq!(read_failure(31, 0, &mut metadata).unwrap().reason, Reason::Internal);
    assert_eq!(metadata.len(), 1, "with this number the key is the application's");
}
