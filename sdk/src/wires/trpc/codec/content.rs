//! Typed views of frames: the fields of the protocol's own messages.

use bytes::Bytes;
use trill_proto::{
    CloseMeta, InitMeta, InitRequestMeta, InitResponseMeta, RequestProtocol, ResponseProtocol,
    TransInfoEntry,
};

/// The meaning of a frame.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Content {
    /// A unary or one-way call.
    #[non_exhaustive]
    Request {
        /// Its protobuf header.
        header: Request,
        /// The message, encoded.
        body: Bytes,
        /// The bytes beside it.
        attachment: Bytes,
    },
    /// The answer to a unary call.
    #[non_exhaustive]
    Response {
        /// Its protobuf header.
        header: Response,
        /// The message, encoded.
        body: Bytes,
        /// The bytes beside it.
        attachment: Bytes,
    },
    /// Opens a stream, or answers that.
    Init(Init),
    /// A message of a stream, encoded.
    Data(Bytes),
    /// Credit for DATA.
    #[non_exhaustive]
    Feedback {
        /// The bytes of messages that may be sent in addition.
        increment: u32,
    },
    /// The end of a direction or of the stream.
    Close(Close),
}

/// The protobuf header of a request, `RequestProtocol` of `trpc.proto`. The size of the attachment
/// is not in here: the attachment says it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Request {
    /// The version of the header.
    pub version: u32,
    /// 0 for a unary call, 1 for a one-way call.
    pub call_type: u32,
    /// The id by which the answer is paired.
    pub request_id: u32,
    /// The milliseconds that the caller waits; 0 if it says nothing.
    pub timeout: u32,
    /// The caller's name.
    pub caller: Bytes,
    /// The name of the service that is called.
    pub callee: Bytes,
    /// The method's path, such as `/demo.Notes/Put`.
    pub func: Bytes,
    /// Flags of the framework, such as for tracing.
    pub message_type: u32,
    /// Metadata (`trans_info`), in the order in which it came; the last one of equal keys.
    pub metadata: Vec<(String, Bytes)>,
    /// The form of the body: 0 is protobuf, 2 is JSON.
    pub content_type: u32,
    /// The compression of the body; 0 is none.
    pub content_encoding: u32,
}

/// The protobuf header of an answer, `ResponseProtocol` of `trpc.proto`. The size of the attachment
/// is not in here: the attachment says it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Response {
    /// The version of the header.
    pub version: u32,
    /// 0 for a unary call, 1 for a one-way call.
    pub call_type: u32,
    /// The request's id.
    pub request_id: u32,
    /// The framework's code; 0 is success.
    pub ret: i32,
    /// The application's code; 0 is success.
    pub func_ret: i32,
    /// The text of the failure.
    pub error_msg: Bytes,
    /// Flags of the framework, such as for tracing.
    pub message_type: u32,
    /// Metadata (`trans_info`), in the order in which it came; the last one of equal keys.
    pub metadata: Vec<(String, Bytes)>,
    /// The form of the body: 0 is protobuf, 2 is JSON.
    pub content_type: u32,
    /// The compression of the body; 0 is none.
    pub content_encoding: u32,
}

/// The inside of INIT, `TrpcStreamInitMeta` of `trpc.proto`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Init {
    /// Opens the stream, if it is there.
    pub request: Option<InitRequest>,
    /// Answers that, if it is there.
    pub response: Option<InitResponse>,
    /// The bytes of messages that the sender of this frame lets its peer have under way; 0 switches
    /// flow control off.
    pub init_window_size: u32,
    /// The form of messages: 0 is protobuf.
    pub content_type: u32,
    /// The compression of messages; 0 is none.
    pub content_encoding: u32,
}

/// The part of INIT that opens a stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct InitRequest {
    /// The caller's name.
    pub caller: Bytes,
    /// The name of the service that is called.
    pub callee: Bytes,
    /// The method's path, such as `/demo.Notes/Live`.
    pub func: Bytes,
    /// Flags of the framework, such as for tracing.
    pub message_type: u32,
    /// Metadata (`trans_info`), in the order in which it came; the last one of equal keys.
    pub metadata: Vec<(String, Bytes)>,
}

/// The part of INIT that answers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct InitResponse {
    /// The framework's code; 0 lets the stream in.
    pub ret: i32,
    /// The text of the refusal.
    pub error_msg: Bytes,
}

/// The inside of CLOSE, `TrpcStreamCloseMeta` of `trpc.proto`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Close {
    /// 0 ends the sender's direction, 1 resets the stream.
    pub close_type: i32,
    /// The framework's code; 0 is success.
    pub ret: i32,
    /// The application's code; 0 is success.
    pub func_ret: i32,
    /// The text of the failure.
    pub msg: Bytes,
    /// Flags of the framework, such as for tracing.
    pub message_type: u32,
    /// Metadata (`trans_info`), in the order in which it came; the last one of equal keys.
    pub metadata: Vec<(String, Bytes)>,
}

impl Request {
    pub(super) fn of_meta(meta: RequestProtocol) -> Self {
        Self {
            version: meta.version,
            call_type: meta.call_type,
            request_id: meta.request_id,
            timeout: meta.timeout,
            caller: meta.caller,
            callee: meta.callee,
            func: meta.func,
            message_type: meta.message_type,
            metadata: pairs(meta.trans_info),
            content_type: meta.content_type,
            content_encoding: meta.content_encoding,
        }
    }

    /// The message without the size of an attachment.
    pub(super) fn to_meta(&self) -> RequestProtocol {
        RequestProtocol {
            version: self.version,
            call_type: self.call_type,
            request_id: self.request_id,
            timeout: self.timeout,
            caller: self.caller.clone(),
            callee: self.callee.clone(),
            func: self.func.clone(),
            message_type: self.message_type,
            trans_info: entries(&self.metadata),
            content_type: self.content_type,
            content_encoding: self.content_encoding,
            attachment_size: 0,
        }
    }
}

impl Response {
    pub(super) fn of_meta(meta: ResponseProtocol) -> Self {
        Self {
            version: meta.version,
            call_type: meta.call_type,
            request_id: meta.request_id,
            ret: meta.ret,
            func_ret: meta.func_ret,
            error_msg: meta.error_msg,
            message_type: meta.message_type,
            metadata: pairs(meta.trans_info),
            content_type: meta.content_type,
            content_encoding: meta.content_encoding,
        }
    }

    /// The message without the size of an attachment.
    pub(super) fn to_meta(&self) -> ResponseProtocol {
        ResponseProtocol {
            version: self.version,
            call_type: self.call_type,
            request_id: self.request_id,
            ret: self.ret,
            func_ret: self.func_ret,
            error_msg: self.error_msg.clone(),
            message_type: self.message_type,
            trans_info: entries(&self.metadata),
            content_type: self.content_type,
            content_encoding: self.content_encoding,
            attachment_size: 0,
        }
    }
}

impl Init {
    pub(super) fn of_meta(meta: InitMeta) -> Self {
        let request = meta.request_meta.map(|meta| InitRequest {
            caller: meta.caller,
            callee: meta.callee,
            func: meta.func,
            message_type: meta.message_type,
            metadata: pairs(meta.trans_info),
        });
        let response = meta
            .response_meta
            .map(|meta| InitResponse { ret: meta.ret, error_msg: meta.error_msg });
        Self {
            request,
            response,
            init_window_size: meta.init_window_size,
            content_type: meta.content_type,
            content_encoding: meta.content_encoding,
        }
    }

    pub(super) fn to_meta(&self) -> InitMeta {
        let request_meta = self.request.as_ref().map(|request| InitRequestMeta {
            caller: request.caller.clone(),
            callee: request.callee.clone(),
            func: request.func.clone(),
            message_type: request.message_type,
            trans_info: entries(&request.metadata),
        });
        let response_meta = self.response.as_ref().map(|response| InitResponseMeta {
            ret: response.ret,
            error_msg: response.error_msg.clone(),
        });
        InitMeta {
            request_meta,
            response_meta,
            init_window_size: self.init_window_size,
            content_type: self.content_type,
            content_encoding: self.content_encoding,
        }
    }
}

impl Close {
    pub(super) fn of_meta(meta: CloseMeta) -> Self {
        Self {
            close_type: meta.close_type,
            ret: meta.ret,
            func_ret: meta.func_ret,
            msg: meta.msg,
            message_type: meta.message_type,
            metadata: pairs(meta.trans_info),
        }
    }

    pub(super) fn to_meta(&self) -> CloseMeta {
        CloseMeta {
            close_type: self.close_type,
            ret: self.ret,
            msg: self.msg.clone(),
            message_type: self.message_type,
            trans_info: entries(&self.metadata),
            func_ret: self.func_ret,
        }
    }
}

fn pairs(entries: Vec<TransInfoEntry>) -> Vec<(String, Bytes)> {
    entries
        .into_iter()
        .map(|entry| (entry.key.unwrap_or_default(), entry.value.unwrap_or_default()))
        .collect()
}

fn entries(pairs: &[(String, Bytes)]) -> Vec<TransInfoEntry> {
    pairs.iter().map(|(key, value)| TransInfoEntry::new(key.clone(), value.clone())).collect()
}
