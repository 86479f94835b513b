//! The `#[trill::service]` attribute.
//!
//! `args` and `parse` read what is written, `check` turns it into the `model` and collects the
//! mistakes, `expand` writes the code. After a mistake `fallback` writes what keeps the rest of the
//! user's program compiling. Deliberately absent: any knowledge of how calls work. The expansion is
//! tables and one call per method into `trill::__private`.
#![forbid(unsafe_code)]
#![warn(clippy::too_many_lines)]

mod args;
mod check;
mod expand;
mod fallback;
mod mistakes;
mod model;
mod names;
mod parse;

#[cfg(test)]
mod golden;

use proc_macro2::TokenStream;
use quote::quote;

use crate::mistakes::Mistakes;

// The documentation stands where `trill` re-exports the attribute, so that its examples can use
// `trill`. This is its last paragraph.
/// All mistakes of a trait are reported at once, each at its place and with the next step.
#[proc_macro_attribute]
pub fn service(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    service_tokens(args.into(), &item.into()).into()
}

fn service_tokens(args: TokenStream, item: &TokenStream) -> TokenStream {
    match parse::item(item) {
        Ok(parse::Item::Trait(item)) => on_trait(args, item),
        Ok(parse::Item::Impl(item)) => on_impl(args, item),
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#item #error)
        }
    }
}

fn on_trait(args: TokenStream, item: syn::ItemTrait) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let args = args::TraitArgs::parse(args, &mut mistakes);
    let written = parse::trait_item(item, &mut mistakes);
    let service = check::service(&args, &written, &mut mistakes);
    match mistakes.into_compile_errors() {
        None => expand::service(&service, &written),
        Some(errors) => fallback::service(service, written, &errors),
    }
}

fn on_impl(args: TokenStream, item: syn::ItemImpl) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let args = args::ImplArgs::parse(args, &mut mistakes);
    let item = parse::impl_item(item, &mut mistakes);
    let handler = check::handler(&args, &item, &mut mistakes);
    let errors = mistakes.into_compile_errors();
    let into_service = handler.map(|handler| expand::into_service(&handler, &item));
    quote!(#item #into_service #errors)
}
