//! Compiles the chat's `.proto`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    trill_proto::build::compile(&["proto/chat.proto"], &["proto"])?;
    Ok(())
}
