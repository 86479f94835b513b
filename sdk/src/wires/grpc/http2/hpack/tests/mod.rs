//! The examples of RFC 7541, stories of other implementations, and blocks that are wrong.

mod primitives;
