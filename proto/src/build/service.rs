//! From a service of a `.proto` file to the annotated trait.

use std::fmt::Write;

use prost_build::{Comments, Method, Service, ServiceGenerator};

use super::names::{self, method_name};
use super::options::Aliases;

/// Writes a trait for each service.
#[derive(Debug)]
pub(super) struct TraitGenerator {
    pub(super) crate_path: String,
    pub(super) json: bool,
    pub(super) behind_dyn: bool,
    pub(super) aliases: Aliases,
    pub(super) names: names::Chosen,
}

impl TraitGenerator {
    fn write(&self, service: &Service, out: &mut String) -> std::fmt::Result {
        let wire_name = wire_name(&service.package, &service.proto_name);
        docs(out, 0, &service.comments, &format!("The service `{wire_name}`."));
        let name = self.names.get(&wire_name).unwrap_or(&service.name);
        writeln!(out, "#[{}::service{}]", self.crate_path, self.arguments(service, name))?;
        deprecated(out, 0, service.options.deprecated())?;
        writeln!(out, "pub trait {name} {{")?;
        for method in &service.methods {
            let path = format!("/{wire_name}/{}", method.proto_name);
            docs(out, 1, &method.comments, &format!("The method `{path}`."));
            deprecated(out, 1, method.options.deprecated())?;
            self.write_method(method, &format!("{wire_name}.{}", method.proto_name), out)?;
        }
        writeln!(out, "}}")
    }

    fn arguments(&self, service: &Service, name: &str) -> String {
        let mut arguments = Vec::new();
        if !service.package.is_empty() {
            arguments.push(format!("package = {:?}", service.package));
        }
        if name != service.proto_name {
            arguments.push(format!("name = {:?}", service.proto_name));
        }
        // Streams cannot be JSON, and a service of streams only is not marked.
        let is_unary = |method: &Method| !method.client_streaming && !method.server_streaming;
        if self.json && service.methods.iter().any(is_unary) {
            arguments.push("json".to_owned());
        }
        if self.behind_dyn {
            arguments.push("dyn".to_owned());
        }
        if self.crate_path != "::trill" {
            arguments.push(format!("crate = {}", self.crate_path));
        }
        if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) }
    }

    fn write_method(&self, method: &Method, full_name: &str, out: &mut String) -> std::fmt::Result {
        let name =
            self.names.get(full_name).map_or_else(|| method_name(&method.name), str::to_owned);
        let mut rpc = Vec::new();
        if !gives_back(&name, &method.proto_name) {
            rpc.push(format!("name = {:?}", method.proto_name));
        }
        rpc.extend(self.aliases.get(full_name).iter().map(|alias| format!("alias = {alias:?}")));
        if !rpc.is_empty() {
            writeln!(out, "    #[rpc({})]", rpc.join(", "))?;
        }
        let (trill, request, answer) = (&self.crate_path, &method.input_type, &method.output_type);
        let (arguments, output) = match (method.client_streaming, method.server_streaming) {
            (false, false) => (format!("req: {request}"), answer.as_str()),
            (true, false) => (format!("reader: {trill}::AsyncReader<{request}>"), answer.as_str()),
            (false, true) => {
                (format!("req: {request}, writer: {trill}::AsyncWriter<{answer}>"), "()")
            }
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

fn wire_name(package: &str, name: &str) -> String {
    if package.is_empty() { name.to_owned() } else { format!("{package}.{name}") }
}

/// The comments as docs, or else `fallback`, so that crates that deny undocumented items can
/// include the code.
fn docs(out: &mut String, indent: u8, comments: &Comments, fallback: &str) {
    if comments.leading.is_empty() && comments.trailing.is_empty() {
        let fallback = Comments { leading: vec![format!(" {fallback}")], ..Comments::default() };
        fallback.append_with_indent(indent, out);
    }
    comments.append_with_indent(indent, out);
}

fn deprecated(out: &mut String, indent: usize, is_deprecated: bool) -> std::fmt::Result {
    if is_deprecated {
        writeln!(out, "{:width$}#[deprecated]", "", width = 4 * indent)
    } else {
        Ok(())
    }
}

/// Tells whether the service attribute makes the name on the wire of the Rust name, so that it need
/// not be written down. Doubtful names are written down.
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
