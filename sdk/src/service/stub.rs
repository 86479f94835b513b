//! The client's side that all generated clients share.

use bytes::Bytes;

use crate::client::Channel;
use crate::stream::{Compression, Message};
use crate::transport::Head;

use super::opening::{Bidi, ClientStream, ServerStream};
use super::options::CallOptions;
use super::spec::{MethodSpec, ServiceSpec};
use super::unary::{OneWay, Unary};

/// A channel and a service's table: what a generated client holds.
#[derive(Clone, Debug)]
pub struct Stub {
    channel: Channel,
    spec: &'static ServiceSpec,
}

impl Stub {
    /// A stub for a service behind a channel.
    #[must_use]
    pub fn new(channel: Channel, spec: &'static ServiceSpec) -> Self {
        Self { channel, spec }
    }

    /// Prepares a unary call.
    pub fn unary<Req: Message, Resp: Message>(&self, method: usize, request: Req) -> Unary<Req, Resp> {
        Unary::new(self.target(method), request)
    }

    /// Prepares a one-way call.
    pub fn oneway<Req: Message>(&self, method: usize, request: Req) -> OneWay<Req> {
        OneWay::new(self.target(method), request)
    }

    /// Prepares a client stream.
    pub fn client_stream<Req: Message, Resp: Message>(&self, method: usize) -> ClientStream<Req, Resp> {
        ClientStream::new(self.target(method))
    }

    /// Prepares a server stream.
    pub fn server_stream<Req: Message, Resp: Message>(
        &self,
        method: usize,
        request: Req,
    ) -> ServerStream<Req, Resp> {
        ServerStream::new(self.target(method), request)
    }

    /// Prepares a bidirectional stream.
    pub fn bidi<Req: Message, Resp: Message>(&self, method: usize) -> Bidi<Req, Resp> {
        Bidi::new(self.target(method))
    }

    fn target(&self, method: usize) -> Target {
        Target { channel: self.channel.clone(), service: self.spec.name, method: &self.spec.methods[method] }
    }
}

/// One method behind a channel.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) channel: Channel,
    pub(super) service: &'static str,
    pub(super) method: &'static MethodSpec,
}

impl Target {
    /// How the messages of a call are compressed.
    pub(super) fn compression(&self, options: &CallOptions) -> Option<Compression> {
        options.compression.unwrap_or(self.channel.compression())
    }

    /// What is said of a call before its first message.
    pub(super) fn head(
        &self,
        options: CallOptions,
        timeout: Option<std::time::Duration>,
        (content_type, content_encoding): (u32, u32),
    ) -> Head {
        let caller = options
            .caller
            .map_or_else(|| self.channel.caller(), |caller| Bytes::from_static(caller.as_bytes()));
        Head {
            method: Bytes::from_static(self.method.path.as_bytes()),
            caller,
            callee: Bytes::from_static(self.service.as_bytes()),
            metadata: options.metadata,
            timeout,
            content_type,
            content_encoding,
            message_type: options.message_type,
        }
    }
}
