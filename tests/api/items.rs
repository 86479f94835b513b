//! The list of a crate's public items.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, TraitItem, Type};

use super::sources::{Crate, Meaning, Place, attributes, is_hidden, is_public, name};
use super::text;

/// A public item: where users find it, its name there, and what the name means.
struct Public {
    place: Place,
    shown: String,
    meaning: Meaning,
}

/// The public items of a crate, module by module; each stands once, under its shortest path.
pub(crate) fn list(crate_name: &str, sources: &Crate) -> String {
    let mut places: Vec<_> = sources.modules.keys().filter(|at| is_open(sources, at)).collect();
    places.sort_by_key(|place| (place.len(), *place));
    let blocks = blocks(sources);
    let mut known = BTreeMap::new();
    let mut modules = BTreeMap::<Place, BTreeSet<String>>::new();
    let mut shown = Vec::new();
    for place in places {
        let lines = modules.entry(place.clone()).or_default();
        let module = &sources.modules[place];
        for item in module.items.iter().filter(|item| is_shown(item)) {
            let name = name(item).unwrap();
            shown.push(Public {
                place: place.clone(),
                shown: name.clone(),
                meaning: (place.clone(), name),
            });
        }
        for taken in module.uses.iter().filter(|taken| taken.is_public) {
            match sources.find(place, &taken.path) {
                Some(meaning) => {
                    let name = taken.name.clone();
                    shown.push(Public { place: place.clone(), shown: name, meaning });
                }
                None if taken.path.first().is_some_and(|first| first == "crate") => {}
                None => {
                    lines.insert(format!("pub use {}", taken.path.join("::")));
                }
            }
        }
    }
    for item in shown {
        let path = path_of(crate_name, &item.place, &item.shown);
        let lines = modules.get_mut(&item.place).unwrap();
        if let Some(first) = known.get(&item.meaning) {
            if *first != path {
                lines.insert(format!("pub use {first}"));
            }
            continue;
        }
        known.insert(item.meaning.clone(), path);
        lines.insert(describe(sources, &blocks, &item));
    }
    let mut all = String::new();
    for (place, lines) in modules.iter().filter(|(_, lines)| !lines.is_empty()) {
        all += &format!("mod {}\n", [&[crate_name.to_owned()], &place[..]].concat().join("::"));
        for line in lines.iter().flat_map(|lines| lines.lines()) {
            all += &format!("    {line}\n");
        }
    }
    all
}

/// Tells whether users see a module by its path.
fn is_open(sources: &Crate, place: &[String]) -> bool {
    (0..=place.len()).all(|count| sources.modules[&place[..count]].is_public)
}

fn path_of(crate_name: &str, place: &[String], name: &str) -> String {
    [&[crate_name.to_owned()], place, &[name.to_owned()]].concat().join("::")
}

fn is_shown(item: &Item) -> bool {
    let visibility = match item {
        Item::Struct(item) => &item.vis,
        Item::Enum(item) => &item.vis,
        Item::Trait(item) => &item.vis,
        Item::Type(item) => &item.vis,
        Item::Fn(item) => &item.vis,
        Item::Const(item) => &item.vis,
        Item::Static(item) => &item.vis,
        _ => return false,
    };
    is_public(visibility) && !is_hidden(attributes(item))
}

/// An item's line, and a line for each of its public parts.
fn describe(sources: &Crate, blocks: &Blocks<'_>, public: &Public) -> String {
    let (place, name) = &public.meaning;
    let items = sources.modules[place].items.iter();
    let item = items
        .filter(|item| self::name(item).as_ref() == Some(name))
        .find(|item| is_shown(item))
        .unwrap_or_else(|| panic!("{place:?} shows {name}, which is not public there"));
    let renamed = match &public.shown {
        shown if shown == name => String::new(),
        shown => format!(" as {shown}"),
    };
    let (head, mut parts) = parts_of(item, &renamed);
    if matches!(item, Item::Struct(_) | Item::Enum(_)) {
        let blocks = blocks.get(&public.meaning);
        parts.extend(implemented(sources, blocks.map_or(&[], Vec::as_slice)));
    }
    let marks = marks(attributes(item));
    parts.extend((!marks.is_empty()).then(|| marks.trim_end().to_owned()));
    let parts: BTreeSet<_> = parts.into_iter().collect();
    let parts: String = parts.iter().map(|part| format!("\n    {part}")).collect();
    format!("{head}{parts}")
}

/// The attributes on which users can rely.
fn marks(attributes: &[Attribute]) -> String {
    let seen = ["derive", "non_exhaustive", "must_use", "deprecated"];
    let marks = attributes.iter().filter(|mark| seen.iter().any(|name| mark.path().is_ident(name)));
    marks
        .map(|mark| {
            if mark.path().is_ident("must_use") {
                "#[must_use] ".to_owned()
            } else {
                text::of(mark) + " "
            }
        })
        .collect()
}

fn parts_of(item: &Item, renamed: &str) -> (String, Vec<String>) {
    match item {
        Item::Struct(item) => {
            let (name, generics, bounds) =
                (&item.ident, &item.generics, &item.generics.where_clause);
            let fields = fields(&item.fields, true);
            let bounds = bounds.as_ref().map(|bounds| format!(" {}", text::of(bounds)));
            (
                format!(
                    "pub struct {name}{}{renamed}{fields}{}",
                    text::of(generics),
                    bounds.unwrap_or_default()
                ),
                Vec::new(),
            )
        }
        Item::Enum(item) => {
            let variants = item.variants.iter().map(|variant| {
                format!(
                    "{}{}{}",
                    marks(&variant.attrs),
                    variant.ident,
                    fields(&variant.fields, false)
                )
            });
            (
                format!("pub enum {}{}{renamed}", item.ident, text::of(&item.generics)),
                variants.collect(),
            )
        }
        Item::Trait(item) => {
            let mut head = item.clone();
            head.attrs.clear();
            head.items.clear();
            let head = text::of(head);
            let head = head.trim_end_matches([' ', '{', '}']);
            (format!("{head}{renamed}"), item.items.iter().map(trait_part).collect())
        }
        Item::Fn(item) => (format!("pub {}{renamed}", text::of(&item.sig)), Vec::new()),
        Item::Type(item) => {
            let mut item = item.clone();
            item.attrs.clear();
            (text::of(item).trim_end_matches(';').trim().to_owned() + renamed, Vec::new())
        }
        Item::Const(item) => {
            (format!("pub const {}: {}{renamed}", item.ident, text::of(&item.ty)), Vec::new())
        }
        Item::Static(item) => {
            (format!("pub static {}: {}{renamed}", item.ident, text::of(&item.ty)), Vec::new())
        }
        _ => unreachable!("only such items are shown"),
    }
}

/// Fields: those of a struct that are public, or all of a variant.
fn fields(fields: &Fields, only_public: bool) -> String {
    let shows = |field: &syn::Field| !only_public || is_public(&field.vis);
    match fields {
        Fields::Unit => String::new(),
        Fields::Named(named) => {
            let public = named.named.iter().filter(|field| shows(field));
            let mut all: Vec<_> = public
                .map(|field| {
                    let vis = if only_public { "pub " } else { "" };
                    format!("{vis}{}: {}", field.ident.as_ref().unwrap(), text::of(&field.ty))
                })
                .collect();
            if all.len() < named.named.len() {
                all.push("..".to_owned());
            }
            format!(" {{ {} }}", all.join(", "))
        }
        Fields::Unnamed(unnamed) => {
            let all: Vec<_> = unnamed
                .unnamed
                .iter()
                .map(|field| if shows(field) { text::of(&field.ty) } else { "_".to_owned() })
                .collect();
            format!("({})", all.join(", "))
        }
    }
}

fn trait_part(item: &TraitItem) -> String {
    let part = match item {
        TraitItem::Fn(item) => {
            let body = if item.default.is_some() { " { .. }" } else { "" };
            format!("{}{}{body}", marks(&item.attrs), text::of(&item.sig))
        }
        TraitItem::Type(item) => {
            let mut item = item.clone();
            item.attrs.clear();
            text::of(item)
        }
        TraitItem::Const(item) => format!("const {}: {}", item.ident, text::of(&item.ty)),
        item => text::of(item),
    };
    part.trim().trim_end_matches(';').to_owned()
}

/// The blocks that implement something for a type.
type Blocks<'a> = BTreeMap<Meaning, Vec<(&'a Place, &'a ItemImpl)>>;

fn blocks(sources: &Crate) -> Blocks<'_> {
    let mut all = Blocks::new();
    for (place, module) in &sources.modules {
        for item in &module.items {
            if let Item::Impl(block) = item
                && let Type::Path(path) = &*block.self_ty
                && let Some(meaning) = sources.find(place, &segments(&path.path))
            {
                all.entry(meaning).or_default().push((place, block));
            }
        }
    }
    all
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|part| part.ident.to_string()).collect()
}

/// The public methods of a type, and the traits that it implements.
fn implemented(sources: &Crate, blocks: &[(&Place, &ItemImpl)]) -> Vec<String> {
    let mut parts = Vec::new();
    for (place, block) in blocks {
        match &block.trait_ {
            Some(_) => parts.extend(trait_line(sources, place, block)),
            None => methods(sources, block, &mut parts),
        }
    }
    parts
}

/// `impl Trait for Type`, with the types that it names. Traits that users cannot name are left out.
fn trait_line(sources: &Crate, place: &[String], block: &ItemImpl) -> Option<String> {
    let (path, _) = block.trait_.as_ref()?;
    if let Some((at, name)) = sources.find(place, &segments(path)) {
        let mut items = sources.modules[&at].items.iter();
        items.find(|item| self::name(item).as_ref() == Some(&name) && is_shown(item))?;
    }
    let mut head = block.clone();
    head.attrs.clear();
    head.items.clear();
    let types = block.items.iter().filter_map(|item| match item {
        ImplItem::Type(item) => Some(text::of(item).trim().trim_end_matches(';').to_owned()),
        _ => None,
    });
    let types: Vec<_> = types.collect();
    let text = text::of(head);
    let text = text.trim_end_matches([' ', '{', '}']).replace("super::", "").replace("crate::", "");
    Some(if types.is_empty() { text } else { format!("{text} {{ {} }}", types.join(", ")) })
}

fn methods(sources: &Crate, block: &ItemImpl, parts: &mut Vec<String>) {
    let bounds = block.generics.params.iter().map(text::of).filter(|bound| bound.contains(':'));
    let bounds = bounds.collect::<Vec<_>>().join(", ");
    let of = if bounds.is_empty() { String::new() } else { format!("<{bounds}> ") };
    for item in &block.items {
        match item {
            ImplItem::Fn(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                parts.push(format!("{of}{}pub {}", marks(&item.attrs), text::of(&item.sig)));
            }
            ImplItem::Const(item) if is_public(&item.vis) => {
                parts.push(format!("pub const {}: {}", item.ident, text::of(&item.ty)));
            }
            ImplItem::Macro(item) => {
                let name = &item.mac.path.segments.last().unwrap().ident;
                made(sources, &name.to_string(), &of, parts);
            }
            _ => {}
        }
    }
}

/// The methods that a macro of this crate makes inside an `impl`.
fn made(sources: &Crate, name: &str, of: &str, parts: &mut Vec<String>) {
    let Some(found) = sources.macros.get(name) else { return };
    let mut bodies = Vec::new();
    groups(found.mac.tokens.clone(), &mut bodies);
    for tokens in bodies {
        let tokens: Vec<_> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            let is = |offset: usize, word: &str| {
                tokens.get(at + offset).is_some_and(|token| token.to_string() == word)
            };
            if is(0, "pub") && is(1, "fn") {
                let until = tokens[at..].iter().take_while(|token| !is_body(token)).cloned();
                let signature = text::of(until.collect::<TokenStream>()).replace("$ ", "$");
                parts.push(format!("{of}{}", signature.replace("mut $self", "self")));
            } else if is(1, "!") && token.to_string() != name {
                made(sources, &token.to_string(), of, parts);
            }
        }
    }
}

/// The contents of all groups of tokens, at any depth.
fn groups(tokens: TokenStream, all: &mut Vec<TokenStream>) {
    for token in tokens {
        if let TokenTree::Group(group) = token {
            all.push(group.stream());
            groups(group.stream(), all);
        }
    }
}

fn is_body(token: &TokenTree) -> bool {
    let is_brace = |group: &proc_macro2::Group| group.delimiter() == proc_macro2::Delimiter::Brace;
    matches!(token, TokenTree::Group(group) if is_brace(group))
}
