//! What a function written in Rust depends on. It knows two kinds of functions;
//! neither needs another crate.
//!
//! A *handler* answers requests one after the other in the same instance:
//!
//! ```
//! use cloche::{Request, Response};
//!
//! fn hello(_: &mut Request, response: &mut Response) {
//!     response.send(200, "text/plain", "hello");
//! }
//!
//! cloche::handler!(hello);
//! # fn main() {}
//! ```
//!
//! It is a library: `crate-type = ["cdylib"]`, `cargo build --target
//! wasm32-wasip1`.
//!
//! A *command* is a program that runs once per event, as on AWS Lambda:
//!
//! ```no_run
//! use cloche::{Answer, Event};
//!
//! fn hello(event: Event) -> Result<Answer, std::io::Error> {
//!     Ok(Answer::text(200, &format!("hello {}", event.query("name").unwrap_or("you"))))
//! }
//!
//! fn main() {
//!     cloche::run(hello)
//! }
//! ```
//!
//! Whatever a call leaves behind in memory is gone at the next one: the host
//! puts the guest back to the state in which its initialization left it.
//!
//! A panic ends the call, and the client gets a 502. `eprintln!` writes to the
//! function's log, in a handler without WASI [`log`] does.

mod command;
mod fetch;
mod handler;
pub mod json;
pub mod testing;

pub use command::{run, Answer, Event, InvalidEvent, MAX_EVENT_BYTES};
pub use fetch::{fetch, Fetch, FetchError, Fetched};
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use handler::guest;
pub use handler::{
    log, BodyTooLarge, Handler, Level, Request, Response, MAX_BODY_BYTES, MAX_VALUE_BYTES,
};
