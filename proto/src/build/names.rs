//! The names that generated code gives, and what is said when two of them are the same.
//!
//! Names that differ in a `.proto` file can be the same in Rust, and rustc would only point at
//! generated code.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use heck::{ToSnakeCase, ToUpperCamelCase};
use protox::prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor,
    ServiceDescriptor,
};

use super::error::Error;

/// The Rust names of services and methods that the user has chosen, by the full name in the
/// `.proto` file.
#[derive(Debug, Default)]
pub(super) struct Chosen(HashMap<String, String>);

impl Chosen {
    pub(super) fn insert(&mut self, proto: String, rust: String) {
        self.0.insert(proto, rust);
    }

    pub(super) fn get(&self, proto: &str) -> Option<&str> {
        self.0.get(proto).map(String::as_str)
    }

    /// Refuses names of what is not there, and what is no name.
    fn check(&self, descriptors: &DescriptorPool) -> Result<(), Error> {
        for (proto, rust) in &self.0 {
            let is_meant = |service: ServiceDescriptor| {
                service.full_name() == proto
                    || service.methods().any(|method| method.full_name() == proto)
            };
            if !descriptors.services().any(is_meant) {
                return Err(Error::name(format!(
                    "rust_name: there is no service and no method {proto}; write the whole name, such as \
                     `test.Greeter` or `test.Greeter.SayHello`"
                )));
            }
            let is_name = rust.starts_with(|letter: char| letter.is_ascii_alphabetic())
                && rust.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
                && !is_keyword(rust)
                && rust != "new";
            if !is_name {
                return Err(Error::name(format!(
                    "rust_name: {proto} cannot be called {rust:?} in Rust; write letters, digits and `_`, and neither \
                     a keyword nor `new`"
                )));
            }
        }
        Ok(())
    }
}

/// Refuses files whose code would not compile.
pub(super) fn check(
    descriptors: &DescriptorPool,
    chosen: &Chosen,
    behind_dyn: bool,
) -> Result<(), Error> {
    chosen.check(descriptors)?;
    let mut modules: HashMap<String, Scope> = HashMap::new();
    // Packages that differ in Rust's spelling only are one module.
    let module = |package: &str| {
        package.split('.').map(ToSnakeCase::to_snake_case).collect::<Vec<_>>().join(".")
    };
    for file in descriptors.files() {
        let scope = modules.entry(module(file.package_name())).or_default();
        types(scope, file.messages(), file.enums())?;
        for service in file.services() {
            self::service(scope, &service, chosen, behind_dyn)?;
        }
    }
    descriptors
        .all_messages()
        .filter(|message| !message.is_map_entry())
        .try_for_each(|message| inside(&message))
}

/// The names of one place, and what has them.
#[derive(Default)]
struct Scope(HashMap<String, Item>);

/// Something with a name.
#[derive(Clone)]
struct Item {
    /// The kind of the item, and its whole name.
    text: String,
    /// The service or method that can be given another name with `rust_name`.
    renamed: Option<String>,
}

impl Item {
    fn new(kind: &str, proto: &str) -> Self {
        Self { text: format!("{kind} {proto}"), renamed: None }
    }

    /// A service or method.
    fn chosen(kind: &str, proto: &str) -> Self {
        Self { renamed: Some(proto.to_owned()), ..Self::new(kind, proto) }
    }

    /// Something that is generated for this item.
    fn part(&self, part: &str) -> Self {
        Self { text: format!("{part} of {}", self.text), renamed: self.renamed.clone() }
    }
}

impl Scope {
    fn take(&mut self, rust: String, item: Item) -> Result<(), Error> {
        if rust.trim_matches('_').is_empty() {
            let way = match item.renamed {
                Some(proto) => format!("give it one with `Config::rust_name({proto:?}, \"..\")`"),
                None => "give it another name".to_owned(),
            };
            return Err(Error::name(format!(
                "{} has no letter to make a name in Rust of; {way}",
                item.text
            )));
        }
        let first = match self.0.entry(rust) {
            Entry::Vacant(place) => {
                place.insert(item);
                return Ok(());
            }
            Entry::Occupied(place) => place,
        };
        let way = item.renamed.as_ref().or(first.get().renamed.as_ref()).map_or_else(String::new, |proto| {
            format!(", or give one another name in Rust alone with `Config::rust_name({proto:?}, \"..\")`")
        });
        Err(Error::name(format!(
            "{} and {} are both called {} in Rust; rename one of them{way}",
            first.get().text,
            item.text,
            first.key()
        )))
    }
}

fn types(
    scope: &mut Scope,
    messages: impl Iterator<Item = MessageDescriptor>,
    enums: impl Iterator<Item = EnumDescriptor>,
) -> Result<(), Error> {
    for message in messages.filter(|message| !message.is_map_entry()) {
        scope.take(type_name(message.name()), Item::new("message", message.full_name()))?;
    }
    for item in enums {
        scope.take(type_name(item.name()), Item::new("enum", item.full_name()))?;
        for value in item.values() {
            Scope::default()
                .take(type_name(value.name()), Item::new("value", value.full_name()))?;
        }
    }
    Ok(())
}

fn service(
    scope: &mut Scope,
    service: &ServiceDescriptor,
    chosen: &Chosen,
    behind_dyn: bool,
) -> Result<(), Error> {
    let item = Item::chosen("service", service.full_name());
    let name =
        chosen.get(service.full_name()).map_or_else(|| type_name(service.name()), str::to_owned);
    scope.take(name.clone(), item.clone())?;
    scope.take(format!("{name}Server"), item.part("the server"))?;
    scope.take(format!("{name}Client"), item.part("the client"))?;
    if behind_dyn {
        scope.take(format!("Dyn{name}"), item.part("the trait behind dyn"))?;
    }
    let mut methods = Scope::default();
    for method in service.methods() {
        let item = Item::chosen("method", method.full_name());
        let name = match chosen.get(method.full_name()) {
            Some(name) => name.to_owned(),
            None => method_name(&method.name().to_snake_case()),
        };
        methods.take(name, item)?;
    }
    Ok(())
}

/// The name of the trait's method. A client has a function `new` already.
pub(super) fn method_name(name: &str) -> String {
    if name == "new" { "new_".to_owned() } else { name.to_owned() }
}

/// Checks the names that a message declares: its types, its fields, and the methods that prost
/// gives it.
fn inside(message: &MessageDescriptor) -> Result<(), Error> {
    let (mut nested, mut fields, mut methods) =
        (Scope::default(), Scope::default(), Scope::default());
    types(&mut nested, message.child_messages(), message.child_enums())?;
    for field in message.fields().filter(|field| in_oneof(field).is_none()) {
        fields.take(field.name().to_snake_case(), Item::new("field", field.full_name()))?;
        accessors(&mut methods, &field)?;
    }
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        let item = Item::new("oneof", oneof.full_name());
        fields.take(oneof.name().to_snake_case(), item.clone())?;
        // As prost does.
        let name = type_name(oneof.name());
        let is_taken = nested.0.get(&name).is_some_and(|other| !other.text.starts_with("oneof"));
        nested.take(if is_taken { name + "OneOf" } else { name }, item)?;
        let mut variants = Scope::default();
        for field in oneof.fields() {
            variants.take(type_name(field.name()), Item::new("field", field.full_name()))?;
        }
    }
    Ok(())
}

fn in_oneof(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field.containing_oneof().filter(|oneof| !oneof.is_synthetic())
}

/// The methods that prost generates to read and set a field whose Rust type is not the one that is
/// meant.
fn accessors(methods: &mut Scope, field: &FieldDescriptor) -> Result<(), Error> {
    let is_enum = |kind: Kind| matches!(kind, Kind::Enum(_));
    let (name, item) = (field.name().to_snake_case(), Item::new("field", field.full_name()));
    let mut take =
        |prefix: &str, part: &str| methods.take(format!("{prefix}{name}"), item.part(part));
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { return Ok(()) };
        if is_enum(entry.map_entry_value_field().kind()) {
            take("get_", "the getter")?;
            take("insert_", "the setter")?;
        }
    } else if is_enum(field.kind()) {
        take("", "the getter")?;
        take(if field.is_list() { "push_" } else { "set_" }, "the setter")?;
    } else if field.supports_presence()
        && !field.is_list()
        && !matches!(field.kind(), Kind::Message(_))
    {
        take("", "the getter")?;
    }
    Ok(())
}

/// A type's name, as prost has it. Every keyword but one begins with a small letter.
fn type_name(proto: &str) -> String {
    match proto.to_upper_camel_case() {
        name if name == "Self" => "Self_".to_owned(),
        name if name.starts_with(|letter: char| letter.is_ascii_digit()) => format!("_{name}"),
        name => name,
    }
}

/// Tells whether Rust, in any edition, has taken the word.
fn is_keyword(word: &str) -> bool {
    const KEYWORDS: &str = " abstract as async await become box break const continue crate do dyn else enum extern false \
        final fn for gen if impl in let loop macro match mod move mut override priv pub ref return self Self static struct \
        super trait true try type typeof unsafe unsized use virtual where while yield ";
    KEYWORDS.split_whitespace().any(|keyword| keyword == word)
}
