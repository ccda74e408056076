/* The leaf kernels, one table per instruction set. Kernels return nothing, cannot fail and never
 * allocate; all sets give the same bits. Bodies are written once over f32x16 (simd/), in one
 * *_body.h file per family, and compiled once per set by <isa>.c. */
#ifndef SCP_KERNELS_H
#define SCP_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define SCP_TINY 1.17549435e-38f

/* The similarity of a query and a cell at one level, from the dot product of their unit vectors and
 * their norms: clamp(dot * n / (n + epsilon), 0, 1), and 0 where n = 0. */
static inline float scp_similarity(float dot, float query_norm, float cell_norm, float epsilon) {
    const float n = query_norm * cell_norm, m = n + epsilon;
    const float c = dot * (n / (m > SCP_TINY ? m : SCP_TINY));
    return c > 0 ? (c < 1 ? c : 1) : 0;
}

struct scp_kernels {
    const char *name;

    /* ---- dots_body.h: dot products. channels % 16 == 0. Summation order of every dot product:
     * 16 partial sums, channel c goes to partial c % 16 in ascending order, product and sum rounded
     * separately; then partial j + (j+8), j + (j+4), j + (j+2), j + (j+1). ---- */

    /* out[i] = <query, cell i>; cells 0, 1 are the vectors at row0, cells 2, 3 those at row1. */
    void (*dots_quad)(float out[4], const float *query, const float *row0, const float *row1,
                      size_t channels);
    /* One dot product. */
    float (*dot)(const float *query, const float *cell, size_t channels);
    /* out[q * stride + i] = <query q, cell i>; query q lies at queries + q * query_stride, cells
     * are [n_cells][channels]. */
    void (*dots_block)(float *out, size_t stride, const float *queries, size_t query_stride,
                       size_t n_queries, const float *cells, size_t n_cells, size_t channels);

    /* In place: row[i] = scp_similarity(row[i], query_norm, norms[i], epsilon), times
     * parents[i / 2] unless parents is NULL. Returns the largest value, at least 0. */
    float (*combine)(float *row, const float *parents, float query_norm, const float *norms,
                     float epsilon, size_t count);

    /* ---- expand_body.h: for each node[i] of a quadtree level and each of its four children j,
     * b = bound[i] * clamp(<query, child>_int16 * scale + slack, 0, 1); children with b >= least
     * are appended to out_bound and out_node as 4 * node[i] + j, which must have room for 4 * count
     * + 4. cells: the level of the children, int16 [..][channels]; query: int16 [channels]..
     * Returns how many were kept. ---- */
    size_t (*expand)(float *out_bound, uint32_t *out_node, const float *bound, const uint32_t *node,
                     size_t count, const int16_t *query, const int16_t *cells, size_t channels,
                     float scale, float slack, float least);
};

/* The table of the instruction set in use (scp/cpu.h). */
const struct scp_kernels *scp_kernels(void);

extern const struct scp_kernels scp_kernels_portable;
#if defined(__x86_64__)
extern const struct scp_kernels scp_kernels_avx2;
extern const struct scp_kernels scp_kernels_avx512;
#elif defined(__aarch64__)
extern const struct scp_kernels scp_kernels_neon;
#endif

#endif
