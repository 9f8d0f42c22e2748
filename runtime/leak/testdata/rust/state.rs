//! What a Rust guest can keep from one request for the next, and what it draws at
//! random. See doc.go of package leak for what it is asked and what it answers.

use std::{
    collections::hash_map::RandomState,
    env, fmt::Write as _, fs,
    hash::{BuildHasher, Hasher},
    io::{self, Write as _},
    os::wasi::io::AsRawFd,
    process, slice, thread_local,
};

const PREFIX: &[u8; 8] = b"~secret~";
const SECRET: usize = 24;
const PAGE: usize = 64 << 10;
const HEAP: usize = 8 << 10;

static mut COUNTER: u32 = 0;
static mut GLOBAL: [u8; SECRET] = [0; SECRET];
static mut KEPT: Option<Kept> = None;

/// What there is from before the first request, and what is left behind.
struct Kept {
    heap: Vec<u8>,
    hasher: Option<RandomState>,
    random: Option<u64>,
    files: Vec<fs::File>,
}

thread_local!(static LOCAL: std::cell::RefCell<String> = Default::default());

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn random_get(to: *mut u64, bytes: usize) -> u32;
    fn fd_renumber(from: i32, to: i32) -> u32;
    fn fd_close(fd: i32) -> u32;
    fn fd_fdstat_get(fd: i32, to: *mut [u64; 3]) -> u32;
    fn fd_fdstat_set_flags(fd: i32, flags: u32) -> u32;
}

fn draw() -> u64 {
    let mut n = 0;
    unsafe { random_get(&mut n, 8) };
    n
}

/// Is called before the first request.
pub fn initialize() {
    let words = env::var("AT_INIT").unwrap_or_default();
    let asked = |word| words.contains(word);
    let kept = Kept {
        heap: vec![b'h'; HEAP],
        hasher: if asked("hasher,") { Some(RandomState::new()) } else { None },
        random: if asked("random_get,") { Some(draw()) } else { None },
        files: Vec::new(),
    };
    unsafe { KEPT = Some(kept) }
}

#[allow(unknown_lints, static_mut_refs)]
fn kept() -> &'static mut Kept {
    unsafe { KEPT.as_mut().unwrap() }
}

/// Something else than digits follows the prefix in this program itself.
fn is_secret(found: &[u8]) -> bool {
    found[PREFIX.len()..].iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

pub struct Guest {
    pub words: String,
    pub secret: String,
    pub answer: String,
}

impl Guest {
    pub fn new(words: &str, secret: &str) -> Guest {
        Guest { words: words.into(), secret: secret.into(), answer: String::new() }
    }

    fn asked(&self, word: &str) -> bool {
        self.words.contains(word)
    }

    pub fn work(&mut self) {
        if self.asked("random") {
            return self.random();
        }
        let counter = unsafe {
            COUNTER += 1;
            COUNTER
        };
        let pages = core::arch::wasm32::memory_size(0);
        write!(self.answer, "counter={} pages={}", counter, pages).unwrap();
        self.use_globals();
        self.look_at_memory(pages * PAGE);
        if self.asked("grow") {
            self.look_and_grow();
        }
        self.use_heap();
        self.use_environment();
        self.use_tmp();
        self.use_descriptors();
        let _ = io::stderr().write_all(self.secret.as_bytes()); // a line without an end
    }

    fn use_globals(&mut self) {
        let global = unsafe { GLOBAL };
        let local = LOCAL.with(|local| local.replace(self.secret.clone()));
        if global != [0; SECRET] || !local.is_empty() {
            write!(self.answer, " !global={}{}", String::from_utf8_lossy(&global), local).unwrap();
        }
        unsafe { GLOBAL.copy_from_slice(self.secret.as_bytes()) };
    }

    /// Looks for secrets of others in all there is.
    fn look_at_memory(&mut self, end: usize) {
        let prefix = u64::from_le_bytes(*PREFIX);
        for at in 1..=end - SECRET {
            if unsafe { (at as *const u64).read_unaligned() } == prefix {
                let found = unsafe { slice::from_raw_parts(at as *const u8, SECRET) };
                if is_secret(found) && found != self.secret.as_bytes() {
                    write!(self.answer, " !memory-at-{}={}", at, String::from_utf8_lossy(found)).unwrap();
                    return;
                }
            }
        }
    }

    fn look_and_grow(&mut self) {
        let old = core::arch::wasm32::memory_grow(0, 3);
        let new = unsafe { slice::from_raw_parts_mut((old * PAGE) as *mut u8, 3 * PAGE) };
        if let Some(at) = new.iter().position(|&b| b != 0) {
            write!(self.answer, " !grown-at-{}={}", at, new[at]).unwrap();
        }
        self.write_memory(new);
    }

    /// Leaves the secret page by page.
    fn write_memory(&self, block: &mut [u8]) {
        for page in block.chunks_mut(4096) {
            page[..SECRET].copy_from_slice(self.secret.as_bytes());
        }
        let end = block.len() - SECRET;
        block[end..].copy_from_slice(self.secret.as_bytes());
    }

    fn use_heap(&mut self) {
        if let Some(at) = kept().heap.iter().position(|&b| b != b'h') {
            write!(self.answer, " !heap-at-{}={}", at, kept().heap[at]).unwrap();
        }
        self.write_memory(&mut kept().heap);
        let mut block = vec![1; 3 * HEAP].into_boxed_slice();
        write!(self.answer, " block={}", block.as_ptr() as usize).unwrap();
        self.write_memory(&mut block);
        Box::leak(block);
    }

    fn use_environment(&mut self) {
        if let Ok(left) = env::var("LEFT") {
            write!(self.answer, " !environment={}", left).unwrap();
        }
        env::set_var("LEFT", &self.secret);
    }

    fn use_tmp(&mut self) {
        if let Ok(text) = fs::read_to_string("/tmp/left") {
            write!(self.answer, " !tmp={}", text).unwrap();
        }
        for entry in fs::read_dir("/tmp").into_iter().flatten().flatten() {
            self.answer += " !tmp-has=";
            self.answer += &entry.file_name().to_string_lossy();
        }
        if fs::write("/tmp/left", &self.secret).is_err() {
            self.answer += " no-tmp";
        }
    }

    /// Says which there are, and leaves one more.
    fn use_descriptors(&mut self) {
        self.answer += " fds=";
        for fd in 0..32 {
            let mut stat = [0; 3];
            if unsafe { fd_fdstat_get(fd, &mut stat) } == 0 {
                write!(self.answer, "{}:{:x},", fd, stat[0] >> 16 & 0xffff).unwrap();
            }
        }
        if let Ok(mut file) = fs::File::create("/tmp/held") {
            let _ = file.write_all(self.secret.as_bytes());
            write!(self.answer, " fd={}", file.as_raw_fd()).unwrap();
            kept().files.push(file);
        }
        unsafe { fd_fdstat_set_flags(2, 1) }; // append
    }

    fn random(&mut self) {
        let hash = |state: &RandomState| state.build_hasher().finish();
        write!(self.answer, "random_get={:x} hasher={:x}", draw(), hash(&RandomState::new())).unwrap();
        if let Some(hasher) = &kept().hasher {
            write!(self.answer, " init-hasher={:x}", hash(hasher)).unwrap();
        }
        if let Some(random) = kept().random {
            write!(self.answer, " init-random_get={:x}", random).unwrap();
        }
    }

    /// Is called when the answer has left: closes what the next request will need.
    pub fn finish(&self) {
        if self.asked("close") {
            let held = kept().files.last().unwrap().as_raw_fd();
            unsafe {
                fd_close(1);
                fd_renumber(held, 0);
                fd_close(2);
            }
        }
        if self.asked("trap") {
            process::abort();
        }
    }
}
