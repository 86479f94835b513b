//! The code that is written after a mistake, so that one mistake is one error.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{FnArg, Pat, TraitItem, parse_quote};

use crate::check::is_plain;
use crate::expand;
use crate::model::Service;
use crate::parse::{Written, complete, named};

/// The user's trait, a server that answers nothing, a client with the methods that are right, and
/// the errors.
///
/// Code that implements the trait, serves it or calls those methods compiles as before.
pub(crate) fn service(
    mut service: Service,
    mut written: Written,
    errors: &TokenStream,
) -> TokenStream {
    if !is_plain(&written) {
        service.methods.clear();
    }
    let mut seen = HashSet::new();
    written.item.items.retain_mut(|item| {
        let TraitItem::Fn(method) = item else { return true };
        for argument in &mut method.sig.inputs {
            if let FnArg::Typed(argument) = argument {
                complete(&mut argument.ty);
                if method.default.is_none() {
                    plain(&mut argument.pat);
                }
            }
        }
        // The compiler has an error of its own for a name that is there twice.
        seen.insert(method.sig.ident.to_string()) || !named(&method.attrs, &["cfg"]).is_empty()
    });
    let (trait_item, spec) =
        (expand::trait_item(&service.krate, &written.item), expand::spec(&service));
    let (server, client) = (expand::empty_server(&service), expand::client(&service));
    let object = expand::empty_object(&service);
    quote!(#errors #trait_item #spec #server #client #object)
}

/// A name in place of a pattern, for which the compiler has an error of its own.
fn plain(pattern: &mut Pat) {
    *pattern = match pattern {
        Pat::Ident(pattern) => {
            let name = &pattern.ident;
            parse_quote!(#name)
        }
        _ => parse_quote!(_),
    };
}
