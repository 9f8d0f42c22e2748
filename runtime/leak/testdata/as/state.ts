// What a handler in AssemblyScript can keep from one request for the next, and
// what it draws at random. See doc.go of package leak for what it is asked and what it answers.
// It calls WASI as it is, without a library.

// @ts-ignore: decorator
@external("http_handler", "get_header_values")
declare function getHeaderValues(kind: i32, name: usize, nameLength: i32, buf: usize, limit: i32): u64;
// @ts-ignore: decorator
@external("http_handler", "write_body")
declare function writeBody(kind: i32, body: usize, length: i32): void;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "random_get")
declare function randomGet(buf: usize, length: i32): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "environ_sizes_get")
declare function environSizesGet(count: usize, bytes: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "path_open")
declare function pathOpen(
  dir: i32, dirflags: i32, path: usize, length: i32, oflags: i32, rights: i64, inheriting: i64, fdflags: i32, fd: usize,
): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
declare function fdRead(fd: i32, list: usize, count: i32, read: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fdWrite(fd: i32, list: usize, count: i32, written: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_close")
declare function fdClose(fd: i32): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_renumber")
declare function fdRenumber(from: i32, to: i32): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_fdstat_get")
declare function fdStat(fd: i32, out: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_fdstat_set_flags")
declare function fdSetFlags(fd: i32, flags: i32): i32;

const SECRET = 24; // bytes
const PAGE: usize = 64 << 10;
const HEAP = 8 << 10;
const TMP = 3; // its descriptor
const CREATE = 1;

let counter = 0;
let global = "";
let words = "";
let secret = "";
let secretAt: usize = 0; // as UTF-8
let answer = "";
let held = 0;

// From before the first request.
const scratch: usize = memory.data(64);
const buffer: usize = memory.data(256);
const heap: usize = newHeap();
const drawnAtInit: f64 = hasEnvironment() ? Math.random() : 0;

function newHeap(): usize {
  const at = __alloc(HEAP);
  memory.fill(at, 104, HEAP);
  return at;
}

function hasEnvironment(): bool {
  environSizesGet(scratch, scratch + 4);
  return load<u32>(scratch) > 0;
}

export function handle_request(): i64 {
  words = header("x-do");
  secret = header("x-secret");
  secretAt = changetype<usize>(String.UTF8.encode(secret));
  answer = "";
  if (words.includes("random")) random();
  else work();
  const body = String.UTF8.encode(answer);
  writeBody(1, changetype<usize>(body), body.byteLength);
  finish();
  return 0; // there is no next handler
}

// There is nothing to do, but the ABI asks for it.
export function handle_response(context: i32, isError: i32): void {}

function header(name: string): string {
  const n = String.UTF8.encode(name);
  const length = <i32>getHeaderValues(0, changetype<usize>(n), n.byteLength, buffer, 256);
  return String.UTF8.decodeUnsafe(buffer, length - 1); // without its NUL
}

function work(): void {
  counter++;
  const pages = memory.size();
  answer += `counter=${counter} pages=${pages}`;
  if (global != "") answer += ` !global=${global}`;
  global = secret;
  lookAtMemory(<usize>pages * PAGE);
  if (words.includes("grow")) lookAndGrow();
  useHeap();
  useTmp();
  useDescriptors();
  write(2, secretAt, SECRET); // a line without an end
}

// lookAtMemory looks for secrets of others in all there is.
function lookAtMemory(end: usize): void {
  const prefix = load<u64>(secretAt);
  for (let at: usize = 1; at + SECRET <= end; at++) {
    if (load<u64>(at) == prefix && isSecret(at)) {
      answer += ` !memory-at-${at}=${String.UTF8.decodeUnsafe(at, SECRET)}`;
      return;
    }
  }
}

function isSecret(at: usize): bool {
  for (let i: usize = 8; i < <usize>SECRET; i++) {
    const c = load<u8>(at + i);
    if (!((c >= 48 && c <= 57) || (c >= 97 && c <= 102))) return false;
  }
  return memory.compare(at, secretAt, SECRET) != 0;
}

function lookAndGrow(): void {
  const from = <usize>memory.grow(3) * PAGE;
  for (let at: usize = 0; at < 3 * PAGE; at++) {
    if (load<u8>(from + at) != 0) {
      answer += ` !grown-at-${at}=${load<u8>(from + at)}`;
      break;
    }
  }
  writeMemory(from, 3 * PAGE);
}

// writeMemory leaves the secret page by page.
function writeMemory(from: usize, bytes: usize): void {
  for (let at: usize = 0; at + SECRET <= bytes; at += 4096) memory.copy(from + at, secretAt, SECRET);
  memory.copy(from + bytes - SECRET, secretAt, SECRET);
}

function useHeap(): void {
  for (let at: usize = 0; at < <usize>HEAP; at++) {
    if (load<u8>(heap + at) != 104) {
      answer += ` !heap-at-${at}=${load<u8>(heap + at)}`;
      break;
    }
  }
  writeMemory(heap, HEAP);
  const block = __alloc(3 * HEAP);
  answer += ` block=${block}`;
  writeMemory(block, 3 * HEAP);
}

function open(name: string, flags: i32): i32 {
  const n = String.UTF8.encode(name);
  const errno = pathOpen(TMP, 0, changetype<usize>(n), n.byteLength, flags, 2 | 64, 0, 0, scratch);
  return errno == 0 ? load<i32>(scratch) : -1;
}

function write(fd: i32, at: usize, length: u32): void {
  store<u32>(scratch, <u32>at);
  store<u32>(scratch, length, 4);
  fdWrite(fd, scratch, 1, scratch + 8);
}

function useTmp(): void {
  let fd = open("left", 0);
  if (fd >= 0) {
    store<u32>(scratch, <u32>buffer);
    store<u32>(scratch, 256, 4);
    fdRead(fd, scratch, 1, scratch + 8);
    answer += ` !tmp=${String.UTF8.decodeUnsafe(buffer, load<u32>(scratch, 8))}`;
    fdClose(fd);
  }
  fd = open("left", CREATE);
  if (fd < 0) answer += " no-tmp";
  write(fd, secretAt, SECRET);
  fdClose(fd);
}

// useDescriptors says which there are, and leaves one more.
function useDescriptors(): void {
  answer += " fds=";
  for (let fd = 0; fd < 32; fd++) {
    if (fdStat(fd, scratch) == 0) answer += `${fd}:${load<u16>(scratch, 2)},`;
  }
  held = open("held", CREATE);
  if (held < 0) answer += " nothing-held";
  write(held, secretAt, SECRET);
  answer += ` fd=${held}`;
  fdSetFlags(2, 1); // append
}

function random(): void {
  randomGet(scratch, 8);
  const got = load<u64>(scratch);
  answer += `random_get=${got} Math.random=${Math.random()}`;
  if (drawnAtInit != 0) answer += ` init-Math.random=${drawnAtInit}`;
}

// finish closes what the next request will need.
function finish(): void {
  if (words.includes("close")) {
    fdClose(1);
    fdRenumber(held, 0);
    fdClose(2);
  }
  if (words.includes("trap")) unreachable();
}

// The seed of Math.random, instead of an import.
function seed(): f64 {
  randomGet(scratch + 16, 8);
  return reinterpret<f64>(load<u64>(scratch, 16));
}

function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  unreachable();
}
