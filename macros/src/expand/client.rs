//! `GreeterClient`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::{Kind, Method, Service};
use crate::names;

use super::message::message_checks;
use super::spec::place;

/// The client type, with a method for each of the service's.
pub(crate) fn client(service: &Service) -> TokenStream {
    let Service { krate, attributes, deprecated, vis, ident, wire_name, methods, .. } = service;
    let (client, table) =
        (names::generated(&names::client(ident)), names::generated(&names::table(ident)));
    let summary = format!(
        " Calls a [`{ident}`], which is `{wire_name}` on the wire. Clones are cheap and share the channel."
    );
    let channel = names::binding("channel");
    let methods = methods.iter().map(|method| call(service, method));
    quote! {
        #(#attributes)*
        #(#deprecated)*
        #[doc = #summary]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #client {
            stub: #krate::__private::Stub,
        }

        #(#attributes)*
        impl #client {
            /// Makes a client of the service behind `channel`.
            #[must_use]
            pub fn new(channel: #krate::Channel) -> Self {
                Self { stub: #krate::__private::Stub::new(channel, &#table::__SPEC) }
            }

            #(#methods)*
        }

        #(#attributes)*
        impl ::core::convert::From<#krate::Channel> for #client {
            fn from(#channel: #krate::Channel) -> Self {
                Self::new(#channel)
            }
        }
    }
}

fn call(service: &Service, method: &Method) -> TokenStream {
    let krate = &service.krate;
    let Method { cfgs, docs, shape, path, .. } = method;
    let (name, place) = (names::generated(&method.ident), place(service, method));
    let (request, answer) = (&shape.request, &shape.answer);
    let argument =
        method.argument.as_ref().map_or_else(|| names::binding("request"), names::generated);
    let (what, signature, call) = match shape.kind {
        Kind::Unary => (
            "Unary call of `{}`: await it for the answer.",
            quote!((&self, #argument: #request) -> #krate::client::Unary<#request, #answer>),
            quote!(unary::<#request, #answer>(#place, #argument)),
        ),
        Kind::OneWay => (
            "One-way call of `{}`: await it until the request is on its way. Nobody answers.",
            quote!((&self, #argument: #request) -> #krate::client::OneWay<#request>),
            quote!(oneway::<#request>(#place, #argument)),
        ),
        Kind::ClientStream => (
            "Client stream `{}`: await it for the writer of the requests, and the answer to come.",
            quote!((&self) -> #krate::client::ClientStream<#request, #answer>),
            quote!(client_stream::<#request, #answer>(#place)),
        ),
        Kind::ServerStream => (
            "Server stream `{}`: await it for the reader of the answers.",
            quote!((&self, #argument: #request) -> #krate::client::ServerStream<#request, #answer>),
            quote!(server_stream::<#request, #answer>(#place, #argument)),
        ),
        Kind::Bidi => (
            "Bidirectional stream `{}`: await it for the reader of the answers and writer of the requests.",
            quote!((&self) -> #krate::client::Bidi<#request, #answer>),
            quote!(bidi::<#request, #answer>(#place)),
        ),
    };
    let what = format!(" {}", what.replace("{}", path));
    // A paragraph of its own.
    let gap = (!docs.is_empty()).then(|| quote!(#[doc = ""]));
    let checks = message_checks(service, method);
    quote! {
        #(#cfgs)*
        #(#docs)*
        #gap
        #[doc = #what]
        pub fn #name #signature {
            #checks
            self.stub.#call
        }
    }
}
