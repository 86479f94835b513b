//! From a method's name to its handler.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;

use crate::driver::{
    Admission, Admitted, Dispatch, Head, IncomingCall, IncomingStream, Link, Outcome, RefusedCall,
    Shape,
};
use crate::error::{At, Error, ErrorKind, Origin, Reason, Result};
use crate::service::MethodSpec;
use crate::stream::{Compression, JSON};

use super::batch::Batch;
use super::guard::tell_refused;
use super::handler::ServerCall;
use super::run::Started;
use super::server_state::ServerState;
use super::service::Service;

/// How much of an unknown method's name a refusal repeats.
pub(super) const SHOWN_PATH: usize = 256;

/// The methods of a server by their paths.
pub(crate) struct Router {
    paths: HashMap<&'static [u8], u32>,
    entries: Vec<Route>,
    services: Vec<&'static str>,
    server_state: Arc<ServerState>,
}

struct Route {
    service: Arc<dyn Service>,
    index: usize,
    spec: &'static MethodSpec,
}

impl Router {
    /// # Errors
    /// Two methods have the same path.
    pub(crate) fn new(
        services: &[Arc<dyn Service>],
        server_state: Arc<ServerState>,
    ) -> Result<Self> {
        let mut router =
            Self { paths: HashMap::new(), entries: Vec::new(), services: Vec::new(), server_state };
        for service in services {
            router.services.push(service.spec().name);
            for (index, spec) in service.spec().methods.iter().enumerate() {
                let entry = u32::try_from(router.entries.len());
                let entry = entry.expect("no server has four billion methods");
                for path in std::iter::once(&spec.path).chain(spec.aliases) {
                    if router.paths.insert(path.as_bytes(), entry).is_some() {
                        let text = format!(
                            "two methods are registered as {path}: add each service once, or give one of the traits another `package` or `name` in `#[trill::service(..)]`"
                        );
                        return Err(Error::new(
                            ErrorKind::Config,
                            Origin::Caller,
                            Reason::Internal,
                            text,
                        ));
                    }
                }
                router.entries.push(Route { service: Arc::clone(service), index, spec });
            }
        }
        Ok(router)
    }

    /// The decision, as the protocol wants to have it.
    pub(crate) fn admission(self: &Arc<Self>) -> Admission {
        let router = Arc::clone(self);
        Arc::new(move |head, told| router.admit(head, told))
    }

    fn admit(&self, head: &Head, told: Option<Shape>) -> Result<Admitted, Outcome> {
        let refuse =
            |reason: Reason, text: String| Err(Outcome::failed(reason.at(At::ServerCall), text));
        let Some(&entry) = self.paths.get(&head.method[..]) else {
            return self.unknown(&head.method);
        };
        let spec = self.entries[entry as usize].spec;
        let shape = if spec.kind.is_stream() { Shape::Stream } else { Shape::Unary };
        match (told, shape) {
            (Some(Shape::Unary), Shape::Stream) => {
                let text = format!(
                    "{} is a stream: open it with INIT, not with a unary request",
                    spec.path
                );
                return refuse(Reason::NoMethod, text);
            }
            (Some(Shape::Stream), Shape::Unary) => {
                let text = format!(
                    "{} is unary: call it with a unary request, not with a stream",
                    spec.path
                );
                return refuse(Reason::NoMethod, text);
            }
            _ => {}
        }
        // PROTOCOL 35, 36
        match head.content_type {
            0 => {}
            JSON if spec.json => {}
            other => {
                let known = if spec.json {
                    "0 (protobuf) and 2 (JSON) are"
                } else {
                    "only 0 (protobuf) is"
                };
                let text =
                    format!("{} does not take content_type {other}, {known} known", spec.path);
                return refuse(Reason::Decode, text);
            }
        }
        if let Err(text) = Compression::from_wire(head.content_encoding) {
            return refuse(Reason::Decode, text);
        }
        Ok(Admitted { method: entry, shape })
    }

    fn unknown(&self, method: &Bytes) -> Result<Admitted, Outcome> {
        // A name that nobody knows may be of any length; the refusal stays readable.
        let path = String::from_utf8_lossy(&method[..method.len().min(SHOWN_PATH)]);
        let service = path
            .strip_prefix('/')
            .and_then(|path| path.rsplit_once('/'))
            .map(|(service, _)| service);
        // PROTOCOL 12
        let (reason, text) = match service {
            Some(service) if !self.services.contains(&service) => (
                Reason::NoService,
                format!("this server has no service '{service}' (func '{path}')"),
            ),
            _ => (Reason::NoMethod, format!("this server has no method '{path}'")),
        };
        Err(Outcome::failed(reason, text))
    }
}

impl Router {
    /// Starts a call: in a task, or as far as it goes at once.
    pub(super) fn start(&self, link: &Link, call: IncomingCall, at_once: bool) -> Started {
        let entry = &self.entries[call.admitted.method as usize];
        let names = (entry.service.spec(), entry.spec);
        let call = ServerCall::unary_call(
            link.clone(),
            call,
            names,
            Arc::clone(&self.server_state),
            at_once,
        );
        entry.service.dispatch(entry.index, call)
    }
}

impl Dispatch for Router {
    fn call(&self, link: &Link, call: IncomingCall) {
        self.start(link, call, false);
    }

    fn calls(self: Arc<Self>, link: &Link, calls: Vec<IncomingCall>) {
        Batch::start(self, link, calls);
    }

    fn stream(&self, link: &Link, stream: Box<IncomingStream>) {
        let entry = &self.entries[stream.admitted.method as usize];
        let names = (entry.service.spec(), entry.spec);
        let call = ServerCall::stream(link.clone(), *stream, names, Arc::clone(&self.server_state));
        entry.service.dispatch(entry.index, call);
    }

    fn refused(&self, link: &Link, call: &RefusedCall) {
        tell_refused(call, link.peer());
    }
}
