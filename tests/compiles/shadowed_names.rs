//! The user's names are in nobody's way, and a module without a prelude is enough.
#![no_implicit_prelude]

use ::trill::{AsyncReader, AsyncWriter, Context, Result as Outcome};

type Result<T> = Outcome<T>;

mod messages {
    /// A message with the name of a type parameter.
    #[derive(::std::clone::Clone, ::std::cmp::PartialEq, ::trill::prost::Message)]
    #[prost(prost_path = "::trill::prost")]
    pub struct T {}
}
use messages::T;

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
    async fn unary(&self, cx: Context, question: T) -> Result<T>;
    async fn up(&self, service: Context, method: AsyncReader<T>) -> Result<T>;
    async fn down(&self, cx: Context, _: T, call: AsyncWriter<T>) -> Result<()>;
    async fn both(&self, cx: Context, rw: ::trill::AsyncReaderWriter<T, T>) -> Result<()>;
    #[rpc(oneway)]
    async fn note(&self, _: Context, _: T) -> Result<()>;
}

/// Each binding of the generated code would be a pattern of one of these.
#[allow(dead_code, non_camel_case_types, non_upper_case_globals)]
mod bindings {
    pub const request: u8 = 1;
    pub static reader: u8 = 1;
    pub enum Lower {
        cx,
        call,
        method,
        writer,
        rw,
        f,
        any,
    }
    pub struct kind;
}
#[allow(unused_imports)]
use bindings::{Lower::*, *};

struct Marker;

#[::trill::service]
impl Shadowed for Marker {
    async fn unary(&self, _: Context, question: T) -> Result<T> {
        Result::Ok(question)
    }

    async fn up(&self, _: Context, _: AsyncReader<T>) -> Result<T> {
        Result::Ok(T {})
    }

    async fn down(&self, _: Context, _: T, _: AsyncWriter<T>) -> Result<()> {
        Result::Ok(())
    }

    async fn both(&self, _: Context, _: ::trill::AsyncReaderWriter<T, T>) -> Result<()> {
        Result::Ok(())
    }

    async fn note(&self, _: Context, _: T) -> Result<()> {
        Result::Ok(())
    }
}

#[::std::prelude::v1::test]
fn it_compiles() {
    let _builder = ::trill::Server::builder().service(Marker);
}
