//! Where a server listens and a channel connects.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::unix::UCred;

/// How long the path of a socket may be: what the system's `sun_path` holds, less a zero.
const MAX_PATH: usize =
    if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };

/// An address as users write it: `host:port`, or `unix:` and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(String),
    Unix(PathBuf),
    /// One that only a user's connector knows to read.
    Other(String),
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, BadAddress> {
        // A blank may belong to a path, but not in front of it.
        if text.trim() != text {
            return Err(invalid(text, "there are blanks around it"));
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(invalid(text, "the path after `unix:` is missing"));
            }
            if path.contains('\0') {
                return Err(invalid(
                    &text.replace('\0', "\\0"),
                    "there is a zero byte in the path",
                ));
            }
            if path.len() > MAX_PATH {
                let why = format!(
                    "the path is {} bytes long, and that of a socket {MAX_PATH} at most",
                    path.len()
                );
                return Err(invalid(text, &why));
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return Err(has_scheme(text, scheme, rest));
        }
        if text.contains(char::is_whitespace) {
            return Err(invalid(text, "there is a blank in it"));
        }
        if let Some((_, zone)) = text.split_once('%')
            && zone.starts_with(|first: char| !first.is_ascii_digit())
        {
            return Err(invalid(
                text,
                "a zone is written as the interface's number, such as `[fe80::1%2]:8000`",
            ));
        }
        match text.rsplit_once(':') {
            None if text.contains('/') => Err(not_so(text, &format!("write `unix:{text}`"))),
            None if !text.is_empty() => {
                Err(not_so(text, &format!("the port is missing; write `{text}:8000`")))
            }
            None => Err(invalid(text, "it is empty")),
            Some((_, port)) if port.parse::<u16>().is_err() => {
                Err(invalid(text, "the port is not a number up to 65535"))
            }
            Some(("", _)) => Err(invalid(text, "the host is missing")),
            Some(_) => Ok(Self::Tcp(text.to_owned())),
        }
    }

    /// An address for a user's connector, which may be any text that a log can show.
    pub(crate) fn for_connector(text: &str) -> Result<Self, BadAddress> {
        if text.is_empty() || text.contains(char::is_control) {
            let why = "it is empty, or there is a control character in it";
            return Err(BadAddress(format!("`{}` is no address: {why}", text.escape_debug())));
        }
        Ok(Self::parse(text).unwrap_or_else(|_| Self::Other(text.to_owned())))
    }

    /// An address that a client connects to.
    pub(crate) fn to_connect(text: &str) -> Result<Self, BadAddress> {
        match Self::parse(text)? {
            Self::Tcp(text) if text.ends_with(":0") => {
                Err(invalid(&text, "nobody listens at port 0"))
            }
            address => Ok(address),
        }
    }
}

/// The error for a form that other libraries take, with the form to write instead.
fn has_scheme(text: &str, scheme: &str, rest: &str) -> BadAddress {
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    let why = match scheme {
        "dns" => {
            let host = rest.trim_start_matches('/');
            format!(
                "write `{host}`, or for all addresses of the name `connect_with(Dns::new(\"{host}\"))`"
            )
        }
        "https" => format!("there is no TLS and no HTTP here; without them write `{host}`"),
        _ => format!("write `{host}`, without `{scheme}://`"),
    };
    not_so(text, &why)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(text) | Self::Other(text) => f.write_str(text),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn invalid(text: &str, why: &str) -> BadAddress {
    not_so(text, &format!("{why}; write `127.0.0.1:8000` or `unix:/run/service.sock`"))
}

/// The error whose reason says how the text is to be written.
fn not_so(text: &str, why: &str) -> BadAddress {
    BadAddress(format!("`{text}` is no address: {why}"))
}

/// Says of a text why it is no address, and what is one.
#[derive(Debug)]
pub(crate) struct BadAddress(pub(crate) String);

/// The address of one end of a connection, for people and logs, and what the connection knows of
/// who is there: [`credentials`](Self::credentials) and [`identity`](Self::identity).
///
/// It prints as `127.0.0.1:8000`, `unix:/run/service.sock` or `memory`. A peer on a Unix socket
/// usually has no name of its own and prints as `unix`. The peer of an [`Io`](crate::Io) that was
/// given no address prints as `io`.
///
/// Two are equal whose addresses are, whoever is there.
#[derive(Clone)]
pub struct PeerAddr(Arc<PeerAddrInner>);

#[derive(Clone)]
struct PeerAddrInner {
    text: Arc<str>,
    socket: Option<SocketAddr>,
    /// `None` if nothing is known, as of most peers.
    known: Option<Box<Known>>,
}

/// The knowledge of a peer beside its address.
#[derive(Clone, Default)]
struct Known {
    credentials: Option<Credentials>,
    /// One of each type.
    identities: Vec<Arc<dyn Any + Send + Sync>>,
}

/// The process at the other end of a Unix socket, as the system knows it from the moment at which
/// it connected or listened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Credentials {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The process, where the system tells it. The number may be another process's by now.
    pub pid: Option<u32>,
}

impl Credentials {
    /// Credentials that were found out in another way, for
    /// [`Io::with_credentials`](crate::Io::with_credentials).
    #[must_use]
    pub fn new(uid: u32, gid: u32, pid: Option<u32>) -> Self {
        Self { uid, gid, pid }
    }
}

impl From<UCred> for Credentials {
    fn from(of: UCred) -> Self {
        Self::new(of.uid(), of.gid(), of.pid().and_then(|pid| pid.try_into().ok()))
    }
}

impl PeerAddr {
    /// An address that is neither of TCP nor of a Unix socket, such as `vsock:3:1024`.
    #[must_use]
    pub fn named(text: impl AsRef<str>) -> Self {
        Self::new(text.as_ref(), None)
    }

    /// The system's word on the process at the other end. `None` for anything but a Unix socket,
    /// unless an [`Io`](crate::Io) was given some.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        self.0.known.as_ref()?.credentials.as_ref()
    }

    /// The value of this type that the connection's [`Io`](crate::Io) was given: what a TLS
    /// handshake has found out, or one of the user's own. `None` if there is none of this type.
    #[must_use]
    pub fn identity<T: Any + Send + Sync>(&self) -> Option<&T> {
        let known = self.0.known.as_ref()?;
        known.identities.iter().find_map(|identity| identity.downcast_ref())
    }

    pub(super) fn set_credentials(&mut self, credentials: Credentials) {
        self.known().credentials = Some(credentials);
    }

    /// Replaces the value of this type.
    pub(super) fn set_identity<T: Any + Send + Sync>(&mut self, identity: T) {
        let identities = &mut self.known().identities;
        identities.retain(|other| !other.is::<T>());
        identities.push(Arc::new(identity));
    }

    /// The same peer at this address.
    pub(super) fn at(&self, address: &Self) -> Self {
        Self(Arc::new(PeerAddrInner {
            known: self.0.known.clone(),
            ..PeerAddrInner::clone(&address.0)
        }))
    }

    fn known(&mut self) -> &mut Known {
        Arc::make_mut(&mut self.0).known.get_or_insert_default()
    }

    pub(crate) fn tcp(socket: SocketAddr) -> Self {
        Self::new(&socket.to_string(), Some(socket))
    }

    pub(crate) fn unix(path: Option<&std::path::Path>) -> Self {
        let text =
            path.map_or_else(|| "unix".to_owned(), |path| format!("unix:{}", path.display()));
        Self::new(&text, None)
    }

    pub(crate) fn memory() -> Self {
        Self::new("memory", None)
    }

    fn new(text: &str, socket: Option<SocketAddr>) -> Self {
        Self(Arc::new(PeerAddrInner { text: text.into(), socket, known: None }))
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The socket address, for TCP.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.0.socket
    }

    /// The port, for TCP.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.0.socket.map(|socket| socket.port())
    }

    pub(crate) fn text(&self) -> Arc<str> {
        Arc::clone(&self.0.text)
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(socket: SocketAddr) -> Self {
        Self::tcp(socket)
    }
}

impl PartialEq for PeerAddr {
    fn eq(&self, other: &Self) -> bool {
        (self.as_str(), self.0.socket) == (other.as_str(), other.0.socket)
    }
}

impl Eq for PeerAddr {}

impl Hash for PeerAddr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.as_str(), self.0.socket).hash(state);
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerAddr({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart_and_mistakes_are_named() {
        assert_eq!(Address::parse("[::1]:80").unwrap(), Address::Tcp("[::1]:80".to_owned()));
        assert_eq!(Address::parse("unix:/a/b").unwrap(), Address::Unix("/a/b".into()));
        assert_eq!(Address::parse("unix:///a/b").unwrap(), Address::Unix("/a/b".into()));
        for (text, why) in [
            ("localhost", "the port is missing; write `localhost:8000`"),
            ("", "it is empty; write `127.0.0.1:8000`"),
            ("/run/a.sock", "is no address: write `unix:/run/a.sock`"),
            ("host:http", "not a number"),
            (":80", "host is missing"),
            ("unix:", "path"),
            ("unix:/a\0b", "`unix:/a\\0b` is no address: there is a zero byte"),
            (&format!("unix:{}", "x".repeat(200)), "the path is 200 bytes long"),
            ("http://127.0.0.1:8000/path", "write `127.0.0.1:8000`, without `http://`"),
            ("tcp://127.0.0.1:8000", "write `127.0.0.1:8000`, without `tcp://`"),
            ("ip://127.0.0.1:8000", "write `127.0.0.1:8000`, without `ip://`"),
            ("https://a.example:443", "no TLS"),
            ("dns:///a.example:8000", "Dns::new(\"a.example:8000\")"),
            (" 127.0.0.1:8000", "blanks around it"),
            ("127.0.0.1:8000\n", "blanks around it"),
            (" unix:/a", "blanks around it"),
            ("a b:8000", "a blank in it"),
            ("[fe80::1%lo]:8000", "the interface's number"),
            ("fe80::1%eth0:8000", "the interface's number"),
        ] {
            let BadAddress(error) = Address::parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
            assert!(error.matches("write").count() <= 1, "{error}");
        }
        assert!(Address::parse(&format!("unix:{}", "x".repeat(MAX_PATH))).is_ok());
        assert!(Address::parse("[fe80::1%2]:80").is_ok() && Address::parse("unix:/a b").is_ok());
        assert!(Address::parse("a:0").is_ok() && Address::parse("a:10").is_ok());
        assert!(Address::to_connect("a:10").is_ok());
        assert!(Address::to_connect("a:0").unwrap_err().0.contains("port 0"));
    }
}
