//! `DynGreeter`, for a service behind `dyn`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, ReturnType, Token, TraitItem, TraitItemFn, Type, TypeParamBound};

use crate::model::Service;
use crate::names;
use crate::parse::{Written, named, typed};

/// The object-safe trait beside the service's own, which it leaves as it is: each service is one
/// of these, and one of these in an `Arc` or a `Box` is a service. Nothing if nobody asked for it.
///
/// Its methods have hidden names, because both traits are in scope where the service is written,
/// and a call of a method that both have would be ambiguous.
pub(crate) fn object(service: &Service, written: &Written) -> Option<TokenStream> {
    let Service { attributes, ident, parameter, .. } = service;
    let object = service.object.then(|| name(service))?;
    let methods: Vec<_> = written
        .item
        .items
        .iter()
        .filter_map(|item| match item {
            TraitItem::Fn(method) => Some(Forwarded::new(method)),
            _ => None,
        })
        .collect();
    let declared = methods.iter().map(Forwarded::declared);
    let item = item(service, &written.item.supertraits, &quote!(#(#declared)*));
    let boxed = methods.iter().map(|method| method.boxed(ident, parameter));
    let holders = [quote!(::std::sync::Arc), quote!(::std::boxed::Box)].map(|holder| {
        let forwarded = methods.iter().map(|method| method.forwarded(&object));
        let into_service = into_service(service, &holder);
        quote! {
            #(#attributes)*
            impl #ident for #holder<dyn #object> {
                #(#forwarded)*
            }

            #into_service
        }
    });
    Some(quote! {
        #item

        #(#attributes)*
        impl<#parameter: #ident> #object for #parameter {
            #(#boxed)*
        }

        #(#holders)*
    })
}

/// The trait without methods, for any `T`: after a mistake.
pub(crate) fn empty_object(service: &Service) -> Option<TokenStream> {
    let Service { attributes, parameter, .. } = service;
    let object = service.object.then(|| name(service))?;
    let item = item(service, &Punctuated::new(), &TokenStream::new());
    let holders = [quote!(::std::sync::Arc), quote!(::std::boxed::Box)]
        .map(|holder| into_service(service, &holder));
    Some(quote! {
        #item

        #(#attributes)*
        impl<#parameter: ::core::marker::Send + ::core::marker::Sync + 'static> #object for #parameter {}

        #(#holders)*
    })
}

fn name(service: &Service) -> Ident {
    names::generated(&names::object(&service.ident))
}

fn item(
    service: &Service,
    supertraits: &Punctuated<TypeParamBound, Token![+]>,
    methods: &TokenStream,
) -> TokenStream {
    let Service { attributes, deprecated, vis, ident, .. } = service;
    let object = name(service);
    let summary = format!(
        " A [`{ident}`] behind `dyn`. Each type that implements [`{ident}`] is one, and an `Arc<dyn {object}>` or `Box<dyn {object}>` is a [`{ident}`]: it can be served, and its methods called. A call allocates its future."
    );
    let supertraits = supertraits.iter();
    quote! {
        #(#attributes)*
        #(#deprecated)*
        #[doc = #summary]
        #[allow(dead_code)]
        #vis trait #object:
            #(#supertraits +)* ::core::marker::Send + ::core::marker::Sync + 'static
        {
            #methods
        }
    }
}

/// Lets `Server::builder().service(..)` take the service in its holder.
fn into_service(service: &Service, holder: &TokenStream) -> TokenStream {
    let Service { krate, attributes, ident, .. } = service;
    let (object, server) = (name(service), names::generated(&names::server(ident)));
    quote! {
        #(#attributes)*
        const _: () = {
            #[derive(::core::fmt::Debug)]
            pub enum __Marker {}

            impl #krate::__private::IntoService<__Marker> for #holder<dyn #object> {
                fn into_service(self) -> ::std::sync::Arc<dyn #krate::__private::Service> {
                    ::std::sync::Arc::new(#server::new(self))
                }
            }
        };
    }
}

/// A method that is handed on, with its types as they are written.
struct Forwarded<'a> {
    name: Ident,
    hidden: Ident,
    arguments: Vec<(Ident, &'a Type)>,
    output: &'a Type,
    cfgs: Vec<Attribute>,
    quiet: Option<TokenStream>,
}

impl<'a> Forwarded<'a> {
    fn new(method: &'a TraitItemFn) -> Self {
        let name = names::generated(&method.sig.ident);
        let ReturnType::Type(_, output) = &method.sig.output else {
            unreachable!("a method without an answer is a mistake")
        };
        let arguments = typed(&method.sig)
            .enumerate()
            .map(|(place, argument)| (names::binding(&place.to_string()), &*argument.ty));
        let is_deprecated = !named(&method.attrs, &["deprecated"]).is_empty();
        Self {
            hidden: format_ident!("__{}", name.unraw(), span = name.span()),
            name,
            arguments: arguments.collect(),
            output,
            cfgs: named(&method.attrs, &["cfg"]),
            quiet: is_deprecated
                .then(|| quote!(#[allow(deprecated, reason = "it is handed on all the same")])),
        }
    }

    fn parameters(&self) -> impl Iterator<Item = TokenStream> {
        self.arguments.iter().map(|(name, ty)| quote!(#name: #ty))
    }

    fn names(&self) -> impl Iterator<Item = &Ident> {
        self.arguments.iter().map(|(name, _)| name)
    }

    /// Its signature in the object-safe trait.
    fn signature(&self) -> TokenStream {
        let (hidden, output, parameters) = (&self.hidden, self.output, self.parameters());
        quote! {
            fn #hidden(&self, #(#parameters),*) -> ::core::pin::Pin<
                ::std::boxed::Box<dyn ::core::future::Future<Output = #output> + ::core::marker::Send + '_>
            >
        }
    }

    fn declared(&self) -> TokenStream {
        let (cfgs, signature) = (&self.cfgs, self.signature());
        quote! {
            #(#cfgs)*
            #[doc(hidden)]
            #signature;
        }
    }

    /// Of a service, as one behind `dyn`.
    fn boxed(&self, service: &Ident, parameter: &Ident) -> TokenStream {
        let Self { name, cfgs, quiet, .. } = self;
        let (signature, arguments) = (self.signature(), self.names());
        quote! {
            #(#cfgs)*
            #quiet
            #signature {
                ::std::boxed::Box::pin(<#parameter as #service>::#name(self, #(#arguments),*))
            }
        }
    }

    /// Of one behind `dyn` in its holder, as a service.
    fn forwarded(&self, object: &Ident) -> TokenStream {
        let Self { name, hidden, output, cfgs, quiet, .. } = self;
        let (parameters, arguments) = (self.parameters(), self.names());
        quote! {
            #(#cfgs)*
            #quiet
            fn #name(
                &self,
                #(#parameters),*
            ) -> impl ::core::future::Future<Output = #output> + ::core::marker::Send {
                <dyn #object as #object>::#hidden(&**self, #(#arguments),*)
            }
        }
    }
}
