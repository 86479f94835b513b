//! From the model to code.
//!
//! The code names everything by absolute paths, needs no `use`, and has no logic of its own: a
//! table, and for each method one call into `trill::__private`.

mod client;
mod into_service;
mod message;
mod object;
mod server;
mod spec;
mod trait_item;

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::Service;
use crate::parse::Written;

pub(crate) use client::client;
pub(crate) use into_service::into_service;
pub(crate) use object::{empty_object, object};
pub(crate) use server::{empty_server, server};
pub(crate) use spec::spec;
pub(crate) use trait_item::trait_item;

/// The trait with its server and its client.
pub(crate) fn service(service: &Service, written: &Written) -> TokenStream {
    let (trait_item, spec) = (trait_item(&service.krate, &written.item), spec(service));
    let (server, client, object) = (server(service), client(service), object(service, written));
    quote!(#trait_item #spec #server #client #object)
}
