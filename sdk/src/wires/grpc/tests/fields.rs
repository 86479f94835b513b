use crate::metadata::{Metadata, Pair};
use crate::wires::grpc::answer::AnswerFault;
use crate::wires::grpc::field::{FieldMeaning, Malformed, is_reserved};
use crate::wires::grpc::metadata::{self, PairFault, UnsendableKey};
use crate::wires::grpc::request::Refusal;

fn one(key: &str, value: &[u8]) -> Metadata {
    Metadata::from_pairs(vec![Pair { key: key.to_owned(), value: value.to_vec().into() }])
}

#[test]
fn keys_of_http2_and_grpc_are_nobodys_metadata() {
    for name in [
        ":path",
        ":x",
        "connection",
        "content-length",
        "content-type",
        "grpc-anything",
        "grpc-encoding",
        "grpc-message",
        "grpc-status",
        "grpc-status-details-bin",
        "grpc-timeout",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "trill-func-ret",
        "upgrade",
        "user-agent",
    ] {
        assert!(is_reserved(name.as_bytes()), "{name}");
        let unsendable = metadata::check(&one(name, b"")).expect_err(name);
        assert!(unsendable.to_string().contains(&format!("key \"{name}\"")), "{unsendable}");
    }
    for name in [
        "authorization",
        "cookie",
        "grpc",
        "grpc-previous-rpc-attempts",
        "grpc-retry-pushback-ms",
        "grpc-tags-bin",
        "grpc-trace-bin",
        "tenant",
        "traceparent",
        "trill-code",
        "trpc-env",
    ] {
        assert!(!is_reserved(name.as_bytes()), "{name}");
        assert!(metadata::check(&one(name, b"1")).is_ok(), "{name}");
    }
}

#[test]
fn metadata_that_grpc_cannot_carry_is_refused_and_named() {
    for key in ["", "a b", "a:b", "a/b", "caf\u{e9}", "a\n"] {
        let fault = UnsendableKey::Name { key: key.to_owned() };
        assert_eq!(metadata::check(&one(key, b"")), Err(fault), "{key:?}");
    }
    for value in [&b"\x1f"[..], b"\x7f", "\u{e9}".as_bytes(), b"a\nb", b"\0"] {
        let fault = metadata::check(&one("a", value)).expect_err("not printable");
        assert_eq!(fault, UnsendableKey::Value { key: "a".into() });
        assert!(fault.to_string().ends_with("end the key with -bin"), "{fault}");
        assert!(metadata::check(&one("a-bin", value)).is_ok());
    }
    let upper = metadata::check(&one("Te", b""));
    assert_eq!(upper, Err(UnsendableKey::Reserved { key: "Te".into() }));
}

#[test]
fn metadata_counts_as_it_stands_on_the_wire() {
    let metadata = Metadata::try_from([("Tenant", &b" blue "[..]), ("a-BIN", &[0; 4])]).unwrap();
    assert_eq!(metadata::check(&metadata), Ok(6 + 4 + 32 + 5 + 6 + 32));
    assert_eq!(metadata::check(&Metadata::new()), Ok(0));
}

#[test]
fn a_meaning_is_small() {
    assert!(size_of::<FieldMeaning>() <= 32, "{}", size_of::<FieldMeaning>());
}

#[test]
fn every_fault_has_a_text_of_its_own() {
    let malformed = [
        Malformed::Name,
        Malformed::Value,
        Malformed::OfConnection,
        Malformed::Te,
        Malformed::UnknownPseudo,
        Malformed::Misplaced,
        Malformed::Late,
        Malformed::Repeated,
        Malformed::Missing { name: ":path" },
        Malformed::HttpStatus,
        Malformed::ContentLength,
    ];
    let refusals = [
        Refusal::HeaderTooLarge,
        Refusal::NotPost,
        Refusal::NotGrpc,
        Refusal::OtherMessages,
        Refusal::Authority,
        Refusal::Encoding,
        Refusal::Path,
        Refusal::Metadata(PairFault::TooMany { limit: 9 }),
        Refusal::Metadata(PairFault::NotBase64 { key: "a-bin".into() }),
    ];
    let answers = [AnswerFault::TooLarge, AnswerFault::NoEnd, AnswerFault::InformationalEnd];
    let texts = malformed.iter().map(ToString::to_string);
    let texts = texts.chain(refusals.iter().map(ToString::to_string));
    let mut texts: Vec<_> = texts.chain(answers.iter().map(ToString::to_string)).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 23);
}
