/* What both x86 sets do alike: transposes of squares of four, the words of draws, and the
 * quadtree's integers (kernels/tree.h). */
#ifndef SCP_SIMD_X86_H
#define SCP_SIMD_X86_H

#include <string.h>

static inline void f32x4_transpose(float *to, const float *from, size_t line) {
    __m128 a = _mm_loadu_ps(from), b = _mm_loadu_ps(from + line);
    __m128 c = _mm_loadu_ps(from + 2 * line), d = _mm_loadu_ps(from + 3 * line);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(to, a), _mm_storeu_ps(to + 16, b);
    _mm_storeu_ps(to + 32, c), _mm_storeu_ps(to + 48, d);
}

static inline int32_t u8_four(const int8_t *query) { /* four channels */
    int32_t four;
    memcpy(&four, query, sizeof four);
    return four;
}

#ifdef SCP_SIMD_AVX512_H
typedef struct {
    __m512i v;
} u64x8;

static inline u64x8 u64x8_set(uint32_t word) {
    return (u64x8){_mm512_set1_epi64(word)};
}
static inline u64x8 u64x8_count(uint32_t first) {
    return (u64x8){
        _mm512_add_epi64(_mm512_set1_epi64(first), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7))};
}
static inline u64x8 u64x8_xor(u64x8 a, u64x8 b) {
    return (u64x8){_mm512_xor_si512(a.v, b.v)};
}
static inline u64x8 u64x8_upper(u64x8 a) {
    return (u64x8){_mm512_srli_epi64(a.v, 32)};
}
static inline u64x8 u64x8_multiply(u64x8 a, u64x8 b) {
    return (u64x8){_mm512_mul_epu32(a.v, b.v)};
}
static inline void u64x8_store(uint64_t *p, u64x8 a) {
    _mm512_storeu_si512(p, a.v);
}

/* In each of 16 lanes: sum + the products of four channels. */
static inline __m512i u8_add(__m512i sum, __m512i cells, __m512i query) {
#ifdef SCP_SIMD_VNNI
    return _mm512_dpbusd_epi32(sum, cells, query);
#else
    const __m512i even = _mm512_srai_epi16(_mm512_slli_epi16(query, 8), 8);
    const __m512i odd = _mm512_srai_epi16(query, 8);
    sum = _mm512_add_epi32(
        sum, _mm512_madd_epi16(_mm512_and_si512(cells, _mm512_set1_epi16(255)), even));
    return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_srli_epi16(cells, 8), odd));
#endif
}
static inline f32x16 u8_sixteen(const int8_t *query, int32_t sum, const uint8_t *cells,
                                size_t channels) {
    __m512i a = _mm512_set1_epi32(-128 * sum), b = _mm512_setzero_si512();
    for (size_t c = 0; c < channels; c += 8, cells += 128) {
        a = u8_add(a, _mm512_loadu_si512(cells), _mm512_set1_epi32(u8_four(query + c)));
        b = u8_add(b, _mm512_loadu_si512(cells + 64), _mm512_set1_epi32(u8_four(query + c + 4)));
    }
    return (f32x16){_mm512_cvtepi32_ps(_mm512_add_epi32(a, b))};
}
#define FOURFOLD _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3)
static inline __m512i u8_node(const int8_t *query, const uint8_t *cells, size_t channels) {
    __m512i sum = _mm512_setzero_si512();
    for (size_t c = 0; c < channels; c += 16) {
        const __m128i q = _mm_loadu_si128((const void *)(query + c));
        sum = u8_add(sum, _mm512_loadu_si512(cells + 4 * c),
                     _mm512_permutexvar_epi32(FOURFOLD, _mm512_castsi128_si512(q)));
    }
    return sum;
}
/* Halves of a and b, added: those of a, then those of b. */
static inline __m512i i32_fold(__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x44), _mm512_shuffle_i32x4(a, b, 0xee));
}
static inline f32x16 u8_children(const int8_t *query, int32_t sum, const uint8_t *cells,
                                 const uint32_t *node, size_t channels) {
    const size_t size = 4 * channels;
    const __m512i a = u8_node(query, cells + node[0] * size, channels);
    const __m512i b = u8_node(query, cells + node[1] * size, channels);
    const __m512i c = u8_node(query, cells + node[2] * size, channels);
    const __m512i d = u8_node(query, cells + node[3] * size, channels);
    const __m512i ab = i32_fold(a, b), cd = i32_fold(c, d);
    const __m512i all =
        _mm512_add_epi32(_mm512_shuffle_i32x4(ab, cd, 0x88), _mm512_shuffle_i32x4(ab, cd, 0xdd));
    return (f32x16){_mm512_cvtepi32_ps(_mm512_sub_epi32(all, _mm512_set1_epi32(128 * sum)))};
}
static inline f32x16 f32x16_load_fourfold(const float *p) {
    return (f32x16){_mm512_permutexvar_ps(FOURFOLD, _mm512_castps128_ps512(_mm_loadu_ps(p)))};
}
static inline __m512i u32_children(const uint32_t *node) {
    const __m512i parent = _mm512_permutexvar_epi32(
        FOURFOLD, _mm512_castsi128_si512(_mm_loadu_si128((const void *)node)));
    const __m512i child = _mm512_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    return _mm512_or_si512(_mm512_slli_epi32(parent, 2), child);
}
static inline void u32x16_children(uint32_t *out, const uint32_t *node) {
    _mm512_storeu_si512(out, u32_children(node));
}
static inline size_t f32x16_pack_children(float *value, uint32_t *out, f32x16 a,
                                          const uint32_t *node, float min) {
    const __mmask16 in = _mm512_cmp_ps_mask(a.v, _mm512_set1_ps(min), _CMP_GE_OQ);
    _mm512_storeu_ps(value, _mm512_maskz_compress_ps(in, a.v));
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(in, u32_children(node)));
    return (size_t)__builtin_popcount(in);
}
#undef FOURFOLD
static inline f32x16 f32x16_store_u8(uint8_t *p, f32x16 a) {
    const __m512i whole = _mm512_cvttps_epi32(a.v);
    _mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8(whole));
    return (f32x16){_mm512_cvtepi32_ps(whole)};
}
static inline void f32x16_store_u8x4(uint8_t *p, f32x16 a[4]) {
    __m128i bytes[4];
    for (int n = 0; n < 4; n++) {
        const __m512i whole = _mm512_cvttps_epi32(a[n].v);
        bytes[n] = _mm512_cvtepi32_epi8(whole);
        a[n].v = _mm512_cvtepi32_ps(whole);
    }
    const __m256i ab = _mm256_inserti128_si256(_mm256_castsi128_si256(bytes[0]), bytes[1], 1);
    const __m256i cd = _mm256_inserti128_si256(_mm256_castsi128_si256(bytes[2]), bytes[3], 1);
    const __m512i all = _mm512_inserti64x4(_mm512_castsi256_si512(ab), cd, 1);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, all));
}

static inline size_t f32x16_pack(float *value, uint32_t *node, const float *values,
                                 const uint32_t *nodes, float min) {
    const __m512 a = _mm512_loadu_ps(values);
    const __mmask16 in = _mm512_cmp_ps_mask(a, _mm512_set1_ps(min), _CMP_GE_OQ);
    _mm512_storeu_ps(value, _mm512_maskz_compress_ps(in, a));
    _mm512_storeu_si512(node, _mm512_maskz_compress_epi32(in, _mm512_loadu_si512(nodes)));
    return (size_t)__builtin_popcount(in);
}

#else
typedef struct {
    __m256i lo, hi;
} u64x8;

static inline u64x8 u64x8_set(uint32_t word) {
    const __m256i v = _mm256_set1_epi64x(word);
    return (u64x8){v, v};
}
static inline u64x8 u64x8_count(uint32_t first) {
    const __m256i v = _mm256_set1_epi64x(first);
    return (u64x8){_mm256_add_epi64(v, _mm256_setr_epi64x(0, 1, 2, 3)),
                   _mm256_add_epi64(v, _mm256_setr_epi64x(4, 5, 6, 7))};
}
static inline u64x8 u64x8_xor(u64x8 a, u64x8 b) {
    return (u64x8){_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)};
}
static inline u64x8 u64x8_upper(u64x8 a) {
    return (u64x8){_mm256_srli_epi64(a.lo, 32), _mm256_srli_epi64(a.hi, 32)};
}
static inline u64x8 u64x8_multiply(u64x8 a, u64x8 b) {
    return (u64x8){_mm256_mul_epu32(a.lo, b.lo), _mm256_mul_epu32(a.hi, b.hi)};
}
static inline void u64x8_store(uint64_t *p, u64x8 a) {
    _mm256_storeu_si256((void *)p, a.lo);
    _mm256_storeu_si256((void *)(p + 4), a.hi);
}

/* In each of 8 lanes: sum + the products of four channels. */
static inline __m256i u8_add(__m256i sum, __m256i cells, __m256i query) {
    const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(query, 8), 8);
    const __m256i odd = _mm256_srai_epi16(query, 8);
    sum = _mm256_add_epi32(
        sum, _mm256_madd_epi16(_mm256_and_si256(cells, _mm256_set1_epi16(255)), even));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_srli_epi16(cells, 8), odd));
}
static inline f32x16 u8_sixteen(const int8_t *query, int32_t sum, const uint8_t *cells,
                                size_t channels) {
    __m256i lo = _mm256_set1_epi32(-128 * sum), hi = lo;
    for (size_t c = 0; c < channels; c += 4, cells += 64) {
        const __m256i q = _mm256_set1_epi32(u8_four(query + c));
        lo = u8_add(lo, _mm256_loadu_si256((const void *)cells), q);
        hi = u8_add(hi, _mm256_loadu_si256((const void *)(cells + 32)), q);
    }
    return (f32x16){_mm256_cvtepi32_ps(lo), _mm256_cvtepi32_ps(hi)};
}
/* The children of a, then those of b. */
static inline __m256 i32_fold(__m256i a, __m256i b, int32_t less) {
    const __m256i all = _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                                         _mm256_permute2x128_si256(a, b, 0x31));
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(all, _mm256_set1_epi32(less)));
}
static inline f32x16 u8_children(const int8_t *query, int32_t sum, const uint8_t *cells,
                                 const uint32_t *node, size_t channels) {
    const __m256i fourfold = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    __m256i sums[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                       _mm256_setzero_si256()};
    for (size_t i = 0; i < channels; i += 8) { /* a query's registers serve four nodes */
        const __m256i q = _mm256_permutevar8x32_epi32(
            _mm256_castsi128_si256(_mm_loadl_epi64((const void *)(query + i))), fourfold);
        for (int n = 0; n < 4; n++) {
            const uint8_t *at = cells + 4 * (node[n] * channels + i);
            sums[n] = u8_add(sums[n], _mm256_loadu_si256((const void *)at), q);
        }
    }
    return (f32x16){i32_fold(sums[0], sums[1], 128 * sum), i32_fold(sums[2], sums[3], 128 * sum)};
}
static inline f32x16 f32x16_load_fourfold(const float *p) {
    const __m256 four = _mm256_castps128_ps256(_mm_loadu_ps(p));
    return (f32x16){_mm256_permutevar8x32_ps(four, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1)),
                    _mm256_permutevar8x32_ps(four, _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3))};
}

static inline __m128i f32x16_bytes(f32x16 *a) {
    const __m256i lo = _mm256_cvttps_epi32(a->lo), hi = _mm256_cvttps_epi32(a->hi);
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(lo, hi), 0xd8);
    *a = (f32x16){_mm256_cvtepi32_ps(lo), _mm256_cvtepi32_ps(hi)};
    return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}
static inline f32x16 f32x16_store_u8(uint8_t *p, f32x16 a) {
    _mm_storeu_si128((void *)p, f32x16_bytes(&a));
    return a;
}
static inline void f32x16_store_u8x4(uint8_t *p, f32x16 a[4]) {
    const __m128i q = f32x16_bytes(a), r = f32x16_bytes(a + 1), s = f32x16_bytes(a + 2),
                  t = f32x16_bytes(a + 3);
    const __m128i qr = _mm_unpacklo_epi32(q, r), st = _mm_unpacklo_epi32(s, t);
    const __m128i qr2 = _mm_unpackhi_epi32(q, r), st2 = _mm_unpackhi_epi32(s, t);
    _mm_storeu_si128((void *)p, _mm_unpacklo_epi64(qr, st));
    _mm_storeu_si128((void *)(p + 16), _mm_unpackhi_epi64(qr, st));
    _mm_storeu_si128((void *)(p + 32), _mm_unpacklo_epi64(qr2, st2));
    _mm_storeu_si128((void *)(p + 48), _mm_unpackhi_epi64(qr2, st2));
}

/* For each mask of kept lanes: the lanes in order (two bits each) and their number << 8. */
#define PACK(a, b, c, d, count) ((a) | (b) << 2 | (c) << 4 | (d) << 6 | (count) << 8)
static const uint16_t pack_table[16] = {
    PACK(0, 0, 0, 0, 0), PACK(0, 0, 0, 0, 1), PACK(1, 0, 0, 0, 1), PACK(0, 1, 0, 0, 2),
    PACK(2, 0, 0, 0, 1), PACK(0, 2, 0, 0, 2), PACK(1, 2, 0, 0, 2), PACK(0, 1, 2, 0, 3),
    PACK(3, 0, 0, 0, 1), PACK(0, 3, 0, 0, 2), PACK(1, 3, 0, 0, 2), PACK(0, 1, 3, 0, 3),
    PACK(2, 3, 0, 0, 2), PACK(0, 2, 3, 0, 3), PACK(1, 2, 3, 0, 3), PACK(0, 1, 2, 3, 4),
};
#undef PACK

static inline size_t f32x4_pack_children(float *value, uint32_t *node, __m128 a, uint32_t first,
                                         float min) {
    const int mask = _mm_movemask_ps(_mm_cmpge_ps(a, _mm_set1_ps(min)));
    const uint32_t entry = pack_table[mask];
    const __m128i lanes = _mm_and_si128(
        _mm_srlv_epi32(_mm_set1_epi32((int)entry), _mm_setr_epi32(0, 2, 4, 6)), _mm_set1_epi32(3));
    _mm_storeu_ps(value, _mm_permutevar_ps(a, lanes));
    _mm_storeu_si128((void *)node, _mm_add_epi32(lanes, _mm_set1_epi32((int)first)));
    return entry >> 8;
}
static inline size_t f32x16_pack_children(float *value, uint32_t *out, f32x16 a,
                                          const uint32_t *node, float min) {
    size_t kept = f32x4_pack_children(value, out, _mm256_castps256_ps128(a.lo), 4 * node[0], min);
    kept += f32x4_pack_children(value + kept, out + kept, _mm256_extractf128_ps(a.lo, 1),
                                4 * node[1], min);
    kept += f32x4_pack_children(value + kept, out + kept, _mm256_castps256_ps128(a.hi), 4 * node[2],
                                min);
    return kept + f32x4_pack_children(value + kept, out + kept, _mm256_extractf128_ps(a.hi, 1),
                                      4 * node[3], min);
}

static inline size_t f32x4_pack(float *value, uint32_t *node, const float *values,
                                const uint32_t *nodes, float min) {
    const __m128 a = _mm_loadu_ps(values);
    const uint32_t entry = pack_table[_mm_movemask_ps(_mm_cmpge_ps(a, _mm_set1_ps(min)))];
    const __m128i lanes = _mm_and_si128(
        _mm_srlv_epi32(_mm_set1_epi32((int)entry), _mm_setr_epi32(0, 2, 4, 6)), _mm_set1_epi32(3));
    _mm_storeu_ps(value, _mm_permutevar_ps(a, lanes));
    _mm_storeu_ps((float *)node, _mm_permutevar_ps(_mm_loadu_ps((const float *)nodes), lanes));
    return entry >> 8;
}
static inline size_t f32x16_pack(float *value, uint32_t *node, const float *values,
                                 const uint32_t *nodes, float min) {
    size_t kept = 0;
    for (int i = 0; i < 16; i += 4)
        kept += f32x4_pack(value + kept, node + kept, values + i, nodes + i, min);
    return kept;
}
#endif

#endif
