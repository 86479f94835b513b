//! Few bytes that become many in the server's memory, or that stay there.

use std::io::{Result, Write};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::AsyncWriteExt;
use trill::prost::Message;
use trill_tests::raw::{self, CALL_ENTRY, Request, STREAM_ENTRY};
use trill_tests::text;

use super::target::{Answers, Pace, Target, join};
use crate::keeping::{self, KEEP_BYTES, KEEP_LIST};

/// As many empty entries as a header holds.
const EMPTY_ENTRIES: u32 = 32_700;

/// Behind a whole frame, so that the first frame's limit of time is over.
pub(super) async fn partial_frames(target: Target) -> Result<()> {
    let begun = [raw::call(1, "Unary", "hello"), raw::claim(10 << 20, 100)].concat();
    let bytes = Bytes::from([begun, vec![b'x'; 159 * 65_536]].concat());
    target.hold(vec![bytes; 150], Answers::Partial).await
}

pub(super) async fn call_metadata(target: Target) -> Result<()> {
    let (metadata, body) =
        (raw::entries(CALL_ENTRY, EMPTY_ENTRIES, false), text("hang").encode_to_vec());
    let call = |id| Request {
        id,
        method: "Unary",
        body: body.clone(),
        metadata: metadata.clone(),
        ..Request::default()
    };
    let bytes = join((1..1_001).map(|id| call(id).frame()));
    target.hold([bytes], Answers::Read).await
}

pub(super) async fn stream_metadata(target: Target) -> Result<()> {
    let metadata = raw::entries(STREAM_ENTRY, EMPTY_ENTRIES, false);
    let bytes = join((100..1_100).map(|id| raw::open(id, "Talk", 65_535, 0, &metadata)));
    target.hold([bytes], Answers::Read).await
}

pub(super) async fn unread_answers(target: Target) -> Result<()> {
    let bytes = join((1..2_001).map(|id| raw::call(id, "Unary", "heavy 1000000")));
    target.hold([bytes], Answers::Unread).await
}

pub(super) async fn unread_large(target: Target) -> Result<()> {
    let bytes = Bytes::from(raw::call(1, "Unary", "heavy 9000000"));
    target.hold(vec![bytes; 50], Answers::Unread).await
}

pub(super) async fn unread_small(target: Target) -> Result<()> {
    target.is_flooded();
    loop {
        let mut socket = target.connect().await;
        let mut pace = Pace::a_second(2_000);
        let mut id = 0;
        while id < 20_000 {
            let next = id + pace.next().await;
            let portion: Vec<_> =
                (id..next).flat_map(|id| raw::call(id, "Unary", "large 10000")).collect();
            id = next;
            // The server does not read it any more either, which is its right.
            match tokio::time::timeout(Duration::from_secs(1), socket.write_all(&portion)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => break,
                Err(_) => std::future::pending().await,
            }
        }
    }
}

pub(super) async fn unpacked_calls(target: Target) -> Result<()> {
    let body = gzip(&text(format!("hang {}", "y".repeat(9_900_000))).encode_to_vec());
    let call =
        |id| Request { id, method: "Unary", packed: 1, body: body.clone(), ..Request::default() };
    let bytes = join((1..101).map(|id| call(id).frame()));
    target.hold([bytes], Answers::Read).await
}

/// The handler hangs on the first message. It keeps those that it has read, so they are its own;
/// the ones behind it wait.
pub(super) async fn unpacked_streams(target: Target) -> Result<()> {
    let hang = gzip(&text("hang").encode_to_vec());
    let message = gzip(&text("y".repeat(9_900_000)).encode_to_vec());
    let stream = |id| {
        let open = raw::open(id, "Talk", 65_535, 1, &[]);
        [open, raw::raw_data(id, &hang), raw::raw_data(id, &message)].concat()
    };
    let bytes = join((100..200).map(stream));
    target.hold([bytes], Answers::Read).await
}

/// Server streams, whose handlers hang with their requests.
pub(super) async fn stream_requests(target: Target) -> Result<()> {
    let request = gzip(&text(format!("hang {}", "y".repeat(9_900_000))).encode_to_vec());
    let stream =
        |id| [raw::open(id, "Download", 65_535, 1, &[]), raw::raw_data(id, &request)].concat();
    let bytes = join((100..250).map(stream));
    target.hold([bytes], Answers::Read).await
}

/// The small calls have a name that could keep a whole read buffer; the large ones are refused.
pub(super) async fn pinned_buffers(target: Target) -> Result<()> {
    let (small, large) = (text("hang").encode_to_vec(), vec![0; 65_000]);
    let bytes = join((1..3_001_u32).map(|number| {
        let (id, body) = (2 * number, small.clone());
        let kept = Request {
            id,
            method: "Unary",
            caller: "trpc.test.hostile.pin",
            body,
            ..Request::default()
        };
        let refused =
            Request { id: id + 1, method: "Nope", body: large.clone(), ..Request::default() };
        [kept.frame(), refused.frame()].concat()
    }));
    target.hold([bytes], Answers::Read).await
}

/// A body is half of a read buffer, and could keep the other half, which is thrown away.
pub(super) async fn pinned_bodies(target: Target) -> Result<()> {
    let (body, junk) = (raw::field(1, &[0; 33_000]), raw::data(1_000_000, &"x".repeat(65_000)));
    let call = |id| Request { id, method: KEEP_BYTES, body: body.clone(), ..Request::default() };
    let bytes = join((1..1_001).map(|id| [call(id).frame(), junk.clone()].concat()));
    target.hold(vec![bytes; 8], Answers::Read).await
}

/// Lists that take 8 MB each, of half a megabyte and of a few hundred bytes in turns.
pub(super) async fn empty_elements(target: Target) -> Result<()> {
    let plain = keeping::empty_elements(250_000);
    let bodies = [plain.clone(), gzip(&plain)];
    let bytes = join((1..201).map(|id| {
        let packed = id % 2;
        let body = bodies[packed as usize].clone();
        Request { id, method: KEEP_LIST, packed, body, ..Request::default() }.frame()
    }));
    target.hold([bytes], Answers::Read).await
}

/// Packs as well as gzip can.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}
