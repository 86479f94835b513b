// details.rs, expanded.
#[cfg(unix)]
#[allow(dead_code)]
pub(crate) trait Details: Clone + Send + ::core::marker::Send + ::core::marker::Sync + 'static {
    fn get_url(
        &self,
        cx: my::trill::Context,
        req: (),
    ) -> impl ::core::future::Future<Output = Result<String>> + ::core::marker::Send;
    #[cfg(feature = "extra")]
    #[deprecated(note = "nobody needs it")]
    fn r#type(
        &self,
        _: Context,
        r#fn: my::Question,
    ) -> impl ::core::future::Future<Output = Result<()>> + ::core::marker::Send;
    /// Has a body.
    #[tracing::instrument]
    fn count(
        &self,
        _cx: Context,
        mut reader: AsyncReader<Bytes>,
    ) -> impl ::core::future::Future<Output = Result<u32>> + ::core::marker::Send {
        async move {
            let mut count = 0;
            while reader.read().await?.is_some() {
                count += 1;
            }
            Ok(count)
        }
    }
    #[doc(hidden)]
    fn __into_service(self) -> ::std::sync::Arc<dyn ::my::trill::__private::Service>
    where
        Self: ::core::marker::Sized,
    {
        ::std::sync::Arc::new(DetailsServer::new(self))
    }
}
#[cfg(unix)]
enum __DetailsMethod {
    get_url,
    #[cfg(feature = "extra")]
    r#type,
    count,
}
#[cfg(unix)]
impl __DetailsMethod {
    const __SPEC: ::my::trill::__private::ServiceSpec = ::my::trill::__private::ServiceSpec {
        name: "detail_service",
        methods: &[
            ::my::trill::__private::MethodSpec {
                path: "/detail_service/GetURL",
                kind: ::my::trill::__private::MethodKind::Unary,
                aliases: &["/v1/url", "/v2/url"],
                json: true,
            },
            #[cfg(feature = "extra")]
            ::my::trill::__private::MethodSpec {
                path: "/detail_service/Type",
                kind: ::my::trill::__private::MethodKind::Unary,
                aliases: &[],
                json: false,
            },
            ::my::trill::__private::MethodSpec {
                path: "/detail_service/Count",
                kind: ::my::trill::__private::MethodKind::ClientStream,
                aliases: &[],
                json: false,
            },
        ],
    };
    fn __message<T: ::my::trill::Message>() {}
    fn __json_message<T: ::my::trill::stream::JsonMessage>() {}
}
#[cfg(unix)]
/// Serves a [`Details`] as `detail_service`: give it to `Server::builder().service(..)`. Clones share the one service.
pub(crate) struct DetailsServer<T> {
    service: ::std::sync::Arc<T>,
}
#[cfg(unix)]
impl<T: Details> DetailsServer<T> {
    /// Makes a server of a [`Details`].
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
#[cfg(unix)]
impl<T> ::core::clone::Clone for DetailsServer<T> {
    fn clone(&self) -> Self {
        Self {
            service: ::core::clone::Clone::clone(&self.service),
        }
    }
}
#[cfg(unix)]
impl<T> ::core::fmt::Debug for DetailsServer<T> {
    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __f.debug_struct("DetailsServer").finish_non_exhaustive()
    }
}
#[cfg(unix)]
impl<T: Details> ::my::trill::__private::Service for DetailsServer<T> {
    fn spec(&self) -> &'static ::my::trill::__private::ServiceSpec {
        &__DetailsMethod::__SPEC
    }
    fn dispatch(
        &self,
        __method: usize,
        __call: ::my::trill::__private::ServerCall,
    ) -> ::my::trill::__private::Started {
        let __service = ::core::clone::Clone::clone(&self.service);
        match __method {
            _ if __method == __DetailsMethod::get_url as usize => {
                __DetailsMethod::__json_message::<()>();
                __DetailsMethod::__json_message::<String>();
                __call
                    .unary_json::<
                        (),
                        String,
                        _,
                        _,
                    >(move |__cx, __request| async move {
                        <T as Details>::get_url(&__service, __cx, __request).await
                    })
            }
            #[cfg(feature = "extra")]
            _ if __method == __DetailsMethod::r#type as usize => {
                __DetailsMethod::__message::<my::Question>();
                __DetailsMethod::__message::<()>();
                #[allow(deprecated, reason = "it is served all the same")]
                __call
                    .unary::<
                        my::Question,
                        (),
                        _,
                        _,
                    >(move |__cx, __request| async move {
                        <T as Details>::r#type(&__service, __cx, __request).await
                    })
            }
            _ if __method == __DetailsMethod::count as usize => {
                __DetailsMethod::__message::<Bytes>();
                __DetailsMethod::__message::<u32>();
                __call
                    .client_stream::<
                        Bytes,
                        u32,
                        _,
                        _,
                    >(move |__cx, __reader| async move {
                        <T as Details>::count(&__service, __cx, __reader).await
                    })
            }
            _ => __call.unknown_method(),
        }
    }
}
#[cfg(unix)]
/// Calls a [`Details`], which is `detail_service` on the wire. Clones are cheap and share the channel.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub(crate) struct DetailsClient {
    stub: ::my::trill::__private::Stub,
}
#[cfg(unix)]
impl DetailsClient {
    /// Makes a client of the service behind `channel`.
    #[must_use]
    pub fn new(channel: ::my::trill::Channel) -> Self {
        Self {
            stub: ::my::trill::__private::Stub::new(channel, &__DetailsMethod::__SPEC),
        }
    }
    /// Unary call of `/detail_service/GetURL`: await it for the answer.
    pub fn get_url(&self, req: ()) -> ::my::trill::client::Unary<(), String> {
        __DetailsMethod::__json_message::<()>();
        __DetailsMethod::__json_message::<String>();
        self.stub.unary::<(), String>(__DetailsMethod::get_url as usize, req)
    }
    #[cfg(feature = "extra")]
    #[deprecated(note = "nobody needs it")]
    ///
    /// Unary call of `/detail_service/Type`: await it for the answer.
    pub fn r#type(
        &self,
        r#fn: my::Question,
    ) -> ::my::trill::client::Unary<my::Question, ()> {
        __DetailsMethod::__message::<my::Question>();
        __DetailsMethod::__message::<()>();
        self.stub.unary::<my::Question, ()>(__DetailsMethod::r#type as usize, r#fn)
    }
    /// Has a body.
    ///
    /// Client stream `/detail_service/Count`: await it for the writer of the requests, and the answer to come.
    pub fn count(&self) -> ::my::trill::client::ClientStream<Bytes, u32> {
        __DetailsMethod::__message::<Bytes>();
        __DetailsMethod::__message::<u32>();
        self.stub.client_stream::<Bytes, u32>(__DetailsMethod::count as usize)
    }
}
#[cfg(unix)]
impl ::core::convert::From<::my::trill::Channel> for DetailsClient {
    fn from(__channel: ::my::trill::Channel) -> Self {
        Self::new(__channel)
    }
}
