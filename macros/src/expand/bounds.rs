//! The bound that every message has.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Path, Type};

use crate::model::{Kind, Method};
use crate::names;

/// `where Request: Message, ..`, each bound at the place of its type.
///
/// The types are known, so these bounds say nothing new. They are there for a type that is no message: the compiler reports a bound
/// that cannot hold where it stands, once, and then takes it as given in the code behind it.
pub(super) fn message_bounds<'a>(krate: &Path, methods: impl Iterator<Item = &'a Method>) -> TokenStream {
    let mut bounds: Vec<TokenStream> = Vec::new();
    for method in methods {
        let Method { shape, .. } = method;
        bounds.push(bound(krate, &shape.request));
        if shape.kind != Kind::OneWay {
            bounds.push(bound(krate, &shape.answer));
        }
    }
    if bounds.is_empty() { TokenStream::new() } else { quote!(where #(#bounds),*) }
}

fn bound(krate: &Path, ty: &Type) -> TokenStream {
    let bound = names::at(names::generated_span(ty.span()), quote!(#krate::Message));
    quote!(#ty: #bound)
}
