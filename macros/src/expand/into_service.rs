//! A type that is a service as it stands.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemImpl;

use crate::model::Handler;

/// Lets `Server::builder().service(..)` take the type of this `impl`. The trait knows its server type, so that this code need not find it.
pub(crate) fn into_service(handler: &Handler, item: &ItemImpl) -> TokenStream {
    let Handler { krate, cfgs, service } = handler;
    let ty = &item.self_ty;
    let (parameters, _, clause) = item.generics.split_for_impl();
    quote! {
        #(#cfgs)*
        const _: () = {
            // Tells this service from others of the same type.
            #[doc(hidden)]
            #[derive(::core::fmt::Debug)]
            pub struct Marker(());

            impl #parameters #krate::__private::IntoService<Marker> for #ty #clause {
                fn into_service(self) -> ::std::sync::Arc<dyn #krate::__private::Service> {
                    <Self as #service>::__into_service(self)
                }
            }
        };
    }
}
