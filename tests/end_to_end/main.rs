//! Whole calls, from a generated client to a handler and back.

mod cancel;
mod cancel_safety;
mod captures;
mod compression;
mod context;
mod handles;
mod hostile;
mod isolation;
mod kinds;
mod limits;
mod shutdown;
mod status;
