use std::time::Duration;

use crate::error::Code;
use crate::framing::{Head, MAX_ENTRIES};
use crate::metadata::Metadata;
use crate::wires::grpc::encoding::GrpcEncoding;
use crate::wires::grpc::field::{GrpcContent, Malformed};
use crate::wires::grpc::metadata::PairFault;
use crate::wires::grpc::request::{
    LastPath, Refusal, RequestFault, RequestFields, RequestHead, RequestTrailers,
};
use crate::wires::grpc::timeout::TimeoutFault;

use super::{REQUEST, block, decoder, receive, request, request_and, request_with};

fn refused(why: Refusal) -> Result<RequestHead, RequestFault> {
    Err(RequestFault::Refused(why))
}

fn malformed(why: Malformed) -> Result<RequestHead, RequestFault> {
    Err(RequestFault::Malformed(why))
}

#[test]
fn a_usual_head_is_read() {
    let found = request(REQUEST).expect("a request");
    let head = Head { method: "/helloworld.Greeter/SayHello".into(), ..Head::default() };
    assert_eq!(found.head, head);
    assert_eq!((found.content, found.content_length), (GrpcContent::Plain, None));
    assert!(!found.accepted.has(GrpcEncoding::Gzip));
}

#[test]
fn all_that_a_head_can_say_is_read() {
    let found = request_and(&[
        ("grpc-timeout", "1500m"),
        ("grpc-encoding", "gzip"),
        ("grpc-accept-encoding", "gzip"),
        ("grpc-accept-encoding", "identity, snappy"),
        ("grpc-message-type", "helloworld.HelloRequest"),
        ("grpc-previous-rpc-attempts", "1"),
        ("grpc-trace-bin", "AAE"),
        ("grpc-foo", "nobody's"),
        ("content-length", "43"),
        ("tenant", " blue "),
    ])
    .expect("a request");
    assert_eq!(found.head.timeout, Some(Duration::from_millis(1_500)));
    assert_eq!((found.head.content_encoding, found.encoding), (1, GrpcEncoding::Gzip));
    assert!(found.accepted.has(GrpcEncoding::Gzip) && found.accepted.has(GrpcEncoding::Snappy));
    assert!(!found.accepted.has(GrpcEncoding::Deflate));
    assert_eq!(found.content_length, Some(43));
    let metadata: Vec<_> = found.head.metadata.iter().collect();
    let expected: [(&str, &[u8]); 3] =
        [("grpc-previous-rpc-attempts", b"1"), ("grpc-trace-bin", &[0, 1]), ("tenant", b"blue")];
    assert_eq!(metadata, expected);
}

#[test]
fn content_types_say_how_messages_are_encoded() {
    let grpc = [
        ("application/grpc", GrpcContent::Plain, 0),
        ("application/grpc+proto", GrpcContent::Proto, 0),
        ("application/grpc+json", GrpcContent::Json, 2),
        ("application/grpc; charset=utf-8", GrpcContent::Plain, 0),
        ("application/grpc+json;x", GrpcContent::Json, 2),
        ("Application/gRPC", GrpcContent::Plain, 0),
    ];
    for (text, content, number) in grpc {
        let found = request_with("content-type", Some(text)).expect(text);
        assert_eq!((found.content, found.head.content_type), (content, number), "{text}");
    }
    for text in ["application/grpc+foo", "application/grpc+", "application/grpc+protobuf"] {
        assert_eq!(request_with("content-type", Some(text)), refused(Refusal::OtherMessages));
    }
    for text in
        ["", "application/json", "application/grpc-web", "application/grpcs", "application/grp"]
    {
        assert_eq!(request_with("content-type", Some(text)), refused(Refusal::NotGrpc), "{text}");
    }
    assert_eq!(request_with("content-type", None), refused(Refusal::NotGrpc));
}

#[test]
fn a_request_that_this_side_cannot_serve_is_answered() {
    let cases = [
        (request_with(":method", Some("GET")), Refusal::NotPost, 405, Code::Internal),
        (request_with(":method", Some("post")), Refusal::NotPost, 405, Code::Internal),
        (request_with("content-type", None), Refusal::NotGrpc, 415, Code::InvalidArgument),
        (
            request_with("content-type", Some("application/grpc+x")),
            Refusal::OtherMessages,
            200,
            Code::Unimplemented,
        ),
        (request_with(":authority", None), Refusal::Authority, 400, Code::Internal),
        (request_and(&[("host", "a"), ("host", "b")]), Refusal::Authority, 400, Code::Internal),
        (
            request_and(&[("grpc-timeout", "10")]),
            Refusal::Timeout(TimeoutFault::NoUnit),
            400,
            Code::Internal,
        ),
        (request_and(&[("grpc-encoding", "br")]), Refusal::Encoding, 200, Code::Unimplemented),
        (request_with(":path", Some("a.B/C")), Refusal::Path, 200, Code::Unimplemented),
        (
            request_and(&[("a-bin", "===")]),
            Refusal::Metadata(PairFault::NotBase64 { key: "a-bin".into() }),
            200,
            Code::Internal,
        ),
    ];
    for (found, refusal, http_status, code) in cases {
        assert_eq!((refusal.http_status(), refusal.code()), (http_status, code), "{refusal}");
        assert_eq!(found, refused(refusal));
    }
}

#[test]
fn a_host_stands_for_the_authority_and_te_may_be_missing() {
    let fields = REQUEST.into_iter().filter(|(name, _)| !matches!(*name, ":authority" | "te"));
    assert!(request(fields.chain([("host", "localhost")])).is_ok());
    assert!(request_and(&[("host", "other")]).is_ok(), "the authority counts");
}

#[test]
fn what_http2_forbids_ends_the_stream() {
    for name in ["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"] {
        assert_eq!(request_and(&[(name, "close")]), malformed(Malformed::OfConnection), "{name}");
    }
    for name in ["Tenant", "tenanT", "", ":", "a b", "a\0", "a:b", "caf\u{e9}", "a\x7f", "::path"] {
        assert_eq!(request_and(&[(name, "")]), malformed(Malformed::Name), "{name:?}");
    }
    for value in ["a\0", "\r", "a\nb", "x\r\ny: z"] {
        assert_eq!(request_and(&[("tenant", value)]), malformed(Malformed::Value), "{value:?}");
    }
    let cases = [
        (request_with("te", Some("gzip")), Malformed::Te),
        (request_with("te", Some("trailers, gzip")), Malformed::Te),
        (request_and(&[(":method", "POST")]), Malformed::Late),
        (request_and(&[(":protocol", "x")]), Malformed::UnknownPseudo),
        (request_and(&[(":status", "200")]), Malformed::Misplaced),
        (request([(":method", "POST"), (":method", "POST")]), Malformed::Repeated),
        (request([(":authority", "a"), (":authority", "b")]), Malformed::Repeated),
        (request_with(":method", None), Malformed::Missing { name: ":method" }),
        (request_with(":scheme", None), Malformed::Missing { name: ":scheme" }),
        (request_with(":path", None), Malformed::Missing { name: ":path" }),
        (request_with(":path", Some("")), Malformed::Missing { name: ":path" }),
        (request_and(&[("content-length", "-1")]), Malformed::ContentLength),
        (request_and(&[("content-length", "+1")]), Malformed::ContentLength),
        (request_and(&[("content-length", "1, 1")]), Malformed::ContentLength),
        (
            request_and(&[("content-length", "1"), ("content-length", "2")]),
            Malformed::ContentLength,
        ),
    ];
    for (found, fault) in cases {
        assert_eq!(found, malformed(fault), "{fault}");
    }
    let twice = request_and(&[("content-length", "7"), ("content-length", "7")]);
    assert_eq!(twice.expect("one length").content_length, Some(7));
}

#[test]
fn values_of_one_name_keep_their_order_and_lists_of_base64_are_split() {
    let found = request_and(&[
        ("a", "1"),
        ("b-bin", "AQ==,Ag, Aw"),
        ("a", "2,3"),
        ("b-bin", ""),
        ("c", "caf\u{e9}"),
    ])
    .expect("a request");
    let all = |key| found.head.metadata.get_all(key).collect::<Vec<_>>();
    assert_eq!(all("a"), [b"1" as &[u8], b"2,3"]);
    assert_eq!(all("b-bin"), [&[1][..], &[2], &[3], &[]]);
    assert_eq!(all("c"), ["caf\u{e9}".as_bytes()], "as it was sent");
    assert!(all("user-agent").is_empty() && all("te").is_empty());
}

#[test]
fn a_list_over_its_limit_is_refused_and_not_called_malformed() {
    let mut last = LastPath::default();
    let mut received = RequestFields::new(&mut last);
    let list = receive(&block([(":method", "POST"), (":scheme", "http")]), &mut received);
    assert!(!list.is_over);
    let fault = received.finish(true).expect_err("fields are missing");
    assert_eq!(fault, RequestFault::Refused(Refusal::HeaderTooLarge));
    let refusal = Refusal::HeaderTooLarge;
    assert_eq!((refusal.http_status(), refusal.code()), (431, Code::ResourceExhausted));
}

#[test]
fn one_field_cannot_make_more_pairs_than_a_head_may_have() {
    let many = ",".repeat(MAX_ENTRIES - 1);
    let found = request(REQUEST.into_iter().chain([("a-bin", &many[..])])).expect("just enough");
    assert_eq!(found.head.metadata.len(), MAX_ENTRIES);
    let more = ",".repeat(MAX_ENTRIES);
    let fault = request(REQUEST.into_iter().chain([("a-bin", &more[..])]));
    let too_many = PairFault::TooMany { limit: MAX_ENTRIES };
    assert_eq!(too_many.code(), Code::ResourceExhausted);
    assert_eq!(fault, refused(Refusal::Metadata(too_many)));
}

#[test]
fn the_path_of_the_last_request_is_not_copied_again() {
    let (mut decoder, mut last) = (decoder(), LastPath::default());
    let mut read = |path: &'static str| {
        let mut received = RequestFields::new(&mut last);
        let fields =
            REQUEST.map(|(name, value)| (name, if name == ":path" { path } else { value }));
        decoder.decode(&block(fields), &mut received).expect("a block");
        received.finish(false).expect("a request").head
    };
    let (one, again, other) = (read("/a.B/C"), read("/a.B/C"), read("/a.B/D"));
    assert_eq!(one.method.as_ptr(), again.method.as_ptr());
    assert_eq!((&one.method[..], &other.method[..]), (&b"/a.B/C"[..], &b"/a.B/D"[..]));
    assert_eq!(other.metadata, Metadata::new());
}

#[test]
fn trailers_of_a_request_are_dropped_if_they_are_right() {
    let check = |name, value| {
        let mut trailers = RequestTrailers::default();
        receive(&block([("tenant", "blue"), (name, value)]), &mut trailers);
        trailers.finish()
    };
    assert_eq!(check("grpc-status", "0"), Ok(()));
    assert_eq!(check(":path", "/a.B/C"), Err(Malformed::Misplaced));
    assert_eq!(check(":status", "200"), Err(Malformed::Misplaced));
    assert_eq!(check("Tenant", ""), Err(Malformed::Name));
    assert_eq!(check("upgrade", ""), Err(Malformed::OfConnection));
}
