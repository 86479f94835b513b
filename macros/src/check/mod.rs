//! From what is written to the model, collecting every mistake on the way.

mod method;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Ident, ItemImpl, LitStr, TraitItem, Type, TypeParamBound, parse_quote};

use crate::args::{ImplArgs, TraitArgs};
use crate::mistakes::Mistakes;
use crate::model::{Handler, Method, Service};
use crate::names;
use crate::parse::{self, Written, named};

/// Checks a trait. The service that comes back has those methods which are right.
pub(crate) fn service(args: &TraitArgs, written: &Written, mistakes: &mut Mistakes) -> Service {
    let item = &written.item;
    trait_itself(written, mistakes);
    if args.object.is_some() {
        object_safe(written, mistakes);
    }
    let wire_name = wire_name(args, &item.ident, mistakes);
    let mut methods = Vec::new();
    for (item, rpc) in item.items.iter().zip(&written.rpc) {
        match item {
            TraitItem::Fn(method) => methods.extend(method::check(method, rpc, &wire_name, args.json.is_some(), mistakes)),
            TraitItem::Const(item) => {
                mistakes.at(&item.ident, "a service has methods only; move the constant out of the trait");
            }
            TraitItem::Type(item) => mistakes.at(
                &item.ident,
                "a service has methods only, because its clients do not know who serves it; name the type where it is used",
            ),
            TraitItem::Macro(item) => {
                mistakes.at(&item.mac.path, "what this macro expands to is not known here; write the methods out");
            }
            other => mistakes.at(other, "a service has methods only; move this out of the trait"),
        }
    }
    distinct(&mut methods, mistakes);
    if let Some(word) = &args.json
        && !methods.is_empty()
        && methods.iter().all(|method| method.shape.kind.is_stream())
    {
        mistakes.at(
            word,
            "only unary calls can be JSON, and this service has streams only; remove `json`",
        );
    }
    let krate = args.krate();
    Service {
        attributes: attributes(&item.attrs),
        vis: item.vis.clone(),
        ident: item.ident.clone(),
        deprecated: named(&item.attrs, &["deprecated"]),
        wire_name,
        parameter: names::free("T", &quote!(#item #krate)),
        object: args.object.is_some(),
        methods,
        krate,
    }
}

/// Checks an `impl` of a service trait. `None` if it cannot be made servable.
pub(crate) fn handler(
    args: &ImplArgs,
    item: &ItemImpl,
    mistakes: &mut Mistakes,
) -> Option<Handler> {
    let Some((path, _)) = &item.trait_ else {
        let text = "this implements no service; write `impl YourService for ..`, or put the attribute on the trait";
        mistakes.at(&item.self_ty, text);
        return None;
    };
    if let Some(not) = &item.modifiers.polarity {
        mistakes.at(not, "this implements nothing; remove the attribute");
        return None;
    }
    if let Type::Path(ty) = &*item.self_ty
        && item.generics.type_params().any(|parameter| ty.path.is_ident(&parameter.ident))
    {
        let text = format!(
            "not every type can be made a service at once; remove the attribute and serve `{}::new(..)`",
            names::server(&path.segments.last()?.ident)
        );
        mistakes.at(&item.self_ty, text);
        return None;
    }
    if parse::is_transparent(&item.self_ty, &item.generics) {
        let text = format!(
            "only a type of this crate, or an `Arc` of any, can be made a service by the attribute; remove it and serve `{}::new(..)`",
            names::server(&path.segments.last()?.ident)
        );
        mistakes.at(&item.self_ty, text);
        return None;
    }
    if let Some(last) = path.segments.last()
        && !last.arguments.is_empty()
    {
        mistakes.at(&last.arguments, "a service trait has no parameters; remove them");
        return None;
    }
    Some(Handler { krate: args.krate(), cfgs: named(&item.attrs, &["cfg"]), service: path.clone() })
}

/// Tells whether clients can be made for a trait of this form, whatever its methods are.
pub(crate) fn is_plain(written: &Written) -> bool {
    let item = &written.item;
    item.generics.params.is_empty()
        && item.generics.where_clause.is_none()
        && !item.items.iter().any(|item| matches!(item, TraitItem::Type(_)))
}

/// The attributes that every generated item carries.
fn attributes(written: &[Attribute]) -> Vec<Attribute> {
    let mut attributes = named(written, &["cfg"]);
    if !named(written, &["deprecated"]).is_empty() {
        attributes.push(parse_quote!(#[allow(deprecated, reason = "it goes with its trait")]));
    }
    attributes
}

fn trait_itself(written: &Written, mistakes: &mut Mistakes) {
    let item = &written.item;
    if !item.generics.params.is_empty() {
        let text = "a service is one table of methods, so its trait has no parameters; make the type that implements it generic";
        mistakes.at(&item.generics, text);
    }
    if let Some(clause) = &item.generics.where_clause {
        mistakes.at(
            clause,
            "a service trait has no `where` clause; bound the type that implements it, or add a supertrait",
        );
    }
    if let Some(word) = &item.unsafety {
        mistakes.at(word, "a service is safe to implement; remove `unsafe`");
    }
    if let Some(word) = &item.modifiers.auto_token {
        mistakes.at(word, "a service has methods; remove `auto`");
    }
}

/// The traits of the standard library that no type behind `dyn` has.
const NOT_OBJECT_SAFE: [&str; 9] =
    ["Clone", "Copy", "Default", "Eq", "Hash", "Ord", "PartialEq", "PartialOrd", "Sized"];

fn object_safe(written: &Written, mistakes: &mut Mistakes) {
    for bound in &written.item.supertraits {
        if let TypeParamBound::Trait(bound) = bound
            && let Some(last) = bound.path.segments.last()
            && NOT_OBJECT_SAFE.iter().any(|name| last.ident == name)
        {
            let text = format!(
                "no type behind `dyn` has `{}`; remove it here, or `dyn` from the attribute",
                last.ident
            );
            mistakes.at(bound, text);
        }
    }
}

fn wire_name(args: &TraitArgs, ident: &Ident, mistakes: &mut Mistakes) -> String {
    let valid = |text: &LitStr, is_valid: fn(&str) -> bool| is_valid(&text.value());
    if let Some(package) = &args.package
        && !valid(package, names::is_package)
    {
        mistakes.at(
            package,
            "this is not the name of a protobuf package; write words of ASCII letters, digits and `_` with dots between them, such as \"trpc.test.helloworld\"",
        );
    }
    if let Some(name) = &args.name
        && !valid(name, names::is_wire_name)
    {
        mistakes.at(
            name,
            "this is not the name of a protobuf service; write one word of ASCII letters, digits and `_`, and what stands before the last dot as `package`",
        );
    }
    let name = args.name.as_ref().map_or_else(|| trait_name(ident, mistakes), LitStr::value);
    match &args.package {
        Some(package) => format!("{}.{name}", package.value()),
        None => name,
    }
}

fn trait_name(ident: &Ident, mistakes: &mut Mistakes) -> String {
    let name = ident.unraw().to_string();
    if !names::is_wire_name(&name) {
        mistakes.at(
            ident,
            "names on the wire are ASCII; add `name = \"..\"` to `#[trill::service(..)]`",
        );
    }
    name
}

/// No two methods have the same name, in Rust or on the wire. Methods that are compiled under
/// conditions may exclude each other: those are left to the compiler and to the server's table.
fn distinct(methods: &mut Vec<Method>, mistakes: &mut Mistakes) {
    let mut idents = HashSet::new();
    methods.retain(|method| {
        let is_new = idents.insert(method.ident.to_string()) || !method.cfgs.is_empty();
        if !is_new {
            let text = format!(
                "the service has a method `{}` already; rename one of the two",
                method.ident
            );
            mistakes.at(&method.ident, text);
        }
        is_new
    });
    let mut paths: HashMap<&str, &Method> = HashMap::new();
    for method in methods.iter().filter(|method| method.cfgs.is_empty()) {
        for path in std::iter::once(&method.path).chain(&method.aliases) {
            if let Some(other) = paths.insert(path, method) {
                let text = format!(
                    "`{}` is called `{path}` on the wire already; give one of the two another name with `#[rpc(name = \"..\")]`",
                    other.ident
                );
                mistakes.at(&method.ident, text);
            }
        }
    }
}
