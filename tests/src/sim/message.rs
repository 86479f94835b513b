//! The messages of clients and handlers to each other.

use bytes::Bytes;
use trill::prost::Message;
use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result};

/// A message that says which one it is.
#[derive(Clone, PartialEq, Eq, Message)]
#[prost(prost_path = "::trill::prost")]
pub(super) struct Parcel {
    /// The number of its call in the plan.
    #[prost(uint32, tag = "1")]
    pub(super) call: u32,
    /// A handler wrote it.
    #[prost(bool, tag = "2")]
    pub(super) down: bool,
    /// Its number in its direction.
    #[prost(uint32, tag = "3")]
    pub(super) number: u32,
    /// As many bytes as planned, which follow from the rest.
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) body: Bytes,
}

impl Parcel {
    pub(super) fn new(call: usize, down: bool, number: u32, size: usize) -> Self {
        let call = u32::try_from(call).expect("a plan has few calls");
        Self { call, down, number, body: Bytes::from(vec![filling(call, number); size]) }
    }

    /// Tells whether the body is one that was sent.
    pub(super) fn is_whole(&self) -> bool {
        let filling = filling(self.call, self.number);
        self.body.iter().all(|byte| *byte == filling)
    }
}

fn filling(call: u32, number: u32) -> u8 {
    (call.wrapping_mul(31).wrapping_add(number) % 251) as u8
}

#[trill::service(package = "test.sim")]
pub(super) trait Sim {
    async fn unary(&self, cx: Context, request: Parcel) -> Result<Parcel>;

    #[rpc(oneway)]
    async fn notify(&self, cx: Context, request: Parcel) -> Result<()>;

    async fn upload(&self, cx: Context, reader: AsyncReader<Parcel>) -> Result<Parcel>;

    async fn download(
        &self,
        cx: Context,
        request: Parcel,
        writer: AsyncWriter<Parcel>,
    ) -> Result<()>;

    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Parcel, Parcel>) -> Result<()>;

    /// Answers at once, with what it got.
    async fn ping(&self, cx: Context, request: Parcel) -> Result<Parcel>;

    /// The same on a stream.
    async fn pings(&self, cx: Context, rw: AsyncReaderWriter<Parcel, Parcel>) -> Result<()>;
}
