//! The tRPC wire protocol's own messages and return codes.

mod code;

mod messages {
    include!(concat!(env!("OUT_DIR"), "/trpc.rs"));
}

pub use code::Code;
pub use messages::{
    RequestProtocol, ResponseProtocol, TransInfoEntry, TrpcStreamCloseMeta, TrpcStreamFeedBackMeta,
    TrpcStreamInitMeta, TrpcStreamInitRequestMeta, TrpcStreamInitResponseMeta,
};
