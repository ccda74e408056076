/* The scores of ZCore (Griffin, Marks and Corso, 2024), a way to choose that others use: random
 * points in two random dimensions of the images' vectors ask who is near.
 *
 * Draw i takes from stream i of the seed two dimensions a and b (below(d), below(d - 1), skipping
 * a), then in a and in b a number p of the triangular distribution (smallest, median, largest), by
 * the inverse of its distribution function at uniform() in float64, rounded to float32. The image
 * h with the smallest |v_a - p_a| + |v_b - p_b|, the first of equal ones, gets 1. With
 * r_n = |v_na - v_ha| + |v_nb - v_hb| the others lose 1 together: in equal parts those with r = 0,
 * if there are any; else each its share of (r_min / r_n)^4, summed in float64: lane j adds
 * n = j, j + 8, ..., then lane j + lane j+4, j+2, j+1.
 *
 * Draws are split into SCP_ZCORE_PARTS runs of equal length (the last ones one shorter), each of
 * which is summed in order, and the sums are added in order: the same bits at any number of
 * threads. */
#ifndef SCP_ZCORE_H
#define SCP_ZCORE_H

#include <stddef.h>
#include <stdint.h>

#include "scp/status.h"
#include "scp/threads.h"

#define SCP_ZCORE_PARTS 32

struct scp_zcore_input {
    const float *columns; /* [d][n], finite: each dimension of all vectors */
    const float *shape;   /* [d][3]: smallest, median and largest of each dimension */
    size_t d, n;          /* d >= 2, n >= 1, both below 2^32 */
};

/* scores[n]. SCP_EINVAL: sizes, or a shape that does not ascend. Takes SCP_ZCORE_PARTS * n float64.
 */
enum scp_status scp_zcore(double *scores, const struct scp_zcore_input *input, uint64_t seed,
                          size_t draws, const struct scp_control *control);

#endif
