// object_mistake.rs, expanded.
::core::compile_error! {
    "no type behind `dyn` has `Clone`; remove it here, or `dyn` from the attribute"
}
#[allow(dead_code)]
trait Copied: Clone + ::core::marker::Send + ::core::marker::Sync + 'static {
    fn ask(
        &self,
        cx: Context,
        req: Question,
    ) -> impl ::core::future::Future<Output = Result<Answer>> + ::core::marker::Send;
    #[doc(hidden)]
    fn __into_service(self) -> ::std::sync::Arc<dyn ::trill::__private::Service>
    where
        Self: ::core::marker::Sized,
    {
        ::std::sync::Arc::new(CopiedServer::new(self))
    }
}
enum __CopiedMethod {
    ask,
}
impl __CopiedMethod {
    const __SPEC: ::trill::__private::ServiceSpec = ::trill::__private::ServiceSpec {
        name: "test.Copied",
        methods: &[
            ::trill::__private::MethodSpec {
                path: "/test.Copied/Ask",
                kind: ::trill::__private::MethodKind::Unary,
                aliases: &[],
                json: false,
            },
        ],
    };
    fn __message<T: ::trill::Message>() {}
}
/// Serves a [`Copied`] as `test.Copied`: give it to `Server::builder().service(..)`. Clones share the one service.
struct CopiedServer<T> {
    service: ::std::sync::Arc<T>,
}
impl<T: ::core::marker::Send + ::core::marker::Sync + 'static> CopiedServer<T> {
    /// Makes a server of a [`Copied`].
    #[must_use]
    pub fn new(service: T) -> Self {
        Self::from_arc(::std::sync::Arc::new(service))
    }
    /// Makes a server of a service that is used elsewhere, too.
    #[must_use]
    pub fn from_arc(service: ::std::sync::Arc<T>) -> Self {
        Self { service }
    }
}
impl<T> ::core::clone::Clone for CopiedServer<T> {
    fn clone(&self) -> Self {
        Self {
            service: ::core::clone::Clone::clone(&self.service),
        }
    }
}
impl<T> ::core::fmt::Debug for CopiedServer<T> {
    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __f.debug_struct("CopiedServer").finish_non_exhaustive()
    }
}
impl<
    T: ::core::marker::Send + ::core::marker::Sync + 'static,
> ::trill::__private::Service for CopiedServer<T> {
    fn spec(&self) -> &'static ::trill::__private::ServiceSpec {
        &__CopiedMethod::__SPEC
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
/// Calls a [`Copied`], which is `test.Copied` on the wire. Clones are cheap and share the channel.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct CopiedClient {
    stub: ::trill::__private::Stub,
}
impl CopiedClient {
    /// Makes a client of the service behind `channel`.
    #[must_use]
    pub fn new(channel: ::trill::Channel) -> Self {
        Self {
            stub: ::trill::__private::Stub::new(channel, &__CopiedMethod::__SPEC),
        }
    }
    /// Unary call of `/test.Copied/Ask`: await it for the answer.
    pub fn ask(&self, req: Question) -> ::trill::client::Unary<Question, Answer> {
        __CopiedMethod::__message::<Question>();
        __CopiedMethod::__message::<Answer>();
        self.stub.unary::<Question, Answer>(__CopiedMethod::ask as usize, req)
    }
}
impl ::core::convert::From<::trill::Channel> for CopiedClient {
    fn from(__channel: ::trill::Channel) -> Self {
        Self::new(__channel)
    }
}
/// A [`Copied`] behind `dyn`. Each type that implements [`Copied`] is one, and an `Arc<dyn DynCopied>` or `Box<dyn DynCopied>` is a [`Copied`]: it can be served, and its methods called. A call allocates its future.
#[allow(dead_code)]
trait DynCopied: ::core::marker::Send + ::core::marker::Sync + 'static {}
impl<T: ::core::marker::Send + ::core::marker::Sync + 'static> DynCopied for T {}
const _: () = {
    #[derive(::core::fmt::Debug)]
    pub enum __Marker {}
    impl ::trill::__private::IntoService<__Marker> for ::std::sync::Arc<dyn DynCopied> {
        fn into_service(self) -> ::std::sync::Arc<dyn ::trill::__private::Service> {
            ::std::sync::Arc::new(CopiedServer::new(self))
        }
    }
};
const _: () = {
    #[derive(::core::fmt::Debug)]
    pub enum __Marker {}
    impl ::trill::__private::IntoService<__Marker> for ::std::boxed::Box<dyn DynCopied> {
        fn into_service(self) -> ::std::sync::Arc<dyn ::trill::__private::Service> {
            ::std::sync::Arc::new(CopiedServer::new(self))
        }
    }
};
