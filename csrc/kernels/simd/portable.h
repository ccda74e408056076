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

#include "quad_pack.h"

#define SCP_SIMD_NAME portable
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
    float most = a.v[0];
    for (int j = 1; j < 16; j++) most = a.v[j] > most ? a.v[j] : most;
    return most;
}

/* Four floats, for the four children of a quadtree node. */
typedef struct {
    float v[4];
} f32x4;

/* Lane j = <query, vector j of cells>, exact in int32. channels % 16 == 0. */
/* The dot products of a query with 16 cells, which lie as [channels / 2][16][2]. */
static inline f32x16 i16_sixteen(const int16_t *query, const int16_t *cells, size_t channels) {
    int32_t sum[16] = {0};
    f32x16 r;
    for (size_t c = 0; c < channels; c += 2, cells += 32)
        for (int j = 0; j < 16; j++) {
            const int16_t *cell = cells + 2 * j;
            sum[j] += (int32_t)query[c] * cell[0] + (int32_t)query[c + 1] * cell[1];
        }
    for (int j = 0; j < 16; j++) r.v[j] = (float)sum[j];
    return r;
}
static inline f32x4 i16_quad(const int16_t *query, const int16_t *cells, size_t channels) {
    f32x4 r;
    for (int j = 0; j < 4; j++, cells += channels) {
        int32_t sum = 0;
        for (size_t c = 0; c < channels; c++) sum += (int32_t)query[c] * cells[c];
        r.v[j] = (float)sum;
    }
    return r;
}
/* bound * clamp(a * scale + slack, 0, 1) */
static inline f32x4 f32x4_bound(f32x4 a, float bound, float scale, float slack) {
    for (int j = 0; j < 4; j++) {
        float c = a.v[j] * scale + slack;
        c = c > 0 ? c : 0;
        a.v[j] = bound * (c < 1 ? c : 1);
    }
    return a;
}
/* Writes the lanes >= least to value, and first + lane to node, packed; returns how many. May
 * write four entries whatever it returns. */
static inline size_t f32x4_pack(float *value, uint32_t *node, f32x4 a, uint32_t first,
                                float least) {
    size_t kept = 0;
    for (uint32_t j = 0; j < 4; j++) {
        value[kept] = a.v[j];
        node[kept] = first + j;
        kept += a.v[j] >= least;
    }
    return kept;
}

#endif
