//! The frames.

use bytes::Bytes;
use trill_proto::{RequestProtocol, ResponseProtocol};

pub(crate) use trill_proto::{
    TrpcStreamCloseMeta as CloseMeta, TrpcStreamInitMeta as InitMeta,
    TrpcStreamInitRequestMeta as InitRequestMeta, TrpcStreamInitResponseMeta as InitResponseMeta,
};

use super::error::FrameFault;
use super::id::StreamId;

/// Who we are: a server takes unary frames for requests, a client for answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The part of a unary frame's fixed header that an answer repeats: peers pair by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct UnaryHead {
    pub(crate) id: u32,
    pub(crate) version: u8,
    pub(crate) reserved: u8,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Frame {
    Request {
        head: UnaryHead,
        meta: RequestProtocol,
        body: Bytes,
        attachment: Bytes,
    },
    Response {
        head: UnaryHead,
        meta: ResponseProtocol,
        body: Bytes,
        attachment: Bytes,
    },
    Init {
        id: StreamId,
        meta: InitMeta,
    },
    Data {
        id: StreamId,
        payload: Bytes,
    },
    Feedback {
        id: StreamId,
        increment: u32,
    },
    Close {
        id: StreamId,
        meta: CloseMeta,
    },
    /// A unary frame whose inside is wrong: it ends that call only.
    BadUnary {
        head: UnaryHead,
        why: FrameFault,
    },
    /// A stream frame whose inside is wrong: it ends that stream only.
    BadStream {
        id: StreamId,
        why: FrameFault,
    },
}
