//! The traits that `#[trill::service]` implements.

use std::sync::Arc;

use crate::service::ServiceSpec;

use super::handler::ServerCall;
use super::run::Started;

/// A service as a server serves it: implemented by the generated `...Server` types.
pub trait Service: Send + Sync + 'static {
    /// The service's table.
    fn spec(&self) -> &'static ServiceSpec;

    /// Starts the handler of the method with this index.
    fn dispatch(&self, method: usize, call: ServerCall) -> Started;
}

/// The argument of [`ServerBuilder::service`](crate::server::ServerBuilder::service).
///
/// Implemented by the generated `...Server` types, and by types whose `impl` of a service trait
/// carries `#[trill::service]`. `Marker` tells several services of one type apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    label = "this type serves nothing",
    note = "put `#[trill::service]` on the `impl YourTrait for {Self}` block, or wrap it: `YourTraitServer::new(...)`",
    note = "what is in an `Arc` is served with `YourTraitServer::from_arc(...)`"
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
