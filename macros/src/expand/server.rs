//! `GreeterServer<T>`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned;

use crate::model::{Kind, Method, Service};
use crate::names;

use super::message::message_checks;
use super::spec::place;

/// The server type, which carries each call to its method.
pub(crate) fn server(service: &Service) -> TokenStream {
    let Service { krate, attributes, ident, methods, parameter, .. } = service;
    let (server, table) = (name(service), names::generated(&names::table(ident)));
    let item = item(service, &quote!(#ident));
    let [method, call, handler] = ["method", "call", "service"].map(names::binding);
    // A service without methods needs no handle.
    let handle = (!methods.is_empty())
        .then(|| quote!(let #handler = ::core::clone::Clone::clone(&self.service);));
    let arms = methods.iter().map(|method| arm(service, method));
    quote! {
        #item

        #(#attributes)*
        impl<#parameter: #ident> #krate::__private::Service for #server<#parameter> {
            fn spec(&self) -> &'static #krate::__private::ServiceSpec {
                &#table::__SPEC
            }

            fn dispatch(&self, #method: usize, #call: #krate::__private::ServerCall) -> #krate::__private::Started {
                #handle
                match #method {
                    #(#arms)*
                    _ => #call.unknown_method(),
                }
            }
        }
    }
}

/// A server type that answers nothing, for any `T`.
pub(crate) fn empty_server(service: &Service) -> TokenStream {
    let Service { krate, attributes, ident, parameter, .. } = service;
    let (server, table) = (name(service), names::generated(&names::table(ident)));
    let [method, call] = ["method", "call"].map(names::binding);
    let any = quote!(::core::marker::Send + ::core::marker::Sync + 'static);
    let item = item(service, &any);
    quote! {
        #item

        #(#attributes)*
        impl<#parameter: #any> #krate::__private::Service for #server<#parameter> {
            fn spec(&self) -> &'static #krate::__private::ServiceSpec {
                &#table::__SPEC
            }

            fn dispatch(&self, #method: usize, #call: #krate::__private::ServerCall) -> #krate::__private::Started {
                let _ = #method;
                #call.unknown_method()
            }
        }
    }
}

fn name(service: &Service) -> Ident {
    names::generated(&names::server(&service.ident))
}

/// The struct with all but its calls.
fn item(service: &Service, bound: &TokenStream) -> TokenStream {
    let Service { attributes, deprecated, vis, ident, wire_name, parameter, .. } = service;
    let f = names::binding("f");
    let server = name(service);
    let title = server.to_string();
    let summary = format!(
        " Serves a [`{ident}`] as `{wire_name}`: give it to `Server::builder().service(..)`. Clones share the one service."
    );
    let new = format!(" Makes a server of a [`{ident}`].");
    quote! {
        #(#attributes)*
        #(#deprecated)*
        #[doc = #summary]
        #vis struct #server<#parameter> {
            service: ::std::sync::Arc<#parameter>,
        }

        #(#attributes)*
        impl<#parameter: #bound> #server<#parameter> {
            #[doc = #new]
            #[must_use]
            pub fn new(service: #parameter) -> Self {
                Self::from_arc(::std::sync::Arc::new(service))
            }

            /// Makes a server of a service that is used elsewhere, too.
            #[must_use]
            pub fn from_arc(service: ::std::sync::Arc<#parameter>) -> Self {
                Self { service }
            }
        }

        #(#attributes)*
        impl<#parameter> ::core::clone::Clone for #server<#parameter> {
            fn clone(&self) -> Self {
                Self { service: ::core::clone::Clone::clone(&self.service) }
            }
        }

        #(#attributes)*
        impl<#parameter> ::core::fmt::Debug for #server<#parameter> {
            fn fmt(&self, #f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #f.debug_struct(#title).finish_non_exhaustive()
            }
        }
    }
}

fn arm(service: &Service, method: &Method) -> TokenStream {
    let (trait_ident, parameter) = (&service.ident, &service.parameter);
    let Method { cfgs, shape, context, .. } = method;
    let (name, place) = (names::generated(&method.ident), place(service, method));
    let (request, answer) = (&shape.request, &shape.answer);
    let checks = message_checks(service, method);
    // A context of another type shows at the context, a `Result` of another type at the answer.
    let here = names::generated_span(answer.span());
    let cx = Ident::new("__cx", names::generated_span(*context));
    let [call, number, handle] = ["call", "method", "service"].map(names::binding);
    let [one, reader, writer, rw] = ["request", "reader", "writer", "rw"].map(names::binding);
    let (function, types, arguments) = match shape.kind {
        Kind::Unary => (
            if method.json { "unary_json" } else { "unary" },
            quote!(#request, #answer),
            quote!(#one),
        ),
        Kind::OneWay => {
            (if method.json { "oneway_json" } else { "oneway" }, quote!(#request), quote!(#one))
        }
        Kind::ClientStream => ("client_stream", quote!(#request, #answer), quote!(#reader)),
        Kind::ServerStream => ("server_stream", quote!(#request, #answer), quote!(#one, #writer)),
        Kind::Bidi => ("bidi", quote!(#request, #answer), quote!(#rw)),
    };
    let function = Ident::new(function, here);
    let there = names::generated_span(method.ident.span());
    let handler = quote_spanned!(there=> <#parameter as #trait_ident>::#name);
    let quiet = method
        .is_deprecated()
        .then(|| quote!(#[allow(deprecated, reason = "it is served all the same")]));
    let dispatched = quote_spanned! { here =>
        #quiet
        #call.#function::<#types, _, _>(move |#cx, #arguments| async move {
            #handler(&#handle, #cx, #arguments).await
        })
    };
    quote! {
        #(#cfgs)*
        _ if #number == #place => {
            #checks
            #dispatched
        }
    }
}
