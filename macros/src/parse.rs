//! From tokens to what is written: items, methods, arguments.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{
    Attribute, FnArg, GenericArgument, Generics, Ident, ImplItem, ItemImpl, ItemTrait, Pat,
    PatType, Path, PathArguments, ReturnType, Signature, TraitItem, Type, parse_quote,
};

use crate::args::{RpcArgs, is_conditional_rpc, is_rpc};
use crate::mistakes::Mistakes;
use crate::names::{mentions, text_of};

/// The item that the attribute stands on.
pub(crate) enum Item {
    Trait(ItemTrait),
    Impl(ItemImpl),
}

/// A trait, and what its methods' `#[rpc(..)]` say, which is taken off them.
pub(crate) struct Written {
    pub(crate) item: ItemTrait,
    /// One for each item of the trait.
    pub(crate) rpc: Vec<RpcArgs>,
}

/// An argument of a method.
pub(crate) struct Argument<'a> {
    pub(crate) written: &'a PatType,
    pub(crate) role: Role<'a>,
}

/// The role of an argument, which its place and the last word of its type tell.
///
/// Only the first argument can be the context, and only a path with parameters can be a handle:
/// everything else is a message, whose name may be that of one of our types.
#[derive(Clone, Copy)]
pub(crate) enum Role<'a> {
    Context,
    Reader(&'a Type),
    Writer(&'a Type),
    ReaderWriter(&'a Type, &'a Type),
    Message(&'a Type),
}

/// Tells a trait from an `impl` and from what the attribute cannot stand on.
pub(crate) fn item(tokens: &TokenStream) -> syn::Result<Item> {
    let text = "this is not a service; `#[trill::service]` stands on a trait, or on an `impl` of such a trait";
    match syn::parse2(tokens.clone())? {
        syn::Item::Trait(item) => Ok(Item::Trait(item)),
        syn::Item::Impl(item) => Ok(Item::Impl(item)),
        other => Err(syn::Error::new_spanned(first_word(&other), text)),
    }
}

pub(crate) fn trait_item(mut item: ItemTrait, mistakes: &mut Mistakes) -> Written {
    let rpc = item
        .items
        .iter_mut()
        .map(|item| {
            let mut args = RpcArgs::default();
            if let TraitItem::Fn(method) = item {
                for attribute in method.attrs.extract_if(.., |attribute| is_rpc(attribute)) {
                    args.add(&attribute, mistakes);
                }
                let is_conditional = |attribute: &mut Attribute| is_conditional_rpc(attribute);
                for attribute in method.attrs.extract_if(.., is_conditional) {
                    let text = "`rpc` is read before conditions are; write `#[rpc(..)]` without `cfg_attr`, or two methods under `#[cfg(..)]` and `#[cfg(not(..))]`";
                    mistakes.at(attribute, text);
                }
            }
            args
        })
        .collect();
    Written { item, rpc }
}

pub(crate) fn impl_item(mut item: ItemImpl, mistakes: &mut Mistakes) -> ItemImpl {
    for item in &mut item.items {
        if let ImplItem::Fn(method) = item {
            for attribute in method.attrs.extract_if(.., |attribute| is_rpc(attribute)) {
                mistakes.at(attribute, "`#[rpc]` belongs on the trait's method; remove it here");
            }
        }
    }
    item
}

impl<'a> Argument<'a> {
    /// Parses an argument after the receiver.
    pub(crate) fn parse(written: &'a PatType, is_first: bool) -> syn::Result<Self> {
        let role = if is_first { Role::parse_first(&written.ty) } else { Role::parse(&written.ty) };
        Ok(Self { written, role: role? })
    }

    /// Tells whether its type has the name of the context, wherever it stands.
    pub(crate) fn is_called_context(&self) -> bool {
        is_context(&self.written.ty)
    }

    /// The argument's name, if it has one.
    pub(crate) fn name(&self) -> Option<&'a Ident> {
        match &*self.written.pat {
            Pat::Ident(pattern) => Some(&pattern.ident),
            _ => None,
        }
    }
}

impl<'a> Role<'a> {
    fn parse_first(ty: &'a Type) -> syn::Result<Self> {
        if let Type::Reference(reference) = bare(ty)
            && is_context(&reference.elem)
        {
            return Err(syn::Error::new_spanned(
                ty,
                "the `Context` is borrowed; take it by value: it is cheap to clone",
            ));
        }
        if is_context(ty) { Ok(Self::Context) } else { Self::parse(ty) }
    }

    fn parse(ty: &'a Type) -> syn::Result<Self> {
        let Type::Path(path) = bare(ty) else { return message(ty).map(Self::Message) };
        let Some(last) = path.path.segments.last() else { return message(ty).map(Self::Message) };
        if last.arguments.is_none() {
            return message(ty).map(Self::Message);
        }
        match last.ident.unraw().to_string().as_str() {
            "AsyncReader" => {
                let [request] = messages(&path.path, "AsyncReader<Request>")?;
                Ok(Self::Reader(request))
            }
            "AsyncWriter" => {
                let [answer] = messages(&path.path, "AsyncWriter<Answer>")?;
                Ok(Self::Writer(answer))
            }
            "AsyncReaderWriter" => {
                let [request, answer] = messages(&path.path, "AsyncReaderWriter<Request, Answer>")?;
                Ok(Self::ReaderWriter(request, answer))
            }
            shared @ ("SharedReader" | "SharedWriter" | "SharedReaderWriter") => {
                let exclusive = shared.replace("Shared", "Async");
                let text = format!(
                    "handlers get the exclusive handle; take an `{exclusive}` and call `.shared()` on it"
                );
                Err(syn::Error::new_spanned(&last.ident, text))
            }
            _ => message(ty).map(Self::Message),
        }
    }
}

/// The `T` of a method's `-> Result<T>`.
pub(crate) fn answer(signature: &Signature) -> syn::Result<&Type> {
    let ReturnType::Type(_, output) = &signature.output else {
        let text = "every call can fail; write `-> Result<Answer>`, or `-> Result<()>` if there is no answer";
        return Err(syn::Error::new_spanned(&signature.ident, text));
    };
    if let Type::Path(path) = bare(output)
        && let Some(last) = path.path.segments.last()
        && last.ident == "Result"
        && let Some(answer) = type_arguments(&last.arguments).first()
    {
        return match Role::parse(answer)? {
            Role::Message(_) | Role::Context => Ok(answer),
            Role::Reader(message) | Role::Writer(message) => {
                let message = text_of(message);
                let text = format!(
                    "a handler does not return its stream; take `writer: AsyncWriter<{message}>` as an argument and return `Result<()>`"
                );
                Err(syn::Error::new_spanned(answer, text))
            }
            Role::ReaderWriter(..) => {
                let handle = text_of(answer);
                let text = format!(
                    "a handler does not return its stream; take `rw: {handle}` as an argument and return `Result<()>`"
                );
                Err(syn::Error::new_spanned(answer, text))
            }
        };
    }
    let text = match bare(output) {
        Type::Path(path)
            if path.path.segments.last().is_some_and(|last| last.ident == "Result") =>
        {
            "this `Result` does not say what the answer is; write `Result<Answer>`".to_owned()
        }
        Type::ImplTrait(_) => {
            "the future is not written out here; write `async fn .. -> Result<Answer>`".to_owned()
        }
        other => format!("every call can fail; write `-> Result<{}>`", text_of(other)),
    };
    Err(syn::Error::new_spanned(output, text))
}

/// Tells whether the last word of a path is `Context`.
fn is_context(ty: &Type) -> bool {
    matches!(bare(ty), Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Context"))
}

/// Tells whether this is `()`.
pub(crate) fn is_unit(ty: &Type) -> bool {
    matches!(bare(ty), Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// Tells whether this is a `&T`, `Box<T>` or `Pin<T>` of a type parameter, which the compiler's
/// rule of orphans takes for `T` itself.
pub(crate) fn is_transparent(ty: &Type, generics: &Generics) -> bool {
    let is_parameter = |ty: &Type| {
        let Type::Path(path) = bare(ty) else { return false };
        generics.type_params().any(|parameter| path.path.is_ident(&parameter.ident))
    };
    match bare(ty) {
        Type::Reference(reference) => {
            is_parameter(&reference.elem) || is_transparent(&reference.elem, generics)
        }
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            (last.ident == "Box" || last.ident == "Pin")
                && type_arguments(&last.arguments)
                    .into_iter()
                    .any(|inner| is_parameter(inner) || is_transparent(inner, generics))
        }),
        _ => false,
    }
}

/// The attributes with one of these names.
pub(crate) fn named(attributes: &[Attribute], names: &[&str]) -> Vec<Attribute> {
    let is_named =
        |attribute: &&Attribute| names.iter().any(|name| attribute.path().is_ident(name));
    attributes.iter().filter(is_named).cloned().collect()
}

/// The arguments after the receiver.
pub(crate) fn typed(signature: &Signature) -> impl Iterator<Item = &PatType> {
    signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) => Some(argument),
        FnArg::Receiver(_) => None,
    })
}

/// A type that can be a message, as far as one can see without knowing it. Only `trill::Message`
/// says whether it is one.
fn message(ty: &Type) -> syn::Result<&Type> {
    let text = match bare(ty) {
        Type::Reference(reference) => {
            format!(
                "a message is owned, since it comes from the network; take `{}`",
                text_of(&reference.elem)
            )
        }
        Type::ImplTrait(_) | Type::TraitObject(_) | Type::Infer(_) => {
            "the type on the wire must be known; name the message's type".to_owned()
        }
        other
            if mentions(other, &|token| token == "'" || token == "&")
                && !mentions(other, &|token| token == "static") =>
        {
            "a message is owned, since it comes from the network; use a type without borrows"
                .to_owned()
        }
        other if mentions(other, &|token| token == "Self") => {
            "`Self` means another type in the generated client; name the type".to_owned()
        }
        _ => return Ok(ty),
    };
    Err(syn::Error::new_spanned(ty, text))
}

/// Gives a handle the right number of messages, so that the compiler has no error of its own for
/// it.
pub(crate) fn complete(ty: &mut Type) {
    if let Type::Path(path) = ty
        && let Some(last) = path.path.segments.last_mut()
    {
        let arguments = match last.ident.unraw().to_string().as_str() {
            "AsyncReader" | "AsyncWriter" => parse_quote!(<()>),
            "AsyncReaderWriter" => parse_quote!(<(), ()>),
            _ => return,
        };
        let arguments = PathArguments::AngleBracketed(arguments);
        if type_arguments(&last.arguments).len() != type_arguments(&arguments).len() {
            last.arguments = arguments;
        }
    }
}

/// The message types of a handle.
fn messages<'a, const N: usize>(handle: &'a Path, expected: &str) -> syn::Result<[&'a Type; N]> {
    let arguments =
        handle.segments.last().map(|last| type_arguments(&last.arguments)).unwrap_or_default();
    let arguments = arguments.into_iter().map(message).collect::<syn::Result<Vec<_>>>()?;
    arguments.try_into().map_err(|_| {
        let text =
            format!("the messages of this handle are missing or too many; write `{expected}`");
        syn::Error::new_spanned(handle, text)
    })
}

fn type_arguments(arguments: &PathArguments) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return Vec::new() };
    arguments
        .args
        .iter()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
        .collect()
}

/// The type without the parentheses around it, and without the invisible ones that `macro_rules`
/// leaves.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Paren(inner) => bare(&inner.elem),
        Type::Group(inner) => bare(&inner.elem),
        ty => ty,
    }
}

/// The first token after the item's attributes.
fn first_word(item: &syn::Item) -> TokenStream {
    let mut tokens = item.to_token_stream().into_iter();
    while let Some(token) = tokens.next() {
        if matches!(&token, proc_macro2::TokenTree::Punct(mark) if mark.as_char() == '#') {
            tokens.next();
        } else {
            return token.into();
        }
    }
    TokenStream::new()
}
