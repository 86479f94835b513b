//! Names the compiler for the description of a machine, and generates the clients and servers that
//! are not made by a macro. No protobuf compiler is needed: tonic is told the one service by hand
//! and takes this crate's own messages, and ttrpc has a parser in Rust.

use tonic_build::manual::{Builder, Method, MethodBuilder, Service};

fn main() -> std::io::Result<()> {
    name_compiler()?;
    tonic();
    ttrpc()
}

fn name_compiler() -> std::io::Result<()> {
    let rustc = std::env::var_os("RUSTC").expect("cargo sets it");
    let version = std::process::Command::new(rustc).arg("--version").output()?.stdout;
    println!("cargo::rustc-env=RUSTC_VERSION={}", String::from_utf8_lossy(&version).trim());
    Ok(())
}

fn tonic() {
    let service = Service::builder()
        .name("Echoes")
        .package("bench")
        .method(method("unary", "Unary").build())
        .method(method("download", "Download").server_streaming().build())
        .method(method("upload", "Upload").client_streaming().build())
        .method(method("talk", "Talk").client_streaming().server_streaming().build())
        .build();
    Builder::new().compile(&[service]);
}

fn method(name: &str, route: &str) -> MethodBuilder {
    Method::builder()
        .name(name)
        .route_name(route)
        .input_type("crate::message::Echo")
        .output_type("crate::message::Echo")
        .codec_path("tonic_prost::ProstCodec")
}

fn ttrpc() -> std::io::Result<()> {
    let out =
        std::path::PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it")).join("ttrpc");
    std::fs::create_dir_all(&out)?;
    println!("cargo::rerun-if-changed=proto/bench.proto");
    ttrpc_codegen::Codegen::new()
        .out_dir(&out)
        .input("proto/bench.proto")
        .include("proto")
        .rust_protobuf()
        .rust_protobuf_customize(
            ttrpc_codegen::ProtobufCustomize::default().tokio_bytes(true).gen_mod_rs(false),
        )
        .customize(ttrpc_codegen::Customize { async_all: true, ..Default::default() })
        .run()?;
    // Its own `mod.rs` begins in a way that cannot be included.
    std::fs::write(out.join("modules.rs"), "pub mod bench;\npub mod bench_ttrpc;\n")
}
