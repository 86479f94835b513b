//! The user's names are in nobody's way, and a module without a prelude is enough.
#![no_implicit_prelude]

use ::trill::{AsyncReader, AsyncWriter, Context, Result as Outcome};

type Result<T> = Outcome<T>;

/// A message with the name of a type parameter.
#[derive(::std::clone::Clone, ::std::cmp::PartialEq, ::trill::prost::Message)]
#[prost(prost_path = "::trill::prost")]
struct T {}

#[allow(dead_code)]
mod shadows {
    pub trait Send {}
    pub trait Sync {}
    pub trait Sized {}
    pub struct Arc;
    pub struct Option;
    pub struct Service;
    pub struct Debug;
    pub mod std {}
    pub mod core {}
}
#[allow(unused_imports)]
use shadows::*;

#[::trill::service]
trait Shadowed {
    async fn unary(&self, cx: Context, call: T) -> Result<T>;
    async fn up(&self, service: Context, method: AsyncReader<T>) -> Result<T>;
    async fn down(&self, cx: Context, service: T, call: AsyncWriter<T>) -> Result<()>;
}

struct Marker;

#[::trill::service]
impl Shadowed for Marker {
    async fn unary(&self, _: Context, call: T) -> Result<T> {
        Result::Ok(call)
    }

    async fn up(&self, _: Context, _: AsyncReader<T>) -> Result<T> {
        Result::Ok(T {})
    }

    async fn down(&self, _: Context, _: T, _: AsyncWriter<T>) -> Result<()> {
        Result::Ok(())
    }
}

fn main() {
    let _builder = ::trill::Server::builder().service(Marker);
}
