//! The trait itself, with futures that are `Send`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ItemTrait, ReturnType, TraitItem, TraitItemFn, Type, TypeParamBound, parse_quote};

use crate::model::Service;
use crate::names;

/// The trait, each `async fn` as a function that returns a `Send` future. It is implemented with `async fn` all the same.
pub(crate) fn trait_item(service: &Service, item: &ItemTrait) -> TokenStream {
    let mut item = item.clone();
    for bound in
        [parse_quote!(::core::marker::Send), parse_quote!(::core::marker::Sync), parse_quote!('static)]
    {
        if !item.supertraits.iter().any(|present| is_same(present, &bound)) {
            item.supertraits.push(bound);
        }
    }
    item.colon_token.get_or_insert_default();
    // A program that is only a client never uses the trait.
    item.attrs.push(parse_quote!(#[allow(dead_code)]));
    for item in &mut item.items {
        if let TraitItem::Fn(method) = item {
            desugar(method);
        }
    }
    item.items.push(into_service(service));
    item.into_token_stream()
}

/// A hidden method through which a type with `#[trill::service]` on its `impl` finds the server type, wherever that is.
fn into_service(service: &Service) -> TraitItem {
    let Service { krate, ident, .. } = service;
    let server = names::generated(&names::server(ident));
    parse_quote! {
        #[doc(hidden)]
        fn __into_service(self) -> ::std::sync::Arc<dyn #krate::__private::Service>
        where
            Self: ::core::marker::Sized,
        {
            ::std::sync::Arc::new(#server::new(self))
        }
    }
}

/// `async fn f() -> T` as `fn f() -> impl Future<Output = T> + Send`.
///
/// A plain `fn` is treated alike: it comes here only after the mistake is reported, and its implementations are `async` already.
fn desugar(method: &mut TraitItemFn) {
    let output: Type = match &method.sig.output {
        ReturnType::Type(_, output) if matches!(**output, Type::ImplTrait(_)) => return,
        ReturnType::Type(_, output) => (**output).clone(),
        ReturnType::Default => parse_quote!(()),
    };
    method.sig.asyncness = None;
    method.sig.output = parse_quote! {
        -> impl ::core::future::Future<Output = #output> + ::core::marker::Send
    };
    if let Some(body) = &method.default {
        method.default = Some(parse_quote!({ async move #body }));
        method.semi_token = None;
    }
}

/// Whether a bound is written already, by its full name or its last word.
fn is_same(present: &TypeParamBound, bound: &TypeParamBound) -> bool {
    match (present, bound) {
        (TypeParamBound::Trait(present), TypeParamBound::Trait(bound)) => {
            let last = |path: &syn::Path| path.segments.last().map(|segment| segment.ident.clone());
            last(&present.path) == last(&bound.path)
        }
        (present, bound) => quote!(#present).to_string() == quote!(#bound).to_string(),
    }
}
