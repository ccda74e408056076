/* f32x16 in plain C: the meaning of every other file of this folder.
 *
 * A vector is 16 floats. Operations are elementwise IEEE single precision, never fused, so that
 * every instruction set gives the same bits; only f32x16_fma, which the networks alone use, is
 * fused where the set can. f32x16_sum4 adds the lanes in one stated order:
 * lane j with lane j+8, then j+4, then j+2, then j+1. */
#ifndef SCP_SIMD_PORTABLE_H
#define SCP_SIMD_PORTABLE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "pack.h"

#define SCP_SIMD_NAME "portable"
#define SCP_SIMD_ROWS 2   /* of a register block of the matrix product */
#define SCP_SIMD_PANELS 1 /* of 16 columns, of the same */
#define SCP_SIMD_BEGIN
#define SCP_SIMD_END

typedef struct {
    float v[16];
} f32x16;

#define EACH_LANE for (int j = 0; j < 16; j++)

static inline f32x16 f32x16_load(const float *p) { /* p may be unaligned */
    f32x16 r;
    EACH_LANE r.v[j] = p[j];
    return r;
}
static inline void f32x16_store(float *p, f32x16 a) {
    EACH_LANE p[j] = a.v[j];
}
/* to[16 i + j] = from[line j + i], i, j < 4 */
static inline void f32x4_transpose(float *to, const float *from, size_t line) {
    for (size_t j = 0; j < 4; j++)
        for (size_t i = 0; i < 4; i++) to[16 * i + j] = from[line * j + i];
}
static inline f32x16 f32x16_set(float x) {
    f32x16 r;
    EACH_LANE r.v[j] = x;
    return r;
}
static inline f32x16 f32x16_add(f32x16 a, f32x16 b) {
    EACH_LANE a.v[j] += b.v[j];
    return a;
}
static inline f32x16 f32x16_sub(f32x16 a, f32x16 b) {
    EACH_LANE a.v[j] -= b.v[j];
    return a;
}
static inline f32x16 f32x16_mul(f32x16 a, f32x16 b) {
    EACH_LANE a.v[j] *= b.v[j];
    return a;
}
static inline f32x16 f32x16_fma(f32x16 a, f32x16 b, f32x16 c) { /* a * b + c, fused or not */
    EACH_LANE a.v[j] = a.v[j] * b.v[j] + c.v[j];
    return a;
}
static inline f32x16 f32x16_choose(f32x16 t, f32x16 a, f32x16 b) { /* t > 0 ? a : b */
    EACH_LANE a.v[j] = t.v[j] > 0 ? a.v[j] : b.v[j];
    return a;
}
static inline f32x16 f32x16_max(f32x16 a, f32x16 b) { /* a > b ? a : b */
    EACH_LANE a.v[j] = a.v[j] > b.v[j] ? a.v[j] : b.v[j];
    return a;
}
static inline f32x16 f32x16_min(f32x16 a, f32x16 b) { /* a < b ? a : b */
    EACH_LANE a.v[j] = a.v[j] < b.v[j] ? a.v[j] : b.v[j];
    return a;
}
static inline float f32x16_sum(f32x16 a) {
    for (int half = 8; half > 0; half /= 2)
        for (int j = 0; j < half; j++) a.v[j] += a.v[j + half];
    return a.v[0];
}
/* out[i] = f32x16_sum of the i-th argument. */
static inline void f32x16_sum4(float *out, f32x16 a, f32x16 b, f32x16 c, f32x16 d) {
    out[0] = f32x16_sum(a);
    out[1] = f32x16_sum(b);
    out[2] = f32x16_sum(c);
    out[3] = f32x16_sum(d);
}
/* Lane j = a[j] == b[j] ? x[j] : y[j]. */
static inline int f32x16_reach(f32x16 a, f32x16 limit) { /* lanes of a >= limit */
    int count = 0;
    EACH_LANE count += a.v[j] >= limit.v[j];
    return count;
}
static inline f32x16 f32x16_where_equal(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
    EACH_LANE x.v[j] = a.v[j] == b.v[j] ? x.v[j] : y.v[j];
    return x;
}
#undef EACH_LANE

/* Lane j = p[j / 2]; reads 8 floats. */
static inline f32x16 f32x16_load_twice(const float *p) {
    f32x16 r;
    for (int j = 0; j < 16; j++) r.v[j] = p[j / 2];
    return r;
}
static inline f32x16 f32x16_div(f32x16 a, f32x16 b) {
    for (int j = 0; j < 16; j++) a.v[j] /= b.v[j];
    return a;
}
static inline f32x16 f32x16_sqrt(f32x16 a) {
    for (int j = 0; j < 16; j++) a.v[j] = sqrtf(a.v[j]);
    return a;
}
static inline float f32x16_largest(f32x16 a) {
    float max = a.v[0];
    for (int j = 1; j < 16; j++) max = a.v[j] > max ? a.v[j] : max;
    return max;
}

/* ---- for draws: eight words in 64-bit lanes, whose upper halves mean nothing ---- */

typedef struct {
    uint64_t v[8];
} u64x8;

static inline u64x8 u64x8_set(uint32_t word) {
    u64x8 r;
    for (int j = 0; j < 8; j++) r.v[j] = word;
    return r;
}
/* Lane j = first + j. */
static inline u64x8 u64x8_count(uint32_t first) {
    u64x8 r;
    for (uint32_t j = 0; j < 8; j++) r.v[j] = first + j;
    return r;
}
static inline u64x8 u64x8_xor(u64x8 a, u64x8 b) {
    for (int j = 0; j < 8; j++) a.v[j] ^= b.v[j];
    return a;
}
static inline u64x8 u64x8_upper(u64x8 a) { /* a >> 32 */
    for (int j = 0; j < 8; j++) a.v[j] >>= 32;
    return a;
}
static inline u64x8 u64x8_multiply(u64x8 a, u64x8 b) { /* of the lower halves */
    for (int j = 0; j < 8; j++) a.v[j] = (a.v[j] & 0xFFFFFFFFu) * (b.v[j] & 0xFFFFFFFFu);
    return a;
}
static inline void u64x8_store(uint64_t *p, u64x8 a) {
    for (int j = 0; j < 8; j++) p[j] = a.v[j];
}

/* ---- for the quadtree: integers as kernels/tree.h lays them out ---- */

/* <query, cell> - 128 sum of n cells [channels / 4][n][4], exact. */
static inline void u8_cells(float *out, const int8_t *query, int32_t sum, const uint8_t *cells,
                            size_t channels, const size_t n) {
    int32_t dots[16];
    for (size_t i = 0; i < n; i++) dots[i] = -128 * sum;
    for (size_t c = 0; c < channels; c += 4, cells += 4 * n)
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < 4; k++) dots[i] += query[c + k] * cells[4 * i + k];
    for (size_t i = 0; i < n; i++) out[i] = (float)dots[i];
}
static inline f32x16 u8_sixteen(const int8_t *query, int32_t sum, const uint8_t *cells,
                                size_t channels) {
    f32x16 r;
    u8_cells(r.v, query, sum, cells, channels, 16);
    return r;
}
/* The same of the children of four nodes, each [channels / 4][4][4]. */
static inline f32x16 u8_children(const int8_t *query, int32_t sum, const uint8_t *cells,
                                 const uint32_t *node, size_t channels) {
    f32x16 r;
    for (int n = 0; n < 4; n++)
        u8_cells(r.v + 4 * n, query, sum, cells + 4 * node[n] * channels, channels, 4);
    return r;
}
/* Truncates lanes in [0, 256) to integers, stores them as bytes and returns them. */
static inline f32x16 f32x16_store_u8(uint8_t *p, f32x16 a) {
    for (int j = 0; j < 16; j++) {
        p[j] = a.v[j] >= 0 && a.v[j] < 256 ? (uint8_t)a.v[j] : 0;
        a.v[j] = p[j];
    }
    return a;
}
/* The same of four, four bytes of each in turn. */
static inline void f32x16_store_u8x4(uint8_t *p, f32x16 a[4]) {
    for (int n = 0; n < 4; n++) {
        uint8_t bytes[16];
        a[n] = f32x16_store_u8(bytes, a[n]);
        for (int j = 0; j < 16; j++) p[j / 4 * 16 + 4 * n + j % 4] = bytes[j];
    }
}
/* Lane j = p[j / 4]. */
static inline f32x16 f32x16_load_fourfold(const float *p) {
    f32x16 r;
    for (int j = 0; j < 16; j++) r.v[j] = p[j / 4];
    return r;
}
static inline size_t f32x16_pack_children(float *value, uint32_t *out, f32x16 a,
                                          const uint32_t *node, float min) {
    float bounds[16];
    f32x16_store(bounds, a);
    return pack_children(value, out, bounds, node, min);
}

#endif
