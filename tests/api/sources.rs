//! A crate's modules, and what their names mean.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use syn::{Attribute, File, Item, ItemMacro, UseTree, Visibility};

/// The path of a module inside its crate: nothing for the crate itself.
pub(crate) type Place = Vec<String>;

/// The modules of a crate, and its macros by name.
#[derive(Default)]
pub(crate) struct Crate {
    pub(crate) modules: BTreeMap<Place, Module>,
    pub(crate) macros: BTreeMap<String, ItemMacro>,
}

/// The items of a module, those of tests left out, and what it takes from elsewhere.
#[derive(Default)]
pub(crate) struct Module {
    pub(crate) items: Vec<Item>,
    pub(crate) uses: Vec<Use>,
    /// Users see it by its own path, as far as it goes.
    pub(crate) is_public: bool,
}

/// One name that a module takes from elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) path: Vec<String>,
    /// `*` for all names.
    pub(crate) name: String,
    pub(crate) is_public: bool,
}

/// The meaning of a name: the place where it is defined and its name there.
pub(crate) type Meaning = (Place, String);

impl Crate {
    /// Reads a crate from its first file.
    pub(crate) fn read(root: &Path) -> Self {
        let mut all = Self::default();
        all.add(Vec::new(), parse(root).items, true, Some(root.parent().unwrap()));
        all
    }

    /// A crate in one file.
    pub(crate) fn of(file: File) -> Self {
        let mut all = Self::default();
        all.add(Vec::new(), file.items, true, None);
        all
    }

    fn add(&mut self, place: Place, items: Vec<Item>, is_open: bool, folder: Option<&Path>) {
        let mut module = Module { is_public: is_open, ..Module::default() };
        for item in items {
            if is_for_tests(attributes(&item)) {
                continue;
            }
            match item {
                Item::Mod(inner) => {
                    let name = inner.ident.to_string();
                    let is_open = is_public(&inner.vis) && !is_hidden(&inner.attrs);
                    let (items, folder) = match inner.content {
                        Some((_, items)) => (items, folder.map(|folder| folder.join(&name))),
                        None => {
                            let folder = folder.expect("a module in a file of its own");
                            let (file, inside) =
                                (folder.join(format!("{name}.rs")), folder.join(&name));
                            let file = if file.exists() { file } else { inside.join("mod.rs") };
                            (parse(&file).items, Some(inside))
                        }
                    };
                    let place = [&place[..], &[name]].concat();
                    self.add(place, items, is_open, folder.as_deref());
                }
                Item::Use(item) => {
                    let is_shown = is_public(&item.vis) && !is_hidden(&item.attrs);
                    flatten(&item.tree, &mut Vec::new(), is_shown, &mut module.uses);
                }
                Item::Macro(item) if item.ident.is_some() => {
                    self.macros.insert(item.ident.as_ref().unwrap().to_string(), item);
                }
                item => module.items.push(item),
            }
        }
        self.modules.insert(place, module);
    }

    /// Finds a name that a module uses: in the module, in what it takes from elsewhere, or in
    /// nothing of this crate.
    pub(crate) fn find(&self, place: &[String], path: &[String]) -> Option<Meaning> {
        self.find_within(place, path, 0)
    }

    fn find_within(&self, place: &[String], path: &[String], depth: usize) -> Option<Meaning> {
        let (first, rest) = path.split_first()?;
        if depth > 20 {
            return None;
        }
        match first.as_str() {
            "crate" => return self.find_within(&[], rest, depth + 1),
            "self" => return self.find_within(place, rest, depth + 1),
            "super" => return self.find_within(&place[..place.len() - 1], rest, depth + 1),
            _ => {}
        }
        let inner = [place, std::slice::from_ref(first)].concat();
        if !rest.is_empty() && self.modules.contains_key(&inner) {
            return self.find_within(&inner, rest, depth + 1);
        }
        let module = self.modules.get(place)?;
        if rest.is_empty() && module.items.iter().any(|item| name(item).as_ref() == Some(first)) {
            return Some((place.to_vec(), first.clone()));
        }
        let known = module.uses.iter().filter(|taken| taken.name == *first);
        let direct = known.map(|taken| [&taken.path[..], rest].concat());
        let globs = module.uses.iter().filter(|taken| taken.name == "*");
        let all = direct.chain(globs.map(|taken| [&taken.path[..], path].concat()));
        all.filter(|path| path.len() > 1 || path.first() != Some(first))
            .find_map(|path| self.find_within(place, &path, depth + 1))
    }
}

fn parse(file: &Path) -> File {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn flatten(tree: &UseTree, before: &mut Vec<String>, is_public: bool, all: &mut Vec<Use>) {
    let mut add = |name: String, last: Option<String>| {
        let path = before.iter().cloned().chain(last).collect();
        all.push(Use { path, name, is_public });
    };
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, is_public, all);
            before.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            add(before.last().cloned().unwrap_or_default(), None);
        }
        UseTree::Name(name) => add(name.ident.to_string(), Some(name.ident.to_string())),
        UseTree::Rename(name) => add(name.rename.to_string(), Some(name.ident.to_string())),
        UseTree::Glob(_) => add("*".to_owned(), None),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before, is_public, all);
            }
        }
    }
}

/// The name of an item, if it has one.
pub(crate) fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Struct(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Const(item) => &item.ident,
        Item::Static(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// The attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Struct(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        _ => &[],
    }
}

pub(crate) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Code that no user's build has.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let text = quote::quote!(#attribute).to_string().replace(' ', "");
        let only = ["test", "trill_loom", "doctest", "all(test,trill_loom)"];
        only.iter().any(|cfg| text == format!("#[cfg({cfg})]"))
            || text.contains("__fuzz")
            || text.contains("__bench")
            || text.contains("doctest")
    })
}

/// An item that the documents do not show is no user's.
pub(crate) fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| quote::quote!(#attribute).to_string().replace(' ', "") == "#[doc(hidden)]")
}
