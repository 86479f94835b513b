//! Compiles `shapes.proto`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../shapes.proto");
    trill_proto::build::compile(&["../shapes.proto"], &[".."])?;
    Ok(())
}
