//! The expansions, compared with the files in `tests/golden`.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Item, Meta};

/// Compares with the file that is checked in; with `TRILL_BLESS` in the environment it is written
/// instead.
fn expands(name: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let source =
        std::fs::read_to_string(format!("{folder}/{name}.rs")).expect("the input is there");
    let (args, item) = attribute_and_item(&source);
    let file = syn::parse2(crate::service_tokens(args, &item)).expect("the expansion is Rust");
    let expansion = format!("// {name}.rs, expanded.\n{}", prettyplease::unparse(&file));
    let golden = format!("{folder}/{name}.expanded.rs");
    if std::env::var_os("TRILL_BLESS").is_some() {
        std::fs::write(golden, expansion).expect("the folder can be written");
        return;
    }
    let golden = std::fs::read_to_string(golden).expect("the golden file is there");
    assert!(golden == expansion, "the expansion of {name}.rs has changed, to\n{expansion}");
}

/// The arguments of `#[service(..)]`, and the item without it.
fn attribute_and_item(source: &str) -> (TokenStream, TokenStream) {
    let mut item: Item = syn::parse_str(source).expect("the input is an item");
    let attributes = match &mut item {
        Item::Trait(item) => &mut item.attrs,
        Item::Impl(item) => &mut item.attrs,
        _ => panic!("the input is a trait or an `impl`"),
    };
    let place = attributes.iter().position(|attribute| attribute.path().is_ident("service"));
    let attribute = attributes.remove(place.expect("the input has the attribute"));
    (arguments(attribute), item.into_token_stream())
}

fn arguments(attribute: Attribute) -> TokenStream {
    match attribute.meta {
        Meta::List(list) => list.tokens,
        _ => TokenStream::new(),
    }
}

#[test]
fn every_kind_of_method() {
    expands("kinds");
}

#[test]
fn names_conditions_bodies_and_another_crate() {
    expands("details");
}

#[test]
fn a_service_behind_dyn() {
    expands("object");
}

#[test]
fn after_a_mistake_in_a_service_behind_dyn_the_object_safe_trait_stays() {
    expands("object_mistake");
}

#[test]
fn an_impl() {
    expands("handler");
}

#[test]
fn after_mistakes_in_methods_the_trait_and_the_right_methods_stay() {
    expands("mistakes");
}

#[test]
fn after_a_mistake_in_the_trait_itself_the_types_stay() {
    expands("generic");
}
