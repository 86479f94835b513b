//! FRONT DOOR: channels to servers.

mod builder;
mod channel;

pub use builder::ChannelBuilder;
pub use channel::Channel;

pub use crate::transport::Cancel;

pub use crate::service::{
    Bidi, ClientStream, OneWay, OneWayFuture, Opening, ResponseFuture, ServerStream, Unary, UnaryFuture,
};
