// A handler in AssemblyScript, on the bare http-wasm handler ABI.

// @ts-ignore: decorator
@external("http_handler", "log")
declare function hostLog(level: i32, message: usize, length: i32): void;
// @ts-ignore: decorator
@external("http_handler", "set_status_code")
declare function setStatusCode(code: i32): void;
// @ts-ignore: decorator
@external("http_handler", "set_header_value")
declare function setHeaderValue(kind: i32, name: usize, nameLength: i32, value: usize, valueLength: i32): void;
// @ts-ignore: decorator
@external("http_handler", "write_body")
declare function writeBody(kind: i32, body: usize, length: i32): void;

const RESPONSE = 1;
const ERROR = 2;

export function handle_request(): i64 {
  setStatusCode(200);
  setHeader("content-type", "application/json");
  write('{"message":"Serverless Functions are cool! 😎 Hello from AssemblyScript."}');
  return 0; // there is no next handler
}

// There is nothing to do, but the ABI asks for it.
export function handle_response(context: i32, isError: i32): void {}

// The ABI speaks UTF-8, strings are UTF-16.

function setHeader(name: string, value: string): void {
  const n = String.UTF8.encode(name);
  const v = String.UTF8.encode(value);
  setHeaderValue(RESPONSE, changetype<usize>(n), n.byteLength, changetype<usize>(v), v.byteLength);
}

function write(body: string): void {
  const b = String.UTF8.encode(body);
  writeBody(RESPONSE, changetype<usize>(b), b.byteLength);
}

// Called for a failed assertion, a bad index and the like, instead of an import.
function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const m = String.UTF8.encode(message ? message : "abort");
  hostLog(ERROR, changetype<usize>(m), m.byteLength);
  unreachable();
}
