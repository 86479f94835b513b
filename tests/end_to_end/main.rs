//! Whole calls, from a generated client to a handler and back.

mod cancel;
mod cancel_safety;
mod captures;
mod compression;
mod context;
mod frames;
mod handles;
mod hostile;
mod isolation;
mod json;
mod kinds;
mod limits;
mod network;
mod shutdown;
mod status;
