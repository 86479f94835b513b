//! Settings and words that only the tRPC wire has.
//!
//! Everything else of this library is the same on every wire. [`Settings`] are for peers that
//! behave otherwise than Trill does; both builders take them.

pub use crate::wires::trpc::{AppErrors, Cancel, Settings};
