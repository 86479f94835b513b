//! A type that is a service as it stands.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemImpl;

use crate::model::Handler;

/// Lets `Server::builder().service(..)` take the type of this `impl`.
///
/// The way goes through a hidden method of the trait, so that nobody needs to import the server
/// type. The marker tells this `impl` from those of other services for the same type.
pub(crate) fn into_service(handler: &Handler, item: &ItemImpl) -> TokenStream {
    let Handler { krate, cfgs, service } = handler;
    let ty = &item.self_ty;
    let (parameters, _, clause) = item.generics.split_for_impl();
    quote! {
        #(#cfgs)*
        #[allow(deprecated, reason = "the `impl` has the warning already")]
        const _: () = {
            #[derive(::core::fmt::Debug)]
            pub enum __Marker {}

            impl #parameters #krate::__private::IntoService<__Marker> for #ty #clause {
                fn into_service(self) -> ::std::sync::Arc<dyn #krate::__private::Service> {
                    <Self as #service>::__into_service(self)
                }
            }
        };
    }
}
