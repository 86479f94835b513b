//! Streams that are opened and not ended, and frames for those that are not there.

use std::io::Result;

use bytes::Bytes;
use tokio::task::JoinSet;
use trill_tests::raw;

use super::target::{Answers, Target, at_full_speed, each_frame, join};

pub(super) async fn inits(target: Target) -> Result<()> {
    each_frame(&target, 20_000, |id| raw::init(id, "Talk", 65_535)).await
}

pub(super) async fn init_reset(target: Target) -> Result<()> {
    each_frame(&target, 5_000, |id| [raw::init(id, "Talk", 65_535), raw::reset(id, 161)].concat())
        .await
}

pub(super) async fn after_close(target: Target) -> Result<()> {
    each_frame(&target, 2_500, |id| {
        let late =
            [raw::data(id, "late"), raw::feedback(id, 1), raw::close(id), raw::reset(id, 161)];
        [raw::init(id, "Talk", 65_535), raw::close(id), late.concat()].concat()
    })
    .await
}

pub(super) async fn window(target: Target) -> Result<()> {
    each_frame(&target, 2_000, |id| {
        let open = [raw::init(100, "Talk", 65_535), raw::data(100, "hang")].concat();
        if id == 100 { open } else { raw::data(100, &"x".repeat(10_000)) }
    })
    .await
}

pub(super) async fn unread_downloads(target: Target) -> Result<()> {
    // Without a window, only the connection holds them back.
    let download = |id| [raw::init(id, "Download", 0), raw::data(id, "fill 1000000 1000")].concat();
    let bytes = join((100..200).map(download));
    target.hold([bytes], Answers::Unread).await
}

pub(super) async fn no_stream(target: Target) -> Result<()> {
    at_full_speed(&target, 1, join((1_000..3_000).map(|id| raw::data(id, "x")))).await
}

pub(super) async fn unreadable(target: Target) -> Result<()> {
    at_full_speed(&target, 1, join((1_000..3_000).map(raw::unreadable))).await
}

/// More streams than the server has places.
pub(super) async fn places(target: Target) -> Result<()> {
    target.hold([all_places()], Answers::Read).await
}

pub(super) async fn places_of_eight(target: Target) -> Result<()> {
    let bytes = all_places();
    let mut building = JoinSet::new();
    for number in 0..8 {
        let (target, bytes) = (target.by(number), bytes.clone());
        building.spawn(async move { target.send_each([bytes], Answers::Read).await });
    }
    let _held: Vec<_> = building.join_all().await.into_iter().collect::<Result<_>>()?;
    target.is_built();
    std::future::pending().await
}

fn all_places() -> Bytes {
    join((100..110_100).map(|id| raw::init(id, "Talk", 0)))
}
