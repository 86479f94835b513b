// handler.rs, expanded.
/// Greets.
#[cfg(unix)]
impl<D: Database> api::Greeter for MyGreeter<D>
where
    D: Clone,
{
    async fn say_hello(&self, cx: Context, req: Question) -> Result<Answer> {
        self.database.find(req).await
    }
}
#[cfg(unix)]
#[allow(deprecated, reason = "the `impl` has the warning already")]
const _: () = {
    #[derive(::core::fmt::Debug)]
    pub enum __Marker {}
    impl<D: Database> my::trill::__private::IntoService<__Marker> for MyGreeter<D>
    where
        D: Clone,
    {
        fn into_service(self) -> ::std::sync::Arc<dyn my::trill::__private::Service> {
            <Self as api::Greeter>::__into_service(self)
        }
    }
};
