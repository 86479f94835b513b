//! Requests that keep what the texts of `Everything` do not: the memory that they were read into,
//! and the many parts of a list.

use bytes::Bytes;
use trill::{Context, Result};

/// Methods for the attacks that need them.
#[trill::service(package = "test.hostile")]
pub(crate) trait Keeping {
    /// Keeps the bytes for ever.
    async fn keep_bytes(&self, cx: Context, request: Bytes) -> Result<()>;

    /// Keeps the list for ever.
    async fn keep_list(&self, cx: Context, request: List) -> Result<()>;

    /// Lets go of the list at once.
    async fn drop_list(&self, cx: Context, request: List) -> Result<()>;
}

/// A list whose elements take two bytes on the wire if they are empty.
#[derive(Clone, PartialEq, Eq, trill::prost::Message)]
#[prost(prost_path = "::trill::prost")]
pub(crate) struct List {
    #[prost(message, repeated, tag = "1")]
    elements: Vec<Element>,
}

/// As large in memory as the count of a request assumes: 32 bytes.
#[derive(Clone, PartialEq, Eq, trill::prost::Message)]
#[prost(prost_path = "::trill::prost")]
struct Element {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(uint64, tag = "2")]
    number: u64,
}

/// The paths of the methods.
pub(crate) const KEEP_BYTES: &str = "/test.hostile.Keeping/KeepBytes";
pub(crate) const KEEP_LIST: &str = "/test.hostile.Keeping/KeepList";
pub(crate) const DROP_LIST: &str = "/test.hostile.Keeping/DropList";

/// The body of a list of so many empty elements.
pub(crate) fn empty_elements(count: usize) -> Vec<u8> {
    [0x0a, 0].repeat(count)
}

pub(crate) struct Keeper;

#[trill::service]
impl Keeping for Keeper {
    async fn keep_bytes(&self, _cx: Context, request: Bytes) -> Result<()> {
        keep(request).await
    }

    async fn keep_list(&self, _cx: Context, request: List) -> Result<()> {
        keep(request).await
    }

    async fn drop_list(&self, _cx: Context, _request: List) -> Result<()> {
        Ok(())
    }
}

async fn keep<T: Send>(kept: T) -> Result<()> {
    let () = std::future::pending().await;
    drop(kept);
    Ok(())
}

#[cfg(test)]
mod tests {
    use trill::Server;
    use trill::prost::Message;
    use trill_tests::Obedient;

    use super::*;

    #[tokio::test]
    async fn the_paths_are_those_of_the_methods() {
        // It has none of the methods, and its errors say which one is called.
        let channel = Server::builder().service(Obedient::new().0).in_memory().expect("it serves");
        let client = KeepingClient::new(channel);
        let errors = [
            (KEEP_BYTES, client.keep_bytes(Bytes::new()).await),
            (KEEP_LIST, client.keep_list(List::default()).await),
            (DROP_LIST, client.drop_list(List::default()).await),
        ];
        for (path, error) in errors {
            let error = error.expect_err("it is not served").to_string();
            assert!(error.contains(path), "{error}");
        }
    }

    #[test]
    fn an_element_is_two_bytes_and_32_in_memory() {
        let list = List::decode(&empty_elements(3)[..]).expect("it is one");
        assert_eq!((list.elements.len(), size_of::<Element>()), (3, 32));
    }
}
