//! The hostile clients. Each sort of them goes on until its process is killed.

mod calls;
mod connections;
mod memory;
mod streams;
mod target;
mod work;

use std::io::Result;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::server::say;

pub(crate) use connections::hold_one_of_each_kind;
pub(crate) use target::Target;

/// A sort of hostile clients.
pub(crate) struct Mode {
    /// The name for `--modes`.
    pub(crate) name: &'static str,
    /// The attack in words, with its rate.
    pub(crate) text: &'static str,
    attack: fn(Target) -> BoxFuture<'static, Result<()>>,
}

/// A table of modes. An attack says by itself when it is under way.
macro_rules! modes {
    ($($name:literal, $text:literal, $attack:expr;)*) => {
        /// All modes.
        pub(crate) const MODES: &[Mode] =
            &[$(Mode { name: $name, text: $text, attack: |target| $attack(target).boxed() }),*];
    };
}

modes! {
    "nothing", "a process that sleeps", connections::nothing;
    "silent", "1,000 silent connections", connections::silent;
    "half-open", "1,000 half-open connections", connections::half_open;
    "drip", "500 headers byte by byte, 100 ms each", connections::drip;
    "drip-in-step", "500 headers byte by byte, all in step", connections::drip_in_step;
    "giant", "200 giant sizes a second", connections::giant;
    "random", "200 connections with random bytes a second", connections::random;
    "connects", "3,000 connections a second, closed at once", connections::connects;
    "cut", "200 connections cut with RST a second", connections::cut;
    "kill", "5 processes killed a second", connections::kill;
    "inits", "20,000 INITs a second, never ended", streams::inits;
    "init-reset", "5,000 INIT and RESET a second", streams::init_reset;
    "after-close", "10,000 frames after CLOSE a second", streams::after_close;
    "window", "a window ignored, 20 MB a second", streams::window;
    "unread-downloads", "100 downloads never read", streams::unread_downloads;
    "no-stream", "DATA for no stream, at full speed", streams::no_stream;
    "unreadable", "INITs that cannot be read, at full speed", streams::unreadable;
    "places", "110,000 streams of one connection", streams::places;
    "places-of-eight", "110,000 streams each of eight addresses", streams::places_of_eight;
    "calls", "10,000 calls of nothing a second", calls::calls;
    "large-requests", "200 large requests a second, 100 kB", calls::large_requests;
    "one-way-places", "110,000 one-way calls, then gone", calls::one_way_places;
    "bytes", "550 MB of requests of eleven connections", calls::bytes;
    "bytes-dropped", "the same, in a field that nobody knows", calls::bytes_dropped;
    "partial-frames", "150 frames of 10 MiB that lack their end", memory::partial_frames;
    "call-metadata", "1,000 calls with 32,700 entries each", memory::call_metadata;
    "stream-metadata", "1,000 streams with 32,700 entries each", memory::stream_metadata;
    "unread-answers", "2,000 answers of 1 MB, never read", memory::unread_answers;
    "unread-large", "50 answers of 9 MB, never read", memory::unread_large;
    "unread-small", "2,000 calls a second, 10 kB never read", memory::unread_small;
    "unpacked-calls", "100 calls that unpack to 10 MB each", memory::unpacked_calls;
    "unpacked-streams", "100 unread messages that unpack to 10 MB each", memory::unpacked_streams;
    "stream-requests", "150 streams' requests that unpack to 10 MB each", memory::stream_requests;
    "pinned-buffers", "3,000 small calls between large ones", memory::pinned_buffers;
    "pinned-bodies", "8,000 bodies of 33 kB in front of junk", memory::pinned_bodies;
    "empty-elements", "200 lists of 250,000 empty elements, kept", memory::empty_elements;
    "lz4-blocks", "6 windows of tiny LZ4 messages a second", work::lz4_blocks;
    "gzip-bombs", "100 one-way calls a second, 10 MB unpacked", work::gzip_bombs;
    "gzip-members", "3 MB of empty gzip members a second", work::gzip_members;
    "paced-elements", "50 lists of 500,000 a second, packed to 1 kB", work::paced_elements;
    "empty-metadata", "headers full of empty entries, full speed", work::empty_metadata;
    "keyed-metadata", "headers full of keys, at full speed", work::keyed_metadata;
}

/// Attacks until this process is killed, and says when the attack is under way.
pub(crate) async fn run(name: &str, address: &str) -> std::result::Result<(), String> {
    let mode =
        MODES.iter().find(|mode| mode.name == name).ok_or(format!("there is no mode {name}"))?;
    let target = Target::at(address)?;
    let attack = (mode.attack)(target.clone());
    tokio::spawn(async move {
        let ended = attack.await;
        eprintln!("{}: the attack has ended: {ended:?}", mode.name);
        std::process::exit(1);
    });
    target.attacked().await;
    say("attacking").await;
    Ok(())
}
