//! How a call ended, in the words of gRPC, of HTTP and of HTTP/2.

use bytes::Bytes;

use crate::error::{Code, Failure, Reason};
use crate::framing::Outcome;

use super::http2::frame::ErrorCode;

/// The most of a foreign answer's content type and body that a text repeats.
const SHOWN: usize = 256;

/// The status that `grpc-status` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SaidStatus {
    Success,
    Failed(Code),
}

impl SaidStatus {
    /// Reads a number. Whatever is none of gRPC's, or has another form, is a failure of an unknown
    /// sort.
    pub(crate) fn read(value: &[u8]) -> Self {
        let number = match *value {
            [b'0'] => return Self::Success,
            [digit @ b'1'..=b'9'] => i32::from(digit - b'0'),
            [b'1', digit @ b'0'..=b'9'] => i32::from(digit - b'0') + 10,
            _ => 0,
        };
        Self::Failed(Code::from_number(number).unwrap_or(Code::Unknown))
    }

    /// The status of an outcome.
    pub(crate) fn of(failure: Option<&Failure>) -> Self {
        failure.map_or(Self::Success, |failure| Self::Failed(code_of(failure)))
    }

    pub(crate) const fn text(self) -> &'static str {
        const NUMBERS: [&str; 17] = [
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15",
            "16",
        ];
        match self {
            Self::Success => NUMBERS[0],
            Self::Failed(code) => NUMBERS[code.number() as usize],
        }
    }
}

/// The code that a peer is told. A method that owes one message and has another number of them is
/// `UNIMPLEMENTED` to gRPC.
fn code_of(failure: &Failure) -> Code {
    match failure.reason {
        Reason::NoMessage => Code::Unimplemented,
        _ => failure.code,
    }
}

/// The failure that a peer has said with a status, and perhaps with an application's number and
/// with details, which are kept as they are, also if they tell something else.
///
/// It says nothing of a handler: `UNAVAILABLE` alone does not mean that none has begun.
pub(crate) fn failure(code: Code, app: i32, details: impl Into<Bytes>) -> Failure {
    Failure { details: details.into(), ..Failure::of_application(code, app) }
}

/// The code that stands for a status of HTTP (`http-grpc-status-mapping.md`), where no gRPC status
/// has come.
pub(crate) const fn code_of_http(status: u16) -> Code {
    match status {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// An answer that is not gRPC's: a proxy's, or that of another server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ForeignAnswer {
    pub(crate) http_status: u16,
    pub(crate) content_type: Option<Bytes>,
}

impl ForeignAnswer {
    pub(crate) fn new(http_status: u16, content_type: Option<&[u8]>) -> Self {
        let content_type = content_type.map(|text| Bytes::copy_from_slice(shown(text)));
        Self { http_status, content_type }
    }

    /// The outcome of the call. Its text has the first bytes of the body, which is what users need
    /// to see.
    pub(crate) fn outcome(&self, body: &[u8]) -> Outcome {
        let Self { http_status, content_type } = self;
        let mut text = format!("the answer is not gRPC: HTTP status {http_status}");
        match content_type {
            Some(found) => {
                text += &format!(", content type {}", String::from_utf8_lossy(found));
            }
            None => text += ", no content type",
        }
        if !body.is_empty() {
            text += &format!(", which begins with: {}", String::from_utf8_lossy(shown(body)));
        }
        Outcome::failed(of_code(Reason::Unknown, code_of_http(*http_status)), text)
    }
}

/// The outcome of a client's call whose server has reset the stream. Behind good trailers a reset
/// says nothing, and nobody asks for it.
pub(crate) fn reset(code: ErrorCode) -> Outcome {
    let failure = match code {
        ErrorCode::NO_ERROR
        | ErrorCode::PROTOCOL_ERROR
        | ErrorCode::INTERNAL_ERROR
        | ErrorCode::FLOW_CONTROL_ERROR
        | ErrorCode::SETTINGS_TIMEOUT
        | ErrorCode::STREAM_CLOSED
        | ErrorCode::FRAME_SIZE_ERROR
        | ErrorCode::COMPRESSION_ERROR
        | ErrorCode::CONNECT_ERROR
        | ErrorCode::HTTP_1_1_REQUIRED => of_code(Reason::BadState, Code::Internal),
        // The only one that says that no handler has begun.
        ErrorCode::REFUSED_STREAM => {
            Failure { begun: Some(false), ..of_code(Reason::Overloaded, Code::Unavailable) }
        }
        ErrorCode::CANCEL => Reason::Cancelled.into(),
        ErrorCode::ENHANCE_YOUR_CALM => Reason::Overloaded.into(),
        ErrorCode::INADEQUATE_SECURITY => of_code(Reason::BadState, Code::PermissionDenied),
        _ => Reason::BadState.into(),
    };
    Outcome::failed(failure, format!("the peer reset the stream with {code}"))
}

/// The outcome of a call whose last block has no status.
pub(crate) fn missing() -> Outcome {
    Outcome::failed(Reason::Unknown, "the answer ended without a grpc-status")
}

fn of_code(reason: Reason, code: Code) -> Failure {
    Failure { code, ..reason.into() }
}

fn shown(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(SHOWN)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(outcome: &Outcome) -> Code {
        outcome.failure.as_ref().expect("it failed").code
    }

    #[test]
    fn each_code_has_its_number_and_zero_is_success() {
        assert_eq!(SaidStatus::read(b"0"), SaidStatus::Success);
        assert_eq!(SaidStatus::Success.text(), "0");
        for code in Code::ALL {
            let text = code.number().to_string();
            assert_eq!(SaidStatus::read(text.as_bytes()), SaidStatus::Failed(code));
            assert_eq!(SaidStatus::Failed(code).text(), text);
        }
    }

    #[test]
    fn what_is_no_number_of_grpc_is_unknown_and_never_success() {
        for value in
            ["", "00", "01", "000", "-0", "+0", "0 ", " 0", "17", "19", "20", "99", "100", "256"]
        {
            let said = SaidStatus::read(value.as_bytes());
            assert_eq!(said, SaidStatus::Failed(Code::Unknown), "{value:?}");
        }
        for value in ["4294967296", "OK", "NOT_FOUND", "5.0", "0x5", "5,5", "0\0", "\u{665}"] {
            let said = SaidStatus::read(value.as_bytes());
            assert_eq!(said, SaidStatus::Failed(Code::Unknown), "{value:?}");
        }
    }

    #[test]
    fn the_status_of_an_outcome_is_its_code() {
        assert_eq!(SaidStatus::of(None), SaidStatus::Success);
        let cases = [
            (Failure::of_application(Code::NotFound, 0), Code::NotFound),
            (Failure::of_application(Code::Unknown, 4001), Code::Unknown),
            (Reason::Internal.into(), Code::Internal),
            (Reason::NoMethod.into(), Code::Unimplemented),
            (Reason::Draining.into(), Code::Unavailable),
            (Reason::ShutDown.into(), Code::Unavailable),
            (Reason::Overloaded.into(), Code::ResourceExhausted),
            (Reason::TooLarge.into(), Code::ResourceExhausted),
            (Reason::NoMessage.into(), Code::Unimplemented),
        ];
        for (failure, code) in cases {
            assert_eq!(SaidStatus::of(Some(&failure)), SaidStatus::Failed(code), "{failure:?}");
        }
    }

    #[test]
    fn a_status_tells_no_more_than_its_code() {
        let said = failure(Code::Unavailable, 7, &b"details"[..]);
        assert_eq!(
            (said.code, said.app, &said.details[..]),
            (Code::Unavailable, 7, &b"details"[..])
        );
        assert_eq!((said.reason, said.begun), (Reason::Status, None), "it may have begun");
    }

    /// The table of `http-grpc-status-mapping.md`, with 431 as grpc-go and the conformance tests
    /// have it.
    #[test]
    fn a_status_of_http_stands_for_a_code_where_grpc_says_none() {
        let table = [
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
        ];
        for (status, code) in table {
            assert_eq!(code_of_http(status), code, "{status}");
        }
        for status in [0, 100, 200, 204, 301, 402, 405, 408, 415, 431, 500, 501, 505, 599, u16::MAX]
        {
            assert_eq!(code_of_http(status), Code::Unknown, "{status}");
        }
    }

    #[test]
    fn a_foreign_answer_shows_what_it_is() {
        let page = ForeignAnswer::new(502, Some(b"text/html"));
        let outcome = page.outcome(b"<h1>Bad Gateway</h1>");
        assert_eq!(code(&outcome), Code::Unavailable);
        assert_eq!(
            outcome.message,
            "the answer is not gRPC: HTTP status 502, content type text/html, which begins with: \
             <h1>Bad Gateway</h1>"
        );
        let outcome = ForeignAnswer::new(200, None).outcome(b"");
        assert_eq!(code(&outcome), Code::Unknown);
        assert_eq!(outcome.message, "the answer is not gRPC: HTTP status 200, no content type");
        let long = ForeignAnswer::new(500, Some(&[b'x'; 10_000])).outcome(&[0xff; 10_000]);
        assert!(long.message.len() < 1_200, "{}", long.message.len());
    }

    #[test]
    fn a_reset_stands_for_a_code_and_only_a_refused_stream_has_not_begun() {
        let internal = [0, 1, 2, 3, 4, 5, 6, 9, 10, 13].map(|number| (number, Code::Internal));
        let others = [
            (7, Code::Unavailable),
            (8, Code::Cancelled),
            (11, Code::ResourceExhausted),
            (12, Code::PermissionDenied),
            (14, Code::Unknown),
            (u32::MAX, Code::Unknown),
        ];
        for (number, expected) in internal.into_iter().chain(others) {
            let outcome = reset(ErrorCode(number));
            assert_eq!(code(&outcome), expected, "{number}");
            let begun = outcome.failure.expect("it failed").begun;
            assert_eq!(begun, (number == 7).then_some(false), "{number}");
        }
        assert_eq!(reset(ErrorCode::CANCEL).message, "the peer reset the stream with CANCEL");
        assert_eq!(code(&missing()), Code::Unknown);
    }
}
