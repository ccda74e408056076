/* Similarities of vectors, one vector for each image, made where they are used: the matrix of all
 * pairs of a large pool is never held.
 *
 *     k(a, b) = max(0, <a, b>)             gamma = 0: cosines, where vectors have unit length
 *     k(a, b) = exp(-gamma |a - b|^2)      gamma > 0
 *
 * A pair has the same bits wherever it stands, and k(a, b) those of k(b, a). Sums over columns are
 * made of pieces of at most 128 in float32, which are added in float64 in a fixed order: the same
 * bits at any number of threads. Instruction sets agree to float32 rounding. */
#ifndef SCP_VECTORS_H
#define SCP_VECTORS_H

#include <stddef.h>

#include "scp/status.h"
#include "scp/threads.h"

struct scp_vectors {
    const float *left, *right; /* [rows][dimensions], [columns][dimensions], finite */
    size_t rows, columns, dimensions;
    double gamma;
};

/* values[rows][columns] = k(left, right). SCP_EINVAL: gamma below 0 or not finite. */
enum scp_status scp_vectors_values(float *values, const struct scp_vectors *vectors,
                                   const struct scp_control *control);

/* excess[sets][rows] = sum over columns of weights * max(0, k(left, right) - floor), for each of
 * floors[sets][columns]; weights[columns]. Where left and right are one array, each pair is made
 * once. */
enum scp_status scp_vectors_excess(double *excess, const struct scp_vectors *vectors,
                                   const float *floors, size_t sets, const float *weights,
                                   const struct scp_control *control);

#endif
