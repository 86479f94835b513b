#[service(name = "detail_service", crate = ::my::trill)]
#[cfg(unix)]
pub(crate) trait Details: Clone + Send {
    #[rpc(json, name = "GetURL", alias = "/v1/url")]
    #[rpc(alias = "/v2/url")]
    async fn get_url(&self, cx: my::trill::Context, req: ()) -> Result<String>;

    #[cfg(feature = "extra")]
    #[deprecated(note = "nobody needs it")]
    async fn r#type(&self, _: Context, r#fn: my::Question) -> Result<()>;

    /// Has a body.
    #[tracing::instrument]
    async fn count(&self, _cx: Context, mut reader: AsyncReader<Bytes>) -> Result<u32> {
        let mut count = 0;
        while reader.read().await?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}
