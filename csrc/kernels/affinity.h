/* What follows a product of vectors (scp/vectors.h). A tile has `rows` rows of `width` floats,
 * width a multiple of 16. */
#ifndef SCP_KERNELS_AFFINITY_H
#define SCP_KERNELS_AFFINITY_H

#include <stddef.h>

struct scp_affinity_kernels {
    /* tile = max(0, tile), of products. */
    void (*cosine)(float *tile, size_t rows, size_t width);
    /* tile = exp(-gamma max(0, row_squares[i] + squares[j] - 2 tile)), of products; squares: of the
     * vectors' lengths. */
    void (*rbf)(float *tile, size_t rows, size_t width, float gamma, const float *row_squares,
                const float *squares);
    /* sums[j] += sum over rows of weights[i] * max(0, tile[i][j] - floor[i]): in float32, then
     * added in float64. */
    void (*excess)(double *sums, const float *tile, size_t rows, size_t width, const float *floor,
                   const float *weights);
    /* sums[i] += sum over j of weights[j] * max(0, tile[i][j] - floor[j]), likewise. */
    void (*excess_across)(double *sums, const float *tile, size_t rows, size_t width,
                          const float *floor, const float *weights);
};

#endif
