//! The `#[trill::service]` attribute.
