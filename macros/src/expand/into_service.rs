//! A type that is a service as it stands.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemImpl;

use crate::model::Handler;

/// Lets `Server::builder().service(..)` take the type of this `impl`.
pub(crate) fn into_service(handler: &Handler, item: &ItemImpl) -> TokenStream {
    let Handler { krate, cfgs, server } = handler;
    let ty = &item.self_ty;
    let (parameters, _, clause) = item.generics.split_for_impl();
    quote! {
        #(#cfgs)*
        impl #parameters #krate::__private::IntoService<#server<#ty>> for #ty #clause {
            fn into_service(self) -> #server<#ty> {
                <#server<#ty>>::new(self)
            }
        }
    }
}
