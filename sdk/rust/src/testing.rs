//! Calls a handler natively, as a host would.
//!
//! ```
//! use cloche::{testing, Request, Response};
//!
//! fn hello(request: &mut Request, response: &mut Response) {
//!     response.send(200, "text/plain", request.query("name").unwrap_or_default());
//! }
//!
//! let response = testing::call(hello, testing::Request::new("GET", "/?name=Ada"));
//! assert_eq!((response.status, response.text().as_str()), (200, "Ada"));
//! ```

use crate::handler::{self, Edit, Property, Sink, Source};
#[cfg(not(target_arch = "wasm32"))]
use crate::{Fetch, FetchError, Fetched};
use std::cell::{Cell, RefCell};

/// A request for [`call`].
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub uri: String,
    pub remote_addr: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, uri: &str) -> Request {
        Request {
            method: method.into(),
            uri: uri.into(),
            remote_addr: "127.0.0.1:1".into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        self
    }
}

/// What a handler answered. Names of headers are in lower case.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Calls a handler and returns its answer.
pub fn call(
    handler: impl Fn(&mut handler::Request, &mut handler::Response),
    request: Request,
) -> Response {
    let source = Recorded { request, read: Cell::new(0) };
    let sink =
        Recorder(RefCell::new(Response { status: 200, headers: Vec::new(), body: Vec::new() }));
    handler(&mut handler::Request::new(&source), &mut handler::Response::new(&sink));
    sink.0.into_inner()
}

#[cfg(not(target_arch = "wasm32"))]
type Answers = Box<dyn Fn(&Fetch) -> Result<Fetched, FetchError>>;

#[cfg(not(target_arch = "wasm32"))]
thread_local! {
    static ANSWERS: RefCell<Option<Answers>> = RefCell::new(None);
}

/// Says what [`fetch`](crate::fetch()) returns from now on, in this thread. Without
/// it every address is refused.
#[cfg(not(target_arch = "wasm32"))]
pub fn answer_fetches(answers: impl Fn(&Fetch) -> Result<Fetched, FetchError> + 'static) {
    ANSWERS.with(|a| *a.borrow_mut() = Some(Box::new(answers)));
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn fetched(request: &Fetch) -> Result<Fetched, FetchError> {
    ANSWERS.with(|answers| match &*answers.borrow() {
        Some(answers) => answers(request),
        None => Err(FetchError { code: -2, message: "no answer in a test".into() }),
    })
}

/// Keeps to the rules of the ABI, so that a handler meets the same short buffers
/// as in a guest.
struct Recorded {
    request: Request,
    read: Cell<usize>,
}

impl Source for Recorded {
    fn text(&self, property: Property, buf: &mut [u8]) -> usize {
        let value = match property {
            Property::Method => &self.request.method,
            Property::Uri => &self.request.uri,
            Property::Protocol => "HTTP/1.1",
            Property::RemoteAddr => &self.request.remote_addr,
        };
        put(value.as_bytes(), buf)
    }

    fn list(&self, name: &str, buf: &mut [u8]) -> (usize, usize) {
        let headers = self.request.headers.iter();
        let list: Vec<&str> = if name.is_empty() {
            headers.map(|(name, _)| name.as_str()).collect()
        } else {
            let named = headers.filter(|(n, _)| n.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value.as_str()).collect()
        };
        let joined: String = list.iter().flat_map(|item| [item, "\0"]).collect();
        (list.len(), put(joined.as_bytes(), buf))
    }

    fn read(&self, buf: &mut [u8]) -> (usize, bool) {
        let rest = &self.request.body[self.read.get()..];
        let n = rest.len().min(buf.len());
        put(&rest[..n], buf);
        self.read.set(self.read.get() + n);
        (n, n < buf.len())
    }
}

fn put(value: &[u8], buf: &mut [u8]) -> usize {
    if let Some(to) = buf.get_mut(..value.len()) {
        to.copy_from_slice(value);
    }
    value.len()
}

struct Recorder(RefCell<Response>);

impl Sink for Recorder {
    fn status(&self, code: u16) {
        self.0.borrow_mut().status = code;
    }

    fn field(&self, edit: Edit, name: &str, value: &str) {
        let headers = &mut self.0.borrow_mut().headers;
        if !matches!(edit, Edit::Add) {
            headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        }
        if !matches!(edit, Edit::Remove) {
            headers.push((name.to_ascii_lowercase(), value.into()));
        }
    }

    fn write(&self, bytes: &[u8]) {
        self.0.borrow_mut().body.extend_from_slice(bytes);
    }
}
