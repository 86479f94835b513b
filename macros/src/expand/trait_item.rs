//! The trait itself, with futures that are `Send`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{
    ItemTrait, Path, ReturnType, TraitItem, TraitItemFn, Type, TypeParamBound, parse_quote,
    parse_quote_spanned,
};

use crate::names;
use crate::parse::named;

/// The trait, each `async fn` as a function that returns a `Send` future. It is implemented with
/// `async fn` all the same.
///
/// A hidden method makes the server of it, for whoever knows the trait only.
pub(crate) fn trait_item(krate: &Path, item: &ItemTrait) -> TokenStream {
    let server = names::generated(&names::server(&item.ident));
    let mut item = item.clone();
    item.supertraits.extend::<[TypeParamBound; 3]>([
        parse_quote!(::core::marker::Send),
        parse_quote!(::core::marker::Sync),
        parse_quote!('static),
    ]);
    item.colon_token.get_or_insert_default();
    // A program that is only a client never uses the trait.
    item.attrs.push(parse_quote!(#[allow(dead_code)]));
    for item in &mut item.items {
        if let TraitItem::Fn(method) = item {
            desugar(method);
        }
    }
    let quiet = (!named(&item.attrs, &["deprecated"]).is_empty())
        .then(|| quote!(#[allow(deprecated, reason = "it goes with its trait")]));
    item.items.push(parse_quote! {
        #quiet
        #[doc(hidden)]
        fn __into_service(self) -> ::std::sync::Arc<dyn #krate::__private::Service>
        where
            Self: ::core::marker::Sized,
        {
            ::std::sync::Arc::new(#server::new(self))
        }
    });
    item.into_token_stream()
}

/// `async fn f() -> T` as `fn f() -> impl Future<Output = T> + Send`.
///
/// A plain `fn` is treated alike: it comes here only after the mistake is reported, and its
/// implementations are `async` already.
fn desugar(method: &mut TraitItemFn) {
    let output: Type = match &method.sig.output {
        ReturnType::Type(_, output) if matches!(**output, Type::ImplTrait(_)) => return,
        ReturnType::Type(_, output) => (**output).clone(),
        ReturnType::Default => parse_quote!(()),
    };
    method.sig.asyncness = None;
    // Where a future that is not `Send` finds the bound.
    let here = names::generated_span(output.span());
    method.sig.output = parse_quote_spanned! { here =>
        -> impl ::core::future::Future<Output = #output> + ::core::marker::Send
    };
    if let Some(body) = &method.default {
        method.default = Some(parse_quote!({ async move #body }));
        method.semi_token = None;
    }
}
