/* Dot products and similarities. channels % 16 == 0. Summation order of every dot product: 16
 * partial sums, channel c goes to partial c % 16 in ascending order, product and sum rounded
 * separately; then partial j + (j+8), j + (j+4), j + (j+2), j + (j+1). */
#ifndef SCP_KERNELS_DOTS_H
#define SCP_KERNELS_DOTS_H

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

struct scp_dots_kernels {
    /* out[i] = <query, cell i>; cells 0, 1 are the vectors at row0, cells 2, 3 those at row1. */
    void (*quad)(float out[4], const float *query, const float *row0, const float *row1,
                 size_t channels);
    /* One dot product. */
    float (*one)(const float *query, const float *cell, size_t channels);
    /* out[i] = <query i, vector cells[i]>; queries and vectors are [..][channels]. */
    void (*at)(float *out, const float *queries, const float *vectors, const uint32_t *cells,
               size_t count, size_t channels);
    /* out[q * stride + i] = <query q, cell i>; query q lies at queries + q * query_stride, cells
     * are [n_cells][channels]. */
    void (*block)(float *out, size_t stride, const float *queries, size_t query_stride,
                  size_t n_queries, const float *cells, size_t n_cells, size_t channels);

    /* In place: row[i] = scp_similarity(row[i], query_norm, norms[i], epsilon), times
     * parents[i / 2] unless parents is NULL. Returns the largest value, at least 0. */
    float (*combine)(float *row, const float *parents, float query_norm, const float *norms,
                     float epsilon, size_t count);
};

#endif
