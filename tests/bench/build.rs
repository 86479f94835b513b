//! Generates tonic's client and server of the one service. Its messages are this crate's own, so no protobuf compiler is needed.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
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

fn method(name: &str, route: &str) -> tonic_build::manual::MethodBuilder {
    Method::builder()
        .name(name)
        .route_name(route)
        .input_type("crate::message::Echo")
        .output_type("crate::message::Echo")
        .codec_path("tonic_prost::ProstCodec")
}
