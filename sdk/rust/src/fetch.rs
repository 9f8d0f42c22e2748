//! HTTP requests through the host, for both kinds of functions.

use std::fmt;

/// A request for [`fetch`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fetch {
    /// `GET`, unless it was said otherwise.
    pub method: String,
    /// Absolute, http or https.
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Has a redirect returned instead of followed.
    pub manual: bool,
}

impl Fetch {
    /// A GET of a URL.
    pub fn get(url: &str) -> Fetch {
        Fetch { method: "GET".into(), url: url.into(), ..Fetch::default() }
    }

    /// A POST to a URL.
    pub fn post(url: &str, body: impl Into<Vec<u8>>) -> Fetch {
        Fetch { method: "POST".into(), url: url.into(), body: body.into(), ..Fetch::default() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Fetch {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The request as the host reads it: "METHOD URL" and lines of a header.
    fn head(&self) -> Result<String, FetchError> {
        let blank = |c| c == ' ' || c == '\n';
        if self.method.contains(blank) || self.url.contains(blank) {
            return Err(FetchError::invalid("a blank in the method or the URL"));
        }
        let manual = if self.manual { " manual" } else { "" };
        let mut head = format!("{} {}{}\n", self.method, self.url, manual);
        for (name, value) in &self.headers {
            if name.contains('\n') || value.contains('\n') {
                return Err(FetchError::invalid("a line end in a header"));
            }
            head.push_str(&format!("{}: {}\n", name, value));
        }
        Ok(head)
    }
}

/// A whole answer, whatever its status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fetched {
    pub status: u16,
    /// Where the answer came from, after redirects.
    pub url: String,
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Fetched {
    /// The first value of a header. The case of its name does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[cfg(any(target_arch = "wasm32", test))]
    fn parse(head: &str, body: Vec<u8>) -> Fetched {
        let mut lines = head.lines();
        let (status, url) = lines.next().and_then(|line| line.split_once(' ')).unwrap_or(("0", ""));
        let headers = lines.filter_map(|line| line.split_once(": "));
        Fetched {
            status: status.parse().unwrap_or(0),
            url: url.into(),
            headers: headers.map(|(name, value)| (name.into(), value.into())).collect(),
            body,
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchError {
    /// -1: the other side could not be reached, or made no sense. -2: the function
    /// may not call that address. -3: the request is malformed. -4: the request or
    /// the answer is over a limit. -5: the host has no room for an answer now.
    pub code: i32,
    pub message: String,
}

impl FetchError {
    fn invalid(message: &str) -> FetchError {
        FetchError { code: -3, message: message.into() }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "fetch: {}", self.message)
    }
}

impl std::error::Error for FetchError {}

/// Makes a request and waits for the whole answer; one with status 500 is an answer.
/// There is no network but through the host, which calls the functions of the own
/// site at once and other hosts if the site's `allow_hosts` names them.
///
/// ```no_run
/// let answer = cloche::fetch(&cloche::Fetch::get("https://api.example.com/things"))?;
/// # Ok::<(), cloche::FetchError>(())
/// ```
///
/// Outside of WebAssembly [`testing::answer_fetches`](crate::testing::answer_fetches)
/// says what the answers are.
pub fn fetch(request: &Fetch) -> Result<Fetched, FetchError> {
    let head = request.head()?;
    send(&head, request)
}

#[cfg(not(target_arch = "wasm32"))]
fn send(_: &str, request: &Fetch) -> Result<Fetched, FetchError> {
    crate::testing::fetched(request)
}

#[cfg(target_arch = "wasm32")]
fn send(head: &str, request: &Fetch) -> Result<Fetched, FetchError> {
    guest::send(head, &request.body)
}

/// The module "cloche": rules 70 to 79 of abi/ABI.md.
#[cfg(target_arch = "wasm32")]
mod guest {
    use super::{FetchError, Fetched};

    #[link(wasm_import_module = "cloche")]
    extern "C" {
        fn fetch(head: *const u8, head_length: usize, body: *const u8, body_length: usize) -> i32;
        fn fetch_head(answer: i32, buf: *mut u8, limit: usize) -> usize;
        fn fetch_body(answer: i32, buf: *mut u8, limit: usize) -> usize;
        fn fetch_close(answer: i32);
        fn fetch_error(buf: *mut u8, limit: usize) -> usize;
    }

    pub fn send(head: &str, body: &[u8]) -> Result<Fetched, FetchError> {
        unsafe {
            let answer = fetch(head.as_ptr(), head.len(), body.as_ptr(), body.len());
            if answer < 0 {
                let message = bytes(|buf, limit| fetch_error(buf, limit));
                return Err(FetchError { code: answer, message: text(message) });
            }
            let head = bytes(|buf, limit| fetch_head(answer, buf, limit));
            let body = bytes(|buf, limit| fetch_body(answer, buf, limit));
            fetch_close(answer);
            Ok(Fetched::parse(&text(head), body))
        }
    }

    /// Asks twice: for a length, and with room for it.
    fn bytes(get: impl Fn(*mut u8, usize) -> usize) -> Vec<u8> {
        let mut buf = vec![0; get(std::ptr::null_mut(), 0)];
        if !buf.is_empty() {
            get(buf.as_mut_ptr(), buf.len());
        }
        buf
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_the_host_reads_it() {
        let mut request = Fetch::post("http://a/", "x").header("b", "c").header("b", "d");
        assert_eq!(request.head().unwrap(), "POST http://a/\nb: c\nb: d\n");
        request.manual = true;
        assert_eq!(request.head().unwrap(), "POST http://a/ manual\nb: c\nb: d\n");
        for bad in [
            Fetch::get("http://a /"),
            Fetch::get("http://a/\nb: c"),
            Fetch { method: "GET http://b/".into(), ..Fetch::get("http://a/") },
            Fetch::get("http://a/").header("b", "c\nd: e"),
            Fetch::get("http://a/").header("b\nc", "d"),
        ] {
            assert_eq!(fetch(&bad).unwrap_err().code, -3, "{:?}", bad);
        }
    }

    #[test]
    fn an_answer_is_read_as_the_host_writes_it() {
        let answer = Fetched::parse("201 http://a/\nb: c: d\ne: \n", b"x".to_vec());
        assert_eq!(
            (answer.status, answer.url.as_str(), answer.text().as_str()),
            (201, "http://a/", "x")
        );
        assert_eq!(
            (answer.header("B"), answer.header("e"), answer.header("f")),
            (Some("c: d"), Some(""), None)
        );
    }
}
