//! From a service of a `.proto` file to the annotated trait.

use std::collections::HashMap;
use std::fmt::Write;

use prost_build::{Comments, Method, Service, ServiceGenerator};
use protox::prost_reflect::DescriptorPool;

use super::error::Error;
use super::options::Aliases;

/// Writes a trait for each service.
#[derive(Debug)]
pub(super) struct TraitGenerator {
    crate_path: String,
    json: bool,
    aliases: Aliases,
}

impl TraitGenerator {
    pub(super) fn new(crate_path: String, json: bool, aliases: Aliases) -> Self {
        Self { crate_path, json, aliases }
    }

    fn write(&self, service: &Service, out: &mut String) -> std::fmt::Result {
        let wire_name = wire_name(&service.package, &service.proto_name);
        docs(out, 0, &service.comments, &format!("The service `{wire_name}`."));
        writeln!(out, "#[{}::service{}]", self.crate_path, self.arguments(service))?;
        writeln!(out, "pub trait {} {{", service.name)?;
        for method in &service.methods {
            let path = format!("/{wire_name}/{}", method.proto_name);
            docs(out, 1, &method.comments, &format!("The method `{path}`."));
            let aliases = self.aliases.get(&format!("{wire_name}.{}", method.proto_name));
            self.write_method(method, aliases, out)?;
        }
        writeln!(out, "}}")
    }

    fn arguments(&self, service: &Service) -> String {
        let mut arguments = Vec::new();
        if !service.package.is_empty() {
            arguments.push(format!("package = {:?}", service.package));
        }
        if service.name != service.proto_name {
            arguments.push(format!("name = {:?}", service.proto_name));
        }
        // Streams cannot be JSON, and a service of streams only is not marked.
        let is_unary = |method: &Method| !method.client_streaming && !method.server_streaming;
        if self.json && service.methods.iter().any(is_unary) {
            arguments.push("json".to_owned());
        }
        if self.crate_path != "::trill" {
            arguments.push(format!("crate = {}", self.crate_path));
        }
        if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) }
    }

    fn write_method(&self, method: &Method, aliases: &[String], out: &mut String) -> std::fmt::Result {
        let name = rust_name(&method.name);
        let mut rpc = Vec::new();
        if !gives_back(&name, &method.proto_name) {
            rpc.push(format!("name = {:?}", method.proto_name));
        }
        rpc.extend(aliases.iter().map(|alias| format!("alias = {alias:?}")));
        if !rpc.is_empty() {
            writeln!(out, "    #[rpc({})]", rpc.join(", "))?;
        }
        let (trill, request, answer) = (&self.crate_path, &method.input_type, &method.output_type);
        let (arguments, output) = match (method.client_streaming, method.server_streaming) {
            (false, false) => (format!("req: {request}"), answer.as_str()),
            (true, false) => (format!("reader: {trill}::AsyncReader<{request}>"), answer.as_str()),
            (false, true) => (format!("req: {request}, writer: {trill}::AsyncWriter<{answer}>"), "()"),
            (true, true) => (format!("rw: {trill}::AsyncReaderWriter<{request}, {answer}>"), "()"),
        };
        writeln!(
            out,
            "    async fn {name}(&self, cx: {trill}::Context, {arguments}) -> {trill}::Result<{output}>;"
        )
    }
}

impl ServiceGenerator for TraitGenerator {
    fn generate(&mut self, service: Service, buf: &mut String) {
        self.write(&service, buf).expect("writing into a string does not fail");
    }
}

/// Refuses services whose generated names are taken, because rustc would only point at generated code. Protobuf itself refuses
/// a message with the name of the service.
pub(super) fn check_names(descriptors: &DescriptorPool) -> Result<(), Error> {
    let messages = descriptors.all_messages().filter(|message| message.parent_message().is_none());
    let enums = descriptors.all_enums().filter(|item| item.parent_message().is_none());
    let taken: HashMap<String, &str> = messages
        .map(|message| (message.full_name().to_owned(), "a message"))
        .chain(enums.map(|item| (item.full_name().to_owned(), "an enum")))
        .collect();
    for service in descriptors.services() {
        for suffix in ["Server", "Client"] {
            let name = format!("{}{suffix}", service.full_name());
            if let Some(taken_by) = taken.get(&name) {
                let generated = format!("{}{suffix}", service.name());
                return Err(Error::clash(service.full_name(), generated, taken_by));
            }
        }
    }
    Ok(())
}

fn wire_name(package: &str, name: &str) -> String {
    if package.is_empty() { name.to_owned() } else { format!("{package}.{name}") }
}

/// The comments as docs, or else `fallback`, so that crates that deny undocumented items can include the code.
fn docs(out: &mut String, indent: u8, comments: &Comments, fallback: &str) {
    if comments.leading.is_empty() && comments.trailing.is_empty() {
        let fallback = Comments { leading: vec![format!(" {fallback}")], ..Comments::default() };
        fallback.append_with_indent(indent, out);
    }
    comments.append_with_indent(indent, out);
}

/// The name of the trait's method. A client has a function `new` already.
fn rust_name(name: &str) -> String {
    if name == "new" { "new_".to_owned() } else { name.to_owned() }
}

/// Whether the service attribute makes the name on the wire of the Rust name, so that it need not be written down. Doubtful
/// names are.
fn gives_back(rust: &str, wire: &str) -> bool {
    let rust = rust.strip_prefix("r#").unwrap_or(rust);
    let mut camel = String::new();
    for word in rust.split('_') {
        let mut letters = word.chars();
        let Some(first) = letters.next().filter(char::is_ascii_lowercase) else { return false };
        camel.push(first.to_ascii_uppercase());
        camel.extend(letters);
    }
    camel == wire
}
