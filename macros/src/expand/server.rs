//! `GreeterServer<T>`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::model::{Kind, Method, Service};
use crate::names;

use super::message::message_checks;
use super::spec::place;

/// The server type, which carries each call to its method.
pub(crate) fn server(service: &Service) -> TokenStream {
    let Service { krate, cfgs, ident, methods, .. } = service;
    let (server, table) = (name(service), names::generated(&names::table(ident)));
    let item = item(service, &quote!(#ident));
    // `__T` because a message may be called `T`. A service without methods needs no handle.
    let handle = (!methods.is_empty()).then(|| quote!(let service = ::std::sync::Arc::clone(&self.service);));
    let arms = methods.iter().map(|method| arm(service, method));
    quote! {
        #item

        #(#cfgs)*
        impl<__T: #ident> #krate::__private::Service for #server<__T> {
            fn spec(&self) -> &'static #krate::__private::ServiceSpec {
                &#table::__SPEC
            }

            fn dispatch(&self, method: usize, call: #krate::__private::ServerCall) {
                #handle
                match method {
                    #(#arms)*
                    _ => call.unknown_method(),
                }
            }
        }
    }
}

/// A server type that answers nothing, for any `T`.
pub(crate) fn empty_server(service: &Service) -> TokenStream {
    let Service { krate, cfgs, ident, .. } = service;
    let (server, table) = (name(service), names::generated(&names::table(ident)));
    let any = quote!(::core::marker::Send + ::core::marker::Sync + 'static);
    let item = item(service, &any);
    quote! {
        #item

        #(#cfgs)*
        impl<T: #any> #krate::__private::Service for #server<T> {
            fn spec(&self) -> &'static #krate::__private::ServiceSpec {
                &#table::__SPEC
            }

            fn dispatch(&self, _method: usize, call: #krate::__private::ServerCall) {
                call.unknown_method();
            }
        }
    }
}

fn name(service: &Service) -> syn::Ident {
    names::generated(&names::server(&service.ident))
}

/// The struct with all but its calls.
fn item(service: &Service, bound: &TokenStream) -> TokenStream {
    let Service { cfgs, vis, ident, wire_name, .. } = service;
    let server = name(service);
    let title = server.to_string();
    let summary = format!(
        " Serves a [`{ident}`] as `{wire_name}`: give it to `Server::builder().service(..)`. Clones share the one service."
    );
    let new = format!(" Makes a server of a [`{ident}`].");
    quote! {
        #(#cfgs)*
        #[doc = #summary]
        #vis struct #server<T> {
            service: ::std::sync::Arc<T>,
        }

        #(#cfgs)*
        impl<T: #bound> #server<T> {
            #[doc = #new]
            #[must_use]
            pub fn new(service: T) -> Self {
                Self::from_arc(::std::sync::Arc::new(service))
            }

            /// Makes a server of a service that is used elsewhere, too.
            #[must_use]
            pub fn from_arc(service: ::std::sync::Arc<T>) -> Self {
                Self { service }
            }
        }

        #(#cfgs)*
        impl<T> ::core::clone::Clone for #server<T> {
            fn clone(&self) -> Self {
                Self { service: ::std::sync::Arc::clone(&self.service) }
            }
        }

        #(#cfgs)*
        impl<T> ::core::fmt::Debug for #server<T> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#title).finish_non_exhaustive()
            }
        }
    }
}

fn arm(service: &Service, method: &Method) -> TokenStream {
    let ident = &service.ident;
    let Method { ident: name, cfgs, shape, .. } = method;
    let (place, request, answer) = (place(service, method), &shape.request, &shape.answer);
    let handler = |arguments: TokenStream| {
        // Where a wrong `Result` shows.
        quote_spanned! { names::generated_span(answer.span()) =>
            move |#arguments| async move { <__T as #ident>::#name(&service, #arguments).await }
        }
    };
    let call = match shape.kind {
        Kind::Unary => {
            let handler = handler(quote!(cx, request));
            quote!(call.unary::<#request, #answer, _, _>(#handler))
        }
        Kind::OneWay => {
            let handler = handler(quote!(cx, request));
            quote!(call.oneway::<#request, _, _>(#handler))
        }
        Kind::ClientStream => {
            let handler = handler(quote!(cx, reader));
            quote!(call.client_stream::<#request, #answer, _, _>(#handler))
        }
        Kind::ServerStream => {
            let handler = handler(quote!(cx, request, writer));
            quote!(call.server_stream::<#request, #answer, _, _>(#handler))
        }
        Kind::Bidi => {
            let handler = handler(quote!(cx, rw));
            quote!(call.bidi::<#request, #answer, _, _>(#handler))
        }
    };
    let checks = message_checks(service, method);
    quote! {
        #(#cfgs)*
        _ if method == #place => {
            #checks
            #call;
        }
    }
}
