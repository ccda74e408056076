/* f32x16 on AVX2: two 256-bit registers, lanes 0-7 and 8-15. */
#ifndef SCP_SIMD_AVX2_H
#define SCP_SIMD_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define SCP_SIMD_NAME "avx2"
#define SCP_SIMD_ROWS 6   /* of a register block of the matrix product */
#define SCP_SIMD_PANELS 1 /* of 16 columns, of the same */
#define PRAGMA(text) _Pragma(#text)
#ifdef __clang__
#define SCP_SIMD_BEGIN                                                                             \
    PRAGMA(clang attribute push(__attribute__((target("avx2,fma,popcnt"))), apply_to = function))
#define SCP_SIMD_END PRAGMA(clang attribute pop)
#else
#define SCP_SIMD_BEGIN PRAGMA(GCC push_options) PRAGMA(GCC target("avx2,fma,popcnt"))
#define SCP_SIMD_END PRAGMA(GCC pop_options)
#endif

SCP_SIMD_BEGIN

typedef struct {
    __m256 lo, hi;
} f32x16;

static inline f32x16 f32x16_load(const float *p) {
    return (f32x16){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
static inline void f32x16_store(float *p, f32x16 a) {
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}
static inline f32x16 f32x16_set(float x) {
    return (f32x16){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
static inline f32x16 f32x16_add(f32x16 a, f32x16 b) {
    return (f32x16){_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
static inline f32x16 f32x16_sub(f32x16 a, f32x16 b) {
    return (f32x16){_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
static inline f32x16 f32x16_mul(f32x16 a, f32x16 b) {
    return (f32x16){_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
static inline f32x16 f32x16_fma(f32x16 a, f32x16 b, f32x16 c) {
    return (f32x16){_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
static inline f32x16 f32x16_choose(f32x16 t, f32x16 a, f32x16 b) {
    const __m256 zero = _mm256_setzero_ps();
    return (f32x16){_mm256_blendv_ps(b.lo, a.lo, _mm256_cmp_ps(t.lo, zero, _CMP_GT_OQ)),
                    _mm256_blendv_ps(b.hi, a.hi, _mm256_cmp_ps(t.hi, zero, _CMP_GT_OQ))};
}
static inline f32x16 f32x16_max(f32x16 a, f32x16 b) {
    return (f32x16){_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
static inline f32x16 f32x16_min(f32x16 a, f32x16 b) {
    return (f32x16){_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}
static inline __m128 f32x16_fold4(f32x16 a) { /* lanes j + j+8, then j + j+4 */
    const __m256 eight = _mm256_add_ps(a.lo, a.hi);
    return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
}
static inline float f32x16_sum(f32x16 a) {
    const __m128 four = f32x16_fold4(a);
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
static inline void f32x16_sum4(float *out, f32x16 a, f32x16 b, f32x16 c, f32x16 d) {
    __m128 p = f32x16_fold4(a), q = f32x16_fold4(b), r = f32x16_fold4(c), s = f32x16_fold4(d);
    _MM_TRANSPOSE4_PS(p, q, r, s);
    _mm_storeu_ps(out, _mm_add_ps(_mm_add_ps(p, r), _mm_add_ps(q, s)));
}

static inline f32x16 f32x16_load_twice(const float *p) {
    const __m256 v = _mm256_loadu_ps(p);
    return (f32x16){_mm256_permutevar8x32_ps(v, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
                    _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7))};
}
static inline f32x16 f32x16_div(f32x16 a, f32x16 b) {
    return (f32x16){_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
static inline f32x16 f32x16_sqrt(f32x16 a) {
    return (f32x16){_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)};
}
static inline float f32x16_largest(f32x16 a) {
    const __m256 eight = _mm256_max_ps(a.lo, a.hi);
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_shuffle_ps(m, m, 1)));
}

static inline int f32x16_reach(f32x16 a, f32x16 limit) {
    const int lo = _mm256_movemask_ps(_mm256_cmp_ps(a.lo, limit.lo, _CMP_GE_OQ));
    const int hi = _mm256_movemask_ps(_mm256_cmp_ps(a.hi, limit.hi, _CMP_GE_OQ));
    return __builtin_popcount((unsigned)(lo | hi << 8));
}
static inline f32x16 f32x16_where_equal(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
    return (f32x16){_mm256_blendv_ps(y.lo, x.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ)),
                    _mm256_blendv_ps(y.hi, x.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ))};
}

static inline void u32x16_children(uint32_t *out, const uint32_t *node) {
    for (uint32_t j = 0; j < 16; j++) out[j] = 4 * node[j / 4] + j % 4;
}
#include "x86.h"

SCP_SIMD_END

#endif
