/* The four children of a quadtree node in 128-bit registers, for both x86 sets. */
#ifndef SCP_SIMD_X86_QUAD_H
#define SCP_SIMD_X86_QUAD_H

#include <string.h>

typedef __m128 f32x4;

static inline int32_t i16_pair(const int16_t *query) {
    int32_t pair;
    memcpy(&pair, query, sizeof pair);
    return pair;
}

#ifdef SCP_SIMD_AVX512_H
static inline f32x16 i16_sixteen(const int16_t *query, const int16_t *cells, size_t channels) {
    __m512i sum = _mm512_setzero_si512();
    for (size_t i = 0; i < channels; i += 2, cells += 32)
        sum = _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_set1_epi32(i16_pair(query + i)),
                                                      _mm512_loadu_si512(cells)));
    return (f32x16){_mm512_cvtepi32_ps(sum)};
}
static inline __m512i i16_pairs(const int16_t *query, const int16_t *cell, size_t channels) {
    __m512i sum = _mm512_setzero_si512();
    size_t i = 0;
    for (; i + 32 <= channels; i += 32)
        sum = _mm512_add_epi32(
            sum, _mm512_madd_epi16(_mm512_loadu_si512(query + i), _mm512_loadu_si512(cell + i)));
    if (i < channels) { /* 16 more */
        const __m256i q = _mm256_loadu_si256((const void *)(query + i));
        const __m256i c = _mm256_loadu_si256((const void *)(cell + i));
        sum = _mm512_add_epi32(sum, _mm512_zextsi256_si512(_mm256_madd_epi16(q, c)));
    }
    return sum;
}
/* Halves of a and b, added: those of a, then those of b. */
static inline __m512i i32_fold(__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x44), _mm512_shuffle_i32x4(a, b, 0xee));
}
static inline f32x4 i16_quad(const int16_t *query, const int16_t *cells, size_t channels) {
    const __m512i a = i16_pairs(query, cells, channels);
    const __m512i b = i16_pairs(query, cells + channels, channels);
    const __m512i c = i16_pairs(query, cells + 2 * channels, channels);
    const __m512i d = i16_pairs(query, cells + 3 * channels, channels);
    const __m512i ab = i32_fold(a, b), cd = i32_fold(c, d);
    const __m512i all =
        _mm512_add_epi32(_mm512_shuffle_i32x4(ab, cd, 0x88), _mm512_shuffle_i32x4(ab, cd, 0xdd));
    /* four lanes of 128 bits, one a cell; within them four sums each */
    const __m512i two = _mm512_add_epi32(all, _mm512_shuffle_epi32(all, 0x4e));
    const __m512i one = _mm512_add_epi32(two, _mm512_shuffle_epi32(two, 0xb1));
    const __m512i pick = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm_cvtepi32_ps(_mm512_castsi512_si128(_mm512_permutexvar_epi32(pick, one)));
}
#else
static inline f32x16 i16_sixteen(const int16_t *query, const int16_t *cells, size_t channels) {
    __m256i lo = _mm256_setzero_si256(), hi = lo;
    for (size_t i = 0; i < channels; i += 2, cells += 32) {
        const __m256i q = _mm256_set1_epi32(i16_pair(query + i));
        const __m256i a = _mm256_loadu_si256((const void *)cells);
        const __m256i b = _mm256_loadu_si256((const void *)(cells + 16));
        lo = _mm256_add_epi32(lo, _mm256_madd_epi16(q, a));
        hi = _mm256_add_epi32(hi, _mm256_madd_epi16(q, b));
    }
    return (f32x16){_mm256_cvtepi32_ps(lo), _mm256_cvtepi32_ps(hi)};
}
static inline f32x4 i16_quad(const int16_t *query, const int16_t *cells, size_t channels) {
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    for (size_t i = 0; i < channels; i += 16) {
        const __m256i q = _mm256_loadu_si256((const void *)(query + i));
        const int16_t *p = cells + i;
        a = _mm256_add_epi32(a, _mm256_madd_epi16(q, _mm256_loadu_si256((const void *)p)));
        p += channels;
        b = _mm256_add_epi32(b, _mm256_madd_epi16(q, _mm256_loadu_si256((const void *)p)));
        p += channels;
        c = _mm256_add_epi32(c, _mm256_madd_epi16(q, _mm256_loadu_si256((const void *)p)));
        p += channels;
        d = _mm256_add_epi32(d, _mm256_madd_epi16(q, _mm256_loadu_si256((const void *)p)));
    }
    const __m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    return _mm_cvtepi32_ps(
        _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
}
#endif
static inline f32x4 f32x4_bound(f32x4 a, float bound, float scale, float slack) {
    const __m128 c = _mm_add_ps(_mm_mul_ps(a, _mm_set1_ps(scale)), _mm_set1_ps(slack));
    return _mm_mul_ps(_mm_set1_ps(bound),
                      _mm_min_ps(_mm_max_ps(c, _mm_setzero_ps()), _mm_set1_ps(1)));
}

#ifdef SCP_SIMD_AVX512_H
static inline size_t f32x4_pack(float *value, uint32_t *node, f32x4 a, uint32_t first,
                                float least) {
    const __mmask8 in = _mm_cmp_ps_mask(a, _mm_set1_ps(least), _CMP_GE_OQ);
    const __m128i nodes = _mm_add_epi32(_mm_set1_epi32((int)first), _mm_setr_epi32(0, 1, 2, 3));
    _mm_storeu_ps(value, _mm_maskz_compress_ps(in, a));
    _mm_storeu_si128((void *)node, _mm_maskz_compress_epi32(in, nodes));
    return (size_t)__builtin_popcount(in);
}

static inline size_t f32x4_pack_range(float *value, uint32_t *node, const float *values,
                                      const uint32_t *nodes, float least, float below) {
    const __m128 a = _mm_loadu_ps(values);
    const __mmask8 in = _mm_mask_cmp_ps_mask(_mm_cmp_ps_mask(a, _mm_set1_ps(least), _CMP_GE_OQ), a,
                                             _mm_set1_ps(below), _CMP_LT_OQ);
    _mm_storeu_ps(value, _mm_maskz_compress_ps(in, a));
    _mm_storeu_si128((void *)node,
                     _mm_maskz_compress_epi32(in, _mm_loadu_si128((const void *)nodes)));
    return (size_t)__builtin_popcount(in);
}
#else
/* For each mask of kept lanes: the lanes in order (two bits each) and their number << 8. */
#define PACK(a, b, c, d, count) ((a) | (b) << 2 | (c) << 4 | (d) << 6 | (count) << 8)
static const uint16_t pack_table[16] = {
    PACK(0, 0, 0, 0, 0), PACK(0, 0, 0, 0, 1), PACK(1, 0, 0, 0, 1), PACK(0, 1, 0, 0, 2),
    PACK(2, 0, 0, 0, 1), PACK(0, 2, 0, 0, 2), PACK(1, 2, 0, 0, 2), PACK(0, 1, 2, 0, 3),
    PACK(3, 0, 0, 0, 1), PACK(0, 3, 0, 0, 2), PACK(1, 3, 0, 0, 2), PACK(0, 1, 3, 0, 3),
    PACK(2, 3, 0, 0, 2), PACK(0, 2, 3, 0, 3), PACK(1, 2, 3, 0, 3), PACK(0, 1, 2, 3, 4),
};
#undef PACK

static inline size_t f32x4_pack(float *value, uint32_t *node, f32x4 a, uint32_t first,
                                float least) {
    const int mask = _mm_movemask_ps(_mm_cmpge_ps(a, _mm_set1_ps(least)));
    const uint32_t entry = pack_table[mask];
    const __m128i lanes = _mm_and_si128(
        _mm_srlv_epi32(_mm_set1_epi32((int)entry), _mm_setr_epi32(0, 2, 4, 6)), _mm_set1_epi32(3));
    _mm_storeu_ps(value, _mm_permutevar_ps(a, lanes));
    _mm_storeu_si128((void *)node, _mm_add_epi32(lanes, _mm_set1_epi32((int)first)));
    return entry >> 8;
}

static inline size_t f32x4_pack_range(float *value, uint32_t *node, const float *values,
                                      const uint32_t *nodes, float least, float below) {
    const __m128 a = _mm_loadu_ps(values);
    const __m128 in =
        _mm_and_ps(_mm_cmpge_ps(a, _mm_set1_ps(least)), _mm_cmplt_ps(a, _mm_set1_ps(below)));
    const uint32_t entry = pack_table[_mm_movemask_ps(in)];
    const __m128i lanes = _mm_and_si128(
        _mm_srlv_epi32(_mm_set1_epi32((int)entry), _mm_setr_epi32(0, 2, 4, 6)), _mm_set1_epi32(3));
    _mm_storeu_ps(value, _mm_permutevar_ps(a, lanes));
    _mm_storeu_ps((float *)node, _mm_permutevar_ps(_mm_loadu_ps((const float *)nodes), lanes));
    return entry >> 8;
}
#endif

#endif
