//! One method.

use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Ident, Pat, PatType, Receiver, ReceiverKind, Safety, Signature, TraitItemFn};

use crate::args::RpcArgs;
use crate::mistakes::Mistakes;
use crate::model::Method;
use crate::names;
use crate::parse::{self, Argument, Role};

use super::shape;

/// Checks a method; `None` if no call can be made of it.
pub(super) fn check(
    item: &TraitItemFn,
    rpc: &RpcArgs,
    service: &str,
    all_json: bool,
    mistakes: &mut Mistakes,
) -> Option<Method> {
    let signature = &item.sig;
    qualifiers(signature, mistakes);
    generics(signature, mistakes);
    receiver(signature, mistakes);
    if item.default.is_none() {
        parse::typed(signature).for_each(|argument| pattern(argument, mistakes));
    }
    let answer = mistakes.take(parse::answer(signature));
    let arguments = arguments(signature, mistakes);
    let name = wire_name(&signature.ident, rpc, mistakes);
    let aliases = aliases(rpc, mistakes);
    if let Some(text) = clash(&signature.ident) {
        mistakes.at(&signature.ident, text);
        return None;
    }
    let arguments = arguments?;
    let shape = shape::check(signature, &arguments, answer, rpc, mistakes)?;
    let is_stream = shape.kind.is_stream();
    if let Some(word) = &rpc.json
        && is_stream
    {
        mistakes.at(
            word,
            "only unary calls can be JSON, streams carry protobuf; remove `json` from this one",
        );
    }
    let is_request = |argument: &&Argument<'_>| matches!(argument.role, Role::Message(_));
    Some(Method {
        ident: signature.ident.clone(),
        path: format!("/{service}/{name}"),
        aliases,
        argument: arguments.iter().find(is_request).and_then(Argument::name).cloned(),
        json: !is_stream && (all_json || rpc.json.is_some()),
        shape,
        context: parse::typed(signature).next().map_or_else(|| signature.span(), |cx| cx.ty.span()),
        cfgs: parse::named(&item.attrs, &["cfg"]),
        docs: parse::named(&item.attrs, &["doc", "deprecated"]),
    })
}

fn qualifiers(signature: &Signature, mistakes: &mut Mistakes) {
    if signature.asyncness.is_none() {
        mistakes.at(
            signature.fn_token,
            "a handler waits without blocking its thread; write `async fn`",
        );
    }
    if let Some(word) = &signature.constness {
        mistakes.at(word, "a handler runs when it is called; remove `const`");
    }
    if let Safety::Unsafe(word) = &signature.safety {
        mistakes.at(word, "anybody on the network can call a handler; remove `unsafe`");
    }
    if let Some(abi) = &signature.abi {
        mistakes.at(abi, "a handler is a Rust function; remove this");
    }
    if let Some(dots) = &signature.variadic {
        mistakes.at(dots, "a call has one request; remove this");
    }
}

fn generics(signature: &Signature, mistakes: &mut Mistakes) {
    let generics = &signature.generics;
    if generics.lifetimes().next().is_some() {
        let text = "messages are owned, so a method needs no lifetimes; remove them";
        mistakes.at(generics, text);
    } else if !generics.params.is_empty() {
        let text =
            "the messages of a method are known types, since they are encoded; name them instead";
        mistakes.at(generics, text);
    }
    if let Some(clause) = &generics.where_clause {
        mistakes.at(clause, "a method of a service has no `where` clause; remove it");
    }
}

fn receiver(signature: &Signature, mistakes: &mut Mistakes) {
    let shared = "one service answers all calls at the same time";
    match signature.receiver() {
        None => {
            mistakes.at(
                &signature.ident,
                "the method has no receiver; write `&self` as its first argument",
            );
        }
        Some(Receiver { kind: ReceiverKind::Reference(_, None, None), .. }) => {}
        Some(receiver @ Receiver { kind: ReceiverKind::Reference(_, _, Some(_)), .. }) => {
            let text = format!("{shared}; take `&self`, and keep what changes behind a lock");
            mistakes.at(receiver, text);
        }
        Some(receiver @ Receiver { kind: ReceiverKind::Reference(..), .. }) => {
            mistakes
                .at(receiver, "messages are owned, so a method needs no lifetimes; take `&self`");
        }
        Some(receiver) => mistakes.at(receiver, format!("{shared}; take `&self`")),
    }
}

/// The error text for a name that generated code has already.
fn clash(ident: &Ident) -> Option<&'static str> {
    if ident == "new" {
        Some(
            "the generated client has a function `new` already; rename the method, and keep its name on the wire with `#[rpc(name = \"New\")]`",
        )
    } else if ident.unraw().to_string().starts_with("__") {
        Some("names that begin with two underscores are for generated code; rename the method")
    } else {
        None
    }
}

/// Without a body, an argument is a name and a type.
fn pattern(argument: &PatType, mistakes: &mut Mistakes) {
    match &*argument.pat {
        Pat::Wild(_) => {}
        Pat::Ident(pattern) => {
            if let Some(word) = &pattern.mutability {
                mistakes.at(
                    word,
                    "whether an argument is `mut` is the implementation's business; remove it here",
                );
            } else if pattern.by_ref.is_some() || pattern.subpat.is_some() {
                mistakes.at(pattern, "a pattern belongs in the implementation; write a plain name");
            }
        }
        pattern => {
            mistakes.at(pattern, "a pattern belongs in the implementation; write a plain name");
        }
    }
}

/// The arguments after the context; `None` if one of them is no argument of a call.
fn arguments<'a>(signature: &'a Signature, mistakes: &mut Mistakes) -> Option<Vec<Argument<'a>>> {
    let parsed: Vec<_> = parse::typed(signature)
        .enumerate()
        .map(|(place, argument)| mistakes.take(Argument::parse(argument, place == 0)))
        .collect();
    let is_context = |argument: &Option<Argument<'_>>| {
        argument.as_ref().is_some_and(Argument::is_called_context)
    };
    match parsed.iter().position(is_context) {
        Some(0) => {}
        Some(place) => {
            let context = parsed[place].as_ref().map(|argument| argument.written);
            mistakes.at(context, "the `Context` comes first; write `&self, cx: Context, ..`");
            return None;
        }
        // A borrowed context is reported already.
        None if parse::typed(signature).any(mentions_context) => {}
        None => {
            let text = "the handler's `Context` is missing; write `cx: Context` after `&self`, by this name: an alias is not seen through";
            match parsed.first() {
                Some(Some(argument)) => mistakes.at(argument.written, text),
                _ => mistakes.at(&signature.ident, text),
            }
            // One of several may be the context by another name.
            if parsed.len() > 1 {
                return None;
            }
        }
    }
    let mut arguments = parsed.into_iter().collect::<Option<Vec<_>>>()?;
    arguments.retain(|argument| !matches!(argument.role, Role::Context));
    Some(arguments)
}

fn mentions_context(argument: &PatType) -> bool {
    names::mentions(&argument.ty, &|token| token == "Context")
}

fn wire_name(ident: &Ident, rpc: &RpcArgs, mistakes: &mut Mistakes) -> String {
    match &rpc.name {
        Some(name) => {
            let text = name.value();
            if !names::is_wire_name(&text) {
                mistakes.at(
                    name,
                    "this is not the name of a protobuf method; write one word of ASCII letters, digits and `_`, and other paths as `alias`",
                );
            }
            text
        }
        None => {
            let text = names::upper_camel_case(ident);
            if !names::is_wire_name(&text) {
                mistakes.at(ident, "this gives no name on the wire; add `#[rpc(name = \"..\")]`");
            }
            text
        }
    }
}

fn aliases(rpc: &RpcArgs, mistakes: &mut Mistakes) -> Vec<String> {
    let mut aliases: Vec<String> = Vec::new();
    for alias in &rpc.aliases {
        let text = alias.value();
        if text.is_empty() {
            mistakes.at(
                alias,
                "an alias is a whole path on the wire; write one, such as \"/v1/greet\", or remove it",
            );
        } else if aliases.contains(&text) {
            mistakes.at(alias, "this alias is given twice; remove one of the two");
        } else {
            aliases.push(text);
        }
    }
    aliases
}
