/* f32x16 on AVX-512: one register. */
#ifndef SCP_SIMD_AVX512_H
#define SCP_SIMD_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define SCP_SIMD_NAME "avx512"
#define SCP_SIMD_ROWS 12  /* of a register block of the matrix product */
#define SCP_SIMD_PANELS 2 /* of 16 columns, of the same */
#ifdef SCP_SIMD_VNNI
#define SCP_SIMD_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,popcnt"
#else
#define SCP_SIMD_TARGET "avx512f,avx512bw,avx512dq,avx512vl,popcnt"
#endif
#define PRAGMA(text) _Pragma(#text)
#define PRAGMA_OF(text) PRAGMA(text)
#ifdef __clang__
#define SCP_SIMD_BEGIN                                                                             \
    PRAGMA_OF(clang attribute push(__attribute__((target(SCP_SIMD_TARGET))), apply_to = function))
#define SCP_SIMD_END PRAGMA(clang attribute pop)
#else
#define SCP_SIMD_BEGIN PRAGMA(GCC push_options) PRAGMA_OF(GCC target(SCP_SIMD_TARGET))
#define SCP_SIMD_END PRAGMA(GCC pop_options)
#endif

SCP_SIMD_BEGIN

typedef struct {
    __m512 v;
} f32x16;

static inline f32x16 f32x16_load(const float *p) {
    return (f32x16){_mm512_loadu_ps(p)};
}
static inline void f32x16_store(float *p, f32x16 a) {
    _mm512_storeu_ps(p, a.v);
}
static inline f32x16 f32x16_set(float x) {
    return (f32x16){_mm512_set1_ps(x)};
}
static inline f32x16 f32x16_add(f32x16 a, f32x16 b) {
    return (f32x16){_mm512_add_ps(a.v, b.v)};
}
static inline f32x16 f32x16_sub(f32x16 a, f32x16 b) {
    return (f32x16){_mm512_sub_ps(a.v, b.v)};
}
static inline f32x16 f32x16_mul(f32x16 a, f32x16 b) {
    return (f32x16){_mm512_mul_ps(a.v, b.v)};
}
static inline f32x16 f32x16_fma(f32x16 a, f32x16 b, f32x16 c) {
    return (f32x16){_mm512_fmadd_ps(a.v, b.v, c.v)};
}
static inline f32x16 f32x16_choose(f32x16 t, f32x16 a, f32x16 b) {
    const __mmask16 positive = _mm512_cmp_ps_mask(t.v, _mm512_setzero_ps(), _CMP_GT_OQ);
    return (f32x16){_mm512_mask_blend_ps(positive, b.v, a.v)};
}
static inline f32x16 f32x16_max(f32x16 a, f32x16 b) {
    return (f32x16){_mm512_max_ps(a.v, b.v)};
}
static inline f32x16 f32x16_min(f32x16 a, f32x16 b) {
    return (f32x16){_mm512_min_ps(a.v, b.v)};
}
static inline __m128 f32x16_fold4(f32x16 a) { /* lanes j + j+8, then j + j+4 */
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
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
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    return (f32x16){_mm512_permutexvar_ps(twice, _mm512_castps256_ps512(_mm256_loadu_ps(p)))};
}
static inline f32x16 f32x16_div(f32x16 a, f32x16 b) {
    return (f32x16){_mm512_div_ps(a.v, b.v)};
}
static inline f32x16 f32x16_sqrt(f32x16 a) {
    return (f32x16){_mm512_sqrt_ps(a.v)};
}
static inline float f32x16_largest(f32x16 a) {
    return _mm512_reduce_max_ps(a.v);
}

static inline int f32x16_reach(f32x16 a, f32x16 limit) {
    return __builtin_popcount(_mm512_cmp_ps_mask(a.v, limit.v, _CMP_GE_OQ));
}
static inline f32x16 f32x16_where_equal(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
    const __mmask16 in = _mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ);
    return (f32x16){_mm512_mask_blend_ps(in, y.v, x.v)};
}

#include "x86.h"

SCP_SIMD_END

#endif
