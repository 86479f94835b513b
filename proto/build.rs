//! Compiles the wire protocol's messages, without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let source = "proto/trpc.proto";
    println!("cargo:rerun-if-changed={source}");
    let files = protox::compile([source], ["proto"])?;
    prost_build::Config::new().bytes(["."]).compile_fds(files)?;
    Ok(())
}
