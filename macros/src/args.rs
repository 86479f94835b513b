//! The arguments of `#[trill::service(..)]` and `#[rpc(..)]`.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, Parser};
use syn::{Attribute, Ident, LitStr, Meta, Path, Token, parse_quote};

use crate::mistakes::Mistakes;
use crate::names::{mentions, text_of};

/// The arguments on a trait: `package`, `name`, `json`, `dyn`, `crate`.
#[derive(Default)]
pub(crate) struct TraitArgs {
    pub(crate) package: Option<LitStr>,
    pub(crate) name: Option<LitStr>,
    /// The word `json`, where it stands.
    pub(crate) json: Option<Ident>,
    /// The word `dyn`, where it stands.
    pub(crate) object: Option<Ident>,
    krate: Option<Path>,
}

/// The arguments on an `impl`: `crate`.
#[derive(Default)]
pub(crate) struct ImplArgs {
    krate: Option<Path>,
}

/// The arguments on a method: `name`, `alias` (any number), `oneway`, `json`.
#[derive(Default)]
pub(crate) struct RpcArgs {
    pub(crate) name: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    /// The word `oneway`, where it stands.
    pub(crate) oneway: Option<Ident>,
    /// The word `json`, where it stands.
    pub(crate) json: Option<Ident>,
}

impl TraitArgs {
    pub(crate) fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        each(tokens, mistakes, |key, meta| match key {
            "package" => set(&mut args.package, meta),
            "name" => set(&mut args.name, meta),
            "crate" => set(&mut args.krate, meta),
            "json" => flag(&mut args.json, meta),
            "dyn" => flag(&mut args.object, meta),
            _ => {
                let known = "known are `package = \"..\"`, `name = \"..\"`, `json`, `dyn` and `crate = path`";
                Err(meta.error(format!("unknown argument `{key}`; {known}")))
            }
        });
        args
    }

    pub(crate) fn krate(&self) -> Path {
        krate(self.krate.as_ref())
    }
}

impl ImplArgs {
    pub(crate) fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        each(tokens, mistakes, |key, meta| match key {
            "crate" => set(&mut args.krate, meta),
            "package" | "name" | "json" | "dyn" => {
                Err(meta.error(format!("`{key}` belongs on the trait; remove it here")))
            }
            _ => Err(meta.error(format!(
                "unknown argument `{key}`; on an `impl` only `crate = path` is known"
            ))),
        });
        args
    }

    pub(crate) fn krate(&self) -> Path {
        krate(self.krate.as_ref())
    }
}

impl RpcArgs {
    /// Adds what one `#[rpc(..)]` says.
    pub(crate) fn add(&mut self, attribute: &Attribute, mistakes: &mut Mistakes) {
        let Meta::List(list) = &attribute.meta else {
            mistakes.at(
                attribute,
                "`#[rpc]` without arguments says nothing; remove it, or write `#[rpc(oneway)]`, `#[rpc(name = \"..\")]` or `#[rpc(alias = \"..\")]`",
            );
            return;
        };
        each(list.tokens.clone(), mistakes, |key, meta| match key {
            "name" => set(&mut self.name, meta),
            "alias" => {
                self.aliases.push(meta.value()?.parse()?);
                Ok(())
            }
            "oneway" => flag(&mut self.oneway, meta),
            "json" => flag(&mut self.json, meta),
            _ => {
                let known = "known are `name = \"..\"`, `alias = \"..\"`, `oneway` and `json`";
                Err(meta.error(format!("unknown argument `{key}`; {known}")))
            }
        });
    }
}

/// Tells whether this is `#[rpc]` or `#[rpc(..)]`.
pub(crate) fn is_rpc(attribute: &Attribute) -> bool {
    attribute.path().is_ident("rpc")
}

/// Tells whether this is `#[cfg_attr(.., rpc(..))]`.
pub(crate) fn is_conditional_rpc(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg_attr") && mentions(&attribute.meta, &|token| token == "rpc")
}

/// Parses `key = value, key, ..`. A mistake in one argument does not hide those in the next.
fn each(
    tokens: TokenStream,
    mistakes: &mut Mistakes,
    mut parse: impl FnMut(&str, &ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    let arguments = syn::meta::parser(|meta| {
        let key = meta
            .path
            .get_ident()
            .map_or_else(|| text_of(&meta.path), |key| key.unraw().to_string());
        if let Err(mistake) = parse(&key, &meta) {
            mistakes.push(mistake);
            while !meta.input.is_empty() && !meta.input.peek(Token![,]) {
                meta.input.parse::<TokenTree>()?;
            }
        }
        Ok(())
    });
    if let Err(mistake) = arguments.parse2(tokens) {
        mistakes.push(mistake);
    }
}

fn set<T: Parse>(value: &mut Option<T>, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if value.is_some() {
        return Err(meta.error("this is given twice; keep one of the two"));
    }
    *value = Some(meta.value()?.parse()?);
    Ok(())
}

/// A word without a value.
fn flag(word: &mut Option<Ident>, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    let ident = meta.path.require_ident()?;
    if meta.input.peek(Token![=]) {
        return Err(meta.error(format!("`{ident}` has no value; write the word alone")));
    }
    *word = Some(ident.clone());
    Ok(())
}

fn krate(path: Option<&Path>) -> Path {
    path.cloned().unwrap_or_else(|| parse_quote!(::trill))
}
