/* f32x16 on 64-bit ARM: four 128-bit registers. Multiplication and addition stay separate
 * instructions (vmulq, vaddq), as on every other set. */
#ifndef SCP_SIMD_NEON_H
#define SCP_SIMD_NEON_H

#include <arm_neon.h>

#define SCP_SIMD_NAME neon
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

#endif
