/* The kernels of the pruned search, in 8-bit integers.
 *
 * A query is int8 q[channels] with its sum. A cell is uint8 t[channels], 128 more than its value:
 * the product of both is the exact integer <q, t - 128>. Cells that are read together lie together,
 * four channels of each in turn: [channels / 4][cells][4], cells = 4 children or 16 roots. */
#ifndef SCP_KERNELS_TREE_H
#define SCP_KERNELS_TREE_H

#include <stddef.h>
#include <stdint.h>

/* One level of a query, prepared for one tree: bound = product * scale + slack. */
struct scp_tree_query {
    const int8_t *vector;
    int32_t sum; /* of the vector */
    float scale, slack;
};

struct scp_tree_kernels {
    /* The children j of each node[i] of a quadtree level and their bounds,
     * b = bound[i] * clamp(<query, child> * scale + slack, 0, 1), all of them, as 4 * i + j.
     * The lists end in a multiple of 4: what fills them has bound 0 and any node of the level.
     * cells: the level of the children. Returns the largest. */
    float (*spread)(float *out_bound, uint32_t *out_node, const float *bound, const uint32_t *node,
                    size_t count, const struct scp_tree_query *query, const uint8_t *cells,
                    size_t channels);

    /* Of the same, appends those with b >= min > 0 to out_bound and out_node, which must have
     * room for 4 * count + 16. Returns how many were kept. */
    size_t (*expand)(float *out_bound, uint32_t *out_node, const float *bound, const uint32_t *node,
                     size_t count, const struct scp_tree_query *query, const uint8_t *cells,
                     size_t channels, float min);

    /* bounds[i] = clamp(<query, root i> * scale + slack, 0, 1) for `count` roots, a multiple of 16.
     * Returns the largest. */
    float (*roots)(float *bounds, const struct scp_tree_query *query, const uint8_t *roots,
                   size_t count, size_t channels);

    /* In the next three, bounds are not negative, and zeros fill the last 16. */

    /* The pairs (bound, node) with bound >= min > 0, in order; returns how many. The outputs have
     * room for count + 16 and do not overlap the inputs. */
    size_t (*filter)(float *out_bound, uint32_t *out_node, const float *bound, const uint32_t *node,
                     size_t count, float min);

    /* Takes pairs out of a list: the largest, about but not more than `max`, of which none is
     * smaller than `share` of the largest, which is given; returns how many. Their bounds become 0,
     * *left is the largest of the others. The outputs have room for max + 16. */
    size_t (*shortlist)(float *out_bound, uint32_t *out_node, float *left, float *bound,
                        const uint32_t *node, size_t count, float largest, size_t max, float share);

    /* The first that is `value`; the last when there is none. */
    size_t (*find)(const float *bounds, size_t count, float value);

    /* The largest |in[i]| of count, a multiple of 16. */
    float (*max_abs)(const float *in, size_t count);

    /* out[c] = 128 + in[c] * scale, rounded; sums: of the squares of what rounding took, and of in.
     * When the second is NaN or in * scale can leave [-127.5, 127.5], out may be anything. */
    void (*quantise)(uint8_t *out, float sums[2], const float *in, float scale, size_t channels);

    /* The same of four vectors, [channels / 4][4][4] as above; sums: the first of each, then the
     * second of each. */
    void (*quantise4)(uint8_t *out, float sums[8], const float *const in[4], const float scale[4],
                      size_t channels);
};

#endif
