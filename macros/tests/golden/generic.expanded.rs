// generic.rs, expanded.
::core::compile_error! {
    "a service is one table of methods, so its trait has no parameters; make the type that implements it generic"
}
#[allow(dead_code)]
trait Generic<T>: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn ask(
        &self,
        cx: Context,
        req: T,
    ) -> impl ::core::future::Future<Output = Result<Answer>> + ::core::marker::Send;
    #[doc(hidden)]
    fn __into_service(self) -> ::std::sync::Arc<dyn ::trill::__private::Service>
    where
        Self: ::core::marker::Sized,
    {
        ::std::sync::Arc::new(GenericServer::new(self))
    }
}
enum __GenericMethod {}
impl __GenericMethod {
    const __SPEC: ::trill::__private::ServiceSpec = ::trill::__private::ServiceSpec {
        name: "test.Generic",
        methods: &[],
    };
    fn __message<__T: ::trill::Message>() {}
}
/// Serves a [`Generic`] as `test.Generic`: give it to `Server::builder().service(..)`. Clones share the one service.
struct GenericServer<__T> {
    service: ::std::sync::Arc<__T>,
}
impl<__T: ::core::marker::Send + ::core::marker::Sync + 'static> GenericServer<__T> {
    /// Makes a server of a [`Generic`].
    #[must_use]
    pub fn new(service: __T) -> Self {
        Self::from_arc(::std::sync::Arc::new(service))
    }
    /// Makes a server of a service that is used elsewhere, too.
    #[must_use]
    pub fn from_arc(service: ::std::sync::Arc<__T>) -> Self {
        Self { service }
    }
}
impl<__T> ::core::clone::Clone for GenericServer<__T> {
    fn clone(&self) -> Self {
        Self {
            service: ::core::clone::Clone::clone(&self.service),
        }
    }
}
impl<__T> ::core::fmt::Debug for GenericServer<__T> {
    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __f.debug_struct("GenericServer").finish_non_exhaustive()
    }
}
impl<
    __T: ::core::marker::Send + ::core::marker::Sync + 'static,
> ::trill::__private::Service for GenericServer<__T> {
    fn spec(&self) -> &'static ::trill::__private::ServiceSpec {
        &__GenericMethod::__SPEC
    }
    fn dispatch(
        &self,
        __method: usize,
        __call: ::trill::__private::ServerCall,
    ) -> ::trill::__private::Started {
        let _ = __method;
        __call.unknown_method()
    }
}
/// Calls a [`Generic`], which is `test.Generic` on the wire. Clones are cheap and share the channel.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct GenericClient {
    stub: ::trill::__private::Stub,
}
impl GenericClient {
    /// Makes a client of the service behind `channel`.
    #[must_use]
    pub fn new(channel: ::trill::Channel) -> Self {
        Self {
            stub: ::trill::__private::Stub::new(channel, &__GenericMethod::__SPEC),
        }
    }
}
impl ::core::convert::From<::trill::Channel> for GenericClient {
    fn from(__channel: ::trill::Channel) -> Self {
        Self::new(__channel)
    }
}
