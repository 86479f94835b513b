//! Ends of calls and streams that do not fit into a header.

use trill::{Channel, ErrorKind, Limits, Server};
use trill_tests::{EverythingClient, Obedient, text};

use crate::warnings::Warnings;

const MARK: &str = "... (cut: max_metadata)";

/// A client of a server whose headers are 2,000 bytes at most.
fn client() -> EverythingClient {
    let host = trill::testing::Network::new(1)
        .serve(
            Server::builder()
                .service(Obedient::new().0)
                .limits(Limits::default().max_metadata(2_000)),
        )
        .expect("the setting is legal");
    EverythingClient::new(host.connect(Channel::builder()).expect("the server is up").0)
}

#[tokio::test(start_paused = true)]
async fn a_good_end_whose_metadata_does_not_fit_is_an_error_and_is_logged() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let client = client();
    let mut rw = client.talk().await.unwrap();
    rw.write(text(format!("meta key {}", "v".repeat(3_000)))).await.unwrap();
    assert!(rw.read().await.unwrap().is_some());
    rw.finish_writing().await.unwrap();
    let error = rw.read().await.expect_err("the end is not whole");
    assert_eq!(error.kind(), ErrorKind::Status);
    assert!(
        error.message().contains("at most 2000 may be sent (max_metadata of the server)"),
        "{error}"
    );
    let lines = warnings.lines();
    assert!(
        lines.len() == 1 && lines[0].contains("max_metadata") && lines[0].contains("/Talk"),
        "{lines:?}"
    );

    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text(format!("meta key {}", "v".repeat(3_000)))).await.unwrap();
    writer.finish().await.unwrap();
    assert!(
        reply.await.unwrap_err().message().contains("(max_metadata of the server)"),
        "the answer alone is not the end"
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_text_is_cut_between_characters_and_says_so() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let client = client();
    for start in ["", "x"] {
        let order = text(format!("error 7 {start}{}", "\u{e4}".repeat(1_500)));
        let unary = client.unary(order.clone()).await.unwrap_err();
        let stream = client.download(order).await.unwrap().read().await.unwrap_err();
        for error in [unary, stream] {
            assert_eq!(error.app_code(), 7);
            let whole = error.message().strip_suffix(MARK).expect("it says that it was cut");
            assert!(
                whole.strip_prefix(start).unwrap().chars().all(|letter| letter == '\u{e4}'),
                "{whole}"
            );
            assert!((1_700..2_000).contains(&whole.len()), "{} bytes would fit", whole.len());
        }
    }
    assert_eq!(warnings.lines().len(), 4);
    let fits = "x".repeat(1_900);
    assert_eq!(client.unary(text(format!("error 7 {fits}"))).await.unwrap_err().message(), fits);
}

#[tokio::test(start_paused = true)]
async fn an_error_text_that_fits_alone_is_kept_and_its_metadata_is_missed_in_the_log() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let order = format!("meta key {};error 7 {}", "v".repeat(1_500), "x".repeat(1_500));
    let mut reader = client().download(text(order)).await.unwrap();
    assert!(reader.read().await.unwrap().is_some());
    let error = reader.read().await.unwrap_err();
    assert_eq!((error.app_code(), error.message()), (7, &*"x".repeat(1_500)));
    let lines = warnings.lines();
    assert!(lines.len() == 1 && lines[0].contains("metadata"), "{lines:?}");
}
