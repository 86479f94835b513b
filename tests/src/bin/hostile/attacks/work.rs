//! Few bytes that are much work for the server's threads.

use std::io::{Result, Write};

use bytes::Bytes;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use trill::prost::Message;
use trill_tests::raw::{self, CALL_ENTRY, Request};
use trill_tests::text;

use super::memory::gzip;
use super::target::{Target, at_full_speed, each_frame};
use crate::keeping::{DROP_LIST, empty_elements};

/// A window of messages on a stream of its own, six times a second. Each message declares blocks of
/// 4 MiB that build on each other, which is the most room that a decoder may want.
pub(super) async fn lz4_blocks(target: Target) -> Result<()> {
    let info = FrameInfo::new().block_size(BlockSize::Max4MB).block_mode(BlockMode::Linked);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(&text("x".repeat(40)).encode_to_vec())?;
    let message = encoder.finish().map_err(std::io::Error::other)?;
    each_frame(&target, 6, |id| {
        let mut frames = raw::open(id, "Upload", 65_535, 6, &[]);
        for _ in 0..65_535 / message.len() {
            frames.extend(raw::raw_data(id, &message));
        }
        frames.extend(raw::close(id));
        frames
    })
    .await
}

pub(super) async fn gzip_bombs(target: Target) -> Result<()> {
    let body = gzip(&text("y".repeat(9_900_000)).encode_to_vec());
    each_frame(&target, 100, |id| {
        let (body, method) = (body.clone(), "Notify");
        Request { id, method, one_way: true, packed: 1, body, ..Request::default() }.frame()
    })
    .await
}

pub(super) async fn gzip_members(target: Target) -> Result<()> {
    let body = gzip(&[]).repeat(50_000);
    each_frame(&target, 3, |id| {
        Request { id, method: "Unary", packed: 1, body: body.clone(), ..Request::default() }.frame()
    })
    .await
}

/// Just below the size from which on requests are decoded elsewhere, whatever is in them.
pub(super) async fn paced_elements(target: Target) -> Result<()> {
    let body = gzip(&empty_elements(500_000));
    each_frame(&target, 50, |id| {
        Request { id, method: DROP_LIST, packed: 1, body: body.clone(), ..Request::default() }
            .frame()
    })
    .await
}

pub(super) async fn empty_metadata(target: Target) -> Result<()> {
    with_metadata(target, raw::entries(CALL_ENTRY, 32_700, false)).await
}

pub(super) async fn keyed_metadata(target: Target) -> Result<()> {
    with_metadata(target, raw::entries(CALL_ENTRY, 8_000, true)).await
}

/// Calls of a method that the service lacks, with full headers.
async fn with_metadata(target: Target, metadata: Vec<u8>) -> Result<()> {
    let frame = Request { id: 1, method: "Nope", metadata, ..Request::default() }.frame();
    at_full_speed(&target, 2, Bytes::from(frame)).await
}
