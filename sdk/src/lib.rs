//! Typed streaming RPC over the tRPC wire: streams you cannot misuse.

pub mod combinators;
mod error;

pub use combinators::{
    do_for, do_for_each, do_until, do_until_stop, do_while, do_with, repeat, try_when_all, when_all,
    when_any, when_any_ok,
};
pub use error::{Code, Error, ErrorKind, Origin, Result, Status};
