//! Generated code of legal `.proto` files compiles, whatever names and comments they have.
//!
//! The doctests of this crate are part of its tests: comments must not have become any.
#![deny(deprecated, reason = "what is deprecated must not be used inside generated code")]
#![allow(clippy::all, reason = "the code is generated")]

/// Each word at each place.
pub mod legal_names {
    include!(concat!(env!("OUT_DIR"), "/legal.rs"));
}

/// Messages called as types of the library are.
pub mod names {
    include!(concat!(env!("OUT_DIR"), "/words.names.rs"));
}

/// Comments with code that is not Rust.
pub mod notes {
    include!(concat!(env!("OUT_DIR"), "/words.notes.rs"));
}

/// A service of one letter.
pub mod letters {
    include!(concat!(env!("OUT_DIR"), "/words.letters.rs"));
}

/// A file that begins with a byte order mark.
pub mod marked {
    include!(concat!(env!("OUT_DIR"), "/words.marked.rs"));
}

/// Deprecated items.
pub mod old {
    include!(concat!(env!("OUT_DIR"), "/words.old.rs"));
}

/// Names that are the same in Rust, but for `rust_name`.
pub mod twins {
    include!(concat!(env!("OUT_DIR"), "/words.twins.rs"));
}

#[cfg(test)]
mod tests {
    use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result, Server};

    use super::{names, twins};

    struct Mine;

    #[trill::service]
    impl names::Contexts for Mine {
        async fn get(&self, _: Context, req: names::Context) -> Result<names::Context> {
            Ok(req)
        }

        async fn send(
            &self,
            _: Context,
            mut reader: AsyncReader<names::Context>,
        ) -> Result<names::Context> {
            Ok(reader.read().await?.unwrap_or_default())
        }

        async fn receive(
            &self,
            _: Context,
            req: names::AsyncReader,
            mut writer: AsyncWriter<names::AsyncWriter>,
        ) -> Result<()> {
            writer.write(names::AsyncWriter { text: req.text }).await
        }

        async fn talk(
            &self,
            _: Context,
            mut rw: AsyncReaderWriter<names::SharedReader, names::Context>,
        ) -> Result<()> {
            while let Some(names::SharedReader { text }) = rw.read().await? {
                rw.write(names::Context { text }).await?;
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn messages_called_as_our_types_travel() {
        let client =
            names::ContextsClient::new(Server::builder().service(Mine).in_memory().unwrap());
        let context = names::Context { text: "a".to_owned() };
        assert_eq!(client.get(context.clone()).await.unwrap(), context);
        let mut reader = client.receive(names::AsyncReader { text: "b".to_owned() }).await.unwrap();
        assert_eq!(reader.read().await.unwrap().unwrap().text, "b");
        let mut rw = client.talk().await.unwrap();
        rw.write(names::SharedReader { text: "c".to_owned() }).await.unwrap();
        assert_eq!(rw.read().await.unwrap().unwrap().text, "c");
    }

    struct Urls;

    #[trill::service]
    impl twins::Pages for Urls {
        async fn get_url(&self, cx: Context, _: twins::Page) -> Result<twins::Page> {
            Ok(twins::Page { url: cx.method().to_owned() })
        }

        async fn get_long_url(&self, cx: Context, _: twins::Page) -> Result<twins::Page> {
            Ok(twins::Page { url: cx.method().to_owned() })
        }

        async fn nothing(&self, cx: Context, _: twins::Page) -> Result<twins::Page> {
            Ok(twins::Page { url: cx.method().to_owned() })
        }
    }

    #[tokio::test]
    async fn a_name_in_rust_does_not_change_the_one_on_the_wire() {
        let client = twins::PagesClient::new(Server::builder().service(Urls).in_memory().unwrap());
        let page = twins::Page::default;
        assert_eq!(client.get_url(page()).await.unwrap().url, "/words.twins.Pages/GetUrl");
        assert_eq!(client.get_long_url(page()).await.unwrap().url, "/words.twins.Pages/GetURL");
        assert_eq!(client.nothing(page()).await.unwrap().url, "/words.twins.Pages/_");
        let _ = (twins::HttpClient::new, twins::HttpServiceClient::new);
    }
}
