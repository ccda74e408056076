/* The gradients of weights and bias, as implicit GEMM for any kernel, stride and dilation. */
#ifndef SCP_NN_CONV_GRADIENT_H
#define SCP_NN_CONV_GRADIENT_H

#include "conv_product.h"

/* gradients[tap y][tap x][channels][outputs] (swap: [outputs][channels]) += the sums over pixels of
 * source (at every tap) times fixed, and bias_grads[outputs] += sums of fixed (NULL: none). */
struct scp_gradient {
    struct scp_source source, fixed;
    struct scp_axis y, x;
    float *gradients, *bias_grads;
    int swap;
};

size_t scp_gradient_gemm_workspace(const struct scp_gradient *gradient, size_t threads);
enum scp_status scp_gradient_gemm(const struct scp_gradient *gradient, const struct scp_run *run);

#define SCP_GRADIENT_GROUP                                                                         \
    16 /* channels added at once: a line of the cache in a swapped gradient */

/* Gradients of one tap += sums[count][16], `step` floats apart: of channels k .. k + count - 1 and
 * the outputs of a panel. */
void scp_gradient_add(const struct scp_gradient *gradient, size_t tap, size_t k, size_t count,
                      size_t panel, const float *sums, size_t step);

/* Partial gradients sums[parts][panels][depth][16], depth = taps x channels, and of the biases
 * bias[parts][panels][16], added up in order. */
struct scp_partial {
    const struct scp_gradient *gradient;
    float *sums, *bias;
    size_t parts, panels, depth;
};
/* Parts: `wanted`, but no more than 64 MiB of them (or one). */
static inline size_t scp_partial_parts(const struct scp_partial *p, size_t wanted) {
    return scp_max(1, scp_min(wanted, 16777216 / (p->panels * 16 * p->depth)));
}
/* Those of one part, from a panel on. */
static inline float *scp_partial_sums(const struct scp_partial *p, size_t part, size_t panel) {
    return p->sums + (part * p->panels + panel) * p->depth * 16;
}
static inline float *scp_partial_bias(const struct scp_partial *p, size_t part, size_t panel) {
    return p->bias + (part * p->panels + panel) * 16;
}
/* Floats of all of it; its place at the beginning of a workspace, of which the others are left. */
static inline size_t scp_partial_floats(const struct scp_partial *p) {
    return p->parts * p->panels * 16 * (p->depth + 1);
}
static inline float *scp_partial_place(struct scp_partial *p, float *workspace) {
    p->sums = workspace;
    p->bias = workspace + p->parts * p->panels * 16 * p->depth;
    return workspace + scp_partial_floats(p);
}
enum scp_status scp_partial_add(struct scp_partial *partial);

#endif
