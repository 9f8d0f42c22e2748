// Workloads for the metering benchmark. Each export runs one for n rounds and
// returns a checksum, so that runs can be compared. build.sh builds it.
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(#name)))
typedef uint32_t u32;
typedef uint64_t u64;
typedef uint8_t u8;

static u32 seed;
static u32 next(void) { return seed = seed * 1664525u + 1013904223u; }

// --- sha256: straight-line integer code
static const u32 K[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
#define ROR(x, n) ((x) >> (n) | (x) << (32 - (n)))
static void sha_block(u32 *h, const u8 *p) {
	u32 w[64];
	for (int i = 0; i < 16; i++, p += 4) w[i] = (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
	for (int i = 16; i < 64; i++) {
		u32 a = w[i - 15], b = w[i - 2];
		w[i] = w[i - 16] + (ROR(a, 7) ^ ROR(a, 18) ^ a >> 3) + w[i - 7] + (ROR(b, 17) ^ ROR(b, 19) ^ b >> 10);
	}
	u32 a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
	for (int i = 0; i < 64; i++) {
		u32 t = k + (ROR(e, 6) ^ ROR(e, 11) ^ ROR(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i];
		u32 s = (ROR(a, 2) ^ ROR(a, 13) ^ ROR(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
		k = g, g = f, f = e, e = d + t, d = c, c = b, b = a, a = t + s;
	}
	h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e, h[5] += f, h[6] += g, h[7] += k;
}
EXPORT(sha256) u32 sha256(u32 n) {
	static u8 block[64];
	u32 h[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	for (u32 i = 0; i < n * 300; i++) {
		block[i & 63] = (u8)i;
		sha_block(h, block);
	}
	return h[0] ^ h[7];
}

// --- matmul: tight nested loops of floats
EXPORT(matmul) u32 matmul(u32 n) {
	enum { N = 64 };
	static double a[N][N], b[N][N], c[N][N];
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) a[i][j] = i + j, b[i][j] = i - j;
	double sum = 0;
	for (u32 r = 0; r < n; r++) {
		for (int i = 0; i < N; i++)
			for (int j = 0; j < N; j++) {
				double s = 0;
				for (int k = 0; k < N; k++) s += a[i][k] * b[k][j];
				c[i][j] = s;
			}
		sum += c[r % N][3];
		a[0][0] += 1;
	}
	return (u32)(int64_t)sum;
}

// --- qsort: a sort that compares through a pointer
typedef int (*compare)(const void *, const void *);
static int by_value(const void *a, const void *b) {
	u32 x = *(const u32 *)a, y = *(const u32 *)b;
	return (x > y) - (x < y);
}
static compare volatile chosen = by_value;
static void heap_sort(u32 *v, int n, compare less) {
	for (int start = n / 2 - 1, end = n; end > 1;) {
		int root;
		if (start >= 0) {
			root = start--;
		} else {
			end--;
			u32 t = v[0];
			v[0] = v[end], v[end] = t, root = 0;
		}
		for (int child; (child = 2 * root + 1) < end; root = child) {
			if (child + 1 < end && less(&v[child], &v[child + 1]) < 0) child++;
			if (less(&v[root], &v[child]) >= 0) break;
			u32 t = v[root];
			v[root] = v[child], v[child] = t;
		}
	}
}
static u32 numbers[4096];
static void fill_numbers(int n) {
	seed = 42;
	for (int i = 0; i < n; i++) numbers[i] = next();
}
EXPORT(callback) u32 callback(u32 n) {
	u32 sum = 0;
	for (u32 r = 0; r < n; r++) {
		fill_numbers(1024);
		heap_sort(numbers, 1024, chosen);
		sum += numbers[r % 1024];
	}
	return sum;
}

// --- quicksort: recursion and branches nobody can predict
static void quick(u32 *v, int lo, int hi) {
	while (lo < hi) {
		u32 p = v[(lo + hi) / 2];
		int i = lo, j = hi;
		while (i <= j) {
			while (v[i] < p) i++;
			while (v[j] > p) j--;
			if (i <= j) {
				u32 t = v[i];
				v[i++] = v[j], v[j--] = t;
			}
		}
		if (j - lo < hi - i) {
			quick(v, lo, j);
			lo = i;
		} else {
			quick(v, i, hi);
			hi = j;
		}
	}
}
EXPORT(quicksort) u32 quicksort(u32 n) {
	u32 sum = 0;
	for (u32 r = 0; r < n; r++) {
		fill_numbers(4096);
		quick(numbers, 0, 4095);
		sum += numbers[r % 4096];
	}
	return sum;
}

// --- nbody: square roots and divisions
EXPORT(nbody) u32 nbody(u32 n) {
	double x[5] = {0, 4.8, 8.3, 12.8, 15.3}, y[5] = {0, -1.1, 4.1, -15.1, -25.9}, z[5] = {0, -.1, -.4, -.2, .1};
	double vx[5] = {0, .6, -1, 1, .9}, vy[5] = {0, 2.8, 1.8, .8, .5}, vz[5] = {0, -.02, .008, -.01, -.03}, m[5] = {39, .03, .01, .001, .002};
	for (u32 r = 0; r < n * 400; r++) {
		for (int i = 0; i < 5; i++)
			for (int j = i + 1; j < 5; j++) {
				double dx = x[i] - x[j], dy = y[i] - y[j], dz = z[i] - z[j];
				double d2 = dx * dx + dy * dy + dz * dz;
				double mag = .001 / (d2 * __builtin_sqrt(d2));
				vx[i] -= dx * m[j] * mag, vy[i] -= dy * m[j] * mag, vz[i] -= dz * m[j] * mag;
				vx[j] += dx * m[i] * mag, vy[j] += dy * m[i] * mag, vz[j] += dz * m[i] * mag;
			}
		for (int i = 0; i < 5; i++) x[i] += .001 * vx[i], y[i] += .001 * vy[i], z[i] += .001 * vz[i];
	}
	return (u32)(int64_t)(x[1] * 1e6);
}

// --- mandelbrot: a loop whose length depends on data
EXPORT(mandelbrot) u32 mandelbrot(u32 n) {
	u32 sum = 0;
	for (u32 r = 0; r < n; r++)
		for (int py = 0; py < 48; py++)
			for (int px = 0; px < 64; px++) {
				double cx = px / 24.0 - 2, cy = py / 24.0 - 1, x = 0, y = 0;
				int i = 0;
				for (; i < 100 && x * x + y * y < 4; i++) {
					double t = x * x - y * y + cx;
					y = 2 * x * y + cy, x = t;
				}
				sum += i;
			}
	return sum;
}

// --- fibonacci: nothing but calls
static u32 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
EXPORT(fibonacci) u32 fibonacci(u32 n) {
	u32 sum = 0;
	for (u32 r = 0; r < n; r++) sum += fib(20 + (r & 1));
	return sum;
}

// --- json: a parser, byte by byte
static const char document[] =
	"{\"name\":\"cloche\",\"list\":[1,2,3.5,-4e2,true,false,null,\"a\\\"b\"],\"nested\":{\"deep\":{\"deeper\":[[],[{}],[1,[2]]]}},"
	"\"text\":\"the quick brown fox jumps over the lazy dog\",\"numbers\":[31415926,27182818,16180339,14142135,17320508]}";
static const char *at;
static u32 value(void) {
	while (*at == ' ') at++;
	u32 h = 17;
	switch (*at) {
	case '{':
	case '[': {
		char close = *at++ == '{' ? '}' : ']';
		while (*at != close) {
			h = h * 31 + value();
			if (*at == ':' || *at == ',') at++;
		}
		at++;
		return h;
	}
	case '"':
		for (at++; *at != '"'; at++) {
			if (*at == '\\') at++;
			h = h * 33 + (u8)*at;
		}
		at++;
		return h;
	default:
		while (*at && *at != ',' && *at != '}' && *at != ']' && *at != ':') h = h * 35 + (u8)*at++;
		return h;
	}
}
EXPORT(json) u32 json(u32 n) {
	u32 sum = 0;
	for (u32 r = 0; r < n * 300; r++) {
		at = document;
		sum = sum * 7 + value();
	}
	return sum;
}

// --- sieve: stores in a tiny loop
EXPORT(sieve) u32 sieve(u32 n) {
	static u8 composite[65536];
	u32 count = 0;
	for (u32 r = 0; r < n; r++) {
		for (u32 i = 0; i < 65536; i++) composite[i] = 0;
		for (u32 i = 2; i < 65536; i++)
			if (!composite[i]) {
				count++;
				for (u32 j = i + i; j < 65536; j += i) composite[j] = 1;
			}
	}
	return count;
}

// --- spin: the smallest loop
EXPORT(spin) u32 spin(u32 n) {
	u32 x = 1;
	for (u32 i = 0; i < n * 300000; i++) {
		x ^= i;
		__asm__ volatile("" : "+r"(x));
	}
	return x;
}

// --- division: one slow instruction a round
EXPORT(division) u32 division(u32 n) {
	u64 x = 0x123456789abcdefull, sum = 0;
	for (u32 i = 1; i < n * 30000; i++) sum += x / (i | 1) + x % (i | 3);
	return (u32)(sum ^ sum >> 32);
}

// --- copies: memory.copy of 64 to 127 bytes
EXPORT(copies) u32 copies(u32 n) {
	static u8 from[4096], to[4096];
	for (int i = 0; i < 4096; i++) from[i] = (u8)i;
	for (u32 r = 0; r < n * 10000; r++) __builtin_memcpy(to + (r & 1023), from + (r & 2047), 64 + (r & 63));
	return to[77] + to[1000];
}

// --- crc32: a table look-up a byte
EXPORT(crc32) u32 crc32(u32 n) {
	static u32 table[256];
	for (u32 i = 0; i < 256; i++) {
		u32 c = i;
		for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
		table[i] = c;
	}
	u32 crc = ~0u;
	for (u32 i = 0; i < n * 100000; i++) crc = table[(crc ^ i) & 255] ^ crc >> 8;
	return ~crc;
}

// --- hash: inserts and look-ups in an open hash table
EXPORT(hash) u32 hash(u32 n) {
	static u32 keys[8192], counts[8192];
	u32 sum = 0;
	for (u32 r = 0; r < n; r++) {
		for (int i = 0; i < 8192; i++) keys[i] = counts[i] = 0;
		seed = r;
		for (int i = 0; i < 20000; i++) {
			u32 key = (next() >> 16 & 4095) + 1, slot = key * 2654435761u >> 19;
			while (keys[slot] && keys[slot] != key) slot = (slot + 1) & 8191;
			keys[slot] = key, sum += ++counts[slot];
		}
	}
	return sum;
}

// --- interpreter: a switch in a loop
EXPORT(interpreter) u32 interpreter(u32 n) {
	static const u8 code[] = {1, 7, 2, 3, 4, 1, 5, 6, 3, 2, 7, 8, 4, 5, 2, 9, 0};
	u32 a = 1, b = 2, c = 3, sum = 0;
	for (u32 r = 0; r < n * 4000; r++)
		for (const u8 *pc = code;; pc++) {
			switch (*pc) {
			case 1: a += b; continue;
			case 2: b ^= c; continue;
			case 3: c = c * 3 + a; continue;
			case 4: a = a >> 1 | a << 31; continue;
			case 5: if (a & 1) b++; continue;
			case 6: c -= b; continue;
			case 7: b = b * 5 + 1; continue;
			case 8: if (c > a) a = c; continue;
			case 9: sum += a ^ b ^ c; continue;
			}
			break;
		}
	return sum;
}
