//! Calls that take the places and the room of others.

use std::io::Result;
use std::time::Duration;

use bytes::Bytes;
use trill::prost::Message;
use trill_tests::raw::{self, Request};
use trill_tests::text;

use super::target::{Answers, Target, each_frame, join};

pub(super) async fn calls(target: Target) -> Result<()> {
    each_frame(&target, 10_000, |id| raw::call(id, "Nothing", "")).await
}

pub(super) async fn large_requests(target: Target) -> Result<()> {
    each_frame(&target, 200, |id| raw::call(id, "Unary", &"x".repeat(100_000))).await
}

/// Ten connections that call one-way handlers that hang, and are closed when the server has begun.
pub(super) async fn one_way_places(target: Target) -> Result<()> {
    let body = text("hang").encode_to_vec();
    let call = |id| Request {
        id,
        method: "Notify",
        one_way: true,
        body: body.clone(),
        ..Request::default()
    };
    let bytes = join((1..11_001).map(|id| call(id).frame()));
    let built = target.send_each(vec![bytes; 10], Answers::Read).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    built.close();
    target.is_built();
    std::future::pending().await
}

/// Requests that a handler keeps for ever.
pub(super) async fn bytes(target: Target) -> Result<()> {
    let kept = |size| text(format!("hang {}", "x".repeat(size))).encode_to_vec();
    target.hold(vec![ever_smaller_calls(kept); 11], Answers::Read).await
}

/// Requests of which a handler keeps four letters.
pub(super) async fn bytes_dropped(target: Target) -> Result<()> {
    let dropped = |size| [text("hang").encode_to_vec(), raw::field(15, &vec![0; size])].concat();
    target.hold(vec![ever_smaller_calls(dropped); 11], Answers::Read).await
}

/// Fifty megabytes of large requests, and smaller and smaller ones for the gaps that those leave.
fn ever_smaller_calls(body: impl Fn(usize) -> Vec<u8>) -> Bytes {
    let sizes = [(50, 1_000_000), (100, 10_000), (200, 1_000), (1_000, 100)];
    let each = sizes.into_iter().flat_map(|(count, size)| std::iter::repeat_n(size, count));
    join((1..).zip(each).map(|(id, size)| {
        Request { id, method: "Unary", body: body(size), ..Request::default() }.frame()
    }))
}
