/* f32x16 on 64-bit ARM: four 128-bit registers. Multiplication and addition stay separate
 * instructions (vmulq, vaddq), as on every other set, but for f32x16_fma. */
#ifndef SCP_SIMD_NEON_H
#define SCP_SIMD_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "quad_pack.h"

#define SCP_SIMD_NAME neon
#define SCP_SIMD_ROWS 6   /* of a register block of the matrix product */
#define SCP_SIMD_PANELS 1 /* of 16 columns, of the same */
#define SCP_SIMD_BEGIN
#define SCP_SIMD_END

typedef struct {
    float32x4_t a, b, c, d;
} f32x16;

static inline f32x16 f32x16_load(const float *p) {
    return (f32x16){vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
static inline void f32x16_store(float *p, f32x16 x) {
    vst1q_f32(p, x.a);
    vst1q_f32(p + 4, x.b);
    vst1q_f32(p + 8, x.c);
    vst1q_f32(p + 12, x.d);
}
static inline f32x16 f32x16_set(float x) {
    const float32x4_t v = vdupq_n_f32(x);
    return (f32x16){v, v, v, v};
}
/* Not vmaxq and vminq: those differ from a > b ? a : b on NaN and on zeros of two signs. */
static inline float32x4_t neon_max(float32x4_t x, float32x4_t y) {
    return vbslq_f32(vcgtq_f32(x, y), x, y);
}
static inline float32x4_t neon_min(float32x4_t x, float32x4_t y) {
    return vbslq_f32(vcltq_f32(x, y), x, y);
}
#define EACH_REGISTER(op)                                                                          \
    (f32x16) {                                                                                     \
        op(x.a, y.a), op(x.b, y.b), op(x.c, y.c), op(x.d, y.d)                                     \
    }
static inline f32x16 f32x16_add(f32x16 x, f32x16 y) {
    return EACH_REGISTER(vaddq_f32);
}
static inline f32x16 f32x16_sub(f32x16 x, f32x16 y) {
    return EACH_REGISTER(vsubq_f32);
}
static inline f32x16 f32x16_mul(f32x16 x, f32x16 y) {
    return EACH_REGISTER(vmulq_f32);
}
static inline f32x16 f32x16_fma(f32x16 x, f32x16 y, f32x16 z) {
    return (f32x16){vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b), vfmaq_f32(z.c, x.c, y.c),
                    vfmaq_f32(z.d, x.d, y.d)};
}
static inline f32x16 f32x16_choose(f32x16 t, f32x16 x, f32x16 y) {
    return (f32x16){vbslq_f32(vcgtzq_f32(t.a), x.a, y.a), vbslq_f32(vcgtzq_f32(t.b), x.b, y.b),
                    vbslq_f32(vcgtzq_f32(t.c), x.c, y.c), vbslq_f32(vcgtzq_f32(t.d), x.d, y.d)};
}
static inline f32x16 f32x16_max(f32x16 x, f32x16 y) {
    return EACH_REGISTER(neon_max);
}
static inline f32x16 f32x16_min(f32x16 x, f32x16 y) {
    return EACH_REGISTER(neon_min);
}
#undef EACH_REGISTER
static inline float32x4_t f32x16_fold4(f32x16 x) { /* lanes j + j+8, then j + j+4 */
    return vaddq_f32(vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d));
}
static inline float f32x16_sum(f32x16 x) {
    const float32x4_t four = f32x16_fold4(x);
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
static inline void f32x16_sum4(float *out, f32x16 a, f32x16 b, f32x16 c, f32x16 d) {
    out[0] = f32x16_sum(a);
    out[1] = f32x16_sum(b);
    out[2] = f32x16_sum(c);
    out[3] = f32x16_sum(d);
}

static inline f32x16 f32x16_load_twice(const float *p) {
    const float32x4_t lo = vld1q_f32(p), hi = vld1q_f32(p + 4);
    return (f32x16){vzip1q_f32(lo, lo), vzip2q_f32(lo, lo), vzip1q_f32(hi, hi), vzip2q_f32(hi, hi)};
}
static inline f32x16 f32x16_div(f32x16 x, f32x16 y) {
    return (f32x16){vdivq_f32(x.a, y.a), vdivq_f32(x.b, y.b), vdivq_f32(x.c, y.c),
                    vdivq_f32(x.d, y.d)};
}
static inline f32x16 f32x16_sqrt(f32x16 x) {
    return (f32x16){vsqrtq_f32(x.a), vsqrtq_f32(x.b), vsqrtq_f32(x.c), vsqrtq_f32(x.d)};
}
static inline float f32x16_largest(f32x16 x) {
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.a, x.b), vmaxq_f32(x.c, x.d)));
}

static inline int f32x16_reach(f32x16 x, f32x16 limit) {
    const uint32x4_t ab = vaddq_u32(vcgeq_f32(x.a, limit.a), vcgeq_f32(x.b, limit.b));
    const uint32x4_t cd = vaddq_u32(vcgeq_f32(x.c, limit.c), vcgeq_f32(x.d, limit.d));
    return -(int)vaddvq_u32(vaddq_u32(ab, cd)); /* a lane that reaches is -1 */
}
static inline f32x16 f32x16_where_equal(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
    return (f32x16){
        vbslq_f32(vceqq_f32(a.a, b.a), x.a, y.a), vbslq_f32(vceqq_f32(a.b, b.b), x.b, y.b),
        vbslq_f32(vceqq_f32(a.c, b.c), x.c, y.c), vbslq_f32(vceqq_f32(a.d, b.d), x.d, y.d)};
}

typedef float32x4_t f32x4;

static inline int32_t i16_dot(const int16_t *query, const int16_t *cell, size_t channels) {
    int32x4_t sum = vdupq_n_s32(0);
    for (size_t c = 0; c < channels; c += 8) {
        const int16x8_t q = vld1q_s16(query + c), t = vld1q_s16(cell + c);
        sum = vmlal_s16(sum, vget_low_s16(q), vget_low_s16(t));
        sum = vmlal_high_s16(sum, q, t);
    }
    return vaddvq_s32(sum);
}
static inline f32x16 i16_sixteen(const int16_t *query, const int16_t *cells, size_t channels) {
    int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;
    for (size_t i = 0; i < channels; i += 2, cells += 32) {
        int32_t pair;
        memcpy(&pair, query + i, sizeof pair);
        const int16x8_t q = vreinterpretq_s16_s32(vdupq_n_s32(pair));
#define FOUR(sum, at)                                                                              \
    {                                                                                              \
        const int16x8_t cell = vld1q_s16(cells + (at));                                            \
        sum = vaddq_s32(sum, vpaddq_s32(vmull_s16(vget_low_s16(q), vget_low_s16(cell)),            \
                                        vmull_high_s16(q, cell)));                                 \
    }
        FOUR(a, 0)
        FOUR(b, 8)
        FOUR(c, 16)
        FOUR(d, 24)
#undef FOUR
    }
    return (f32x16){vcvtq_f32_s32(a), vcvtq_f32_s32(b), vcvtq_f32_s32(c), vcvtq_f32_s32(d)};
}
static inline f32x4 i16_quad(const int16_t *query, const int16_t *cells, size_t channels) {
    const int32_t dots[4] = {i16_dot(query, cells, channels),
                             i16_dot(query, cells + channels, channels),
                             i16_dot(query, cells + 2 * channels, channels),
                             i16_dot(query, cells + 3 * channels, channels)};
    return vcvtq_f32_s32(vld1q_s32(dots));
}
static inline f32x4 f32x4_bound(f32x4 a, float bound, float scale, float slack) {
    const float32x4_t c = vaddq_f32(vmulq_n_f32(a, scale), vdupq_n_f32(slack));
    return vmulq_n_f32(vminq_f32(vmaxq_f32(c, vdupq_n_f32(0)), vdupq_n_f32(1)), bound);
}
static inline size_t f32x4_pack(float *value, uint32_t *node, f32x4 a, uint32_t first,
                                float least) {
    float lanes[4];
    size_t kept = 0;
    vst1q_f32(lanes, a);
    for (uint32_t j = 0; j < 4; j++) {
        value[kept] = lanes[j];
        node[kept] = first + j;
        kept += lanes[j] >= least;
    }
    return kept;
}

#endif
