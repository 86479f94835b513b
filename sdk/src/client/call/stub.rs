//! The client's side that all generated clients share.

use crate::client::Channel;
use crate::service::ServiceSpec;
use crate::stream::Message;

use super::streams::{Bidi, ClientStream, ServerStream};
use super::target::Target;
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
    pub fn unary<Req: Message, Resp: Message>(
        &self,
        method: usize,
        request: Req,
    ) -> Unary<Req, Resp> {
        Unary::new(self.target(method), request)
    }

    /// Prepares a one-way call.
    pub fn oneway<Req: Message>(&self, method: usize, request: Req) -> OneWay<Req> {
        OneWay::new(self.target(method), request)
    }

    /// Prepares a client stream.
    pub fn client_stream<Req: Message, Resp: Message>(
        &self,
        method: usize,
    ) -> ClientStream<Req, Resp> {
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
        Target {
            channel: self.channel.clone(),
            service: self.spec.name,
            method: &self.spec.methods[method],
        }
    }
}
