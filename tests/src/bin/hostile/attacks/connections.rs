//! Connections that come, stay or end in ways that no client of ours would choose.

use std::collections::VecDeque;
use std::io::Result;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use tokio::io::AsyncWriteExt;
use trill_tests::process::Process;
use trill_tests::raw;

use super::target::{Answers, Pace, Target};
use crate::server::say;

pub(super) async fn nothing(target: Target) -> Result<()> {
    target.is_built();
    std::future::pending().await
}

pub(super) async fn silent(target: Target) -> Result<()> {
    target.hold(vec![Bytes::new(); 1_000], Answers::Unread).await
}

/// Connections that say that they send no more, in the middle of a frame, of an upload or of
/// nothing, and are never closed.
pub(super) async fn half_open(target: Target) -> Result<()> {
    let mut sockets = join_all((0..1_000).map(|_| target.connect())).await;
    for (number, socket) in sockets.iter_mut().enumerate() {
        let bytes = match number % 3 {
            0 => Vec::new(),
            1 => raw::init(100, "Upload", 65_535),
            _ => raw::init(100, "Upload", 65_535)[..20].to_vec(),
        };
        // The server may have closed it already.
        let _ = socket.write_all(&bytes).await;
        let _ = socket.shutdown().await;
    }
    target.is_built();
    std::future::pending().await
}

pub(super) async fn drip(target: Target) -> Result<()> {
    byte_by_byte(target, Pace::a_second(5_000)).await
}

pub(super) async fn drip_in_step(target: Target) -> Result<()> {
    byte_by_byte(target, Pace::new(Duration::from_millis(100), 500)).await
}

/// Each portion goes to as many connections, one byte to each, in turns.
async fn byte_by_byte(target: Target, mut pace: Pace) -> Result<()> {
    let mut sockets = join_all((0..500).map(|_| target.connect())).await;
    target.is_flooded();
    let bytes = raw::init(100, "Talk", 65_535);
    for at in 0.. {
        for (number, socket) in sockets.iter_mut().enumerate() {
            if number % pace.portion as usize == 0 {
                pace.next().await;
            }
            if socket.write_all(&[bytes[at % bytes.len()]]).await.is_err() {
                *socket = target.connect().await;
            }
        }
    }
    Ok(())
}

pub(super) async fn giant(target: Target) -> Result<()> {
    let bytes = || [raw::init(100, "Talk", 65_535), raw::claim(u32::MAX, 100)].concat();
    each_connection(target, 200, bytes).await
}

pub(super) async fn random(target: Target) -> Result<()> {
    each_connection(target, 200, || (0..2_000).map(|_| fastrand::u8(..)).collect()).await
}

/// New connections; each sends its bytes and is left open for two seconds.
async fn each_connection(target: Target, a_second: u32, bytes: impl Fn() -> Vec<u8>) -> Result<()> {
    target.is_flooded();
    let mut pace = Pace::a_second(a_second);
    let mut open = VecDeque::new();
    loop {
        for _ in 0..pace.next().await {
            let mut socket = target.connect().await;
            // The server may close while this is being written.
            let _ = socket.write_all(&bytes()).await;
            open.push_back(socket);
            if open.len() > 400 {
                open.pop_front();
            }
        }
    }
}

pub(super) async fn connects(target: Target) -> Result<()> {
    target.is_flooded();
    let mut pace = Pace::a_second(3_000);
    loop {
        let connected = join_all((0..pace.next().await).map(|_| target.connect())).await;
        for socket in connected {
            // A port that waits for its last packets would soon be missing.
            socket.set_zero_linger()?;
        }
    }
}

/// Connections in all states that end with a RST of TCP.
pub(super) async fn cut(target: Target) -> Result<()> {
    let states: [Vec<u8>; 6] = [
        Vec::new(),
        raw::init(100, "Talk", 65_535)[..9].to_vec(),
        raw::init(100, "Talk", 65_535),
        [raw::init(100, "Upload", 65_535), raw::data(100, "hang"), raw::claim(100, 100)].concat(),
        [raw::init(100, "Download", 65_535), raw::data(100, "fill 1000 1000")].concat(),
        raw::call(1, "Unary", "sleep 1000"),
    ];
    target.is_flooded();
    let mut pace = Pace::a_second(200);
    for number in 0.. {
        pace.next().await;
        let mut socket = target.connect().await;
        // The server may have ended it.
        let _ = socket.write_all(&states[number % states.len()]).await;
        socket.set_zero_linger()?;
    }
    Ok(())
}

pub(super) async fn kill(target: Target) -> Result<()> {
    target.is_flooded();
    let mut pace = Pace::a_second(5);
    let address = target.address().to_string();
    loop {
        pace.next().await;
        Process::start(&["hold", &address]).await.kill().await;
    }
}

/// A connection with a call and a stream of each kind, for a process that is killed.
pub(crate) async fn hold_one_of_each_kind(address: &str) -> std::result::Result<(), String> {
    let mut socket = Target::at(address)?.connect().await;
    let order = raw::data(102, "fill 1000 1000;hang");
    let frames = [
        raw::call(1, "Unary", "hang"),
        raw::init(101, "Upload", 65_535),
        raw::init(102, "Download", 65_535),
        order,
        raw::init(103, "Talk", 65_535),
    ];
    let _ = socket.write_all(&frames.concat()).await;
    say("holding").await;
    Ok(())
}
