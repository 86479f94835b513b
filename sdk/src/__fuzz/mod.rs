//! Doors to the inside for the fuzz targets in `tests/fuzz`. Not for people: it may change in any
//! release.
//!
//! Each target takes any bytes and panics when a promise of the rooms below does not hold. The same
//! functions run as ordinary tests.

mod choices;
mod connection;
mod decoder;
mod end;
mod frames;
mod heads;
mod hpack;
mod operations;
mod order;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::time::Instant;

pub use connection::{connection, connection_seed};
pub use decoder::{decoder, decoder_seed};
pub use frames::{frames, frames_seed};
pub use heads::{heads, heads_seeds};
pub use hpack::{HpackOracle, hpack, hpack_seed};
pub use operations::operations;

/// The moment at which every run starts.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant cannot be made otherwise; all others are counted from it"
    )]
    *EPOCH.get_or_init(Instant::now)
}
