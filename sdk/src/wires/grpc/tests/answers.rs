use crate::error::{Code, Reason};
use crate::framing::Outcome;
use crate::metadata::Metadata;
use crate::wires::grpc::answer::{AnswerFault, AnswerFields, AnswerPart, BlockPlace, ResponseHead};
use crate::wires::grpc::encoding::{AcceptedEncodings, GrpcEncoding};
use crate::wires::grpc::field::{GrpcContent, Malformed};
use crate::wires::grpc::metadata::PairFault;

use super::{HEAD, ONLY, TRAILERS, answer, block, receive};

const STATUS: (&str, &str) = (":status", "200");
const TYPE: (&str, &str) = ("content-type", "application/grpc");

fn end(place: BlockPlace, fields: &[(&'static str, &'static str)]) -> Outcome {
    match answer(place, fields) {
        Ok(AnswerPart::End(outcome)) => outcome,
        other => panic!("{fields:?} is no end: {other:?}"),
    }
}

fn code(outcome: &Outcome) -> Option<Code> {
    outcome.failure.as_ref().map(|failure| failure.code)
}

#[test]
fn head_and_end_of_a_good_answer_are_read() {
    let fields =
        [STATUS, TYPE, ("grpc-encoding", "gzip"), ("grpc-accept-encoding", "gzip"), ("a", "1")];
    let head = ResponseHead {
        content: Some(GrpcContent::Plain),
        encoding: GrpcEncoding::Gzip,
        accepted: AcceptedEncodings::read(b"gzip"),
        initial: Metadata::try_from([("a", "1")]).unwrap(),
    };
    assert_eq!(answer(HEAD, &fields), Ok(AnswerPart::Head(head)));
    let outcome = end(TRAILERS, &[("grpc-status", "0"), ("b", "2"), ("c-bin", "AQ")]);
    assert!(outcome.is_ok());
    let metadata = Metadata::try_from([("b", &b"2"[..]), ("c-bin", &[1])]).unwrap();
    assert_eq!((outcome.metadata, outcome.initial), (metadata, Metadata::new()));
}

#[test]
fn a_failure_has_its_code_text_details_and_number() {
    let fields = [
        ("grpc-status", "5"),
        ("grpc-message", "no caf%C3%A9 %zz"),
        ("grpc-status-details-bin", "CAU="),
        ("trill-func-ret", "-4001"),
        ("retry", "never"),
    ];
    let only: Vec<_> = [STATUS, TYPE].into_iter().chain(fields).collect();
    for outcome in [end(TRAILERS, &fields), end(ONLY, &only)] {
        let failure = outcome.failure.as_ref().expect("it failed");
        assert_eq!((failure.code, failure.app, failure.begun), (Code::NotFound, -4001, None));
        assert_eq!(failure.details, [8, 5][..]);
        assert_eq!(outcome.message, "no caf\u{e9} %zz");
        assert_eq!(outcome.metadata, Metadata::try_from([("retry", "never")]).unwrap());
    }
    let odd = end(TRAILERS, &[("grpc-status", "5"), ("grpc-status-details-bin", "!")]);
    assert_eq!(code(&odd), Some(Code::NotFound), "a status without its details");
    assert!(odd.failure.expect("it failed").details.is_empty());
    let disagree = end(TRAILERS, &[("grpc-status", "5"), ("grpc-status-details-bin", "CAc")]);
    assert_eq!(code(&disagree), Some(Code::NotFound));
    assert_eq!(disagree.failure.expect("it failed").details, [8, 7][..], "kept as it came");
    let no_number = end(TRAILERS, &[("grpc-status", "2"), ("trill-func-ret", "x")]);
    assert_eq!(no_number.failure.expect("it failed").app, 0);
}

#[test]
fn an_end_without_a_status_is_no_good_end() {
    for fields in [&[][..], &[("grpc-message", "fine")], &[("a", "1")]] {
        let outcome = end(TRAILERS, fields);
        assert_eq!(code(&outcome), Some(Code::Unknown));
        assert_eq!(outcome.failure.expect("it failed").reason, Reason::Unknown);
    }
    for status in ["", "00", "ok", "17"] {
        assert_eq!(code(&end(TRAILERS, &[("grpc-status", status)])), Some(Code::Unknown));
    }
}

#[test]
fn a_status_in_a_block_that_ends_nothing_is_ignored() {
    let head = answer(HEAD, &[STATUS, TYPE, ("grpc-status", "5"), ("grpc-message", "no")]);
    assert!(matches!(head, Ok(AnswerPart::Head(_))), "{head:?}");
}

#[test]
fn the_status_of_http_counts_where_grpc_says_none() {
    let codes = [
        ("200", Code::Unknown),
        ("400", Code::Internal),
        ("401", Code::Unauthenticated),
        ("404", Code::Unimplemented),
        ("431", Code::Unknown),
        ("503", Code::Unavailable),
        ("999", Code::Unknown),
    ];
    for (status, expected) in codes {
        for place in [HEAD, ONLY] {
            let Ok(AnswerPart::Foreign(foreign)) =
                answer(place, &[(":status", status), ("content-type", "text/html")])
            else {
                panic!("{status} is a foreign answer");
            };
            let outcome = foreign.outcome(b"<p>");
            assert_eq!(code(&outcome), Some(expected), "{status}");
            let text = String::from_utf8(outcome.message.to_vec()).expect("UTF-8");
            assert!(text.contains(status) && text.ends_with("text/html, which begins with: <p>"));
        }
        let said = end(ONLY, &[(":status", status), TYPE, ("grpc-status", "7")]);
        assert_eq!(code(&said), Some(Code::PermissionDenied), "{status}");
    }
    let bare = answer(ONLY, &[STATUS, TYPE]);
    assert!(matches!(bare, Ok(AnswerPart::Foreign(_))), "{bare:?}");
    assert_eq!(code(&end(ONLY, &[STATUS, ("grpc-status", "5")])), Some(Code::NotFound));
}

#[test]
fn an_answer_of_another_type_is_foreign_and_one_of_other_messages_is_not() {
    for place in [HEAD, ONLY] {
        let found = answer(place, &[STATUS, ("content-type", "text/plain"), ("grpc-status", "0")]);
        let Ok(AnswerPart::Foreign(foreign)) = found else { panic!("{found:?}") };
        assert_eq!(code(&foreign.outcome(b"")), Some(Code::Unknown));
    }
    let none = answer(HEAD, &[STATUS]);
    assert!(matches!(none, Ok(AnswerPart::Foreign(_))), "{none:?}");
    let other = answer(HEAD, &[STATUS, ("content-type", "application/grpc+thrift")]);
    let Ok(AnswerPart::Head(head)) = other else { panic!("{other:?}") };
    assert_eq!(head.content, None);
}

#[test]
fn an_informational_block_says_nothing_and_ends_nothing() {
    for status in ["100", "103", "199"] {
        assert_eq!(answer(HEAD, &[(":status", status)]), Ok(AnswerPart::Informational));
        assert_eq!(answer(ONLY, &[(":status", status)]), Err(AnswerFault::InformationalEnd));
    }
}

#[test]
fn a_block_that_breaks_a_rule_ends_the_call() {
    let malformed = |fault| Err(AnswerFault::Malformed(fault));
    let second = BlockPlace { is_first: false, end_stream: false };
    let cases = [
        (answer(second, &[("grpc-status", "0")]), Err(AnswerFault::NoEnd)),
        (answer(second, &[STATUS, TYPE]), malformed(Malformed::Misplaced)),
        (answer(TRAILERS, &[STATUS, ("grpc-status", "0")]), malformed(Malformed::Misplaced)),
        (answer(TRAILERS, &[(":path", "/")]), malformed(Malformed::Misplaced)),
        (answer(HEAD, &[TYPE]), malformed(Malformed::Missing { name: ":status" })),
        (answer(HEAD, &[]), malformed(Malformed::Missing { name: ":status" })),
        (answer(HEAD, &[TYPE, STATUS]), malformed(Malformed::Late)),
        (answer(HEAD, &[STATUS, STATUS]), malformed(Malformed::Repeated)),
        (answer(HEAD, &[STATUS, (":method", "POST")]), malformed(Malformed::Misplaced)),
        (answer(HEAD, &[STATUS, ("Server", "x")]), malformed(Malformed::Name)),
        (answer(HEAD, &[STATUS, ("connection", "x")]), malformed(Malformed::OfConnection)),
        (
            answer(TRAILERS, &[("grpc-status", "0"), ("a-bin", "=")]),
            Err(AnswerFault::Metadata(PairFault::NotBase64 { key: "a-bin".into() })),
        ),
    ];
    for (found, fault) in cases {
        assert_eq!(found, fault);
        assert_eq!(fault.map_err(|fault| fault.code()), Err(Code::Internal));
    }
    for status in ["", "20", "2000", "0200", "099", "+20", "-20", "2x0", "OK"] {
        let found = answer(HEAD, &[(":status", status)]);
        assert_eq!(found, malformed(Malformed::HttpStatus), "{status:?}");
    }
}

#[test]
fn a_list_over_its_limit_ends_the_call() {
    let mut received = AnswerFields::new(TRAILERS);
    receive(&block([("grpc-status", "0")]), &mut received);
    let fault = received.finish(true).expect_err("fields are missing");
    assert_eq!((&fault, fault.code()), (&AnswerFault::TooLarge, Code::ResourceExhausted));
}
