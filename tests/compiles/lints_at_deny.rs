//! Generated code passes the strictest lints, and is quiet about what is not used.
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    missing_copy_implementations,
    nonstandard_style,
    rust_2018_idioms,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unreachable_pub,
    unused,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![forbid(unsafe_code)]

mod api {
    use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result};

    /// Talks. It has no callers, so its client is not used.
    #[trill::service(package = "test")]
    pub(crate) trait Talk: Send {
        /// Answers.
        async fn ask(&self, cx: Context, req: String) -> Result<String>;

        /// Notes.
        #[rpc(oneway)]
        async fn note(&self, cx: Context, req: String) -> Result<()>;

        /// Collects.
        async fn collect(&self, cx: Context, mut reader: AsyncReader<String>) -> Result<u64> {
            let mut words = 0;
            while reader.read().await?.is_some() {
                words += 1;
            }
            drop(cx);
            Ok(words)
        }

        /// Explains.
        #[deprecated = "nobody understands it"]
        async fn explain(&self, cx: Context, req: (), writer: AsyncWriter<String>) -> Result<()>;

        /// Discusses.
        async fn discuss(&self, cx: Context, rw: AsyncReaderWriter<String, String>) -> Result<()>;
    }

    /// Is one of several.
    #[trill::service(package = "test", dyn)]
    pub(crate) trait Chosen: std::fmt::Debug {
        /// Answers.
        async fn ask(&self, cx: Context, req: String) -> Result<String>;

        /// Collects.
        #[deprecated = "nobody wants it"]
        async fn collect(&self, cx: Context, mut reader: AsyncReader<String>) -> Result<String> {
            drop(cx);
            Ok(reader.read().await?.unwrap_or_default())
        }

        /// Is not there.
        #[cfg(any())]
        async fn absent(&self, cx: Context, req: Missing) -> Result<Missing>;
    }

    /// Says nothing.
    #[trill::service]
    pub(crate) trait Silence {}

    /// Says what nobody wants to hear any more.
    #[trill::service]
    #[deprecated = "nobody listens"]
    pub(crate) trait Rumour {
        /// Whispers.
        async fn whisper(&self, cx: Context, req: String) -> Result<()>;
    }
}

use api::{Silence, SilenceServer, Talk, TalkServer};
use trill::{AsyncReaderWriter, AsyncWriter, Context, Result, Server};

#[derive(Debug, Clone, Copy)]
struct Talker<T>(T);

#[trill::service]
impl<T: Send + Sync + 'static> Talk for Talker<T> {
    async fn ask(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }

    async fn note(&self, _: Context, _: String) -> Result<()> {
        Ok(())
    }

    async fn explain(&self, _: Context, (): (), _: AsyncWriter<String>) -> Result<()> {
        Ok(())
    }

    async fn discuss(&self, _: Context, _: AsyncReaderWriter<String, String>) -> Result<()> {
        Ok(())
    }
}

#[trill::service]
impl<T: Send + Sync + 'static> Silence for Talker<T> {}

#[test]
fn it_compiles() {
    // One type, two services: their servers say which.
    drop(
        Server::builder()
            .service(TalkServer::new(Talker(1)))
            .service(SilenceServer::new(Talker("two"))),
    );

    // A service can live in a function.
    #[trill::service]
    trait Local {
        async fn ask(&self, cx: Context, req: String) -> Result<String>;
    }

    #[trill::service]
    impl Local for Talker<u8> {
        async fn ask(&self, _: Context, req: String) -> Result<String> {
            Ok(req)
        }
    }
    drop(Server::builder().service(LocalServer::new(Talker(3))));
}
