//! The handler: a request, its response, and where both come from.

use std::{cell::Cell, fmt, io};

#[cfg(target_arch = "wasm32")]
pub mod guest;

/// The largest request body: 6 MiB, the host's limit too.
pub const MAX_BODY_BYTES: usize = 6 << 20;

/// The largest method, URI, address or set of header values. No host of ours has
/// one that comes near; reaching it is a panic.
pub const MAX_VALUE_BYTES: usize = 1 << 20;

/// Answers one request.
pub type Handler = fn(&mut Request, &mut Response);

/// Makes a [`Handler`] the function of this guest. Use it once, in the root of a
/// `cdylib`. Outside of WebAssembly it only checks the type, so that tests can
/// call the function with [`testing::call`](crate::testing::call).
#[macro_export]
macro_rules! handler {
    ($handler:path) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: $crate::Handler = $handler;

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[no_mangle]
            extern "C" fn _initialize() {
                $crate::guest::initialize()
            }

            #[no_mangle]
            extern "C" fn handle_request() -> u64 {
                $crate::guest::handle_request($handler)
            }

            // There is nothing to do, but the ABI asks for it.
            #[no_mangle]
            extern "C" fn handle_response(_context: u32, _is_error: u32) {}
        };
    };
}

/// A plain string that a [`Source`] has.
#[derive(Clone, Copy)]
pub(crate) enum Property {
    Method,
    Uri,
    Protocol,
    RemoteAddr,
}

/// Where a request comes from: the host or a test. A value longer than `buf` is
/// not written; only its length is returned.
pub(crate) trait Source {
    fn text(&self, property: Property, buf: &mut [u8]) -> usize;
    /// The values of a header or, with an empty name, all names, each followed
    /// by a NUL. Returns how many and their length.
    fn list(&self, name: &str, buf: &mut [u8]) -> (usize, usize);
    /// Returns how much of the body was read and whether that was its end.
    fn read(&self, buf: &mut [u8]) -> (usize, bool);
}

/// What to do with the values that a header has.
pub(crate) enum Edit {
    Set,
    Add,
    Remove,
}

/// Where a response goes: the host or a test.
pub(crate) trait Sink {
    fn status(&self, code: u16);
    fn field(&self, edit: Edit, name: &str, value: &str);
    fn write(&self, bytes: &[u8]);
}

/// The request that a [`Handler`] answers. Each method asks the host when it is
/// called, so what a handler does not look at costs nothing. Bytes that are not
/// UTF-8 come as U+FFFD.
///
/// It is an [`io::Read`] for bodies that need not be in memory at once.
pub struct Request<'a> {
    from: &'a dyn Source,
}

impl<'a> Request<'a> {
    pub(crate) fn new(from: &'a dyn Source) -> Self {
        Request { from }
    }

    /// The method as the client sent it, such as `GET`.
    pub fn method(&self) -> String {
        self.text(Property::Method)
    }

    /// The path and query as the client sent them, still percent-encoded.
    pub fn uri(&self) -> String {
        self.text(Property::Uri)
    }

    /// `HTTP/1.0` or `HTTP/1.1`.
    pub fn protocol(&self) -> String {
        self.text(Property::Protocol)
    }

    /// The address of the client as `ip:port`.
    pub fn remote_addr(&self) -> String {
        self.text(Property::RemoteAddr)
    }

    /// The first value of a query parameter, decoded as URLSearchParams does:
    /// "+" is a blank, only "&" separates, a broken "%" stays.
    pub fn query(&self, name: &str) -> Option<String> {
        let uri = self.uri();
        let (_, query) = uri.split_once('?')?;
        query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|(key, _)| unescape(key) == name)
            .map(|(_, value)| unescape(value))
    }

    /// The first value of a header. The case of its name does not matter.
    pub fn header(&self, name: &str) -> Option<String> {
        self.header_values(name).into_iter().next()
    }

    /// All values of a header, in order.
    pub fn header_values(&self, name: &str) -> Vec<String> {
        if name.is_empty() {
            return Vec::new();
        }
        self.list(name)
    }

    /// The names of all headers, in lower case.
    pub fn header_names(&self) -> Vec<String> {
        self.list("")
    }

    /// What is left of the body.
    pub fn body(&mut self) -> Result<Vec<u8>, BodyTooLarge> {
        let mut body = Vec::new();
        let mut length = 0;
        loop {
            if length == body.len() {
                body.resize((2 * length).clamp(4 << 10, MAX_BODY_BYTES + 1), 0);
            }
            let (n, end) = self.from.read(&mut body[length..]);
            length += n;
            if length > MAX_BODY_BYTES {
                return Err(BodyTooLarge);
            }
            if end {
                body.truncate(length);
                return Ok(body);
            }
        }
    }

    fn text(&self, property: Property) -> String {
        into_string(fetch(|buf| self.from.text(property, buf)))
    }

    fn list(&self, name: &str) -> Vec<String> {
        let count = Cell::new(0);
        let list = fetch(|buf| {
            let (n, length) = self.from.list(name, buf);
            count.set(n);
            length
        });
        let values = list.split(|&byte| byte == 0).take(count.get());
        values.map(|value| into_string(value.to_vec())).collect()
    }
}

/// Calls `get` until its value fits.
fn fetch(get: impl Fn(&mut [u8]) -> usize) -> Vec<u8> {
    let mut buf = vec![0; 256];
    loop {
        let length = get(&mut buf);
        if length <= buf.len() {
            buf.truncate(length);
            return buf;
        }
        assert!(length <= MAX_VALUE_BYTES, "the host has a value of {} bytes", length);
        buf.resize(length, 0);
    }
}

fn into_string(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

fn unescape(s: &str) -> String {
    let hex = |byte: Option<&u8>| byte.and_then(|&b| (b as char).to_digit(16));
    let bytes = s.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        match (bytes[i], hex(bytes.get(i + 1)), hex(bytes.get(i + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                i += 2;
            }
            (b'+', _, _) => decoded.push(b' '),
            (byte, _, _) => decoded.push(byte),
        }
        i += 1;
    }
    into_string(decoded)
}

impl io::Read for Request<'_> {
    /// Never fails; 0 is the end of the body.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0); // the host traps on an empty buffer
        }
        Ok(self.from.read(buf).0)
    }
}

/// The body of a request is larger than [`MAX_BODY_BYTES`].
#[derive(Debug, PartialEq)]
pub struct BodyTooLarge;

impl fmt::Display for BodyTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("request body too large")
    }
}

impl std::error::Error for BodyTooLarge {}

/// The answer to a [`Request`]. It is 200 without a header or a body until the
/// handler says otherwise. Set the status and the headers before the first byte
/// of the body: a streamed answer leaves the host with that byte.
///
/// An answer that the host does not accept (a status outside 200 to 599, a
/// malformed header, too long a body) ends the call, and the client gets a 502.
///
/// It is an [`io::Write`] that never fails: each write appends to the body.
pub struct Response<'a> {
    to: &'a dyn Sink,
}

impl<'a> Response<'a> {
    pub(crate) fn new(to: &'a dyn Sink) -> Self {
        Response { to }
    }

    /// Answers with a whole body in one call.
    pub fn send(&mut self, status: u16, content_type: &str, body: impl AsRef<[u8]>) {
        self.set_status(status);
        self.set_header("content-type", content_type);
        self.to.write(body.as_ref());
    }

    /// Sets the status code: 200 to 599.
    pub fn set_status(&mut self, code: u16) {
        self.to.status(code)
    }

    /// Replaces all values of a header.
    pub fn set_header(&mut self, name: &str, value: &str) {
        self.to.field(Edit::Set, name, value)
    }

    /// Adds a value to a header; each Set-Cookie needs one.
    pub fn add_header(&mut self, name: &str, value: &str) {
        self.to.field(Edit::Add, name, value)
    }

    /// Removes all values of a header.
    pub fn remove_header(&mut self, name: &str) {
        self.to.field(Edit::Remove, name, "")
    }
}

impl io::Write for Response<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How important a line of the log is.
#[derive(Clone, Copy, Debug)]
pub enum Level {
    Debug = -1,
    Info = 0,
    Warn = 1,
    Error = 2,
}

/// Writes a line to the function's log. Only for handlers: it makes a guest
/// import the handler's module. A command has `eprintln!`.
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    guest::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{:?}: {}", level, message);
}
