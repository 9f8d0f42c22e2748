//! The http-wasm handler ABI, <https://http-wasm.io/http-handler-abi/>, for the
//! code that `handler!` makes. Not an interface for users.

use super::{Edit, Handler, Level, Property, Request, Response, Sink, Source};

const REQUEST: u32 = 0;
const RESPONSE: u32 = 1;

#[link(wasm_import_module = "http_handler")]
extern "C" {
    #[link_name = "log"]
    fn host_log(level: i32, message: *const u8, length: usize);
    fn get_method(buf: *mut u8, limit: usize) -> usize;
    fn get_uri(buf: *mut u8, limit: usize) -> usize;
    fn get_protocol_version(buf: *mut u8, limit: usize) -> usize;
    fn get_source_addr(buf: *mut u8, limit: usize) -> usize;
    fn get_header_names(kind: u32, buf: *mut u8, limit: usize) -> u64;
    fn get_header_values(
        kind: u32,
        name: *const u8,
        name_length: usize,
        buf: *mut u8,
        limit: usize,
    ) -> u64;
    fn read_body(kind: u32, buf: *mut u8, limit: usize) -> u64;
    fn set_status_code(code: u32);
    fn set_header_value(
        kind: u32,
        name: *const u8,
        name_length: usize,
        value: *const u8,
        value_length: usize,
    );
    fn add_header_value(
        kind: u32,
        name: *const u8,
        name_length: usize,
        value: *const u8,
        value_length: usize,
    );
    fn remove_header(kind: u32, name: *const u8, name_length: usize);
    fn write_body(kind: u32, body: *const u8, length: usize);
}

extern "C" {
    fn __wasm_call_ctors();
}

pub fn initialize() {
    // The linker would otherwise wrap each export so that it runs the
    // constructors at every call.
    unsafe { __wasm_call_ctors() };
    // Without WASI there is no standard error, and a panic would say nothing.
    #[cfg(not(target_os = "wasi"))]
    std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
}

pub fn handle_request(handler: Handler) -> u64 {
    handler(&mut Request::new(&Host), &mut Response::new(&Host));
    0 // there is no next handler
}

pub fn log(level: Level, message: &str) {
    unsafe { host_log(level as i32, message.as_ptr(), message.len()) }
}

struct Host;

impl Source for Host {
    fn text(&self, property: Property, buf: &mut [u8]) -> usize {
        let (to, limit) = (buf.as_mut_ptr(), buf.len());
        unsafe {
            match property {
                Property::Method => get_method(to, limit),
                Property::Uri => get_uri(to, limit),
                Property::Protocol => get_protocol_version(to, limit),
                Property::RemoteAddr => get_source_addr(to, limit),
            }
        }
    }

    fn list(&self, name: &str, buf: &mut [u8]) -> (usize, usize) {
        let (to, limit) = (buf.as_mut_ptr(), buf.len());
        let count_length = unsafe {
            if name.is_empty() {
                get_header_names(REQUEST, to, limit)
            } else {
                get_header_values(REQUEST, name.as_ptr(), name.len(), to, limit)
            }
        };
        ((count_length >> 32) as usize, count_length as u32 as usize)
    }

    fn read(&self, buf: &mut [u8]) -> (usize, bool) {
        let end_length = unsafe { read_body(REQUEST, buf.as_mut_ptr(), buf.len()) };
        (end_length as u32 as usize, end_length >> 32 != 0)
    }
}

impl Sink for Host {
    fn status(&self, code: u16) {
        unsafe { set_status_code(code.into()) }
    }

    fn field(&self, edit: Edit, name: &str, value: &str) {
        let (name, name_length) = (name.as_ptr(), name.len());
        let (value, value_length) = (value.as_ptr(), value.len());
        unsafe {
            match edit {
                Edit::Set => set_header_value(RESPONSE, name, name_length, value, value_length),
                Edit::Add => add_header_value(RESPONSE, name, name_length, value, value_length),
                Edit::Remove => remove_header(RESPONSE, name, name_length),
            }
        }
    }

    fn write(&self, bytes: &[u8]) {
        unsafe { write_body(RESPONSE, bytes.as_ptr(), bytes.len()) }
    }
}
