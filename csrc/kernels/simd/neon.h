/* f32x16 on 64-bit ARM: four 128-bit registers. Multiplication and addition stay separate
 * instructions (vmulq, vaddq), as on every other set, but for f32x16_fma. */
#ifndef SCP_SIMD_NEON_H
#define SCP_SIMD_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pack.h"

#define SCP_SIMD_NAME "neon"
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
static inline void f32x4_transpose(float *to, const float *from, size_t line) {
    const float32x4x2_t p = vtrnq_f32(vld1q_f32(from), vld1q_f32(from + line));
    const float32x4x2_t q = vtrnq_f32(vld1q_f32(from + 2 * line), vld1q_f32(from + 3 * line));
    for (size_t i = 0; i < 2; i++) {
        const float32x4_t x = p.val[i], y = q.val[i];
        vst1q_f32(to + 16 * i, vcombine_f32(vget_low_f32(x), vget_low_f32(y)));
        vst1q_f32(to + 16 * (i + 2), vcombine_f32(vget_high_f32(x), vget_high_f32(y)));
    }
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

typedef struct {
    uint64x2_t v[4];
} u64x8;

static inline u64x8 u64x8_set(uint32_t word) {
    const uint64x2_t v = vdupq_n_u64(word);
    return (u64x8){{v, v, v, v}};
}
static inline u64x8 u64x8_count(uint32_t first) {
    u64x8 r;
    for (uint32_t j = 0; j < 4; j++)
        r.v[j] = vcombine_u64(vdup_n_u64(first + 2 * j), vdup_n_u64(first + 2 * j + 1));
    return r;
}
static inline u64x8 u64x8_xor(u64x8 a, u64x8 b) {
    for (int j = 0; j < 4; j++) a.v[j] = veorq_u64(a.v[j], b.v[j]);
    return a;
}
static inline u64x8 u64x8_upper(u64x8 a) {
    for (int j = 0; j < 4; j++) a.v[j] = vshrq_n_u64(a.v[j], 32);
    return a;
}
static inline u64x8 u64x8_multiply(u64x8 a, u64x8 b) {
    for (int j = 0; j < 4; j++) a.v[j] = vmull_u32(vmovn_u64(a.v[j]), vmovn_u64(b.v[j]));
    return a;
}
static inline void u64x8_store(uint64_t *p, u64x8 a) {
    for (int j = 0; j < 4; j++) vst1q_u64(p + 2 * j, a.v[j]);
}

/* Four sums of products of four bytes, as int32. */
static inline int32x4_t u8_four(int32x4_t sum, int8x16_t query, const uint8_t *cells) {
    const int8x16_t t = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(cells), vdupq_n_u8(128)));
    const int16x8_t lo = vmull_s8(vget_low_s8(query), vget_low_s8(t)), hi = vmull_high_s8(query, t);
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(lo), vpaddlq_s16(hi)));
}
static inline int8x16_t u8_query(const int8_t *query) { /* four channels, four times */
    int32_t four;
    memcpy(&four, query, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}
static inline f32x16 u8_sixteen(const int8_t *query, int32_t sum, const uint8_t *cells,
                                size_t channels) {
    int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;
    (void)sum; /* signed cells need none */
    for (size_t i = 0; i < channels; i += 4, cells += 64) {
        const int8x16_t q = u8_query(query + i);
        a = u8_four(a, q, cells);
        b = u8_four(b, q, cells + 16);
        c = u8_four(c, q, cells + 32);
        d = u8_four(d, q, cells + 48);
    }
    return (f32x16){vcvtq_f32_s32(a), vcvtq_f32_s32(b), vcvtq_f32_s32(c), vcvtq_f32_s32(d)};
}
static inline f32x16 u8_children(const int8_t *query, int32_t sum, const uint8_t *cells,
                                 const uint32_t *node, size_t channels) {
    int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;
    (void)sum;
    for (size_t i = 0; i < channels; i += 4) {
        const int8x16_t q = u8_query(query + i);
        a = u8_four(a, q, cells + 4 * ((size_t)node[0] * channels + i));
        b = u8_four(b, q, cells + 4 * ((size_t)node[1] * channels + i));
        c = u8_four(c, q, cells + 4 * ((size_t)node[2] * channels + i));
        d = u8_four(d, q, cells + 4 * ((size_t)node[3] * channels + i));
    }
    return (f32x16){vcvtq_f32_s32(a), vcvtq_f32_s32(b), vcvtq_f32_s32(c), vcvtq_f32_s32(d)};
}
static inline uint8x16_t f32x16_bytes(f32x16 *x) {
    const uint32x4_t a = vcvtq_u32_f32(x->a), b = vcvtq_u32_f32(x->b), c = vcvtq_u32_f32(x->c),
                     d = vcvtq_u32_f32(x->d);
    const uint16x8_t lo = vcombine_u16(vmovn_u32(a), vmovn_u32(b));
    const uint16x8_t hi = vcombine_u16(vmovn_u32(c), vmovn_u32(d));
    *x = (f32x16){vcvtq_f32_u32(a), vcvtq_f32_u32(b), vcvtq_f32_u32(c), vcvtq_f32_u32(d)};
    return vcombine_u8(vmovn_u16(lo), vmovn_u16(hi));
}
static inline f32x16 f32x16_store_u8(uint8_t *p, f32x16 x) {
    vst1q_u8(p, f32x16_bytes(&x));
    return x;
}
static inline void f32x16_store_u8x4(uint8_t *p, f32x16 a[4]) {
    uint32x4x4_t four;
    for (int n = 0; n < 4; n++) four.val[n] = vreinterpretq_u32_u8(f32x16_bytes(a + n));
    uint32_t bytes[16];
    vst4q_u32(bytes, four);
    memcpy(p, bytes, sizeof bytes);
}
static inline f32x16 f32x16_load_fourfold(const float *p) {
    return (f32x16){vdupq_n_f32(p[0]), vdupq_n_f32(p[1]), vdupq_n_f32(p[2]), vdupq_n_f32(p[3])};
}
static inline size_t f32x16_pack_children(float *value, uint32_t *out, f32x16 a,
                                          const uint32_t *node, float min) {
    float bounds[16];
    f32x16_store(bounds, a);
    return pack_children(value, out, bounds, node, min);
}

#endif
