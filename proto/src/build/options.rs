//! The options that tRPC adds to `.proto` files.

use std::collections::HashMap;

use protox::file::{File, FileResolver};
use protox::prost_reflect::{DescriptorPool, MethodDescriptor, Value};

/// The other names of methods (`option (trpc.alias) = "..."`), by the full name of the method.
#[derive(Debug, Default)]
pub(super) struct Aliases(HashMap<String, Vec<String>>);

impl Aliases {
    pub(super) fn of(descriptors: &DescriptorPool) -> Self {
        let methods =
            descriptors.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        Self(methods.map(|method| (method.full_name().to_owned(), aliases(&method))).collect())
    }

    pub(super) fn get(&self, method: &str) -> &[String] {
        self.0.get(method).map_or(&[], Vec::as_slice)
    }
}

fn aliases(method: &MethodDescriptor) -> Vec<String> {
    let options = method.options();
    let values =
        options.extensions().filter(|(extension, _)| extension.full_name() == "trpc.alias");
    values.flat_map(|(_, value)| texts(value)).filter(|alias| !alias.is_empty()).collect()
}

/// The option is a string; own copies of the file may have made it repeated.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::List(values) => values.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Knows the file that declares the options, for users who have no copy of it.
#[derive(Debug)]
pub(super) struct OptionsResolver;

impl FileResolver for OptionsResolver {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == "trpc/proto/trpc_options.proto" {
            File::from_source(name, include_str!("../../proto/trpc_options.proto"))
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}
