//! Compiles the protocol's own messages.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/trpc.proto");
    let files = protox::Compiler::new(["proto"])?
        .include_source_info(true)
        .open_file("trpc.proto")?
        .file_descriptor_set();
    prost_build::Config::new().bytes(["."]).compile_fds(files)?;
    Ok(())
}
