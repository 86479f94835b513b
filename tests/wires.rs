//! The rooms above the wires speak of no wire: tRPC is named in its folder, in the module that is
//! about it, and in the lines below. Comments may name it.

mod sources;

use std::collections::BTreeSet;
use std::fs;

use sources::{code_files, root, without_tests};

/// The hidden modules are for tools, which speak the wire as a peer does.
const TOOLS: [&str; 2] = ["__bench", "__fuzz"];

/// The lines that name the wire, and the files in which they stand.
const NAMED: [(&str, &str); 22] = [
    ("client/builder.rs", r#"caller: Bytes::from_static(b"trpc.trill.client.service"),"#),
    ("codec.rs", "pub mod trpc {"),
    ("codec.rs", "pub use crate::wires::trpc::codec::{"),
    ("conn/config.rs", "pub(crate) use crate::wires::trpc::{AppErrors, Cancel};"),
    ("conn/mod.rs", "use crate::wires::{Decoder, Rules, Wire, trpc};"),
    ("conn/mod.rs", "Self::new(Side::Client, Wire::Trpc(trpc::Trpc), config, None)"),
    ("conn/mod.rs", "Self::new(Side::Server, Wire::Trpc(trpc::Trpc), config, Some(admission))"),
    ("error/status.rs", "(code, _, Some(WireCode::Trpc(said))) if said.ret.0 != 0 => {"),
    ("error/status.rs", r#"write!(f, "{code} (tRPC {said})")?;"#),
    ("error/wire_code.rs", "Trpc(Codes),"),
    ("error/wire_code.rs", "pub func_ret: i32,"),
    ("error/wire_code.rs", "pub const fn new(ret: trill_proto::Code, func_ret: i32) -> Self {"),
    ("error/wire_code.rs", "Self { ret, func_ret }"),
    ("error/wire_code.rs", "match self.func_ret {"),
    ("error/wire_code.rs", r#"func_ret => write!(f, "{}, func_ret {func_ret}", self.ret),"#),
    ("error/wire_code.rs", r#"Self::Trpc(codes) => write!(f, "tRPC {codes}"),"#),
    ("lib.rs", "pub mod trpc;"),
    ("lib.rs", r#"#[doc = include_str!("../docs/coming_from_trpc.md")]"#),
    ("lib.rs", "pub mod coming_from_trpc {}"),
    (
        "metadata/key.rs",
        r#"[(":", "HTTP/2"), ("grpc-", "gRPC"), ("trill-", "Trill"), ("trpc-", "tRPC")];"#,
    ),
    ("settings/mod.rs", "pub fn trpc(mut self, settings: crate::trpc::Settings) -> Self {"),
    ("settings/mod.rs", "impl crate::trpc::Settings {"),
];

/// The lines of code that name tRPC or what only it has, with the file inside `sdk/src`.
fn naming() -> BTreeSet<(String, String)> {
    let sources = root().join("sdk/src");
    let mut naming = BTreeSet::new();
    for file in code_files(&sources) {
        let inside = file.strip_prefix(&sources).unwrap().to_str().unwrap().to_owned();
        let is_free = inside.starts_with("wires/") || inside == "trpc.rs";
        if is_free || TOOLS.iter().any(|tool| inside.starts_with(tool)) {
            continue;
        }
        for line in without_tests(&fs::read_to_string(&file).unwrap()).lines() {
            let code = line.split("//").next().unwrap_or_default().trim();
            let lower = code.to_lowercase();
            if lower.contains("trpc") || lower.contains("func_ret") {
                naming.insert((inside.clone(), code.to_owned()));
            }
        }
    }
    naming
}

#[test]
fn the_wire_is_named_in_its_folder_in_its_module_and_in_the_lines_of_the_list() {
    let named = NAMED.map(|(file, line)| (file.to_owned(), line.to_owned()));
    let (found, named) = (naming(), BTreeSet::from(named));
    let more: Vec<_> = found.difference(&named).collect();
    assert!(more.is_empty(), "these lines name the wire too: {more:#?}");
    let fewer: Vec<_> = named.difference(&found).collect();
    assert!(fewer.is_empty(), "these lines are not there any more: {fewer:#?}");
}
