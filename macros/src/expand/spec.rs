//! The table of a service.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Ident;

use crate::model::{Kind, Method, Service};
use crate::names;

/// An enum that counts the methods, and the table in the same order.
///
/// Both carry the methods' `#[cfg]`s, so that a variant's number is its place in the table whatever
/// is compiled.
pub(crate) fn spec(service: &Service) -> TokenStream {
    let Service { krate, attributes, wire_name, methods, parameter, .. } = service;
    let table = names::generated(&names::table(&service.ident));
    let variants = methods.iter().map(|method| {
        let (cfgs, variant) = (&method.cfgs, names::generated(&method.ident));
        quote!(#(#cfgs)* #variant)
    });
    let entries = methods.iter().map(|method| {
        let Method { cfgs, path, aliases, json, .. } = method;
        let kind = kind(method.shape.kind);
        quote! {
            #(#cfgs)*
            #krate::__private::MethodSpec {
                path: #path,
                kind: #krate::__private::MethodKind::#kind,
                aliases: &[#(#aliases),*],
                json: #json,
            }
        }
    });
    let json_message = methods
        .iter()
        .any(|method| method.json)
        .then(|| quote!(fn __json_message<#parameter: #krate::stream::JsonMessage>() {}));
    quote! {
        #(#attributes)*
        enum #table { #(#variants),* }

        #(#attributes)*
        impl #table {
            const __SPEC: #krate::__private::ServiceSpec = #krate::__private::ServiceSpec {
                name: #wire_name,
                methods: &[#(#entries),*],
            };

            fn __message<#parameter: #krate::Message>() {}
            #json_message
        }
    }
}

/// A method's place in the table.
pub(super) fn place(service: &Service, method: &Method) -> TokenStream {
    let (table, variant) =
        (names::generated(&names::table(&service.ident)), names::generated(&method.ident));
    quote!(#table::#variant as usize)
}

fn kind(kind: Kind) -> Ident {
    let name = match kind {
        Kind::Unary => "Unary",
        Kind::OneWay => "OneWay",
        Kind::ClientStream => "ClientStream",
        Kind::ServerStream => "ServerStream",
        Kind::Bidi => "Bidi",
    };
    Ident::new(name, proc_macro2::Span::call_site())
}
