//! The tables and traits that `#[trill::service]` fills in.

use std::sync::Arc;

use super::batch::Started;
use super::handler::ServerCall;

/// A service: its name on the wire and its methods.
#[derive(Debug, PartialEq, Eq)]
pub struct ServiceSpec {
    /// `package.Service`.
    pub name: &'static str,
    /// The methods, in the order of the trait.
    pub methods: &'static [MethodSpec],
}

/// A method: its path on the wire and its kind.
#[derive(Debug, PartialEq, Eq)]
pub struct MethodSpec {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// Which of the five kinds of call it is.
    pub kind: MethodKind,
    /// Other paths under which it can be called.
    pub aliases: &'static [&'static str],
    /// Whether it takes JSON beside protobuf.
    pub json: bool,
}

/// The kinds of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodKind {
    /// One request, one answer.
    Unary,
    /// One request, no answer.
    OneWay,
    /// Many requests, one answer.
    ClientStream,
    /// One request, many answers.
    ServerStream,
    /// Many requests, many answers.
    Bidi,
}

impl MethodKind {
    pub(super) fn is_stream(self) -> bool {
        !matches!(self, Self::Unary | Self::OneWay)
    }
}

/// What a server serves: implemented by the generated `...Server` types.
pub trait Service: Send + Sync + 'static {
    /// The service's table.
    fn spec(&self) -> &'static ServiceSpec;

    /// Starts the handler of the method with this index.
    fn dispatch(&self, method: usize, call: ServerCall) -> Started;
}

/// What [`ServerBuilder::service`](crate::server::ServerBuilder::service) takes.
///
/// Implemented by the generated `...Server` types, and by types whose `impl` of a service trait carries `#[trill::service]`. `Marker`
/// tells several services of one type apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    label = "this type serves nothing",
    note = "put `#[trill::service]` on the `impl YourTrait for {Self}` block, or wrap it: `YourTraitServer::new(...)`"
)]
pub trait IntoService<Marker> {
    /// The service.
    fn into_service(self) -> Arc<dyn Service>;
}

/// Marks what is a service by itself.
#[derive(Debug)]
pub struct Itself(());

#[diagnostic::do_not_recommend]
impl<S: Service> IntoService<Itself> for S {
    fn into_service(self) -> Arc<dyn Service> {
        Arc::new(self)
    }
}
